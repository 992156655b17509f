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

from napari_vhd.deleting import delete_beside

from .scanline import compile_ahead, fill

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_vhd.corrections.outlines import Outlines

    Ids = NDArray[np.int32]
    Box = tuple[float, float, float, float]

FINEST_PX = 0.25
"""Side of a pixel of the finest level, in full-resolution px."""
TILE = 256
KEPT_TILES = 256
# Levels are kept whole from this pixel size on, if all of them stay below so many pixels.
WHOLE_FROM_PX = 4.0
WHOLE_PIXELS = 50_000_000
# The coarsest level is about as large as a small window.
COARSEST = 640
# Also of a small picture: one has a pixel for each of the full resolution, for painting.
LEAST_LEVELS = 3
# So many boxes and more are drawn as the one that holds them all.
MANY = 500
# Tiles and whole levels hold so many pixels more on each side: outlines look at their neighbours.
RIM = 1


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
    waits
        Whether reading a level that is not drawn yet draws it there and then; else a coarser one
        stands in for it until `prepare` is done.
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
        number = max(LEAST_LEVELS, 1 + math.ceil(math.log2(size / FINEST_PX / COARSEST)))
        self.steps = tuple(FINEST_PX * 2**level for level in range(number))
        # A whole number of pixels on every level: else napari stretches the coarse ones.
        pad = self.steps[-1]
        self._width = math.ceil((xmax - self.left) / pad) * pad
        self._height = math.ceil((ymax - self.top) / pad) * pad
        self._lock = RLock()
        self._tiles: OrderedDict[tuple[int, int, int], Ids] = OrderedDict()
        self._whole: dict[int, Ids] = {}
        self._first_whole = self._find_first_whole()
        self._edits = 0
        self.waits = True
        self._drawn = outlines.bounds.copy()
        self._drawn[~outlines.alive] = np.nan
        delete_beside(self, outlines.n_rows, self._whole, self._tiles)

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

    def prepare(self, first_view: bool = False) -> None:
        """Draw the coarse levels and compile what draws; may be called beside the GUI thread.

        Parameters
        ----------
        first_view
            Only what a view of the whole needs.
        """
        levels = list(self._kept_whole())
        for level in reversed(levels[-1:] if first_view else levels):
            self._whole_level(level)
        compile_ahead()

    def read(
        self, level: int, top: int, bottom: int, left: int, right: int, *, rim: bool = False
    ) -> Ids:
        """Give row + 1 of the cell on top at each pixel, 0 where there is none; not to be changed.

        Parameters
        ----------
        level
            Index in `steps`.
        top, bottom, left, right
            Half-open ranges of its pixels, within its shape.
        rim
            Give one pixel more on each side.
        """
        if top >= bottom or left >= right:
            return np.zeros((max(bottom - top, 0), max(right - left, 0)), dtype=np.int32)
        if level in self._kept_whole():
            return self._read_whole(level, (top, bottom, left, right), RIM if rim else 0)
        more = RIM if rim else 0
        out = np.empty((bottom - top + 2 * more, right - left + 2 * more), dtype=np.int32)
        with self._lock:
            for i in range(top // TILE, -(-bottom // TILE)):
                for j in range(left // TILE, -(-right // TILE)):
                    tile, y0, x0 = self._tile(level, i, j), i * TILE - RIM, j * TILE - RIM
                    y, x = max(top - more, y0), max(left - more, x0)
                    y1 = min(bottom + more, y0 + len(tile))
                    x1 = min(right + more, x0 + len(tile))
                    part = tile[y - y0 : y1 - y0, x - x0 : x1 - x0]
                    y, y1, x, x1 = y - top, y1 - top, x - left, x1 - left
                    out[y + more : y1 + more, x + more : x1 + more] = part
        return out

    def redraw(self, rows: Iterable[int]) -> list[Box]:
        """Draw cells anew that were added, edited or removed; gives the boxes that changed.

        Returns
        -------
        list of (xmin, ymin, xmax, ymax)
            Full-resolution px: where each cell was, and where it is.
        """
        outlines = self.outlines
        boxes: list[Box] = []
        with self._lock, outlines.lock:
            self._edits += 1
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
            self._redraw_part(level, ids, -RIM, -RIM, box)
        for (level, i, j), tile in self._tiles.items():
            self._redraw_part(level, tile, i * TILE - RIM, j * TILE - RIM, box)

    def _redraw_part(self, level: int, ids: Ids, top: int, left: int, box: Box) -> None:
        """Draw anew what lies in a box of a piece that begins at a pixel of its level."""
        step, (height, width) = self.steps[level], ids.shape
        y0 = max(math.floor((box[1] - self.top) / step) - top, 0)
        y1 = min(math.ceil((box[3] - self.top) / step) - top, height)
        x0 = max(math.floor((box[0] - self.left) / step) - left, 0)
        x1 = min(math.ceil((box[2] - self.left) / step) - left, width)
        if y0 < y1 and x0 < x1:
            part = self._drawn_part(level, top + y0, top + y1, left + x0, left + x1)
            ids[y0:y1, x0:x1] = part

    def _kept_whole(self) -> range:
        return range(self._first_whole, len(self.steps))

    def _find_first_whole(self) -> int:
        for level, step in enumerate(self.steps):
            if step >= WHOLE_FROM_PX and math.prod(self.shape(level)) <= WHOLE_PIXELS:
                return level
        return len(self.steps) - 1

    def _read_whole(self, level: int, box: tuple[int, int, int, int], more: int) -> Ids:
        top, bottom, left, right = box
        ids = self._whole.get(level)
        if ids is None and not self.waits and (there := [n for n in self._whole if n > level]):
            # Until it is drawn, pixels of a coarser level.
            coarser = min(there)
            times = 2 ** (coarser - level)
            y, x = (
                np.arange(low - more, high + more) // times + RIM
                for low, high in ((top, bottom), (left, right))
            )
            return self._whole[coarser][np.ix_(y, x)]
        if ids is None:
            ids = self._whole_level(level)
        off = RIM - more
        return ids[top + off : bottom + off + 2 * more, left + off : right + off + 2 * more]

    def _whole_level(self, level: int) -> Ids:
        """Draw a level, unless it is there; others may read and edit meanwhile."""
        while level not in self._whole:
            edits = self._edits
            height, width = self.shape(level)
            ids = self._drawn_part(level, -RIM, height + RIM, -RIM, width + RIM)
            with self._lock:
                if edits == self._edits:
                    self._whole.setdefault(level, ids)
        return self._whole[level]

    def _tile(self, level: int, i: int, j: int) -> Ids:
        key = (level, i, j)
        if key in self._tiles:
            self._tiles.move_to_end(key)
            return self._tiles[key]
        y, x = i * TILE - RIM, j * TILE - RIM
        size = TILE + 2 * RIM
        self._tiles[key] = self._drawn_part(level, y, y + size, x, x + size)
        if len(self._tiles) > KEPT_TILES:
            self._tiles.popitem(last=False)
        return self._tiles[key]

    def _drawn_part(self, level: int, y0: int, y1: int, x0: int, x1: int) -> Ids:
        ids = np.zeros((y1 - y0, x1 - x0), dtype=np.int32)
        step, cells = self.steps[level], self.outlines
        left, top = self.left + x0 * step, self.top + y0 * step
        with cells.lock:
            rows = cells.query(left, top, left + (x1 - x0) * step, top + (y1 - y0) * step)
            # An edit adds vertices and rings, and changes none that are there.
            parts: tuple[Any, ...] = (cells.coords, cells.ring_start, cells.ring_stop)
            rings = cells.row_first_ring[rows], cells.row_last_ring[rows]
        fill(ids, left, top, step, rows, *parts, *rings)
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
