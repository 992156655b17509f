"""What all tests share: a simulated sample on disk, and samples in memory for stages."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from filelock import FileLock
from run_copies import copy_run

from napari_vhd.corrections import author
from napari_vhd.stages.stage import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from spatialdata import SpatialData

    from napari_vhd.runner.executor import Processes

with suppress(ImportError):
    # Loaded after OpenGL in software, it ends the process: both bring an LLVM.
    import triton  # noqa: F401

SAMPLE_ID = "demo"
LONGEST = (
    # Of the first three, one needs the finished run of all: nobody waits while it is made.
    "test_run.py",
    "test_workflow.py",
    "test_runner.py",
    "test_rctd.py",
    "test_click_through.py",
    "test_scene.py",
    "test_update.py",
    "test_draw.py",
    "test_opening.py",
    "test_opening_in_turns.py",
    "test_store_processes.py",
    "test_source.py",
    "test_known_run.py",
    "test_refinery.py",
)


@dataclass
class RecordedReport:
    """A report that keeps what a stage said."""

    steps: list[tuple[float, float, str]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def progress(self, done: float, total: float, what: str = "") -> None:
        self.steps.append((done, total, what))

    def notice(self, sentence: str) -> None:
        self.notices.append(sentence)

    def log(self, text: str) -> None:
        self.lines.append(text)


class SerialExecutor:
    """Computes one item after the other, here."""

    def map(
        self, function: Callable[[Any], Any], items: Sequence[Any]
    ) -> Iterator[tuple[int, Any]]:
        for index, item in enumerate(items):
            yield index, function(item)


class MakeSample(Protocol):
    """Makes a `Sample`; what is not given is empty or a folder of this test alone."""

    def __call__(self, sdata: SpatialData | None = None, **given: Any) -> Sample: ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest files first: none of the processes is left with one alone."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.fixture
def make_sample(tmp_path: Path) -> MakeSample:
    """A factory of samples around a SpatialData; ``sample.report`` is a `RecordedReport`."""

    def make(sdata: SpatialData | None = None, **given: Any) -> Sample:
        if sdata is None:
            from spatialdata import SpatialData

            sdata = SpatialData()
        folders = {name: tmp_path / name for name in ("run", "scratch")}
        for folder in folders.values():
            folder.mkdir(exist_ok=True)
        values: dict[str, Any] = {
            "id": SAMPLE_ID,
            "name": SAMPLE_ID,
            "sdata": sdata,
            "outs": tmp_path / "outs",
            "image": None,
            "region": None,
            "run_dir": folders["run"],
            "scratch": folders["scratch"],
            "reference": None,
            "marker_genes": {},
            "report": RecordedReport(),
            "executor": SerialExecutor(),
        }
        return Sample(**(values | given))

    return make


@pytest.fixture(scope="session", autouse=True)
def own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the settings of whoever runs the tests out of them, and theirs as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("settings")))
        yield


@pytest.fixture(autouse=True)
def nobody_is_named(own_settings: None) -> Iterator[None]:
    """Leave no author to the next test."""
    yield
    author.forget_author()


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Let the first of the test processes that asks for a folder fill it; the others wait."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, whole = root / name, root / f"{name}.whole"
    with FileLock(root / f"{name}.lock"):
        if not whole.exists():
            folder.mkdir()
            make(folder)
            whole.touch()
    return folder


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small simulated sample (600 px); treat it as read-only."""
    from napari_vhd.io.simulate import simulate

    def make(folder: Path) -> None:
        simulate(folder / SAMPLE_ID, size_px=600, sample_id=SAMPLE_ID)

    return made_once(tmp_path_factory, "simulated", make) / SAMPLE_ID


@pytest.fixture(scope="session")
def finished_run(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run folder of about 240 cells (`make_known_run`); treat it as read-only."""
    from napari_vhd.io.store import RunStore
    from napari_vhd.runner.known_run import make_known_run

    def make(folder: Path) -> None:
        RunStore.open(make_known_run(simulated, folder)).prune()

    runs = made_once(tmp_path_factory, "known", make)
    # One for each test process: a ledger that another has open shows in the folder.
    (made,) = runs.iterdir()
    return copy_run(made, tmp_path_factory.mktemp("runs") / made.name)


@pytest.fixture(scope="module")
def beside() -> Iterator[Processes]:
    """A process for TensorFlow: this one may hold torch, and the two crash in one process."""
    from napari_vhd.runner.executor import Processes

    with pytest.MonkeyPatch.context() as patch, Processes(1) as process:
        patch.setenv("PYTHONWARNINGS", "ignore")
        yield process


@pytest.fixture
def reviewed_run(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of `finished_run` to correct, for one test alone; its ledger is empty."""
    copy = tmp_path / finished_run.name
    copy_run(finished_run, copy)
    return copy


@pytest.fixture
def call_corrections(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run ``napari-vhd corrections``; gives exit code, output and what went to stderr."""
    from napari_vhd import cli

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["napari-vhd", "corrections", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return run
