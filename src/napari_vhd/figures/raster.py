"""Cells and bins as a picture of row numbers, which every map then only has to colour.

Drawing one artist a cell costs seconds a figure at 100,000 cells. Here polygons are rasterised
once for all figures of a size; a map is then a look-up of one colour a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from .geometry import NOTHING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .geometry import Box

# Rows are rasterised this much finer than the figure, and averaged: smooth edges.
_FINER = 2
# Cells smaller than this (figure px across) get no dark rim: it would be all one sees.
_SMALLEST_WITH_RIM = 7
_RIM, _RIM_OVER_TISSUE = 0.62, 0.8


class Numbered(Protocol):
    """What can say which row lies where: `geometry.Rings`, `geometry.BinGrid`."""

    def numbers(self, box: Box, width: int, height: int) -> NDArray[np.int32]:
        """Give the row at each point of a grid over a box, or `NOTHING`."""


@dataclass(frozen=True)
class Raster:
    """Which row lies at each pixel of a figure, and which share of it on borders.

    Attributes
    ----------
    number
        Row at each pixel, or `NOTHING`, shape (height, width).
    border
        Flat indices of the pixels on a border between rows, shape (n,).
    parts
        The rows of the quarters of those pixels, shape (n, 4).
    rim
        Which quarters touch another row, shape (n, 4).
    """

    number: NDArray[np.int32]
    border: NDArray[np.intp]
    parts: NDArray[np.int32]
    rim: NDArray[np.bool_]

    @classmethod
    def of(cls, places: Numbered, box: Box, longest: int) -> Raster:
        """Rasterise what lies in a box.

        Parameters
        ----------
        places
            Cells' outlines or the bins' grid.
        box
            Full-resolution px.
        longest
            Longest side of the figure, in pixels.
        """
        width, height = box.size(longest)
        fine = places.numbers(box, _FINER * width, _FINER * height)
        rims = _rims(fine)
        quarters = [(i, j) for i in range(_FINER) for j in range(_FINER)]
        on_border = np.logical_or.reduce([rims[i::_FINER, j::_FINER] for i, j in quarters])
        parts = [fine[i::_FINER, j::_FINER][on_border] for i, j in quarters]
        rim = [rims[i::_FINER, j::_FINER][on_border] for i, j in quarters]
        return cls(
            fine[::_FINER, ::_FINER].copy(),
            np.flatnonzero(on_border),
            np.stack(parts, axis=1),
            np.stack(rim, axis=1),
        )

    def has_room_for_rims(self, number: int) -> bool:
        """Tell whether that many cells are large enough in the figure for a rim around each."""
        covered = np.count_nonzero(self.number != NOTHING)
        return bool(covered / max(number, 1) >= _SMALLEST_WITH_RIM**2)

    def outline_share(self) -> NDArray[np.float64]:
        """Share of each pixel that is rim, shape (height, width)."""
        share = np.zeros(self.number.size)
        share[self.border] = self.rim.mean(1)
        return share.reshape(self.number.shape)

    def paint(
        self,
        colors: NDArray[np.uint8],
        background: NDArray[np.uint8] | None = None,
        rim: bool = False,
    ) -> NDArray[np.uint8]:
        """Colour every row.

        Parameters
        ----------
        colors
            RGBA of each row, shape (rows, 4).
        background
            RGB picture of the same size, else white.
        rim
            Darken the border of each cell.

        Returns
        -------
        RGB, shape (height, width, 3).
        """
        # The last entry is what nothing (-1) looks up; colours are multiplied by their opacity.
        table = np.vstack([colors, np.zeros((1, 4), np.uint8)]).astype(np.float32) / 255
        dark = table.copy()
        if rim:
            over_tissue = (table[:, 3] > 0) & (table[:, 3] < 1)
            dark[:, :3] *= np.where(over_tissue, _RIM_OVER_TISSUE, _RIM)[:, None]
            dark[over_tissue, 3] = 1
        for each in (table, dark):
            each[:, :3] *= each[:, 3:]
        quarters = np.where(self.rim[..., None], dark[self.parts], table[self.parts]).mean(1)
        if background is None:
            on_white = table[:, :3] + 1 - table[:, 3:]
            picture = np.rint(255 * on_white).astype(np.uint8)[self.number]
            below = np.ones(3, np.float32)
        else:
            base = background.astype(np.float32) / np.float32(255)
            seen = table[self.number]
            mixed = seen[..., :3] + base * (1 - seen[..., 3:])
            picture = np.rint(255 * mixed).astype(np.uint8)
            below = base.reshape(-1, 3)[self.border]
        blended = quarters[:, :3] + below * (1 - quarters[:, 3:])
        picture.reshape(-1, 3)[self.border] = np.rint(255 * blended)
        return picture


def _rims(fine: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Find where one row borders on another or on nothing."""
    edge = np.zeros(fine.shape, bool)
    across = fine[:, 1:] != fine[:, :-1]
    down = fine[1:] != fine[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge
