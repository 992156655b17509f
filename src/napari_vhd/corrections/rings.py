"""Polygons as ragged arrays of rings and back, vertex by vertex the same."""

from __future__ import annotations

from dataclasses import dataclass
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
    """
    import shapely

    parts, row_of_part = shapely.get_parts(geometries, return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    coords = shapely.get_coordinates(rings)
    stop = np.cumsum(shapely.get_num_coordinates(rings)).astype(np.int64)
    shell = np.diff(part_of_ring, prepend=-1) > 0
    rings_of_row = np.bincount(row_of_part[part_of_ring], minlength=len(geometries))
    multi = shapely.get_type_id(geometries) == shapely.GeometryType.MULTIPOLYGON
    return Rings(coords, stop, shell, np.cumsum(rings_of_row).astype(np.int64), multi)


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
