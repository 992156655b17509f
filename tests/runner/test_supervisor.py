"""One process group a stage: nothing is left behind, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SUPERVISE = """
import os, sys
from napari_vhd.runner.supervisor import supervise
supervise(lambda: os.execv("/bin/sh", ["/bin/sh", "-c", sys.argv[1]]))
"""
# A worker with a child, and a child in a session of its own that has lost its parent.
FAMILY = "sleep 600 & setsid sh -c 'sleep 601 & sleep 0.1' & sleep 0.3; echo family; "


def start(script: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def family_of(pid: int) -> set[int]:
    """All that descends from a process."""
    found, waiting = set(), [pid]
    while waiting:
        one = waiting.pop()
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            children = {int(child) for child in task.read_text().split()}
            waiting += children - found
            found |= children
    return found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


def ended(process: subprocess.Popen) -> dict:
    """Hear the supervisor out; its stdin stays open, for its end would mean to cancel."""
    output = process.stdout.read()
    process.wait(30)
    process.stdin.close()
    process.stdout.close()
    return json.loads(output.splitlines()[-1]) | {"said": output.splitlines()[:-1]}


def with_family(rest: str) -> tuple[subprocess.Popen, set[int]]:
    process = start(FAMILY + rest)
    assert process.stdout.readline() == b"family\n"
    deadline = time.monotonic() + 30
    while len(family := family_of(process.pid)) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(family) >= 3
    return process, family


def test_cancel_kills_the_worker_and_all_it_started() -> None:
    process, family = with_family("sleep 602")
    process.stdin.write(b"cancel\n")
    process.stdin.flush()
    started = time.monotonic()
    last = ended(process)
    assert time.monotonic() - started < 5
    assert (last["cancelled"], last["signal"]) == (True, signal.SIGKILL)
    assert not alive(family)


def test_the_end_of_stdin_does_the_same() -> None:
    process, family = with_family("sleep 603")
    process.stdin.close()
    process.wait(30)
    process.stdout.close()
    assert not alive(family)


def test_what_a_worker_leaves_running_goes_when_it_ends() -> None:
    process, family = with_family("sleep 2; exit 3")
    last = ended(process)
    assert (last["code"], last["signal"], last["cancelled"]) == (3, 0, False)
    assert not alive(family)


def test_a_killed_supervisor_takes_its_worker_along() -> None:
    process = start("echo ready; exec sleep 604")
    assert process.stdout.readline() == b"ready\n"
    family = family_of(process.pid)
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        stream.close()
    deadline = time.monotonic() + 10
    while alive(family) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(family)


def test_a_worker_that_is_killed_from_outside_was_not_cancelled() -> None:
    process = start("echo $$; exec sleep 605")
    os.kill(int(process.stdout.readline()), signal.SIGKILL)
    last = ended(process)
    assert (last["cancelled"], last["signal"]) == (False, signal.SIGKILL)


def test_lines_pass_both_ways_and_half_a_line_spoils_nothing() -> None:
    process = start('read line; echo "got $line"; printf half')
    process.stdin.write(b'{"stage": "x"}\n')
    process.stdin.flush()
    last = ended(process)
    assert last["said"] == [b'got {"stage": "x"}', b"half"]
    assert last["event"] == "exited"


def test_peak_memory_is_that_of_the_whole_group() -> None:
    one = f"{sys.executable} -c 'import time; a = b\"x\" * 150_000_000; time.sleep(2)'"
    peak = ended(start(f"{one} & {one}; wait"))["peak_rss_mb"]
    if peak < 300:
        pytest.fail(f"two processes of 150 MB each were measured as {peak} MB")
    assert peak < 500
