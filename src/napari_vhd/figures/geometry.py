"""Where things lie: boxes, outlines of cells, the grid of bins; all in full-resolution px."""

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

    @property
    def longest(self) -> float:
        """Longest side in px."""
        return max(self.width, self.height)

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

    def holds(self, xy: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which points, shape (n, 2), lie inside."""
        x, y = xy.T
        return (x >= self.x0) & (x < self.x1) & (y >= self.y0) & (y < self.y1)

    def densest(self, xy: NDArray[np.float64], longest: float) -> Box:
        """Choose a window of the same proportions where about the most points are.

        Parameters
        ----------
        xy
            Points, shape (n, 2).
        longest
            Longest side of the window, px; at most 0.6 of the box's.
        """
        share = min(longest / self.longest, 0.6)
        width, height = share * self.width, share * self.height
        # Half a window apart, so that one of them has nearly all of any dense spot.
        x_edges = np.arange(self.x0, self.x1 + width / 2, width / 2)
        y_edges = np.arange(self.y0, self.y1 + height / 2, height / 2)
        counts, _, _ = np.histogram2d(xy[:, 0], xy[:, 1], bins=[x_edges, y_edges])
        column, row = np.unravel_index(counts.argmax(), counts.shape)
        x0 = float(np.clip(x_edges[column] - width / 4, self.x0, self.x1 - width))
        y0 = float(np.clip(y_edges[row] - height / 4, self.y0, self.y1 - height))
        return Box(x0, y0, x0 + width, y0 + height)

    def size(self, longest: int) -> tuple[int, int]:
        """Width and height of a picture of this box whose longest side has that many pixels."""
        scale = longest / self.longest
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

    def starts(self) -> NDArray[np.float64]:
        """First vertex of each ring, shape (rings, 2)."""
        return self.xy[self.first[:-1]]

    def bounds(self) -> Box:
        """Box around all of them."""
        low, high = self.xy.min(0), self.xy.max(0)
        return Box(*map(float, (*low, *high)))

    def numbers(self, box: Box, width: int, height: int) -> NDArray[np.int32]:
        """Give the cell at each point of a grid over a box: its row, or `NOTHING`.

        Where cells overlap, the smaller one.
        """
        image = Image.new("I", (width, height), NOTHING)
        pencil = ImageDraw.Draw(image)
        # Pillow fills every pixel that a vertex or edge falls into: right to half a pixel.
        xy = (self.xy - (box.x0, box.y0)) * (width / box.width, height / box.height)
        flat, ends = xy.ravel().tolist(), (2 * self.first).tolist()
        for row, start, end in zip(self.row.tolist(), ends[:-1], ends[1:], strict=True):
            pencil.polygon(flat[start:end], fill=row)
        return np.array(image, dtype=np.int32)

    def areas(self) -> NDArray[np.float64]:
        """Area of each ring, px²."""
        x, y = (self.xy - self.xy.mean(0)).T
        cross = np.append(x[:-1] * y[1:] - x[1:] * y[:-1], 0.0)
        # A ring ends where it began; the step to the next ring is no side of either.
        cross[self.first[1:] - 1] = 0.0
        return np.abs(np.add.reduceat(cross, self.first[:-1])) / 2

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
        return cls(number.astype(np.int32), origin, np.asarray(fitted.T, np.float64))

    @property
    def pitch(self) -> float:
        """Side of a bin in full-resolution px."""
        return float(np.sqrt(abs(np.linalg.det(self.affine[:, :2]))))

    def numbers(self, box: Box, width: int, height: int) -> NDArray[np.int32]:
        """Give the bin at each point of a grid over a box: row of the table, or `NOTHING`."""
        x = box.x0 + (np.arange(width) + 0.5) * box.width / width - self.affine[0, 2]
        y = box.y0 + (np.arange(height) + 0.5) * box.height / height - self.affine[1, 2]
        back = np.linalg.inv(self.affine[:, :2])
        row, col = (
            np.rint(back[axis, 0] * x[None, :] + back[axis, 1] * y[:, None]).astype(np.int32)
            - self.origin[axis]
            for axis in range(2)
        )
        rows, cols = self.number.shape
        inside = (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
        number = self.number[np.where(inside, row, 0), np.where(inside, col, 0)]
        return np.where(inside, number, NOTHING).astype(np.int32)
