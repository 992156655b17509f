"""What napari takes for arrays: each level of a picture, made when a part of it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .raster import TILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .raster import CellRaster


class Painted(Protocol):
    """Gives the pixels of a part of one level."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel."""

    def pixels(
        self, raster: CellRaster, level: int, top: int, bottom: int, left: int, right: int
    ) -> NDArray[Any]:
        """Give the pixels of half-open ranges within the level."""


class LevelView:
    """One level of a raster as an array-like (y, x).

    Parameters
    ----------
    raster
        Cells as pixels.
    level
        Index of the level.
    painted
        What stands in each pixel.
    """

    ndim = 2
    chunks = (TILE, TILE)  # napari reads whole tiles, and nothing while one moves inside them

    def __init__(self, raster: CellRaster, level: int, painted: Painted) -> None:
        self._raster, self._level, self._painted = raster, level, painted
        self.shape = raster.shape(level)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel."""
        return self._painted.dtype

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return sliced(self.shape, key, self._read)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:, :], dtype=dtype)

    def _read(self, top: int, bottom: int, left: int, right: int) -> NDArray[Any]:
        return self._painted.pixels(self._raster, self._level, top, bottom, left, right)


def views(raster: CellRaster, painted: Painted) -> list[LevelView]:
    """Give every level, finest first, for a multiscale layer."""
    return [LevelView(raster, level, painted) for level in range(len(raster.steps))]


def reread(layer: Any) -> None:
    """Have a layer of `views` read the pixels in view again."""
    forget_coarsest(layer)
    layer.refresh(extent=False, thumbnail=False)


def set_visible(layer: Any, visible: bool) -> None:
    """Show or hide a layer; where it is so already, napari is not made to draw anew."""
    if layer.visible != visible:
        layer.visible = visible


def forget_coarsest(layer: Any) -> None:
    """Make napari forget the coarsest level, which it keeps as it was first read.

    Without this a sample that fits the window at that level never changes its colours.
    """
    kept = getattr(layer, "_level_materializer", None)
    if kept is not None:
        kept.cache_clear()


def sliced(
    shape: tuple[int, ...], key: Any, read: Callable[[int, int, int, int], NDArray[Any]]
) -> NDArray[Any]:
    """Answer an index of the first two axes by reading the range it spans.

    Parameters
    ----------
    shape
        Of the whole; from the third axis on, indices are applied to what was read.
    key
        Integers, slices or Ellipsis, as numpy takes them.
    read
        Called with top, bottom, left, right.
    """
    keys = list(key) if isinstance(key, tuple) else [key]
    if Ellipsis in keys:
        at = keys.index(Ellipsis)
        keys[at : at + 1] = [slice(None)] * (len(shape) - len(keys) + 1)
    keys += [slice(None)] * (len(shape) - len(keys))
    spans: list[tuple[int, int]] = []
    rest: list[Any] = []
    for length, one in zip(shape[:2], keys[:2], strict=True):
        if isinstance(one, slice):
            start, stop, step = one.indices(length)
            if step < 1:
                raise IndexError("a lazy picture is read forwards only")
            spans.append((start, max(start, stop)))
            rest.append(slice(None, None, step))
        else:
            at = int(one)
            at += length if at < 0 else 0
            if not 0 <= at < length:
                raise IndexError(f"{one} lies outside a picture of {shape}")
            spans.append((at, at + 1))
            rest.append(0)
    return read(*spans[0], *spans[1])[(*rest, *keys[2:])]
