"""Cutting an outline in two or more by a drawn line. Full-resolution px."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd.exceptions import BadInputError

from .geometry import parts_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .geometry import Ground, Outline

# A line may be drawn short by as much as it covers of the cell.
DRAWN_SHARE = 0.5
_OVERSHOOT_PX = 1e-3


def split(outline: Any, line: Any, ground: Ground) -> list[Outline]:
    """Split an outline by a line.

    An end that was drawn short, within the outline, is led on straight to its edge. What a line
    cuts off that is smaller than the smallest cell stays with the part beside it. Of an outline in
    several parts, those that the line does not cross go with the nearest part that it does; a line
    that passes between two of them parts these.

    Parameters
    ----------
    outline
        Polygon or MultiPolygon.
    line
        LineString, or its points (n, 2: x, y).
    ground
        For the scale and the smallest cell.

    Returns
    -------
    list
        Two or more outlines, the largest first.

    Raises
    ------
    BadInputError
        Where the line does not cross, by far not, or cuts off too little.
    """
    import shapely

    drawn = _line(line)
    cut = _led_on(drawn, outline)
    covered, whole = (shapely.intersection(one, outline).length for one in (drawn, cut))
    if covered == 0:
        groups = _sides(outline, drawn)
        if len(groups) < 2:
            raise BadInputError(
                "The line does not cross the cell; draw it from one side to the other."
            )
    elif covered < DRAWN_SHARE * whole:
        raise BadInputError(
            f"The line crosses only {covered * ground.um_per_px:.1f} of "
            f"{whole * ground.um_per_px:.1f} µm of the cell; draw it from one side to the other."
        )
    else:
        groups = _cut(outline, cut, ground)
    pieces = [shapely.union_all(group) for group in groups]
    return sorted(pieces, key=lambda piece: -float(piece.area))


def _line(line: Any) -> Any:
    """Turn what was drawn into a line."""
    import shapely

    if isinstance(line, shapely.Geometry):
        line = line.coords if line.geom_type == "LineString" else ()
    points = np.asarray(line, dtype=float)
    if points.ndim != 2 or points.shape[1] < 2 or not np.isfinite(points).all():
        raise BadInputError("A line to split by is a list of points (x, y); draw it again.")
    points = points[:, :2]
    kept = np.concatenate([[True], (np.diff(points, axis=0) != 0).any(axis=1)])
    if kept.sum() < 2:
        raise BadInputError("The line to split by is a single point; draw it across the cell.")
    return shapely.LineString(points[kept])


def _led_on(line: Any, outline: Any) -> Any:
    """Lead ends within the outline on to its edge."""
    import shapely

    points = np.asarray(line.coords)
    start = _way_out(points[1], points[0], outline)
    end = _way_out(points[-2], points[-1], outline)
    return shapely.LineString([*start, *points, *end])


def _way_out(
    before: NDArray[np.float64], end: NDArray[np.float64], outline: Any
) -> list[NDArray[np.float64]]:
    """Where a line that ends within the outline leaves it (no or one point)."""
    import shapely

    if not outline.intersects(shapely.Point(end)):
        return []
    xmin, ymin, xmax, ymax = outline.bounds
    way = (end - before) / np.hypot(*(end - before))
    ray = shapely.LineString([end, end + way * np.hypot(xmax - xmin, ymax - ymin)])
    inside = shapely.get_parts(ray.intersection(outline))
    first = inside[np.argmin(shapely.distance(inside, shapely.Point(end)))]
    far = max(first.distance(shapely.Point(end)), _farthest(first, end))
    return [end + way * (far + _OVERSHOOT_PX)]


def _farthest(geometry: Any, point: NDArray[np.float64]) -> float:
    import shapely

    return float(np.hypot(*(shapely.get_coordinates(geometry) - point).T).max())


def _cut(outline: Any, cut: Any, ground: Ground) -> list[list[Any]]:
    """Cut, and put what is too small or was not crossed to a part beside it."""
    import shapely

    crossed: list[Any] = []
    whole: list[Any] = []
    for part in parts_of(outline):
        pieces = _pieces(part, cut)
        (crossed if len(pieces) > 1 else whole).extend(pieces)
    large = [piece for piece in crossed if ground.area(piece) >= ground.min_area_um2]
    small = [piece for piece in crossed if ground.area(piece) < ground.min_area_um2]
    if len(large) < 2:
        left = max((ground.area(piece) for piece in small), default=0.0)
        raise BadInputError(
            f"The line cuts off only {left:.2g} µm², less than one bin; draw it through the cell."
            if crossed
            else "The line does not cross the cell; draw it from one side to the other."
        )
    groups = [[piece] for piece in large]
    bodies = np.asarray(large, dtype=object)
    for piece in [*small, *whole]:
        edge = shapely.length(shapely.intersection(bodies, piece))
        apart = shapely.distance(bodies, piece)
        groups[int(np.lexsort((-edge, apart))[0])].append(piece)
    return groups


def _pieces(polygon: Any, cut: Any) -> list[Any]:
    """Pieces of one polygon."""
    import shapely

    lines = shapely.union_all([polygon.boundary, cut])
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts([lines])))
    inside = shapely.covers(polygon, shapely.point_on_surface(faces))
    return list(faces[inside])


def _sides(outline: Any, line: Any) -> list[list[Any]]:
    """Group parts of an outline by the side of a line on which they lie."""
    import shapely

    parts = np.asarray(parts_of(outline), dtype=object)
    xmin, ymin, xmax, ymax = shapely.union(outline, line).bounds
    size = np.hypot(xmax - xmin, ymax - ymin)
    frame = shapely.box(xmin - size, ymin - size, xmax + size, ymax + size)
    points = np.asarray(line.coords)
    ends = [
        end + (end - before) / np.hypot(*(end - before)) * 4 * size
        for before, end in ((points[1], points[0]), (points[-2], points[-1]))
    ]
    sides = _pieces(frame, shapely.LineString([ends[0], *points, ends[1]]))
    groups = [list(parts[shapely.covers(side, parts)]) for side in sides]
    placed = [group for group in groups if group]
    return placed if sum(map(len, placed)) == len(parts) else []
