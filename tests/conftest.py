"""What all tests share: a simulated sample on disk, and samples in memory for stages."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from napari_vhd.stages.stage import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from spatialdata import SpatialData

    from napari_vhd.runner.executor import Processes

SAMPLE_ID = "demo"
LONGEST = (
    "test_run.py",
    "test_workflow.py",
    "test_runner.py",
    "test_store_processes.py",
    "test_plugin.py",
    "test_known_run.py",
    "test_rctd.py",
    "test_domains.py",
    "test_draw.py",
    "test_plots.py",
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
    """Start the longest files first: of two processes (``-n 2``) none is left with one alone."""
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


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small simulated sample (600 px); treat it as read-only."""
    from napari_vhd.io.simulate import simulate

    folder = tmp_path_factory.mktemp("simulated") / SAMPLE_ID
    simulate(folder, size_px=600, sample_id=SAMPLE_ID)
    return folder


@pytest.fixture(scope="session")
def finished_run(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run folder of about 240 cells (see `made_run`); treat it as read-only."""
    sys.path.append(str(Path(__file__).parent))
    from made_run import make_run

    parent = tmp_path_factory.mktemp("runs")
    return make_run(simulated, parent, RecordedReport(), SerialExecutor())


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
    shutil.copytree(finished_run, copy, symlinks=True)
    return copy
