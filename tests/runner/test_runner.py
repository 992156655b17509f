"""Whole runs of tiny real stages, each in a real process group."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from napari_vhd.config import RunConfig
from napari_vhd.exceptions import (
    BadInputError,
    BusyError,
    CancelledError,
    MemoryShortageError,
    StageError,
)
from napari_vhd.io.store import RunStore
from napari_vhd.runner.plan import Choice
from napari_vhd.runner.runner import Runner
from napari_vhd.stages.stage import Inputs

sys.path.append(str(Path(__file__).parent))
import tiny_stages as tiny

SIGNALS = [
    "planned",
    "started",
    "progressed",
    "logged",
    "noticed",
    "published",
    "finished",
    "failed",
    "cancelled",
    "ended",
]


class Bench:
    """A folder with run folders, and a way to run stages in them."""

    def __init__(self, folder: Path, ids: tuple[str, ...] = ("A",)) -> None:
        self.folder = folder
        (folder / "outs").mkdir(parents=True)
        data = {
            "paths": {"spaceranger_outs": str(folder), "processed": str(folder)},
            "samples": [{"id": name} for name in ids],
        }
        self.config = RunConfig.from_dict(data)
        self.stores = [
            RunStore.create(folder, name, self.config, name, folder / "outs") for name in ids
        ]
        self.store = self.stores[0]
        self.events: list[tuple] = []

    def runner(self, *stages: object, choice: Choice | None = None, **more: object) -> Runner:
        inputs = [Inputs(self.config, one, self.folder / "outs") for one in self.config.samples]
        runner = Runner(inputs, self.stores, stages, choice, **more)
        for name in SIGNALS:
            getattr(runner, name).connect(
                lambda *args, name=name: self.events.append((name, *args)), check_nargs=False
            )
        return runner

    def run(self, *stages: object, choice: Choice | None = None, **more: object) -> list[str]:
        """Run, and tell which stages ran (as they wrote down themselves)."""
        (self.folder / "ran.txt").write_text("")
        self.events.clear()
        self.runner(*stages, choice=choice, **more).run()
        return self.ran()

    def ran(self) -> list[str]:
        return sorted(
            line.split()[0] for line in (self.folder / "ran.txt").read_text().split("\n") if line
        )

    def told(self, name: str) -> list[tuple]:
        return [event[1:] for event in self.events if event[0] == name]

    def set(self, **params: object) -> None:
        self.config = replace(self.config, params=replace(self.config.params, **params))


def digest(store: RunStore) -> str:
    """Hash of the sample: its store, state and files."""
    found = hashlib.sha256()
    folder = store.version_dir(store.version())
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.update(f"{path.relative_to(folder)}".encode())
            found.update(path.read_bytes())
    return found.hexdigest()


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers import the tiny stages."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A sample that was run once, shared by the tests that leave it as it was."""
    bench = Bench(tmp_path_factory.mktemp("bench") / "one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        bench.first = bench.run(*tiny.ALL)
        bench.first_events = list(bench.events)
    return bench


def test_stages_run_in_the_order_of_their_needs(bench: Bench) -> None:
    assert bench.first == ["filter", "last", "left", "make", "right"]
    started = [event[1].stage for event in bench.first_events if event[0] == "started"]
    assert started[:2] == ["make", "filter"]
    assert set(started[2:4]) == {"left", "right"}
    assert started[4] == "last"
    table = bench.store.sdata()["table"]
    assert (table.obs["both"] == table.obs["left"] + table.obs["right"]).all()
    assert (bench.store.run_dir / "made.txt").read_text() == "made"


def test_stages_that_do_not_wait_for_each_other_run_side_by_side(bench: Bench) -> None:
    names = [(event[0], event[1].stage) for event in bench.first_events if event[0] in SIGNALS[1:9]]
    left, right = names.index(("started", "left")), names.index(("started", "right"))
    assert max(left, right) < min(names.index(("published", s)) for s in ("left", "right"))


def test_a_run_tells_progress_notices_and_records(bench: Bench) -> None:
    def told(name: str) -> list[tuple]:
        return [event[1:] for event in bench.first_events if event[0] == name]

    progress = [p for task, p in told("progressed") if task.stage == "filter"]
    assert (progress[-1].done, progress[-1].total, progress[-1].what) == (3, 3, "steps")
    assert progress[-1].seconds_left is not None
    assert [sentence for task, sentence in told("noticed")] == ["All is well."]
    records = {task.stage: record["A"] for task, record in told("finished")}
    assert records["make"].numbers == {"cells": tiny.CELLS}
    assert records["filter"].notices == ("All is well.",)
    assert records["make"].peak_rss_mb > 50
    assert told("ended") == [(None,)]


def test_run_json_holds_config_versions_and_records(bench: Bench) -> None:
    run = bench.store.run()
    assert run["config"] == bench.config.to_dict()
    assert {"python", "napari-vhd", "spatialdata"} <= set(run["versions"])
    assert run["seed"] == 0
    record = run["stages"]["filter"]
    assert {"seconds", "peak_rss_mb", "hash", "finished", "numbers", "notices"} <= set(record)
    assert record["numbers"] == {"kept": 5}
    assert record["figures"] == []
    assert "stage last" in (bench.store.run_dir / "run.log").read_text()


def test_a_second_run_does_nothing_and_says_so(bench: Bench) -> None:
    before = digest(bench.store)
    started = time.monotonic()
    assert bench.run(*tiny.ALL) == []
    assert time.monotonic() - started < 5
    assert {(s.status, s.runs) for s in bench.told("planned")[0][0][0]} == {("done", False)}
    assert bench.told("started") == []
    assert digest(bench.store) == before


def test_a_changed_parameter_runs_what_depends_on_it(bench: Bench) -> None:
    bench.set(radius=40.0)
    assert bench.run(*tiny.ALL) == ["last", "left"]
    reasons = {step.stage: step.reason for step in bench.told("planned")[0][0][0]}
    assert reasons["left"] == "parameters changed: radius 50 -> 40.0"
    assert (bench.store.sdata()["table"].obs["both"] == 140).all()
    assert bench.store.run()["config"]["params"]["radius"] == 40


def test_figures_that_an_interrupted_run_did_not_draw_are_drawn(bench: Bench) -> None:
    from napari_vhd.io import versions

    path = bench.store.run_dir / "run.json"
    run = bench.store.run()
    del run["stages"]["make"]["figures"]
    versions.write_json(path, run)
    before = bench.store.version()
    assert bench.run(*tiny.ALL) == []
    assert bench.store.run()["stages"]["make"]["figures"] == []
    assert bench.store.version() == before


@pytest.mark.parametrize(
    ("stage", "kind", "words"),
    [
        (tiny.FAIL, StageError, "no cells were found; choose another region"),
        (
            tiny.CRASH,
            StageError,
            "stage crash failed: KeyError: 'missing'; the details are in run.log",
        ),
        (tiny.ABORT, StageError, "stage abort ended abruptly by signal SIGABRT"),
        (tiny.GREEDY, MemoryShortageError, "stage greedy needs about 1048576.0 GB"),
        (tiny.FILL, StageError, "disk full: stage fill"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_stage_that_fails_leaves_the_sample_as_it_was(
    bench: Bench, stage: object, kind: type, words: str
) -> None:
    before = digest(bench.store)
    with pytest.raises(kind, match=words):
        bench.run(tiny.MAKE, stage)
    assert digest(bench.store) == before
    ((task, failure),) = bench.told("failed")
    assert (task.stage, failure.exit_code) == (stage.name, kind.exit_code)
    assert "Traceback" not in failure.sentence
    assert not (bench.store.run_dir / ".scratch").exists()
    if stage is tiny.CRASH:
        assert "Traceback" in (bench.store.run_dir / "run.log").read_text()


def wait_for_pids(bench: Bench) -> list[int]:
    path = bench.folder / "pids.txt"
    deadline = time.monotonic() + 120
    while not (path.exists() and path.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    pids = [int(pid) for pid in path.read_text().split()]
    assert all(Path(f"/proc/{pid}").exists() for pid in pids)
    path.unlink()
    return pids


def assert_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_cancel_ends_all_processes_and_keeps_the_sample(bench: Bench) -> None:
    before = digest(bench.store)
    bench.events.clear()
    runner = bench.runner(tiny.MAKE, tiny.SLEEP)
    runner.start()
    pids = wait_for_pids(bench)
    with pytest.raises(BusyError, match=f"process {os.getpid()}"):
        bench.runner(tiny.MAKE).run()
    started = time.monotonic()
    runner.cancel()
    assert runner.wait(30)
    assert time.monotonic() - started < 5
    assert isinstance(runner.error, CancelledError)
    assert_gone(pids)
    assert [task.stage for (task,) in bench.told("cancelled")] == ["sleep"]
    assert digest(bench.store) == before
    assert not (bench.store.run_dir / ".scratch").exists()


# What was started in the background ignores Ctrl-C; these tests may have been.
PARENT = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)
import tiny_stages as tiny
from test_runner import Bench
from pathlib import Path
bench = Bench(Path(sys.argv[1]))
bench.runner(tiny.MAKE, tiny.SLEEP).run()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_parent_that_dies_leaves_no_process(tmp_path: Path, how: int) -> None:
    folder = tmp_path / "run"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder)], env=environment, stderr=subprocess.PIPE
    ) as parent:
        bench = Bench.__new__(Bench)
        bench.folder = folder
        pids = wait_for_pids(bench)
        parent.send_signal(how)
        error = parent.communicate(timeout=30)[1].decode()
    assert_gone(pids)
    store = RunStore.open(next(folder.glob("A_*")))
    assert list(store.done()) == ["make"]
    assert "made.txt" in os.listdir(store.run_dir)
    with store.locked():
        assert not (store.run_dir / ".scratch").exists()
    if how == signal.SIGINT:
        assert "CancelledError" in error


def test_patches_in_local_processes_give_the_same(bench: Bench) -> None:
    bench.run(tiny.MAKE, tiny.MAP, workers=2)
    squares = [number * number for number in range(10)]
    assert list(bench.store.sdata().attrs["squares"]) == squares


def test_what_cannot_be_is_known_before_anything_starts(bench: Bench) -> None:
    before = digest(bench.store)
    with pytest.raises(BadInputError, match="there is no such stage"):
        bench.run(*tiny.ALL, choice=Choice(only="nonsense"))
    with pytest.raises(BadInputError, match="no dask scheduler answers"):
        bench.run(*tiny.ALL, scheduler="tcp://127.0.0.1:1")
    assert digest(bench.store) == before


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench") / "two", ("A", "B"))


@pytest.mark.slow
def test_a_joint_stage_waits_for_all_samples(pair: Bench) -> None:
    stages = (tiny.MAKE, tiny.FILTER, tiny.JOINT)
    assert pair.run(*stages) == ["filter", "filter", "joint", "joint", "make", "make"]
    tables = [store.sdata()["table"] for store in pair.stores]
    total = sum(table.obs["counts"].sum() for table in tables)
    for table in tables:
        assert (table.obs["total"] == total).all()
    assert pair.run(*stages) == []
    # One sample's cells change: the joint stage runs for both, and only it for the other.
    pair.stores[1].publish("filter", *republished(pair.stores[1], "filter"))
    assert pair.run(*stages) == ["joint", "joint"]


def republished(store: RunStore, stage: str) -> tuple:
    """Give again what a stage gave, with its own provenance."""
    from napari_vhd.io.publishing import Provenance
    from napari_vhd.stages.stage import Outcome, TablePatch

    done = store.done()[stage]
    names = done.made["patches"]["table"]["obs"]
    obs = store.sdata()["table"].obs[names]
    outcome = Outcome(patches={"table": TablePatch(obs=obs)})
    return outcome, Provenance(done.recipe, done.inputs, done.record)


def kill_at_random(bench: Bench, kills: int) -> None:
    """Kill the worker's supervisor, or the whole run, at random points, and go on."""
    import random

    chance = random.Random(7)
    for _ in range(kills):
        runner = bench.runner(*tiny.ALL)
        timer = threading.Timer(chance.uniform(0, 15), runner.cancel)
        done = set(bench.store.done())
        timer.start()
        runner.start()
        runner.wait()
        timer.cancel()
        again = RunStore.open(bench.store.run_dir)
        assert done <= set(again.done())
        again.sdata()
        again.close()


@pytest.mark.slow
def test_cancelled_at_random_points_a_run_gets_there_all_the_same(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "run")
    kill_at_random(bench, 10)
    bench.run(*tiny.ALL)
    assert set(bench.store.done()) == {stage.name for stage in tiny.ALL}
