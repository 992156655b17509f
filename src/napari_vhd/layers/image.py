"""The H&E as a lazy pyramid, exactly where the bins and cells lie."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .views import sliced

if TYPE_CHECKING:
    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_vhd.io.source_image import Pyramid

    from .frame import Frame

_PAPER = 255  # beyond the edge of a picture


class PaddedLevel:
    """One level of a picture, with a rim of white that makes its size a whole number of tiles.

    napari works out how much coarser a level is from the shapes alone; 3101 px over 1550 would be
    drawn 2.0006 times as large, and drift by a pixel towards the far edge.

    Parameters
    ----------
    pixels
        (y, x, 3) uint8, lazily read.
    shape
        (y, x) of the level with its rim.
    """

    ndim = 3
    dtype = np.dtype(np.uint8)

    def __init__(self, pixels: Any, shape: tuple[int, int]) -> None:
        self._pixels = pixels
        self.shape = (*shape, 3)
        chunks = getattr(pixels, "chunks", None) or (512, 512, 3)
        # dask tells every chunk's length; the first will do.
        self.chunks = tuple(c if isinstance(c, int) else int(c[0]) for c in chunks)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        return sliced(self.shape, key, self._read)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:, :], dtype=dtype)

    def _read(self, top: int, bottom: int, left: int, right: int) -> NDArray[np.uint8]:
        height, width = self._pixels.shape[:2]
        part = self._pixels[top : min(bottom, height), left : min(right, width)]
        part = np.asarray(part, dtype=np.uint8)[..., :3]
        rim = (bottom - top - part.shape[0], right - left - part.shape[1])
        if rim == (0, 0):
            return part
        return np.pad(part, ((0, rim[0]), (0, rim[1]), (0, 0)), constant_values=_PAPER)


def padded(pyramid: Pyramid) -> list[PaddedLevel]:
    """Give the levels of a pyramid with shapes that stand in the ratio of their scales."""
    first = pyramid.scales[0]
    factors = [scale / first for scale in pyramid.scales]
    for place, (factor, level) in enumerate(zip(factors, pyramid.levels, strict=True)):
        # Less than a pixel over the whole picture: the factor is meant to be whole.
        if abs(factor - round(factor)) * max(level.shape[:2]) < round(factor):
            factors[place] = float(round(factor))
    common = math.lcm(*(int(factor) for factor in factors if factor == int(factor)))
    full = [
        max(
            math.ceil(level.shape[axis] * factor / common) * common
            for level, factor in zip(pyramid.levels, factors, strict=True)
        )
        for axis in (0, 1)
    ]
    return [
        PaddedLevel(level, (round(full[0] / factor), round(full[1] / factor)))
        for level, factor in zip(pyramid.levels, factors, strict=True)
    ]


def image_layer(
    pyramid: Pyramid, frame: Frame, name: str, metadata: dict[str, Any] | None = None
) -> Image:
    """Make the Image layer of an H&E.

    Parameters
    ----------
    pyramid
        Levels, finest first; see `napari_vhd.io.source_image.Pyramid`.
    frame
        Of the sample.
    name, metadata
        Of the layer.
    """
    from napari.layers import Image as ImageLayer

    levels = padded(pyramid)
    left, top = pyramid.origin
    return ImageLayer(
        levels if len(levels) > 1 else levels[0],
        name=name,
        rgb=True,
        multiscale=len(levels) > 1,
        metadata=metadata or {},
        **frame.picture(left, top, pyramid.scales[0]),
    )


def overview_layer(
    pixels: Any, scale: float, origin: tuple[float, float], frame: Frame, name: str
) -> Image:
    """Make the Image layer of an overview picture (y, x, 3) with pixels of `scale` px."""
    from napari.layers import Image as ImageLayer

    return ImageLayer(np.asarray(pixels), name=name, rgb=True, **frame.picture(*origin, scale))
