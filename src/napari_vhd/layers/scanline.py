"""Filling polygons pixel by pixel, compiled: even-odd, a pixel belongs to where its centre lies.

The rule is that of `napari_vhd.corrections.rings.holds`: what is picked is what is drawn.
"""

from __future__ import annotations

import numba
import numpy as np


def compile_ahead() -> None:
    """Compile what draws, or read what was compiled before; a second or more, once in a process."""
    nothing = np.zeros(0, dtype=np.int64)
    ids, rings = np.zeros((3, 3), dtype=np.int32), (nothing, nothing)
    fill(ids, 0.0, 0.0, 1.0, nothing, np.zeros((0, 2)), *rings, *rings)
    edges(ids, np.zeros((1, 1), dtype=np.uint8))


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def fill(
    ids: np.ndarray,
    left: float,
    top: float,
    step: float,
    rows: np.ndarray,
    coords: np.ndarray,
    ring_start: np.ndarray,
    ring_stop: np.ndarray,
    first_ring: np.ndarray,
    last_ring: np.ndarray,
) -> None:
    """Write row + 1 into the pixels of each row, in the order given: later ones lie on top.

    Parameters
    ----------
    ids
        (height, width) int32, written to.
    left, top
        Corner of the first pixel, full-resolution px.
    step
        Side of a pixel in full-resolution px.
    rows
        Rows to draw.
    coords, ring_start, ring_stop
        As in `napari_vhd.corrections.outlines.Outlines`.
    first_ring, last_ring
        Half-open range of the rings of each of `rows`.
    """
    height, width = ids.shape
    number = np.zeros(height + 1, dtype=np.int64)
    place = np.zeros(height + 1, dtype=np.int64)
    crossings = np.empty(256, dtype=np.float64)
    for which in range(len(rows)):
        # First how often each line of pixels is crossed, then where.
        low, high = height, 0
        for ring in range(first_ring[which], last_ring[which]):
            for at in range(ring_start[ring], ring_stop[ring] - 1):
                y0, y1 = coords[at, 1], coords[at + 1, 1]
                begin, end = _lines(min(y0, y1), max(y0, y1), top, step, height)
                for line in range(begin, end):
                    number[line] += 1
                if begin < end:
                    low, high = min(low, begin), max(high, end)
        if low >= high:
            continue
        total = 0
        for line in range(low, high):
            place[line] = total
            total += number[line]
        if total > len(crossings):
            crossings = np.empty(2 * total, dtype=np.float64)
        for ring in range(first_ring[which], last_ring[which]):
            for at in range(ring_start[ring], ring_stop[ring] - 1):
                x0, y0, x1, y1 = coords[at, 0], coords[at, 1], coords[at + 1, 0], coords[at + 1, 1]
                begin, end = _lines(min(y0, y1), max(y0, y1), top, step, height)
                for line in range(begin, end):
                    y = top + (line + 0.5) * step
                    crossings[place[line]] = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
                    place[line] += 1
        for line in range(low, high):
            stop = place[line]
            start = stop - number[line]
            number[line] = 0
            for one in range(start + 1, stop):
                value = crossings[one]
                before = one - 1
                while before >= start and crossings[before] > value:
                    crossings[before + 1] = crossings[before]
                    before -= 1
                crossings[before + 1] = value
            for pair in range(start, stop - 1, 2):
                begin, end = _lines(crossings[pair], crossings[pair + 1], left, step, width)
                for column in range(begin, end):
                    ids[line, column] = rows[which] + 1


@numba.njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _lines(low: float, high: float, origin: float, step: float, number: int) -> tuple[int, int]:
    """Pixels whose centre lies in [low, high), as a half-open range within the picture."""
    begin = np.ceil((low - origin) / step - 0.5)
    end = np.ceil((high - origin) / step - 0.5)
    return int(min(max(begin, 0.0), number)), int(max(min(end, number), 0.0))


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def edges(ids: np.ndarray, out: np.ndarray) -> None:
    """Mark the pixels beside a border between two ids; `ids` reaches one pixel farther all round.

    Parameters
    ----------
    ids
        (height + 2, width + 2) int32.
    out
        (height, width) uint8, written to: 1 on a border.
    """
    height, width = out.shape
    for i in range(height):
        for j in range(width):
            own = ids[i + 1, j + 1]
            out[i, j] = (
                own != ids[i, j + 1]
                or own != ids[i + 2, j + 1]
                or own != ids[i + 1, j]
                or own != ids[i + 1, j + 2]
            )
