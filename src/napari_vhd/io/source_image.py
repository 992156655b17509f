"""Pictures, read piece by piece: an image of a store, or a slide scanner's file."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .fullres_image import ImageHeader, _main, check_image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from .source_frames import Matrix

    Pixels = NDArray[np.uint8]

CACHE_BYTES = 256 * 2**20
_TILE_PX = 512
_LARGEST_TILE_PX = 2048
# Below this a picture needs no coarser level.
_SMALL_PX = 2048


@dataclass(frozen=True)
class Pyramid:
    """An RGB picture, lazily read.

    Attributes
    ----------
    levels
        Array-likes (y, x, 3) uint8, finest first.
    scales
        Full-resolution px that a pixel of each level spans.
    origin
        (x, y) of the corner of the first pixel, full-resolution px.
    """

    levels: tuple[Any, ...]
    scales: tuple[float, ...]
    origin: tuple[float, float]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(xmin, ymin, xmax, ymax) of what it covers, full-resolution px."""
        height, width = self.levels[0].shape[:2]
        x, y = self.origin
        return x, y, x + width * self.scales[0], y + height * self.scales[0]


class Level:
    """One level of a picture as an array (y, x, 3) uint8 that reads what is asked for.

    Tiles that were read are kept, up to `CACHE_BYTES` over all pictures: whoever moves about over
    a slide asks for the same tiles again and again. Any thread may read.

    Parameters
    ----------
    array
        Zarr array or memory map.
    axes
        Its axes, a text like ``"cyx"`` or ``"yxc"``.
    """

    ndim = 3
    dtype = np.dtype(np.uint8)

    def __init__(self, array: Any, axes: str) -> None:
        self._array = array
        self._axes = axes
        height, width = (int(array.shape[axes.index(axis)]) for axis in "yx")
        self.shape = (height, width, 3)
        chunks = getattr(array, "chunks", None)
        sides = [_TILE_PX] * 2 if chunks is None else [chunks[axes.index(axis)] for axis in "yx"]
        self._tile = tuple(
            _TILE_PX * max(1, _TILE_PX // side) if side > _LARGEST_TILE_PX else _multiple(side)
            for side in sides
        )
        self.chunks = (*self._tile, 3)
        self._key = next(_numbers)
        weakref.finalize(self, _CACHE.forget, self._key)

    @property
    def size(self) -> int:
        """Number of values."""
        return self.shape[0] * self.shape[1] * 3

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        rows, columns, rest = _split(key)
        (y0, y1, y_step), (x0, x1, x_step) = (
            rows.indices(self.shape[0]),
            columns.indices(self.shape[1]),
        )
        pixels = self._read(y0, max(y1, y0), x0, max(x1, x0))
        result: NDArray[np.uint8] = pixels[::y_step, ::x_step][(..., *rest)]
        return result

    def _read(self, y0: int, y1: int, x0: int, x1: int) -> Pixels:
        """Put together what lies in a box, in pixels of this level."""
        out = np.empty((y1 - y0, x1 - x0, 3), dtype=np.uint8)
        high, wide = self._tile
        for row in range(y0 // high, -(-y1 // high)):
            for column in range(x0 // wide, -(-x1 // wide)):
                tile = self._tile_at(row, column)
                top, left = row * high, column * wide
                ys = slice(max(y0, top), min(y1, top + tile.shape[0]))
                xs = slice(max(x0, left), min(x1, left + tile.shape[1]))
                out[ys.start - y0 : ys.stop - y0, xs.start - x0 : xs.stop - x0] = tile[
                    ys.start - top : ys.stop - top, xs.start - left : xs.stop - left
                ]
        return out

    def _tile_at(self, row: int, column: int) -> Pixels:
        place = (self._key, row, column)
        kept = _CACHE.get(place)
        if kept is not None:
            return kept
        part = {
            "y": slice(row * self._tile[0], min((row + 1) * self._tile[0], self.shape[0])),
            "x": slice(column * self._tile[1], min((column + 1) * self._tile[1], self.shape[1])),
            "c": slice(0, 3),
        }
        found = np.asarray(self._array[tuple(part[axis] for axis in self._axes)])
        found = found.transpose([self._axes.index(axis) for axis in "yxc"])
        if found.shape[2] == 1:
            found = np.repeat(found, 3, axis=2)
        tile: Pixels = np.ascontiguousarray(found, dtype=np.uint8)
        _CACHE.put(place, tile)
        return tile


class _Cache:
    """The tiles last used, of all pictures."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tiles: OrderedDict[tuple[int, int, int], Pixels] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, place: tuple[int, int, int]) -> Pixels | None:
        with self._lock:
            tile = self._tiles.get(place)
            if tile is not None:
                self._tiles.move_to_end(place)
            return tile

    def put(self, place: tuple[int, int, int], tile: Pixels) -> None:
        with self._lock:
            if place in self._tiles:
                return
            self._tiles[place] = tile
            self._bytes += tile.nbytes
            while self._bytes > self._limit and len(self._tiles) > 1:
                self._bytes -= self._tiles.popitem(last=False)[1].nbytes

    def forget(self, key: int) -> None:
        with self._lock:
            for place in [place for place in self._tiles if place[0] == key]:
                self._bytes -= self._tiles.pop(place).nbytes


def _count() -> Any:
    from itertools import count

    return count()


_CACHE = _Cache(CACHE_BYTES)
_numbers = _count()


def stored_pyramid(group: Any, matrix: Matrix) -> Pyramid | None:
    """Open an image of a SpatialData store.

    Parameters
    ----------
    group
        Its zarr group.
    matrix
        From its own pixels to full-resolution px; None comes back where it turns or shears.
    """
    described = dict(group.attrs)
    described = described.get("ome", described)["multiscales"][0]
    axes = "".join(str(axis["name"]) for axis in described["axes"])
    arrays = [group[str(entry["path"])] for entry in described["datasets"]]
    arrays = [array for array in arrays if min(array.shape) > 0]
    upright = abs(matrix[0, 1]) < 1e-9 and abs(matrix[1, 0]) < 1e-9
    if not upright or set(axes) != set("cyx") or not arrays or arrays[0].dtype != np.uint8:
        return None
    width = arrays[0].shape[axes.index("x")]
    scales = [float(matrix[0, 0]) * width / a.shape[axes.index("x")] for a in arrays]
    levels = tuple(Level(array, axes) for array in arrays)
    return Pyramid(levels, tuple(scales), (float(matrix[0, 2]), float(matrix[1, 2])))


def file_pyramid(path: Path, overview: Pixels | None = None) -> Pyramid:
    """Open a full-resolution H&E: a tiled TIFF with its coarser levels, or any that is checked.

    Parameters
    ----------
    path
        As for `check_image`.
    overview
        A small picture of the whole slide, taken as the coarsest level where the file has none.

    Raises
    ------
    BadInputError
        As `check_image`.
    """
    import tifffile

    header = check_image(path)
    try:
        with tifffile.TiffFile(path) as tif:
            levels = _tiff_levels(path, tif)
    except tifffile.TiffFileError:
        levels = [_whole(header)]
    coarsest = levels[-1].shape
    if overview is not None and max(coarsest[:2]) > max(_SMALL_PX, *overview.shape[:2]):
        levels.append(overview)
    scales = tuple(header.width / level.shape[1] for level in levels)
    return Pyramid(tuple(levels), scales, (0.0, 0.0))


def _tiff_levels(path: Path, tif: Any) -> list[Any]:
    """Open each level of the largest picture of a TIFF."""
    import tifffile
    import zarr

    number = _main(tif)
    series = tif.series[number]
    axes = series.axes.lower().replace("s", "c")
    if series.dataoffset is not None:
        return [Level(tifffile.memmap(path, series=number, mode="r"), axes)]
    levels: list[Any] = []
    for index, level in enumerate(series.levels):
        if level.axes != series.axes or level.dtype != series.dtype:
            continue
        store = tifffile.imread(path, aszarr=True, series=number, level=index)
        array = zarr.open_array(store, mode="r")
        weakref.finalize(array, store.close)
        levels.append(Level(array, axes))
    return levels


def _whole(header: ImageHeader) -> Pixels:
    """Read a PNG or JPEG; these cannot be read in parts."""
    return read_overview(header.path)


def read_overview(path: Path) -> Pixels:
    """Read a small RGB picture whole (y, x, 3)."""
    from PIL import Image

    with Image.open(path, formats=("PNG", "JPEG")) as picture:
        return np.asarray(picture.convert("RGB"))


def _multiple(side: int) -> int:
    """Give the multiple of a chunk's side that is nearest to the wanted tile."""
    return int(side) * max(1, round(_TILE_PX / side))


def _split(key: Any) -> tuple[slice, slice, tuple[Any, ...]]:
    """Part an index into rows, columns, and what is done with the piece that was read."""
    parts = key if isinstance(key, tuple) else (key,)
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts = (*parts[:at], *[slice(None)] * (4 - len(parts)), *parts[at + 1 :])
    parts = (*parts, *[slice(None)] * (3 - len(parts)))
    spans: list[slice] = []
    rest: list[Any] = []
    for part in parts[:2]:
        if isinstance(part, slice):
            spans.append(part)
            rest.append(slice(None))
        else:
            number = int(part)
            spans.append(slice(number, number + 1 or None))
            rest.append(0)
    return spans[0], spans[1], (*rest, parts[2])
