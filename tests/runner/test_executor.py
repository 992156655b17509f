"""The same results, wherever patches are computed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_vhd.exceptions import BadInputError, StageError
from napari_vhd.runner import executor

sys.path.append(str(Path(__file__).parent))
import tiny_stages

EXPECTED = {index: index * index for index in range(20)}


def kill_once(item: tuple[int, str]) -> int:
    """Die with the first of some items, once."""
    number, folder = item
    marker = Path(folder, "died")
    if number == 3 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def kill_always(_item: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


@pytest.mark.parametrize("workers", [1, 2])
def test_results_do_not_depend_on_the_number_of_processes(workers: int) -> None:
    with executor.opened(None, workers) as where:
        assert dict(where.map(tiny_stages.square, range(20))) == EXPECTED
        assert dict(where.map(tiny_stages.square, [])) == {}
        with pytest.raises(StageError, match="patch 0 is empty"):
            list(where.map(tiny_stages.refuse, [0]))


def test_a_killed_process_costs_nothing_but_time(tmp_path: Path) -> None:
    items = [(number, str(tmp_path)) for number in range(8)]
    with executor.opened(None, 2) as where:
        assert dict(where.map(kill_once, items)) == dict(enumerate(range(8)))
        with pytest.raises(StageError, match="killed 3 times"):
            list(where.map(kill_always, [1]))
        assert dict(where.map(tiny_stages.square, range(20))) == EXPECTED


def test_no_scheduler_at_the_address_is_bad_input() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(BadInputError, match="no dask scheduler answers"):
        executor.check_scheduler(f"tcp://127.0.0.1:{port}")
    for address in ("nonsense", "tcp://host", "tcp://host:port"):
        with pytest.raises(BadInputError, match="is not an address"):
            executor.check_scheduler(address)


def test_workers_on_slurm_are_asked_for_as_the_readme_tells(tmp_path: Path) -> None:
    readme = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
    (line,) = [text for text in readme.splitlines() if text.startswith("cluster = SLURMCluster(")]
    jobqueue = pytest.importorskip("dask_jobqueue")

    def slurm(**told: object) -> object:
        # As told, but for files and ports that a test must not take.
        quiet = {"dashboard_address": None, "host": "tcp://127.0.0.1:0"}
        folder = str(tmp_path)
        return jobqueue.SLURMCluster(**told, local_directory=folder, scheduler_options=quiet)

    found: dict[str, object] = {"SLURMCluster": slurm}
    exec(line, found)
    with found["cluster"] as cluster:
        script = cluster.job_script()
        executor.check_scheduler(cluster.scheduler_address)
    assert "#SBATCH --mem=8G" in script
    assert "#SBATCH -t 02:00:00" in script
    assert f"dask_worker {cluster.scheduler_address}" in script
    assert "--nthreads 1" in script


@pytest.mark.slow
def test_a_cluster_gives_the_same(tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    environment = {**os.environ, "PYTHONPATH": here}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    base = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard"]
    scheduler = subprocess.Popen(
        [*base, "--host", "127.0.0.1", "--port", str(port), "--no-show"], cwd=tmp_path, **quiet
    )
    worker = None
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                executor.check_scheduler(address)
                break
            except BadInputError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        with executor.opened(address, 1) as where:
            with pytest.raises(StageError, match="has no workers"):
                list(where.map(tiny_stages.square, range(20)))
            worker = subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-dashboard"],
                cwd=tmp_path,
                **quiet,
            )
            while not where._client.scheduler_info()["workers"]:
                time.sleep(0.2)
            assert dict(where.map(tiny_stages.square, range(20))) == EXPECTED
            with pytest.raises(StageError, match="patch 0 is empty"):
                list(where.map(tiny_stages.refuse, [0]))
    finally:
        for process in (worker, scheduler):
            if process is not None:
                process.terminate()
                process.wait()
