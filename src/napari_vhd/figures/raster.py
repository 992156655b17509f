"""Cells and bins as a picture of row numbers, which every map then only has to colour.

Drawing one artist a cell costs seconds a figure at 100,000 cells. Here polygons are rasterised
once for all figures of a size; a map is then a look-up of one colour a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from geopandas import GeoSeries
    from numpy.typing import NDArray

NOTHING = -1
# Rows are rasterised this much finer than the figure, and averaged: smooth edges.
FINER = 2
# Cells smaller than this (figure px across) get no dark rim: it would be all one sees.
_SMALLEST_WITH_RIM = 7
_RIM = 0.62


@dataclass(frozen=True)
class Box:
    """A rectangle in full-resolution px."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        """Width in px."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Height in px."""
        return self.y1 - self.y0

    def within(self, other: Box) -> Box:
        """Clip to another box."""
        return Box(
            max(self.x0, other.x0),
            max(self.y0, other.y0),
            min(self.x1, other.x1),
            min(self.y1, other.y1),
        )

    def grown(self, margin: float) -> Box:
        """Move every side outwards by some px."""
        return Box(self.x0 - margin, self.y0 - margin, self.x1 + margin, self.y1 + margin)

    def size(self, longest: int) -> tuple[int, int]:
        """Width and height of a picture of this box whose longest side has that many pixels."""
        scale = longest / max(self.width, self.height)
        return max(1, round(self.width * scale)), max(1, round(self.height * scale))


@dataclass(frozen=True)
class Rings:
    """Outer rings of many polygons, one after the other.

    Attributes
    ----------
    xy
        Vertices, shape (total, 2), full-resolution px.
    first
        Index in `xy` of the first vertex of each ring, and the total; shape (rings + 1,).
    row
        Number of the cell that each ring belongs to, shape (rings,).
    """

    xy: NDArray[np.float64]
    first: NDArray[np.int64]
    row: NDArray[np.int64]

    @classmethod
    def of(cls, geometry: GeoSeries) -> Rings:
        """Take the outer rings of polygons and multipolygons; larger ones first.

        Small cells that lie over large ones stay visible, and holes are not kept: what lies in
        them is drawn later.
        """
        parts, row = shapely.get_parts(geometry.to_numpy(), return_index=True)
        polygonal = (shapely.get_type_id(parts) == 3) & ~shapely.is_empty(parts)
        parts, row = parts[polygonal], row[polygonal]
        order = np.argsort(-shapely.area(parts), kind="stable")
        rings = shapely.get_exterior_ring(parts[order])
        xy, ring = shapely.get_coordinates(rings, return_index=True)
        first = np.searchsorted(ring, np.arange(len(rings) + 1))
        return cls(xy, first, row[order])

    def __len__(self) -> int:
        return len(self.row)

    def bounds(self) -> Box:
        """Box around all of them."""
        low, high = self.xy.min(0), self.xy.max(0)
        return Box(*map(float, (*low, *high)))

    def touching(self, box: Box) -> list[NDArray[np.float64]]:
        """Vertices of each ring that may reach into a box."""
        starts = self.first[:-1]
        low = np.minimum.reduceat(self.xy, starts) if len(self) else np.empty((0, 2))
        high = np.maximum.reduceat(self.xy, starts) if len(self) else np.empty((0, 2))
        near = (
            (low[:, 0] < box.x1)
            & (high[:, 0] > box.x0)
            & (low[:, 1] < box.y1)
            & (high[:, 1] > box.y0)
        )
        return [self.xy[self.first[i] : self.first[i + 1]] for i in np.flatnonzero(near)]


def raster_of_rings(rings: Rings, box: Box, longest: int) -> NDArray[np.int32]:
    """Row number of the cell at each point of a fine grid over the box, or `NOTHING`.

    Parameters
    ----------
    rings
        Outlines, full-resolution px.
    box
        The part of the slide to look at, full-resolution px.
    longest
        Longest side of the figure, in pixels; the grid is `FINER` times as fine.

    Returns
    -------
    Shape (height, width), top row first.
    """
    width, height = (FINER * side for side in box.size(longest))
    image = Image.new("I", (width, height), NOTHING)
    pencil = ImageDraw.Draw(image)
    # Pillow counts from pixel centres, the slide from corners.
    xy = (rings.xy - (box.x0, box.y0)) * (width / box.width, height / box.height) - 0.5
    flat, ends = xy.ravel().tolist(), (2 * rings.first).tolist()
    for row, start, end in zip(rings.row.tolist(), ends[:-1], ends[1:], strict=True):
        pencil.polygon(flat[start:end], fill=row)
    return np.array(image, dtype=np.int32)


@dataclass(frozen=True)
class BinGrid:
    """How the bins' rows and columns lie on the slide.

    Attributes
    ----------
    number
        Row of the table for each array row and column, or `NOTHING`; the array starts at `origin`.
    origin
        First array row and column.
    affine
        (2, 3): (array_row, array_col, 1) to the bin's centre (x, y) in full-resolution px.
    """

    number: NDArray[np.int32]
    origin: tuple[int, int]
    affine: NDArray[np.float64]

    @classmethod
    def of(
        cls, rows: NDArray[np.int64], cols: NDArray[np.int64], xy: NDArray[np.float64]
    ) -> BinGrid | None:
        """Fit the grid to the bins' centres; None where they do not span a plane."""
        if len(rows) < 3:
            return None
        design = np.column_stack([rows, cols, np.ones(len(rows))])
        fitted, _, rank, _ = np.linalg.lstsq(design, xy, rcond=None)
        if rank < 3:
            return None
        origin = int(rows.min()), int(cols.min())
        number = np.full((rows.max() - origin[0] + 1, cols.max() - origin[1] + 1), NOTHING)
        number[rows - origin[0], cols - origin[1]] = np.arange(len(rows))
        return cls(number.astype(np.int32), origin, fitted.T)

    @property
    def pitch(self) -> float:
        """Side of a bin in full-resolution px."""
        return float(np.sqrt(abs(np.linalg.det(self.affine[:, :2]))))

    def raster(self, box: Box, longest: int) -> NDArray[np.int32]:
        """Row number of the bin at each point of a fine grid over the box, or `NOTHING`."""
        width, height = (FINER * side for side in box.size(longest))
        x = box.x0 + (np.arange(width) + 0.5) * box.width / width - self.affine[0, 2]
        y = box.y0 + (np.arange(height) + 0.5) * box.height / height - self.affine[1, 2]
        back = np.linalg.inv(self.affine[:, :2])
        found = []
        for axis in range(2):
            place = back[axis, 0] * x[None, :] + back[axis, 1] * y[:, None]
            found.append(np.rint(place).astype(np.int32) - self.origin[axis])
        row, col = found
        inside = (row >= 0) & (row < self.number.shape[0]) & (col >= 0)
        inside &= col < self.number.shape[1]
        number = self.number[np.where(inside, row, 0), np.where(inside, col, 0)]
        return np.where(inside, number, NOTHING).astype(np.int32)


def rims(raster: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Where one cell borders on another or on nothing."""
    edge = np.zeros(raster.shape, bool)
    across = raster[:, 1:] != raster[:, :-1]
    down = raster[1:] != raster[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge


def has_room_for_rims(raster: NDArray[np.int32], number: int) -> bool:
    """Tell whether cells are large enough in the figure for a rim around each."""
    covered = np.count_nonzero(raster[::4, ::4] != NOTHING) * 16 / FINER**2
    return bool(covered / max(number, 1) >= _SMALLEST_WITH_RIM**2)


def paint(
    raster: NDArray[np.int32],
    colors: NDArray[np.uint8],
    background: NDArray[np.uint8] | None = None,
    rim: bool = False,
) -> NDArray[np.uint8]:
    """Colour a raster of row numbers.

    Parameters
    ----------
    raster
        Row numbers on the fine grid.
    colors
        RGBA of each row, shape (rows, 4).
    background
        RGB picture of the figure's size (half the raster's), else white.
    rim
        Darken the border of each cell.

    Returns
    -------
    RGB, shape (height, width, 3) of the figure.
    """
    opaque = colors.astype(np.uint16)
    opaque[:, :3] = opaque[:, :3] * opaque[:, 3:] // 255
    # The last entry is what row -1 (nothing) looks up.
    table = np.vstack([opaque, np.zeros((1, 4))]).astype(np.uint8)
    if rim:
        dark = table.copy()
        dark[:, :3] = (table[:, :3] * _RIM).astype(np.uint8)
        # A cell over the H&E shows its rim fully, even where its fill lets the tissue through.
        outlined = (table[:, 3] > 0) & (table[:, 3] < 255)
        plain = np.vstack([colors, np.zeros((1, 4), np.uint8)])
        dark[outlined] = np.column_stack([plain[outlined, :3] * 0.8, np.full(outlined.sum(), 255)])
        table = np.vstack([dark, table])
        raster = np.where(rims(raster), 0, len(dark)) + np.where(raster < 0, len(dark) - 1, raster)
    fine = table[raster]
    coarse = sum(
        fine[i::FINER, j::FINER].astype(np.uint16) for i in range(FINER) for j in range(FINER)
    )
    total = np.asarray(coarse, np.uint32)
    base = np.full((*total.shape[:2], 3), 255, np.uint8) if background is None else background
    most = 255 * FINER**2
    mixed = total[..., :3] / FINER**2 + base * ((most - total[..., 3:]) / most)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
