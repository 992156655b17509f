"""What a runner says: frozen values for the signals of `napari_vhd.runner.runner.Runner`."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_vhd.exceptions import VhdError


@dataclass(frozen=True)
class Task:
    """A stage on one sample, or on all of them for a joint stage.

    Attributes
    ----------
    stage, title
        Of the stage.
    samples
        Ids of the samples.
    """

    stage: str
    title: str
    samples: tuple[str, ...]


@dataclass(frozen=True)
class Progress:
    """How far a task is.

    Attributes
    ----------
    done, total
        Steps; total is 0 where it is not known.
    what
        Name of the step, a few words.
    seconds_left
        Estimate, or None where there is nothing to estimate from.
    """

    done: float
    total: float
    what: str
    seconds_left: float | None


@dataclass(frozen=True)
class Record:
    """What is known of a stage that ended well, for one sample; as in ``run.json``."""

    seconds: float
    peak_rss_mb: float
    numbers: Mapping[str, float | int | str | None]
    notices: tuple[str, ...]
    files: tuple[str, ...]
    figures: tuple[str, ...]
    version: int

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Record:
        """Read an entry of ``run.json``."""
        return cls(
            seconds=data["seconds"],
            peak_rss_mb=data["peak_rss_mb"],
            numbers=data["numbers"],
            notices=tuple(data["notices"]),
            files=tuple(data["files"]),
            figures=tuple(data.get("figures", ())),
            version=data["version"],
        )


@dataclass(frozen=True)
class Failure:
    """Why a task did not end well.

    Attributes
    ----------
    sentence
        For a user's eyes.
    exit_code
        Of the command line.
    error
        The exception that `Runner.run` raises.
    """

    sentence: str
    exit_code: int
    error: VhdError


@dataclass
class Clock:
    """Tells the progress of one task, with the seconds left.

    Attributes
    ----------
    earlier
        Seconds that it took the last time, or None.
    started, told
        When it started, and when its progress was told last (`time.monotonic`).
    """

    earlier: float | None = None
    started: float = field(default_factory=time.monotonic)
    told: float = field(default_factory=time.monotonic)
    _last: tuple[float, float, str] = (0.0, 0.0, "")

    def progress(self, done: float | None = None, total: float = 0.0, what: str = "") -> Progress:
        """Take news of the stage, or tell again what it said last, as of now."""
        if done is not None:
            self._last = (done, total, what)
        self.told = time.monotonic()
        return Progress(*self._last, self._seconds_left())

    def _seconds_left(self) -> float | None:
        """Estimate from the progress, early on from the last time."""
        done, total, _ = self._last
        elapsed = time.monotonic() - self.started
        share = min(done / total, 1.0) if total > 0 else 0.0
        if self.earlier is not None and share < 0.1:
            return max(self.earlier - elapsed, 0.0)
        if share <= 0 or (elapsed < 1 and share < 1):
            return None
        return elapsed * (1 - share) / share
