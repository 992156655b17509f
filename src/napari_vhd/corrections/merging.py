"""Making one outline of several cells. Full-resolution px."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd.exceptions import BadInputError

from .geometry import QUAD_SEGS, parts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .geometry import Ground, Outline

# Gaps up to one bin are closed.
BRIDGED_UM = 2.0


def merged(outlines: Sequence[Any], ground: Ground) -> Outline:
    """Make one outline of several cells.

    Cells that touch or overlap are united. A gap of up to one bin is bridged, with the ground
    between the two alone. A hole smaller than one bin is filled. A cell that was in several parts
    stays so.

    Raises
    ------
    BadInputError
        For less than two cells, or where one lies farther from the others than one bin; names the
        distance.
    """
    import shapely

    cells = np.asarray(outlines, dtype=object)
    if len(cells) < 2:
        raise BadInputError("A merge needs two or more cells; select another one, too.")
    links, gap = _linked(cells, BRIDGED_UM / ground.um_per_px)
    if gap is not None:
        raise BadInputError(
            f"The cells lie {gap * ground.um_per_px:.1f} µm apart, and only gaps of up to "
            f"{BRIDGED_UM:g} µm are bridged; select what lies between, too, or redraw one of them."
        )
    bridges = [_bridge(cells[a], cells[b]) for a, b in links]
    united = shapely.union_all(np.asarray([*cells, *bridges], dtype=object))
    return _without_pinholes(united, ground)


def _linked(cells: Any, reach: float) -> tuple[list[tuple[int, int]], float | None]:
    """Link cells over their smallest gaps.

    Returns
    -------
    tuple
        Pairs of cells with a gap to be bridged, and None or the gap that is too wide (px).
    """
    import shapely
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

    near = shapely.STRtree(cells).query(cells, predicate="dwithin", distance=reach + 1e-9)
    first, second = near[:, near[0] < near[1]]
    gaps = shapely.distance(cells[first], cells[second])
    # A gap of nothing would be no edge for SciPy.
    graph = csr_matrix((gaps + 1.0, (first, second)), (len(cells), len(cells)))
    number, group = connected_components(graph, directed=False)
    if number > 1:
        here, there = (shapely.union_all(cells[part]) for part in (group == 0, group != 0))
        return [], float(here.distance(there))
    tree = minimum_spanning_tree(graph).tocoo()
    pairs = zip(tree.row.tolist(), tree.col.tolist(), strict=True)
    return [(a, b) for a, b in pairs if not _share_an_edge(cells[a], cells[b])], None


def _share_an_edge(a: Any, b: Any) -> bool:
    """Say whether two outlines that touch do so along a line or in an area, not in a point."""
    common = a.intersection(b)
    return bool(common.area > 0 or common.length > 0)


def _bridge(a: Any, b: Any) -> Any:
    """Give the ground that is nearer to both than their gap is wide (1 px at least)."""
    import shapely

    # A bit more, because a grown outline is a polygon within its arcs.
    reach = max(1.25 * float(a.distance(b)), 1.0)
    near_a, near_b = (shapely.buffer(cell, reach, quad_segs=QUAD_SEGS) for cell in (a, b))
    return near_a.intersection(near_b)


def _without_pinholes(outline: Any, ground: Ground) -> Outline:
    """Fill holes that are smaller than one bin."""
    import shapely

    smallest = ground.min_area_um2 / ground.um_per_px**2
    parts = [
        shapely.Polygon(
            part.exterior,
            [ring for ring in part.interiors if shapely.Polygon(ring).area >= smallest],
        )
        for part in parts_of(outline)
    ]
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
