"""A window of a picture, and the few operations that textures are drawn with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

Float = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """A window of a picture: corner and size in px."""

    y0: int
    x0: int
    height: int
    width: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Corner (y, x), height and width."""
        return self.y0, self.x0, self.height, self.width

    def sample(self, plane: NDArray[np.generic], mpp: float, code: int | None = None) -> Float:
        """Read a map that has one value per um at the centres of the pixels (linear).

        With a `code`: how much of the surroundings of each pixel has it, 0 to 1.
        """
        rows, part_y = _between((self.y0 + np.arange(self.height) + 0.5) * mpp, plane.shape[0])
        cols, part_x = _between((self.x0 + np.arange(self.width) + 0.5) * mpp, plane.shape[1])
        window = plane[rows[0] : rows[-1] + 2, cols[0] : cols[-1] + 2]
        window = (window if code is None else window == code).astype(np.float32)
        rows, cols = rows - rows[0], cols - cols[0]
        lines = window[rows] * (1 - part_y[:, None]) + window[rows + 1] * part_y[:, None]
        out: Float = lines[:, cols] * (1 - part_x) + lines[:, cols + 1] * part_x
        return out


def _between(places: NDArray[np.floating], length: int) -> tuple[NDArray[np.int64], Float]:
    """Sample before each place, and how far the place lies on the way to the next sample."""
    inside = np.clip(places - 0.5, 0, length - 1.001)
    before = inside.astype(np.int64)
    return before, (inside - before).astype(np.float32)


def smooth_step(value: Float, low: float, high: float) -> Float:
    """Rise from 0 at `low` to 1 at `high`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    step: Float = (t * t * (3 - 2 * t)).astype(np.float32)
    return step


def borders(labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Labelled pixels whose right or lower neighbour has another label."""
    border = np.zeros(labels.shape, bool)
    border[:-1] |= labels[:-1] != labels[1:]
    border[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    border &= labels > 0
    return border


def blur(plane: NDArray[np.generic], sigma: float) -> Float:
    """Gaussian blur in single precision (sigma in px)."""
    out: Float = ndi.gaussian_filter(plane.astype(np.float32), sigma, truncate=3.0)
    return out


def along_flow(texture: Float, flow: Float, length: float) -> Float:
    """Smear a texture along the contour lines of a potential.

    Line integral convolution (Cabral & Leedom 1993), at half the resolution. The variance stays
    about that of `texture`.

    Parameters
    ----------
    texture, flow
        Planes of one shape.
    length
        How far to each side (px); farther than this from the edge, blocks fit each other.
    """
    small, potential = texture[::2, ::2], flow[::2, ::2]
    slope_y, slope_x = np.gradient(potential)
    norm = np.hypot(slope_y, slope_x) + np.float32(1e-6)
    step_y, step_x = slope_x / norm, -slope_y / norm
    rows, cols = np.indices(small.shape, np.float32)
    total, steps = small.copy(), max(2, round(length / 3))
    for sign in (1.5, -1.5):
        y, x = rows.copy(), cols.copy()
        for _ in range(steps):
            at = (
                np.clip(y, 0, len(small) - 1).astype(np.intp),
                np.clip(x, 0, small.shape[1] - 1).astype(np.intp),
            )
            y += sign * step_y[at]
            x += sign * step_x[at]
            total += small[at]
    total *= np.float32(1 / np.sqrt(2 * steps + 1))
    full = np.repeat(np.repeat(total, 2, 0), 2, 1)[: texture.shape[0], : texture.shape[1]]
    return blur(full, 0.9)
