"""What a stage is: SpatialData in, elements out.

A stage is a value (`Stage`) in the file of its name. It says which stages it waits for, which
elements it makes and what its parameters are; its `run` is a function of samples and parameters
that returns one `Outcome` a sample and never touches the store: publishing is the runner's
business, so a stage that fails or is ended leaves the sample as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from spatialdata import SpatialData

    from napari_vhd.config import RunConfig, SampleConfig

Item = TypeVar("Item")
Result = TypeVar("Result")


class Report(Protocol):
    """How a stage says what it is doing; given by whoever runs it."""

    def progress(self, done: float, total: float, what: str = "") -> None:
        """Say that `done` of `total` steps are done; `what` names the step (a few words)."""

    def notice(self, sentence: str) -> None:
        """Say something the user should know about the result; kept in ``run.json``."""

    def log(self, text: str) -> None:
        """Write a line to ``run.log``."""


class Executor(Protocol):
    """Where the patches of a stage are computed: here, in local processes or on a cluster."""

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[tuple[int, Result]]:
        """Apply a picklable function to picklable items; give (index, result) as they end."""


@dataclass(frozen=True)
class Sample:
    """One sample as a stage sees it.

    Attributes
    ----------
    id, name
        As in the config; the id is also the name of the full-resolution px coordinate system.
    sdata
        The sample as it is now, lazily loaded, read-only by convention. Empty for `read`.
    outs
        The Space Ranger folder (holds ``binned_outputs``).
    image
        Full-resolution H&E, or None: looked for as sopa does.
    region
        (xmin, ymin, xmax, ymax) in full-resolution px, a GeoJSON file, or None: the whole slide.
    run_dir
        The run folder, to read from (for example a trained model). Never written to by a stage.
    scratch
        An empty folder for this stage alone, on the same disk; removed afterwards. Files named in
        `Outcome.files` are taken from it.
    reference
        Single-cell reference (h5ad), or None.
    marker_genes
        Signature name to gene symbols, as in the config.
    """

    id: str
    name: str
    sdata: SpatialData
    outs: Path
    image: Path | None
    region: tuple[float, float, float, float] | str | None
    run_dir: Path
    scratch: Path
    reference: Path | None
    marker_genes: Mapping[str, tuple[str, ...]]
    report: Report
    executor: Executor


@dataclass(frozen=True)
class TablePatch:
    """What a stage adds to a table that another stage made.

    Rows are matched by ``obs_names``: give every row of the table, with missing values where
    nothing was computed. Columns that the same stage added before and no longer gives are removed.

    Attributes
    ----------
    obs, var
        Columns to add or replace; index as the table's ``obs_names`` / ``var_names``.
    obsm, layers, obsp, uns, varm
        As in AnnData; None removes.
    """

    obs: pd.DataFrame | None = None
    var: pd.DataFrame | None = None
    obsm: Mapping[str, Any] = field(default_factory=dict)
    varm: Mapping[str, Any] = field(default_factory=dict)
    layers: Mapping[str, Any] = field(default_factory=dict)
    obsp: Mapping[str, Any] = field(default_factory=dict)
    uns: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a stage gives back for one sample.

    Attributes
    ----------
    elements
        Whole elements, by name, new or in place of an older version.
    patches
        Additions to tables, by table name.
    attrs
        Entries to merge into the store's attributes.
    files
        Name in the run folder -> file or folder in `Sample.scratch` that is moved there.
    numbers
        What came out, in a few numbers or words, for screens and ``run.json``; keys read as text
        (for example ``{"nuclei": 842, "median area (µm²)": 17.8}``).
    weights
        What it is called in the config -> the file or folder of weights that was loaded (or, where
        they were trained here, written); ``run.json`` holds their hashes.
    """

    elements: Mapping[str, Any] = field(default_factory=dict)
    patches: Mapping[str, TablePatch] = field(default_factory=dict)
    attrs: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    numbers: Mapping[str, float | int | str] = field(default_factory=dict)
    weights: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Inputs:
    """What can be known of a run before it starts (`Stage.check` and `Stage.files` look at it)."""

    config: RunConfig
    sample: SampleConfig
    outs: Path


Run = Callable[[Sequence[Sample], Any], Sequence[Outcome]]


def each(run_one: Callable[[Sample, Any], Outcome]) -> Run:
    """Lift a function of one sample to a stage's `run`."""

    def run(samples: Sequence[Sample], parameters: Any) -> list[Outcome]:
        return [run_one(sample, parameters) for sample in samples]

    return run


def _nothing(_inputs: Inputs) -> None:
    """Find nothing wrong beforehand."""


def _no_files(_inputs: Inputs) -> Iterable[Path]:
    """Depend on no file."""
    return ()


@dataclass(frozen=True)
class Stage:
    """A step of the pipeline.

    Attributes
    ----------
    name
        As its file.
    title
        What a user reads, two or three words.
    parameters
        Its dataclass in `napari_vhd.config`.
    needs
        Names of the stages it waits for. A stage left out of a run is not waited for.
    makes
        Elements it makes or adds to; ``{id}`` stands for the sample id.
    run
        Samples and parameters to outcomes, in the same order. Only a `joint` stage is given
        several samples.
    check
        Raises `BadInputError` for what can be known beforehand. Light: no heavy import, no big
        read.
    files
        Input files and weights outside the run folder; the stage is out of date when one changes.
    imports
        Modules the worker imports while the stage before is still running.
    memory
        Bytes that the stage will need beside what is loaded, or None where it is not known.
    joint
        Takes all samples of the config at once (trained and assigned jointly).
    """

    name: str
    title: str
    parameters: type
    run: Run
    needs: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    check: Callable[[Inputs], None] = _nothing
    files: Callable[[Inputs], Iterable[Path]] = _no_files
    imports: tuple[str, ...] = ()
    memory: Callable[[Sample, Any], int] | None = None
    joint: bool = False
