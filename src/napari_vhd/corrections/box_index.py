"""Which boxes meet a box, among many small ones that may move: a grid, and a list of the moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

# So many rows may lie outside the grid, looked through one by one, before it is made anew: about
# 0.1 ms a query at most, against 0.1 s for a new grid of 500,000.
LOOSE_ROWS = 4096
MIN_PITCH_PX = 16.0


class BoxIndex:
    """Finds rows by their box. The boxes are the caller's; tell it with `moved` when one changes.

    Each row stands in the square of the grid where its centre lies; a query looks as much farther
    as the largest box reaches. Large boxes and boxes that moved are kept in a list of their own.

    Parameters
    ----------
    bounds
        (rows, 4): xmin, ymin, xmax, ymax.
    alive
        Rows that can be found.
    """

    def __init__(self, bounds: NDArray[np.float64], alive: NDArray[np.bool_]) -> None:
        self._build(bounds, alive)

    def _build(self, bounds: NDArray[np.float64], alive: NDArray[np.bool_]) -> None:
        rows = np.flatnonzero(alive)
        boxes = bounds[rows]
        reach = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0.0) / 2
        # Wide enough for nearly all; what is larger would make every query look far around.
        usual = float(np.quantile(reach, 0.99)) if len(rows) else 0.0
        self._pitch = max(4 * usual, MIN_PITCH_PX)
        large = reach > self._pitch
        self._reach = float(reach[~large].max(initial=0.0))
        self._loose = list(map(int, rows[large]))
        self._is_loose = np.zeros(len(bounds), dtype=bool)
        self._is_loose[rows[large]] = True
        rows, boxes = rows[~large], boxes[~large]
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        self._origin = centres.min(axis=0) if len(rows) else np.zeros(2)
        place = ((centres - self._origin) / self._pitch).astype(np.int64)
        self._shape = place.max(axis=0) + 1 if len(rows) else np.ones(2, dtype=np.int64)
        square = place[:, 1] * self._shape[0] + place[:, 0]
        order = np.argsort(square, kind="stable")
        self._rows = rows[order]
        counts = np.bincount(square, minlength=int(self._shape.prod()))
        self._start = np.concatenate([[0], np.cumsum(counts)])
        self._first_loose = len(self._loose)

    def moved(self, row: int, bounds: NDArray[np.float64], alive: NDArray[np.bool_]) -> None:
        """Say that the box of a row is new, or another than before."""
        if row >= len(self._is_loose):
            longer = np.zeros(max(len(bounds), 2 * row), dtype=bool)
            longer[: len(self._is_loose)] = self._is_loose
            self._is_loose = longer
        if not self._is_loose[row]:
            self._is_loose[row] = True
            self._loose.append(row)
        if len(self._loose) - self._first_loose > LOOSE_ROWS:
            self._build(bounds, alive)

    def candidates(self, xmin: float, ymin: float, xmax: float, ymax: float) -> Rows:
        """Give rows that may meet the box; each once, in no order, dead ones among them."""
        low = (np.array([xmin, ymin]) - self._reach - self._origin) / self._pitch
        high = (np.array([xmax, ymax]) + self._reach - self._origin) / self._pitch
        x0, y0 = np.clip(np.floor(low), 0, self._shape).astype(np.int64).tolist()
        x1, y1 = np.clip(np.floor(high), -1, self._shape - 1).astype(np.int64).tolist()
        width = int(self._shape[0])
        loose = np.array(self._loose, dtype=np.int64)
        if x1 < x0 or y1 < y0:
            return loose
        start = self._start
        if x0 == 0 and x1 == width - 1:
            parts = [self._rows[start[y0 * width] : start[(y1 + 1) * width]]]
        else:
            lines = range(y0 * width, (y1 + 1) * width, width)
            parts = [self._rows[start[line + x0] : start[line + x1 + 1]] for line in lines]
        found = np.concatenate(parts)
        if len(loose) == 0:
            return found
        return np.concatenate([found[~self._is_loose[found]], loose])
