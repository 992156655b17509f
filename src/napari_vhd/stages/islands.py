"""Islands of cells: pieces of tissue with a gap around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# About 50 µm in dense tissue, where neighbouring cells are 10 µm apart; more where only few cells
# were segmented, so that thin tissue does not fall apart.
GAP = 5.0


def number_islands(um: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give each cell the number of its island.

    Cells are of one island when a chain of neighbours leads from one to the other. Neighbours are
    joined by an edge of the Delaunay triangulation not longer than `GAP` times the median edge.

    Parameters
    ----------
    um
        Places of the cells, (n, 2) in µm.

    Returns
    -------
    NDArray
        (n,) numbers from 1 by size, the largest first; of equally large ones that with the first
        cell.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(um)
    if n == 0:
        return np.zeros(0, dtype=np.int64)
    edges = _edges(um)
    lengths = np.linalg.norm(um[edges[:, 0]] - um[edges[:, 1]], axis=1)
    # Cells in the same place would make the median 0.
    typical = np.median(lengths[lengths > 0]) if (lengths > 0).any() else 0.0
    short = edges[lengths <= GAP * typical]
    graph = coo_matrix((np.ones(len(short)), (short[:, 0], short[:, 1])), shape=(n, n))
    _, found = connected_components(graph, directed=False)
    sizes = np.bincount(found)
    _, first = np.unique(found, return_index=True)
    order = np.lexsort((first, -sizes))
    number = np.empty(len(sizes), dtype=np.int64)
    number[order] = np.arange(1, len(sizes) + 1)
    numbered: NDArray[np.int64] = number[found]
    return numbered


def _edges(um: NDArray[np.float64]) -> NDArray[np.int64]:
    """Edges of the Delaunay triangulation, (m, 2); along the line where there is none."""
    from scipy.spatial import Delaunay, QhullError

    try:
        triangles = Delaunay(um)
    except (QhullError, ValueError):
        along = np.lexsort((um[:, 1], um[:, 0]))
        return np.column_stack([along[:-1], along[1:]])
    corners = triangles.simplices
    # Points that the triangulation leaves out lie on others.
    doubles = triangles.coplanar[:, [0, 2]]
    pairs = np.vstack([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]], doubles])
    return np.unique(np.sort(pairs, axis=1), axis=0).astype(np.int64)
