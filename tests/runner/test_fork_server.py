"""Workers are forked from a process that is ready: as fresh as new ones, gone with who asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from napari_vhd.runner import fork_server

HERE = str(Path(__file__).parent)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", HERE)


def asked(*lines: str) -> list:
    """Give a worker of `forked` lines, and its answers."""
    to_worker, from_worker = fork_server.fork("forked", [])
    with to_worker, from_worker:
        answers = []
        for line in lines:
            to_worker.write(f"{line}\n".encode())
            answers.append(json.loads(from_worker.readline()))
        return answers


def servers() -> list[psutil.Process]:
    """Fork servers of this process."""
    return [one for one in psutil.Process().children() if fork_server.__name__ in one.cmdline()]


def test_a_worker_has_the_environment_and_folder_of_the_moment(tmp_path, monkeypatch):
    asked("folder")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OF_THE_MOMENT", "1")
    monkeypatch.delenv("HOME")
    folder, environment = asked("folder", "environment")
    assert folder == str(tmp_path)
    assert environment["OF_THE_MOMENT"] == "1"
    assert environment["PYTHONHASHSEED"] == "0"
    assert "HOME" not in environment
    assert len(servers()) == 1


def test_it_is_ready_but_has_loaded_no_engine_and_holds_no_file_of_others(tmp_path):
    with (tmp_path / "lock").open("w") as file:
        kept = fork_server.fork("forked", [file.fileno()])
        modules, files = asked("modules", "files")
        for stream in kept:
            stream.close()
    assert {"spatialdata", "anndata", "matplotlib"} <= set(modules)
    assert not {"tensorflow", "torch", "jax", "novae", "napari", "qtpy"} & set(modules)
    assert str(tmp_path / "lock") not in files


def test_a_server_that_was_killed_is_replaced_and_its_workers_go_on():
    to_worker, from_worker = fork_server.fork("forked", [])
    with to_worker, from_worker:
        to_worker.write(b"folder\n")
        assert from_worker.readline()
        (server,) = servers()
        server.kill()
        server.wait()
        to_worker.write(b"folder\n")
        assert json.loads(from_worker.readline()) == os.getcwd()
        assert asked("folder") == [os.getcwd()]
    assert [one.pid for one in servers()] != [server.pid]


def test_a_worker_that_is_cancelled_before_it_has_begun_ends():
    started = [fork_server.fork("forked", []) for _ in range(40)]
    for to_worker, _ in started:
        to_worker.write(b"cancel\n")
    for to_worker, from_worker in started:
        with to_worker, from_worker:
            last = json.loads(from_worker.read().splitlines()[-1])
            assert (last["event"], last["cancelled"]) == ("exited", True)


def test_nothing_outlives_who_asked():
    asking = (
        "import os, sys, time, test_fork_server as here\n"
        "from napari_vhd.runner import fork_server\n"
        "here.asked('folder')\n"
        "kept = fork_server.fork('forked', [])\n"
        "kept[0].write(b'folder\\n'); kept[1].readline()\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", asking], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        family = psutil.Process(process.pid).children(recursive=True)
        # The server, the supervisor, the worker.
        assert len(family) >= 3
        process.kill()
    deadline = time.monotonic() + 10
    while psutil.wait_procs(family, timeout=0.05)[1] and time.monotonic() < deadline:
        pass
    assert not psutil.wait_procs(family, timeout=0)[1]
