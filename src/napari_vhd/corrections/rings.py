"""Polygons as ragged arrays of rings and back, vertex by vertex the same."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Rings:
    """Polygons as rings: parts and holes alike, filled by the even-odd rule.

    Attributes
    ----------
    coords
        (vertices, 2), each ring closed.
    stop
        End of each ring in `coords`; the next begins there.
    shell
        Whether the ring is the outside of a part; the holes of a part follow it.
    row_stop
        End of each row in the rings.
    multi
        Whether the row was given as MultiPolygon.
    """

    coords: NDArray[np.float64]
    stop: Indices
    shell: NDArray[np.bool_]
    row_stop: Indices
    multi: NDArray[np.bool_]


def to_rings(geometries: NDArray[Any]) -> Rings:
    """Take polygons apart; a missing or empty one has no ring.

    Parameters
    ----------
    geometries
        Polygon, MultiPolygon or None; a third coordinate is left out.

    Raises
    ------
    ValueError
        If one is something else.
    """
    import shapely

    kinds = shapely.get_type_id(geometries)
    multi = kinds == shapely.GeometryType.MULTIPOLYGON
    if not (multi | (kinds == shapely.GeometryType.POLYGON) | (kinds < 0)).all():
        raise ValueError("an outline is no polygon")
    lengths = shapely.get_num_coordinates(geometries)
    # Most cells are one ring. Taking these apart, too, would copy each of them twice.
    several = multi | (shapely.get_num_interior_rings(geometries) > 0)
    rings_of_row = (lengths > 0).astype(np.int64)
    parts, row_of_part = shapely.get_parts(geometries[several], return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    rows = np.flatnonzero(several)
    rings_of_row[rows] = np.bincount(row_of_part[part_of_ring], minlength=len(rows))
    row_stop = np.cumsum(rings_of_row).astype(np.int64)
    of_several = np.repeat(several, rings_of_row)
    length = np.empty(len(of_several), dtype=np.int64)
    length[~of_several] = lengths[~several & (lengths > 0)]
    length[of_several] = shapely.get_num_coordinates(rings)
    shell = np.ones(len(of_several), dtype=bool)
    shell[of_several] = np.diff(part_of_ring, prepend=-1) > 0
    coords = shapely.get_coordinates(geometries)
    return Rings(coords, np.cumsum(length), shell, row_stop, multi)


def joined(parts: list[Rings]) -> Rings:
    """Put rings one after the other; `parts` is empty afterwards, and its memory free.

    `coords` is the beginning of an array with room for more (its ``base``).
    """
    vertices = np.cumsum([0, *(len(one.coords) for one in parts)])
    rings = np.cumsum([0, *(len(one.stop) for one in parts)])
    nothing = np.empty(0, dtype=np.int64)
    stop = [one.stop + before for one, before in zip(parts, vertices[:-1], strict=True)]
    row_stop = [one.row_stop + before for one, before in zip(parts, rings[:-1], strict=True)]
    shell, multi = ([getattr(one, name) for one in parts] for name in ("shell", "multi"))
    buffer = np.empty((room_for(int(vertices[-1])), 2))
    for before, after in pairwise(vertices):
        buffer[before:after] = parts.pop(0).coords
    return Rings(
        buffer[: vertices[-1]],
        np.concatenate([nothing, *stop]),
        np.concatenate([nothing.astype(bool), *shell]),
        np.concatenate([nothing, *row_stop]),
        np.concatenate([nothing.astype(bool), *multi]),
    )


def room_for(number: int) -> int:
    """Give the length of an array that holds so many and may grow; what is not used costs none."""
    return number + number // 2 + 1024


def centroids_of(rings: Rings) -> NDArray[np.float64]:
    """Give the centre of mass of each row (rows, 2); NaN where there is no area at all.

    By the vertices: a point object for each of 500,000 cells takes longer than all the rest.
    """
    start = np.concatenate([[0], rings.stop])[:-1]
    sums = _moments(rings.coords, start) if len(start) else np.empty((0, 3))
    # A ring may run either way; a hole takes away.
    sums *= np.where(rings.shell, 1, -1)[:, None] * np.sign(sums[:, :1])
    rows = len(rings.row_stop)
    row_of_ring = np.repeat(np.arange(rows), np.diff(rings.row_stop, prepend=0))
    area, x, y = (np.bincount(row_of_ring, sums[:, one], rows) for one in range(3))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.column_stack([x / area, y / area])


def _moments(coords: NDArray[np.float64], begin: Indices) -> NDArray[np.float64]:
    """Twice the signed area of each ring, and that times its centre (rings, 3)."""
    lengths = np.diff(begin, append=len(coords))
    corner = coords[begin]
    # About its own first vertex: far from the origin, products lose digits.
    x, y = (coords - np.repeat(corner, lengths, axis=0)).T
    # The last vertex is the first again, so what leads on to the next ring adds nothing: it is 0.
    ahead_x, ahead_y = np.append(x[1:], 0.0), np.append(y[1:], 0.0)
    cross = x * ahead_y - ahead_x * y
    double = np.add.reduceat(cross, begin)
    mean_x = np.add.reduceat((x + ahead_x) * cross, begin) / 3
    mean_y = np.add.reduceat((y + ahead_y) * cross, begin) / 3
    return np.column_stack([double, mean_x + corner[:, 0] * double, mean_y + corner[:, 1] * double])


def to_geometries(rings: Rings) -> NDArray[Any]:
    """Put rings together to what `to_rings` was given; rows without a ring are None."""
    import shapely

    lengths = np.diff(rings.stop, prepend=0)
    lines = shapely.linearrings(rings.coords, indices=np.repeat(np.arange(len(lengths)), lengths))
    lines = np.atleast_1d(lines)
    part_of_ring = np.cumsum(rings.shell) - 1
    polygons = np.empty(0, dtype=object)
    if len(lengths):
        polygons = np.atleast_1d(shapely.polygons(lines, indices=part_of_ring))
    rows = len(rings.row_stop)
    row_of_ring = np.repeat(np.arange(rows), np.diff(rings.row_stop, prepend=0))
    row_of_part = row_of_ring[rings.shell]
    result = np.full(rows, None, dtype=object)
    single = ~rings.multi[row_of_part]
    result[row_of_part[single]] = polygons[single]
    if not single.all():
        several, index = np.unique(row_of_part[~single], return_inverse=True)
        result[several] = np.atleast_1d(shapely.multipolygons(polygons[~single], indices=index))
    return result


def holds(ring: NDArray[np.float64], x: float, y: float) -> bool:
    """Say whether a closed ring goes around a point an odd number of times (the raster's rule)."""
    xs, ys = ring[:, 0], ring[:, 1]
    over = ys > y
    (crossed,) = np.nonzero(over[1:] != over[:-1])
    x0, y0, x1, y1 = xs[crossed], ys[crossed], xs[crossed + 1], ys[crossed + 1]
    return bool(np.count_nonzero(x0 + (y - y0) * (x1 - x0) / (y1 - y0) > x) & 1)
