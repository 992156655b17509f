"""Who is next: the stages that will run, on which samples, after which others."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_vhd.io.proseg_binary import proseg_version

from .events import Task
from .job import Job, SampleJob
from .plan import plan
from .recipe import Recipe, address_of, recipe_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_vhd.io.publishing import Done
    from napari_vhd.io.store import RunStore
    from napari_vhd.stages.stage import Inputs, Stage

    from .plan import Choice, Step

_LIBRARIES = (
    "napari-vhd",
    "anndata",
    "celltypist",
    "decoupler",
    "distributed",
    "enrichmap",
    "flashdeconv",
    "geopandas",
    "napari",
    "novae",
    "numcodecs",
    "numpy",
    "pandas",
    "rctd-py",
    "scanpy",
    "scikit-learn",
    "scipy",
    "shapely",
    "sopa",
    "spatialdata",
    "spatialdata-io",
    "squidpy",
    "stardist",
    "tensorflow",
    "torch",
    "zarr",
)


@dataclass(frozen=True)
class Assignment:
    """A stage to run on samples, given by their place in the run.

    With `draws_only` the result is there, but an interrupted run did not come to its figures.
    """

    stage: Stage
    samples: tuple[int, ...]
    task: Task
    draws_only: bool = False


class Agenda:
    """What has to run, and what of it can start.

    Parameters
    ----------
    inputs, stores
        One a sample.
    stages
        In order.
    choice
        Which of them the user asks for.
    """

    def __init__(
        self,
        inputs: Sequence[Inputs],
        stores: Sequence[RunStore],
        stages: Sequence[Stage],
        choice: Choice | None = None,
    ) -> None:
        self.inputs = inputs
        self.stores = stores
        self.stages = stages
        self.ids = [one.sample.id for one in inputs]
        self.recipes = [{s.name: recipe_of(s, one) for s in stages} for one in inputs]
        self.done: list[dict[str, Done]] = [store.done() for store in stores]
        self.steps = self._plan(choice)
        self.waiting = self._assignments()
        self._alone: set[Task] = set()
        self._out: dict[Task, set[int]] = {}

    def next_ready(self, at_work: Sequence[Assignment]) -> Assignment | None:
        """Find the next one that waits for nothing that is still to come or `at_work`."""
        ahead = {(name, index) for one in (*self.waiting, *at_work) for name, index in _pairs(one)}
        for one in self.waiting:
            needs = {(name, index) for name in one.stage.needs for index in one.samples}
            if not needs & ahead and not (at_work and one.task in self._alone):
                return one
        return None

    def next_up(self) -> Assignment | None:
        """Find the one whose worker should get ready now."""
        return self.waiting[0] if self.waiting else None

    def take(self, assignment: Assignment) -> None:
        """Take one off: it starts."""
        self.waiting.remove(assignment)

    def put_back(self, assignment: Assignment) -> None:
        """Put one back, to be run when nothing else does."""
        self._alone.add(assignment.task)
        self.waiting.insert(0, assignment)

    def job(self, assignment: Assignment, scheduler: str | None, workers: int) -> Job:
        """Write down what a worker needs to know."""
        stage = assignment.stage
        entries = []
        for index in assignment.samples:
            recipe = self.recipes[index][stage.name]
            inputs = self._inputs_of(stage, index)
            entries.append(
                SampleJob(
                    id=self.ids[index],
                    run_dir=self.stores[index].run_dir,
                    outs=self.inputs[index].outs,
                    recipe=recipe.to_dict(),
                    inputs=inputs,
                    hash=recipe.digest(inputs),
                )
            )
        config = self.inputs[0].config.to_dict()
        address = address_of(stage)
        return Job(address, config, tuple(entries), scheduler, workers, assignment.draws_only)

    def published(self, assignment: Assignment, sample: str) -> bool:
        """Note that a result is there; True when it is there for all samples of a stage."""
        index = self.ids.index(sample)
        self.done[index] = self.stores[index].done()
        self._out.setdefault(assignment.task, set()).add(index)
        return self._out[assignment.task] == set(assignment.samples)

    def finish(
        self, assignment: Assignment, records: Mapping[str, Any], peak_rss_mb: float
    ) -> dict[str, Any]:
        """Note what only the runner knows of a stage that ended well.

        Returns
        -------
        dict
            Id of each sample -> its record, as it now is in ``run.json``.
        """
        name = assignment.stage.name
        noted = {}
        for index in assignment.samples:
            told = records.get(self.ids[index], {})
            more = {key: told[key] for key in ("figures", "notices") if key in told}
            version = self._version(index, name)
            before = self.stores[index].run()["stages"][name]["peak_rss_mb"]
            more["peak_rss_mb"] = max(before, peak_rss_mb)
            noted[self.ids[index]] = self.stores[index].note(name, version, **more)
        return noted

    def earlier_seconds(self, assignment: Assignment) -> float | None:
        """Find how long a stage took the last time."""
        found = [
            self.done[index][assignment.stage.name].record.get("seconds")
            for index in assignment.samples
            if assignment.stage.name in self.done[index]
        ]
        return max((float(seconds) for seconds in found if seconds is not None), default=None)

    def describe(self, store: RunStore, inputs: Inputs, recipes: Mapping[str, Recipe]) -> None:
        """Write config, sources, versions and weights of this run into ``run.json``."""
        image = inputs.sample.fullres_image
        store.describe(inputs.config, inputs.outs, None if image is None else Path(image))
        source = {name for s in self.stages if not s.needs for name in recipes[s.name].files}
        reference = inputs.config.paths.reference
        source |= {Path(reference).name} if reference is not None else set()
        weights = {
            name: identity
            for recipe in recipes.values()
            for name, identity in recipe.files.items()
            if name not in source
        }
        store.update({"versions": versions_here(), "weights": weights})

    def _plan(self, choice: Choice | None) -> tuple[tuple[Step, ...], ...]:
        """Plan each sample; a joint stage that runs for one runs for all."""
        again: dict[str, str] = {}
        while True:
            steps = tuple(
                tuple(
                    plan(
                        self.stages,
                        self.recipes[index],
                        self.done[index],
                        choice,
                        beside=self._beside(index),
                        again=again,
                    )
                )
                for index in range(len(self.ids))
            )
            joint = {stage.name for stage in self.stages if stage.joint}
            running = {step.stage for sample in steps for step in sample if step.runs} & joint
            if running <= again.keys():
                return steps
            again |= dict.fromkeys(running, "runs with the other samples")

    def _beside(self, index: int) -> dict[str, dict[str, int]]:
        """Give the inputs that joint stages of one sample take from the others."""
        known = {stage.name for stage in self.stages}
        return {
            stage.name: {
                f"{self.ids[other]}/{name}": self._version(other, name)
                for other in range(len(self.ids))
                if other != index
                for name in stage.needs
                if name in known
            }
            for stage in self.stages
            if stage.joint
        }

    def _inputs_of(self, stage: Stage, index: int) -> dict[str, int]:
        """Give the versions that a stage takes in now."""
        known = {stage.name for stage in self.stages}
        own = {name: self._version(index, name) for name in stage.needs if name in known}
        return own | self._beside(index).get(stage.name, {})

    def _version(self, index: int, stage: str) -> int:
        done = self.done[index].get(stage)
        return 0 if done is None else done.version

    def _assignments(self) -> list[Assignment]:
        """Make one assignment a sample, or one for all where a stage is joint."""
        assignments = []
        for place, stage in enumerate(self.stages):
            chosen = [index for index in range(len(self.ids)) if self.steps[index][place].runs]
            groups = [chosen] if stage.joint and chosen else [[index] for index in chosen]
            for group in groups:
                ids = tuple(self.ids[index] for index in group)
                task = Task(stage.name, stage.title, ids)
                assignments.append(Assignment(stage, tuple(group), task))
            assignments += [
                Assignment(stage, (index,), Task(stage.name, stage.title, (sample,)), True)
                for index, sample in enumerate(self.ids)
                if self.steps[index][place].status == "done"
                and not self.steps[index][place].runs
                and "figures" not in self.stores[index].run()["stages"][stage.name]
            ]
        return assignments


def versions_here() -> dict[str, str]:
    """List the versions of Python, of this package, of ProSeg and of the libraries that compute."""
    import platform

    found = {"python": platform.python_version()}
    if proseg := proseg_version():
        found["proseg"] = proseg
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _pairs(assignment: Assignment) -> list[tuple[str, int]]:
    return [(assignment.stage.name, index) for index in assignment.samples]
