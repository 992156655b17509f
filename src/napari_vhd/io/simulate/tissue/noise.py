"""Smooth random fields that have the same value wherever and in whatever blocks they are asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

# Variance of one axis of a cubic B-spline over unit normal lattice values.
_AXIS_VARIANCE = 0.479
# A field repeats itself after this many lattice points: memory stays bounded on any plane.
_PERIOD = 1021


class Noise:
    """A field of zero mean and unit variance with details of about `spacing` px.

    Parameters
    ----------
    seed
        Numbers that name the field; the same numbers give the same field.
    shape
        Height and width of the plane (px).
    spacing
        Distance between the random lattice values (px).
    """

    def __init__(self, seed: tuple[int, ...], shape: tuple[int, int], spacing: float) -> None:
        self._spacing = spacing
        rows, cols = (min(int(np.ceil(n / spacing)) + 8, _PERIOD) for n in shape)
        rng = np.random.default_rng(seed)
        self._values = rng.standard_normal((rows, cols), dtype=np.float32)

    def block(self, y0: int, x0: int, height: int, width: int, step: int = 1) -> Float:
        """Values at the centres of a block of ``step`` x ``step`` px squares.

        The block's corner (`y0`, `x0`) and size are in px and may reach outside the plane.

        Returns
        -------
        float32 array of shape (height // step, width // step)
        """
        rows, by_row = self._axis(y0, height // step, step, 0)
        cols, by_col = self._axis(x0, width // step, step, 1)
        window = self._values[np.ix_(rows, cols)]
        out: Float = (by_row @ window @ by_col.T).astype(np.float32)
        return out

    def _axis(
        self, start: int, length: int, step: int, axis: int
    ) -> tuple[NDArray[np.int64], Float]:
        """Lattice points that a row of places touches, and the weight of each on each place."""
        places = (start + step * (np.arange(length) + 0.5)) / self._spacing + 2
        cell = np.floor(places).astype(np.int64)
        u: NDArray[np.float64] = places - cell
        spline = (
            (1 - u) ** 3 / 6,
            (3 * u**3 - 6 * u**2 + 4) / 6,
            (-3 * u**3 + 3 * u**2 + 3 * u + 1) / 6,
            u**3 / 6,
        )
        first = int(cell[0])
        points = np.arange(first, int(cell[-1]) + 4)
        weights = np.zeros((length, len(points)), np.float32)
        for k, w in enumerate(spline):
            weights[np.arange(length), cell - first + k] = w / _AXIS_VARIANCE**0.5
        return points % self._values.shape[axis], weights
