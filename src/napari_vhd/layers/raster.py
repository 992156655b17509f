"""Cells as pixels, made for the part of the slide that is looked at: any number of cells.

A pyramid of levels, each half as fine as the one before. Fine levels are filled when they are read,
tile by tile, and the tiles looked at last are kept; coarse levels are kept whole. An edit redraws
the pixels of the cells it touched, no others. The finest level is finer than the picture's pixels:
outlines stay sharp when one looks closely.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from .scanline import edges, fill

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_vhd.corrections.outlines import Outlines

    Ids = NDArray[np.int32]
    Box = tuple[float, float, float, float]

FINEST_PX = 0.25
"""Side of a pixel of the finest level, in full-resolution px."""
TILE = 512
KEPT_TILES = 160
# Levels are kept whole from this pixel size on, if all of them stay below so many pixels.
WHOLE_FROM_PX = 4.0
WHOLE_PIXELS = 50_000_000
# The coarsest level is about as large as a small window.
COARSEST = 600
# So many boxes and more are drawn as the one that holds them all.
MANY = 500


class CellRaster:
    """Ids of the cells of one segmentation, pixel by pixel.

    Parameters
    ----------
    outlines
        What to draw; live.
    extent
        xmin, ymin, xmax, ymax of the picture, full-resolution px; made larger to hold all cells.

    Attributes
    ----------
    outlines
        As given.
    left, top
        Corner of the picture, full-resolution px.
    steps
        Side of a pixel of each level, full-resolution px, finest first.
    """

    def __init__(self, outlines: Outlines, extent: Box) -> None:
        self.outlines = outlines
        xmin, ymin, xmax, ymax = _extent(outlines, extent)
        self.left, self.top = float(math.floor(xmin)), float(math.floor(ymin))
        size = max(xmax - self.left, ymax - self.top, 1.0)
        number = 1 + max(0, math.ceil(math.log2(size / FINEST_PX / COARSEST)))
        self.steps = tuple(FINEST_PX * 2**level for level in range(number))
        # A whole number of pixels on every level: else napari stretches the coarse ones.
        pad = self.steps[-1]
        self._width = math.ceil((xmax - self.left) / pad) * pad
        self._height = math.ceil((ymax - self.top) / pad) * pad
        self._lock = RLock()
        self._tiles: OrderedDict[tuple[int, int, int], Ids] = OrderedDict()
        self._whole: dict[int, Ids] = {}
        self._drawn = outlines.bounds.copy()
        self._drawn[~outlines.alive] = np.nan

    @property
    def box(self) -> Box:
        """xmin, ymin, xmax, ymax of the picture, full-resolution px."""
        return self.left, self.top, self.left + self._width, self.top + self._height

    def shape(self, level: int) -> tuple[int, int]:
        """Height and width of a level in its pixels."""
        step = self.steps[level]
        return max(1, round(self._height / step)), max(1, round(self._width / step))

    def level_of(self, step: float) -> int:
        """Give the coarsest level whose pixels are not larger than `step` px."""
        return max(level for level, own in enumerate(self.steps) if own <= max(step, self.steps[0]))

    @property
    def prepared(self) -> bool:
        """Whether the coarse levels are drawn; until then, reading one draws it."""
        return all(level in self._whole for level in self._kept_whole())

    def prepare(self) -> None:
        """Draw the coarse levels and compile what draws; may be called beside the GUI thread."""
        for level in self._kept_whole():
            self._whole_level(level)
        self.read(0, 0, 1, 0, 1)
        edges(np.zeros((3, 3), dtype=np.int32), np.zeros((1, 1), dtype=np.uint8))

    def read(self, level: int, top: int, bottom: int, left: int, right: int) -> Ids:
        """Give row + 1 of the cell on top at each pixel, 0 where there is none; not to be changed.

        Parameters
        ----------
        level
            Index in `steps`.
        top, bottom, left, right
            Half-open ranges of its pixels, within its shape.
        """
        with self._lock:
            if level in self._kept_whole():
                return self._whole_level(level)[top:bottom, left:right]
            out = np.zeros((max(bottom - top, 0), max(right - left, 0)), dtype=np.int32)
            for i in range(top // TILE, -(-bottom // TILE)):
                for j in range(left // TILE, -(-right // TILE)):
                    tile = self._tile(level, i, j)
                    y0, x0 = i * TILE, j * TILE
                    y, x = slice(max(top, y0), min(bottom, y0 + TILE)), slice(max(left, x0), 0)
                    x = slice(x.start, min(right, x0 + TILE))
                    part = tile[y.start - y0 : y.stop - y0, x.start - x0 : x.stop - x0]
                    out[y.start - top : y.stop - top, x.start - left : x.stop - left] = part
            return out

    def redraw(self, rows: Iterable[int]) -> list[Box]:
        """Draw cells anew that were added, edited or removed; gives the boxes that changed.

        Returns
        -------
        list of (xmin, ymin, xmax, ymax)
            Full-resolution px: where each cell was, and where it is.
        """
        outlines = self.outlines
        boxes = []
        with self._lock, outlines.lock:
            if outlines.n_rows > len(self._drawn):
                more = np.full((outlines.n_rows - len(self._drawn), 4), np.nan)
                self._drawn = np.concatenate([self._drawn, more])
            for row in np.asarray(rows, dtype=np.int64).tolist():
                now = outlines.bounds[row] if outlines.alive[row] else np.full(4, np.nan)
                for box in (self._drawn[row], now):
                    if not np.isnan(box[0]):
                        boxes.append(tuple(box.tolist()))
                self._drawn[row] = now
            boxes = list(dict.fromkeys(boxes))
            for box in boxes if len(boxes) <= MANY else [_around(boxes)]:
                self._redraw_box(box)
        return boxes

    def _redraw_box(self, box: Box) -> None:
        for level, ids in self._whole.items():
            y0, y1, x0, x1 = self._pixels(level, box)
            ids[y0:y1, x0:x1] = self._drawn_part(level, y0, y1, x0, x1)
        for level, i, j in list(self._tiles):
            y0, y1, x0, x1 = self._pixels(level, box)
            y0, y1 = max(y0, i * TILE), min(y1, (i + 1) * TILE)
            x0, x1 = max(x0, j * TILE), min(x1, (j + 1) * TILE)
            if y0 < y1 and x0 < x1:
                tile = self._tiles[level, i, j]
                y, x = slice(y0 - i * TILE, y1 - i * TILE), slice(x0 - j * TILE, x1 - j * TILE)
                tile[y, x] = self._drawn_part(level, y0, y1, x0, x1)

    def _pixels(self, level: int, box: Box) -> tuple[int, int, int, int]:
        step, (height, width) = self.steps[level], self.shape(level)
        x0, x1 = math.floor((box[0] - self.left) / step), math.ceil((box[2] - self.left) / step)
        y0, y1 = math.floor((box[1] - self.top) / step), math.ceil((box[3] - self.top) / step)
        return max(y0, 0), min(y1, height), max(x0, 0), min(x1, width)

    def _kept_whole(self) -> range:
        first = next(
            (
                level
                for level, step in enumerate(self.steps)
                if step >= WHOLE_FROM_PX and math.prod(self.shape(level)) <= WHOLE_PIXELS
            ),
            len(self.steps) - 1,
        )
        return range(first, len(self.steps))

    def _whole_level(self, level: int) -> Ids:
        with self._lock:
            if level not in self._whole:
                height, width = self.shape(level)
                self._whole[level] = self._drawn_part(level, 0, height, 0, width)
            return self._whole[level]

    def _tile(self, level: int, i: int, j: int) -> Ids:
        key = (level, i, j)
        if key in self._tiles:
            self._tiles.move_to_end(key)
            return self._tiles[key]
        y, x = i * TILE, j * TILE
        self._tiles[key] = self._drawn_part(level, y, y + TILE, x, x + TILE)
        if len(self._tiles) > KEPT_TILES:
            self._tiles.popitem(last=False)
        return self._tiles[key]

    def _drawn_part(self, level: int, y0: int, y1: int, x0: int, x1: int) -> Ids:
        ids = np.zeros((max(y1 - y0, 0), max(x1 - x0, 0)), dtype=np.int32)
        step, cells = self.steps[level], self.outlines
        left, top = self.left + x0 * step, self.top + y0 * step
        with cells.lock:
            rows = cells.query(left, top, left + (x1 - x0) * step, top + (y1 - y0) * step)
            parts: tuple[Any, ...] = (cells.coords, cells.ring_start, cells.ring_stop)
            fill(ids, left, top, step, rows, *parts, cells.row_first_ring, cells.row_last_ring)
        return ids


def _around(boxes: list[Box]) -> Box:
    sides = np.array(boxes)
    low, high = sides[:, :2].min(axis=0).tolist(), sides[:, 2:].max(axis=0).tolist()
    return (low[0], low[1], high[0], high[1])


def _extent(outlines: Outlines, extent: Box) -> Box:
    there = outlines.bounds[outlines.alive]
    if not len(there):
        return extent
    low, high = there.min(axis=0), there.max(axis=0)
    return (
        min(extent[0], float(low[0])),
        min(extent[1], float(low[1])),
        max(extent[2], float(high[2])),
        max(extent[3], float(high[3])),
    )
