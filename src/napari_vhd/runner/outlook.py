"""What a run would do, before it does: status, what is missing, about how long and how much memory.

For whoever decides whether to press Run: read from headers, ``run.json`` and earlier runs in the
same folder. Nothing heavy is imported and nothing is computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError, VhdError
from napari_vhd.io import region_size
from napari_vhd.io.store import RunStore
from napari_vhd.stages import pipeline, proseg

from . import estimate, run
from .estimate import NO_ESTIMATE, Estimate
from .events import Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from napari_vhd.config import RunConfig
    from napari_vhd.io.region_size import RegionSize
    from napari_vhd.stages.stage import Inputs, Stage


Status = Literal["done", "stale", "missing", "left out"]


@dataclass(frozen=True)
class StageOutlook:
    """One stage of the pipeline, as it stands.

    Attributes
    ----------
    stage, title
        Of the stage.
    status
        ``left out`` where this config does not ask for it.
    reason
        Why it is not done.
    problem
        The sentence that says what is wrong and how to mend it; empty where nothing is known.
    estimate
        For the next time that it runs.
    record
        What came out the last time, or None.
    figures
        Its pictures that are there.
    needs
        Names of the stages it waits for, also through others, in order.
    """

    stage: str
    title: str
    status: Status
    reason: str = ""
    problem: str = ""
    estimate: Estimate = NO_ESTIMATE
    record: Record | None = None
    figures: tuple[Path, ...] = ()
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outlook:
    """All stages of the pipeline, in order.

    Attributes
    ----------
    stages
        Every stage, also those left out.
    size
        Of the region; None where it cannot be known.
    problem
        What is wrong with the whole, before any stage; empty where nothing is.
    """

    stages: tuple[StageOutlook, ...]
    size: RegionSize | None = None
    problem: str = ""

    def of(self, stage: str) -> StageOutlook:
        """Give one stage.

        Raises
        ------
        KeyError
            For an unknown name.
        """
        for one in self.stages:
            if one.stage == stage:
                return one
        raise KeyError(stage)

    def asked(self, stages: Sequence[str]) -> list[StageOutlook]:
        """Give those of some stages that the config asks for."""
        return [o for o in self.stages if o.stage in stages and o.status != "left out"]

    def before(self, stages: Sequence[str]) -> list[StageOutlook]:
        """Give what has to be done before some stages, apart from themselves."""
        needed = {need for one in self.asked(stages) for need in one.needs} - set(stages)
        return self.asked(list(needed))

    def first_problem(self, stages: Sequence[str]) -> str:
        """Give the first sentence that says why these stages cannot run; empty if they can."""
        every = [*self.before(stages), *self.asked(stages)]
        return self.problem or next((one.problem for one in every if one.problem), "")


def look(config: RunConfig, run_dir: Path | None = None) -> Outlook:
    """Look at everything a run of one sample would do.

    Parameters
    ----------
    config
        With absolute paths.
    run_dir
        The run folder that would be gone on with, or None.
    """
    problem = ""
    try:
        selection = pipeline.stages_of(config)
    except BadInputError as error:
        return Outlook(tuple(_bare(stage) for stage in pipeline.PIPELINE), problem=str(error))
    inputs = None
    try:
        inputs = _inputs(config, run_dir)
        sample = inputs.sample
        size = region_size.measure(inputs.outs, sample.fullres_image, sample.region)
    except (VhdError, OSError) as error:
        # Also said by the stage that it stops, but without a size there is no estimate.
        size = None
        problem = str(error) if inputs is None else ""
    store = None if run_dir is None else RunStore.open(run_dir)
    how = None if store is None else run.standing(store, inputs, selection.stages)
    steps = {} if how is None else {step.stage: step for step in how.steps}
    told = "" if how is None else how.problem
    records: Mapping[str, Any] = {} if store is None else store.run()["stages"]
    earlier = estimate.earlier_runs(config, run_dir)
    params = config.to_dict()["params"]
    stages = []
    for stage in pipeline.PIPELINE:
        record = _record(run_dir, stage, records.get(stage.name))
        step = steps.get(stage.name)
        left = selection.left_out.get(stage.name)
        about = estimate.estimate(stage.name, params, size, earlier)
        if stage.name == proseg.STAGE.name:
            about = estimate.with_nuclei(about, records, size)
        stages.append(
            StageOutlook(
                stage.name,
                stage.title,
                status="left out" if left else step.status if step else "missing",
                reason=left or (step.reason if step else "has not run yet"),
                problem="" if left else told or _problem(stage, inputs),
                estimate=about,
                record=record,
                figures=_figures(run_dir, record),
                needs=_needs(stage, selection.stages),
            )
        )
    return Outlook(tuple(stages), size, problem)


def _needs(stage: Stage, stages: Sequence[Stage]) -> tuple[str, ...]:
    """Name what a stage waits for, also through others."""
    every = run.with_needs(stages, [stage.name])
    return tuple(one.name for one in every if one.name != stage.name)


def _bare(stage: Stage) -> StageOutlook:
    return StageOutlook(stage.name, stage.title, "missing", "has not run yet")


def _inputs(config: RunConfig, run_dir: Path | None) -> Inputs:
    """Give the inputs of the sample of a run folder, or of the first."""
    every = pipeline.inputs_of(config)
    if run_dir is not None:
        wanted = RunStore.open(run_dir).sample_id
        every = [one for one in every if one.sample.id == wanted] or every
    return every[0]


def _problem(stage: Stage, inputs: Inputs | None) -> str:
    """Say what stands against a stage."""
    if inputs is None:
        return ""
    try:
        stage.check(inputs)
    except VhdError as error:
        return str(error)
    return ""


def _record(run_dir: Path | None, stage: Stage, entry: Any) -> Record | None:
    try:
        return None if entry is None else Record.from_dict(entry)
    except (KeyError, TypeError) as error:
        raise BadInputError(
            f"{run_dir}/{keys.RUN_FILE}: what it tells of the stage {stage.name} is incomplete; "
            "restore the file from a copy, or run the stage again."
        ) from error


def _figures(run_dir: Path | None, record: Record | None) -> tuple[Path, ...]:
    if run_dir is None or record is None:
        return ()
    paths = (run_dir / keys.FIGURES / name for name in record.figures)
    return tuple(path for path in paths if path.is_file())
