"""What goes wrong with sections: a fold, and an air bubble under the cover slip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_vhd.io.simulate.drawing.canvas import View, blur, smooth_step
from napari_vhd.io.simulate.tissue.noise import Noise

Float = NDArray[np.float32]


class Fold:
    """A curved band where the section lies twice: darker, and out of focus.

    Parameters
    ----------
    seed
        Names the fold.
    shape
        Height and width of the picture (px).
    mpp
        um per px.
    """

    def __init__(self, seed: int, shape: tuple[int, int], mpp: float) -> None:
        rng = np.random.default_rng((seed, 33))
        extent = min(shape)
        self._angle = rng.uniform(0, np.pi)
        self._centre = np.array(shape) / 2 + rng.uniform(-0.22, 0.22, 2) * extent
        self._width = float(np.clip(0.016 * extent * mpp, 3, 9)) / mpp
        self._length = rng.uniform(0.16, 0.28) * extent
        self._bend = Noise((seed, 34), shape, 0.3 * extent)
        self._ragged = Noise((seed, 35), shape, 14.0 / mpp)
        self._bending = 0.05 * extent
        self._shift = (round(2.5 / mpp), round(-3.5 / mpp))
        self._blur = 0.4 / mpp

    def add(self, dyes: Float, view: View) -> Float:
        """Lay the fold over the dyes (3, height, width) of a view."""
        y = (view.y0 + np.arange(view.height, dtype=np.float32) - self._centre[0])[:, None]
        x = (view.x0 + np.arange(view.width, dtype=np.float32) - self._centre[1])[None]
        across = np.cos(self._angle) * y - np.sin(self._angle) * x
        across = across + self._bending * self._bend.block(*view.box)
        along = np.abs(np.sin(self._angle) * y + np.cos(self._angle) * x)
        taper = np.sqrt(np.clip(1 - (along / self._length) ** 2, 0, 1))
        width = self._width * taper * (1 + 0.35 * self._ragged.block(*view.box)) - self._width * 0.1
        inside = smooth_step(width - np.abs(across), -0.4 * self._blur, 2.0 * self._blur)
        if not inside.any():
            return dyes
        # The upper sheet is the same tissue, a little shifted.
        twice = dyes + np.roll(dyes, self._shift, axis=(1, 2))
        thick = np.stack([blur(dye, self._blur) for dye in twice])
        return dyes * (1 - inside) + 0.92 * thick * inside


class Bubble:
    """An air bubble: a dark bright-lined rim, and a blurred, lighter picture inside.

    Parameters
    ----------
    seed
        Names the bubble.
    shape
        Height and width of the picture (px).
    mpp
        um per px.
    """

    def __init__(self, seed: int, shape: tuple[int, int], mpp: float) -> None:
        rng = np.random.default_rng((seed, 36))
        extent = min(shape)
        self._centre = np.array(shape) / 2 + rng.uniform(-0.25, 0.25, 2) * extent
        self._radius = float(np.clip(rng.uniform(0.06, 0.1) * extent, 20 / mpp, 120 / mpp))
        self._rim = 2.2 / mpp
        self._blur = 0.55 / mpp

    def add(self, dyes: Float, view: View) -> Float:
        """Lay the bubble over the dyes (3, height, width) of a view."""
        y = (view.y0 + np.arange(view.height, dtype=np.float32) - self._centre[0])[:, None]
        x = (view.x0 + np.arange(view.width, dtype=np.float32) - self._centre[1])[None]
        depth = self._radius - np.hypot(y, x)
        inside = smooth_step(depth, 0, self._rim)
        if not inside.any():
            return dyes
        soft = np.stack([ndi.gaussian_filter(dye, self._blur) for dye in dyes])
        rim = np.exp(-np.square(depth / self._rim)) - 0.5 * np.exp(
            -np.square((depth - 2.2 * self._rim) / self._rim)
        )
        mixed = dyes * (1 - inside) + 0.85 * soft * inside
        mixed[0] += 0.22 * rim
        mixed[1] += 0.10 * rim
        out: Float = np.clip(mixed, 0, None)
        return out
