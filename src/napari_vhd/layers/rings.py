"""Polygons as napari draws them, holes included: one ring of corners each.

To every hole and back leads the same line. What is there twice napari neither draws nor fills.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def ring_of(polygon: Any) -> NDArray[np.float64]:
    """Give the corners (y, x) of a shapely polygon, those of its holes among them."""
    import shapely

    rim = shapely.get_coordinates(polygon.exterior)[:-1]
    corners = [rim]
    for hole in polygon.interiors:
        corners += [rim[:1], shapely.get_coordinates(hole)]
    if polygon.interiors:
        corners.append(rim[:1])
    return np.vstack(corners)[:, ::-1]


def polygon_of(corners: NDArray[Any]) -> Any:
    """Give the shapely polygon of a ring; one that is not valid where lines of it cross."""
    import shapely

    ring = np.asarray(corners, dtype=float)[:, -2:][:, ::-1]
    # Alike where corners are at one place.
    numbers = np.unique(ring, axis=0, return_inverse=True)[1].reshape(-1)
    lines = np.sort(np.stack([numbers, np.roll(numbers, -1)], axis=1), axis=1)
    which, times = np.unique(lines, axis=0, return_inverse=True, return_counts=True)[1:]
    once = times[which.reshape(-1)] % 2 == 1
    if once.all():
        return shapely.Polygon(ring)
    once &= lines[:, 0] != lines[:, 1]
    ends = np.stack([ring, np.roll(ring, -1, axis=0)], axis=1)[once]
    whole = shapely.line_merge(shapely.MultiLineString(list(ends)))
    parts = [shapely.get_coordinates(part) for part in shapely.get_parts(whole)]
    if not all(len(part) > 3 and (part[0] == part[-1]).all() for part in parts):
        return shapely.Polygon(ring)
    rings = sorted(map(shapely.Polygon, parts), key=lambda part: part.area)
    return shapely.Polygon(rings[-1].exterior, [part.exterior for part in rings[:-1]])


def moved_together(before: NDArray[Any], after: NDArray[Any]) -> NDArray[Any]:
    """Move corners that were at one place to one place, where some of them were moved."""
    if before.shape != after.shape:
        return after
    after = after.copy()
    for corner in np.flatnonzero((before != after).any(axis=1)):
        after[(before == before[corner]).all(axis=1)] = after[corner]
    return after
