"""Reading a picture of a part of the slide from the pyramid level that fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .geometry import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from spatialdata import SpatialData
    from xarray import DataArray


@dataclass(frozen=True)
class Pyramid:
    """An RGB image of the store, lazy.

    Attributes
    ----------
    levels
        From fine to coarse, each (channel, y, x).
    box
        What it covers, full-resolution px.
    """

    levels: Sequence[DataArray]
    box: Box

    @classmethod
    def of(cls, sdata: SpatialData, name: str, system: str) -> Pyramid | None:
        """Find an image; None where the store has none of that name."""
        from spatialdata.transformations import get_transformation
        from xarray import DataTree

        element = sdata.images.get(name)
        if element is None:
            return None
        levels = [element]
        if isinstance(element, DataTree):
            levels = [next(iter(element[level].values())) for level in element.children]
        placed = get_transformation(element, to_coordinate_system=system)
        matrix = placed.to_affine_matrix(("x", "y"), ("x", "y"))
        height, width = levels[0].shape[-2:]
        corners = matrix[:2] @ np.array([(0, width), (0, height), (1, 1)])
        return cls(levels, Box(*map(float, corners.T.ravel())))

    def read(self, box: Box, longest: int) -> NDArray[np.uint8]:
        """Read what lies in a box, from the coarsest level that is fine enough.

        Parameters
        ----------
        box
            Full-resolution px; what lies outside the image is white.
        longest
            Longest side of the picture in pixels.

        Returns
        -------
        RGB of shape (height, width, 3).
        """
        width, height = box.size(longest)
        level = self.levels[0]
        for coarser in self.levels[1:]:
            if coarser.shape[-1] / self.box.width * box.width >= 0.9 * width:
                level = coarser
        step_x = self.box.width / level.shape[-1]
        step_y = self.box.height / level.shape[-2]
        shown = box.within(self.box)
        if shown.width <= 0 or shown.height <= 0:
            return np.full((height, width, 3), 255, np.uint8)
        first_x = int((shown.x0 - self.box.x0) / step_x)
        first_y = int((shown.y0 - self.box.y0) / step_y)
        last_x = int(np.ceil((shown.x1 - self.box.x0) / step_x))
        last_y = int(np.ceil((shown.y1 - self.box.y0) / step_y))
        pixels = np.asarray(level[:3, first_y:last_y, first_x:last_x]).transpose(1, 2, 0)
        source = (
            (box.x0 - self.box.x0) / step_x - first_x,
            (box.y0 - self.box.y0) / step_y - first_y,
            (box.x1 - self.box.x0) / step_x - first_x,
            (box.y1 - self.box.y0) / step_y - first_y,
        )
        return _resized(pixels.astype(np.uint8), source, (width, height))


def _resized(
    pixels: NDArray[np.uint8], source: tuple[float, float, float, float], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Resample the part `source` (x0, y0, x1, y1 in its pixels) to `size`, white outside."""
    x0, y0, x1, y1 = source
    height, width = pixels.shape[:2]
    pad = [
        (max(0, int(np.ceil(-y0))), max(0, int(np.ceil(y1 - height)))),
        (max(0, int(np.ceil(-x0))), max(0, int(np.ceil(x1 - width)))),
    ]
    if any(side for both in pad for side in both):
        pixels = np.pad(pixels, [*pad, (0, 0)], constant_values=255)
        x0, x1 = x0 + pad[1][0], x1 + pad[1][0]
        y0, y1 = y0 + pad[0][0], y1 + pad[0][0]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, box=(x0, y0, x1, y1)))
