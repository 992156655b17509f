"""From a config to finished run folders: check, make or find the folders, run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from napari_vhd import keys
from napari_vhd.corrections import ledger
from napari_vhd.exceptions import BadInputError
from napari_vhd.io.store import RunStore
from napari_vhd.stages import pipeline

from .plan import Choice, Step, chosen_stages
from .runner import Runner

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from napari_vhd.config import RunConfig
    from napari_vhd.stages.stage import Inputs, Stage


@dataclasses.dataclass(frozen=True)
class Standing:
    """How a run folder stands.

    Attributes
    ----------
    steps
        Its stages, in order.
    problem
        Why it could not be held against its sources, in a sentence: `steps` are then as they were
        written down. Empty where it could.
    """

    steps: tuple[Step, ...]
    problem: str = ""


def prepare(
    config: RunConfig,
    run_dir: Path | None = None,
    choice: Choice | None = None,
    *,
    scheduler: str | None = None,
    workers: int = 1,
    wanted: Collection[str] | None = None,
) -> tuple[Runner, pipeline.Selection]:
    """Check a config, make or find its run folders, and give a runner.

    Parameters
    ----------
    config
        With absolute paths.
    run_dir
        A run folder to go on with, or with several samples the parent of theirs; None makes new
        ones in ``paths.processed``.
    choice
        Which stages.
    scheduler, workers
        Where patches are computed.
    wanted
        Names of stages: these and what they need, and no others; None: all.

    Raises
    ------
    BadInputError
        For what can be known beforehand; nothing is left behind.
    """
    selection = pipeline.stages_of(config)
    if wanted is not None:
        stages = with_needs(selection.stages, wanted)
        selection = pipeline.Selection(stages, selection.left_out)
    chosen_stages([stage.name for stage in selection.stages], choice or Choice())
    inputs = pipeline.check(config, selection.stages)
    found = [None if run_dir is None else _existing(run_dir, one, len(inputs)) for one in inputs]
    stores = [
        _create(config, one) if folder is None else RunStore.open(folder)
        for one, folder in zip(inputs, found, strict=True)
    ]
    for store in stores:
        ledger.create(store.run_dir / keys.LEDGER)
    runner = Runner(inputs, stores, selection.stages, choice, scheduler=scheduler, workers=workers)
    return runner, selection


def with_needs(stages: Sequence[Stage], wanted: Collection[str]) -> tuple[Stage, ...]:
    """Choose some stages and all that they wait for, in order."""
    names = set(wanted)
    for stage in reversed(stages):
        if stage.name in names:
            names.update(stage.needs)
    return tuple(stage for stage in stages if stage.name in names)


def run_config(
    config: RunConfig,
    *,
    run_dir: Path | None = None,
    only: str | None = None,
    from_: str | None = None,
    until: str | None = None,
    force: bool = False,
    scheduler: str | None = None,
    workers: int = 1,
    listen: Callable[[Runner, pipeline.Selection], None] | None = None,
) -> list[Path]:
    """Run the stages of a config that are missing or out of date.

    Parameters are those of `prepare`; `listen` is given the runner before it starts, to connect to
    its signals.

    Returns
    -------
    list of Path
        The run folder of each sample.

    Raises
    ------
    VhdError
        In one sentence; each sample is as it was before the stage that failed.
    """
    choice = Choice(only=only, from_=from_, until=until, force=force)
    runner, selection = prepare(config, run_dir, choice, scheduler=scheduler, workers=workers)
    if listen is not None:
        listen(runner, selection)
    runner.run()
    return [store.run_dir for store in runner.stores]


def status_of(run_dir: Path) -> Standing:
    """Tell what is done, stale or missing in a run folder.

    Raises
    ------
    BadInputError
        If it is not a run folder.
    """
    store = RunStore.open(run_dir)
    config = store.config()
    stages = pipeline.stages_of(config).stages
    try:
        every = pipeline.inputs_of(config)
    except BadInputError as error:
        return dataclasses.replace(standing(store, None, stages), problem=str(error))
    inputs = next((one for one in every if one.sample.id == store.sample_id), None)
    return standing(store, inputs, stages)


def standing(store: RunStore, inputs: Inputs | None, stages: Sequence[Stage]) -> Standing:
    """Hold a run folder against its config and files; without `inputs`, as it was written down."""
    problem = ""
    if inputs is not None:
        try:
            return Standing(Runner([inputs], [store], stages).plan()[0])
        except BadInputError as error:
            problem = str(error)
    done = store.done()
    steps = [
        Step(stage.name, "done", "", False)
        if stage.name in done
        else Step(stage.name, "missing", "has not run yet", False)
        for stage in stages
    ]
    return Standing(tuple(steps), problem)


def _create(config: RunConfig, inputs: Inputs) -> RunStore:
    sample = inputs.sample
    image = None if sample.fullres_image is None else Path(sample.fullres_image)
    return RunStore.create(
        Path(config.paths.processed),
        sample.name or sample.id,
        config,
        sample.id,
        inputs.outs,
        image,
    )


def _existing(run_dir: Path, inputs: Inputs, samples: int) -> Path:
    """Find the run folder of a sample."""
    if samples == 1 and (run_dir / keys.RUN_FILE).is_file():
        _check_sample(run_dir, inputs.sample.id)
        return run_dir
    if not run_dir.is_dir():
        raise BadInputError(
            f"{run_dir}: there is no such run folder; leave --run-dir out to make a new one."
        )
    mine = [
        path.parent
        for path in sorted(run_dir.glob(f"*/{keys.RUN_FILE}"))
        if RunStore.open(path.parent).sample_id == inputs.sample.id
    ]
    if samples == 1 or not mine:
        raise BadInputError(
            f"{run_dir}: is not a run folder of sample {inputs.sample.id!r}; give the folder that "
            "'napari-vhd run' named on its last line"
            + (", or with several samples their parent." if samples > 1 else ".")
        )
    return mine[-1]


def _check_sample(run_dir: Path, sample_id: str) -> None:
    found = RunStore.open(run_dir).sample_id
    if found != sample_id:
        raise BadInputError(
            f"{run_dir}: holds sample {found!r}, the config names {sample_id!r}; "
            "give the matching folder or config."
        )
