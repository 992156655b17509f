"""What a number of cells are like, in a few figures: a selection, a region, the whole sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_STEPS = 60


@dataclass(frozen=True)
class Distribution:
    """Numbers of many cells.

    Attributes
    ----------
    number
        Cells that have a value.
    missing
        Cells that have none.
    low, high
        Least and greatest value; both 0 where no cell has one.
    median, total
        Of the values.
    counts
        Cells in equal steps from `low` to `high`.
    """

    number: int
    missing: int
    low: float
    high: float
    median: float
    total: float
    counts: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.floating], steps: int = _STEPS) -> Distribution:
        """Describe values; those that are not finite are missing."""
        there = values[np.isfinite(values)]
        missing = len(values) - len(there)
        if not len(there):
            return cls(0, missing, 0.0, 0.0, float("nan"), 0.0, np.zeros(steps))
        low, high = float(there.min()), float(there.max())
        # One value for all would have no steps.
        counts, _ = np.histogram(there, steps, (low, high if high > low else low + 1))
        return cls(
            len(there),
            missing,
            low,
            high,
            float(np.median(there)),
            float(there.sum(dtype=np.float64)),
            counts.astype(np.float64),
        )


@dataclass(frozen=True)
class Share:
    """A category among some cells."""

    name: str
    color: str
    count: int
    share: float


def composition(
    codes: NDArray[np.integer], names: Sequence[str], colors: Sequence[str]
) -> tuple[Share, ...]:
    """Count categories, the most frequent first.

    Parameters
    ----------
    codes
        Category of each cell, below 0 for none.
    names, colors
        Of the categories.

    Returns
    -------
    tuple of Share
        Those that occur; shares are of the cells that have a category.
    """
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    total = max(int(counts.sum()), 1)
    order = np.argsort(-counts, kind="stable")
    return tuple(
        Share(names[i], colors[i], int(counts[i]), float(counts[i] / total))
        for i in order
        if counts[i]
    )
