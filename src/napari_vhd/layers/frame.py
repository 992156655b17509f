"""Where layers lie: napari's world is µm, data are full-resolution px or pixels of a picture.

napari counts a picture's pixels from the centre of the first; our px count from its corner. A
picture is therefore moved by half of its pixel, vertices are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Frame:
    """The frame of one sample: world (µm) = px × `um_per_px`, origin at the slide's corner.

    Attributes
    ----------
    um_per_px
        Side of a full-resolution pixel in µm.
    unit
        Of the world; ``"pixel"`` where nothing says how large a pixel is.
    """

    um_per_px: float
    unit: str = "um"

    @classmethod
    def of(cls, um_per_px: float | None) -> Frame:
        """Make the frame of a sample, None where the size of its pixels is not known."""
        return cls(1.0, "pixel") if um_per_px is None else cls(um_per_px)

    @property
    def _units(self) -> tuple[str, str]:
        return (self.unit, self.unit)

    def vertices(self) -> dict[str, Any]:
        """Arguments of a layer whose data are points (y, x) in full-resolution px."""
        return {"scale": (self.um_per_px,) * 2, "units": self._units}

    def picture(self, left: float, top: float, step: float) -> dict[str, Any]:
        """Arguments of a layer whose data are pixels.

        Parameters
        ----------
        left, top
            Corner of the first pixel, full-resolution px.
        step
            Side of a pixel, full-resolution px.
        """
        scale = step * self.um_per_px
        centre = ((top + step / 2) * self.um_per_px, (left + step / 2) * self.um_per_px)
        return {"scale": (scale, scale), "translate": centre, "units": self._units}

    def grid(self, matrix: NDArray[np.float64]) -> dict[str, Any]:
        """Arguments of a layer whose data are pixels of a turned grid.

        Parameters
        ----------
        matrix
            3 × 3, from (column, row), where the first pixel spans 0 to 1, to (x, y) in
            full-resolution px.
        """
        swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]], dtype=float)
        centre = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
        affine = swap @ np.diag([self.um_per_px, self.um_per_px, 1.0]) @ matrix @ centre @ swap
        return {"affine": affine, "units": self._units}

    def to_world(self, x: float, y: float) -> tuple[float, float]:
        """Give the world point (y, x) of a place in full-resolution px."""
        return y * self.um_per_px, x * self.um_per_px

    def to_px(self, world: Any) -> tuple[float, float]:
        """Give the place (x, y) in full-resolution px of a world point (…, y, x)."""
        return float(world[-1]) / self.um_per_px, float(world[-2]) / self.um_per_px
