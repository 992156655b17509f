"""What the runner hands to a worker: frozen values that pass as JSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class SampleJob:
    """One sample of a job.

    Attributes
    ----------
    id
        Id of the sample.
    run_dir, outs
        Its run folder and its Space Ranger folder.
    recipe, inputs, hash
        What the result depends on, to be written down with it.
    """

    id: str
    run_dir: Path
    outs: Path
    recipe: Mapping[str, Any]
    inputs: Mapping[str, int]
    hash: str


@dataclass(frozen=True)
class Job:
    """A stage to run.

    Attributes
    ----------
    stage
        ``"module:attribute"``.
    config
        The whole config, as plain data.
    samples
        One, or all of the run for a joint stage.
    scheduler
        Address of a dask scheduler, or None.
    workers
        Local processes for patches, where there is no scheduler.
    draws_only
        The result is there already; an interrupted run did not come to draw its figures.
    """

    stage: str
    config: Mapping[str, Any]
    samples: tuple[SampleJob, ...]
    scheduler: str | None = None
    workers: int = 1
    draws_only: bool = False

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(dataclasses.asdict(self), default=str), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read what `write` wrote."""
        data = json.loads(path.read_text(encoding="utf-8"))
        samples = tuple(
            SampleJob(**{**entry, "run_dir": Path(entry["run_dir"]), "outs": Path(entry["outs"])})
            for entry in data.pop("samples")
        )
        return cls(samples=samples, **data)
