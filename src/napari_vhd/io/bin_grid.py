"""Where the 2 µm bins lie: from an outline to the bins with their centre in it.

Bins lie on a grid of their own (``array_row``, ``array_col``), so those under an outline are found
by arithmetic. Nothing is built over all of them but a map from the grid to the rows of their table,
and a question costs the same on a crop and on a whole slide.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys

from .asking import prepared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    Indices = NDArray[np.int64]
    Rows = NDArray[np.int32]

# Candidates that are looked at together: bounds the memory of counting a whole slide.
_BLOCK = 2_000_000
# Bins that the affine from grid to px is fitted to.
_FITTED = 20_000
# Room for rounding, in steps of the grid.
_SLACK = 1e-3


class BinGrid:
    """The bins of one size, in the order of their table.

    Parameters
    ----------
    array_row, array_col
        Place of each bin on its grid (n,).
    centres
        Centres (n, 2), full-resolution px.
    """

    def __init__(
        self, array_row: NDArray[Any], array_col: NDArray[Any], centres: NDArray[np.float64]
    ) -> None:
        self.centres = np.ascontiguousarray(centres, dtype=np.float64)
        row, col = np.asarray(array_row), np.asarray(array_col)
        self._first = np.array([col.min(initial=0), row.min(initial=0)], dtype=np.int64)
        row, col = row - self._first[1], col - self._first[0]
        shape = (int(row.max(initial=-1)) + 1, int(col.max(initial=-1)) + 1)
        self._table_row = np.full(shape, -1, dtype=np.int32)
        self._table_row[row, col] = np.arange(len(row), dtype=np.int32)
        self._to_grid = self._fit(row, col)
        self._margin = self._largest_residual(row, col) + _SLACK

    @classmethod
    def of(cls, table: AnnData) -> BinGrid:
        """Take the grid of a table of bins, its places in full-resolution px."""
        row, col = (table.obs[name].to_numpy() for name in (keys.ARRAY_ROW, keys.ARRAY_COL))
        return cls(row, col, np.asarray(table.obsm[keys.SPATIAL], dtype=float))

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.centres)

    def within(self, outlines: Any) -> csr_matrix:
        """Say which bins have their centre within which outlines, the edge included.

        Parameters
        ----------
        outlines
            Shapely geometries (n,), full-resolution px; None and empty ones hold no bin.

        Returns
        -------
        csr_matrix
            (n, bins), int8, 1 where the bin is in the outline; indices in order.
        """
        import shapely
        from scipy.sparse import csr_matrix

        outlines = prepared(np.asarray(outlines, dtype=object))
        found, many = [], np.zeros(len(outlines) + 1, dtype=np.int32)
        for owner, bins in self._blocks(*self._boxes(shapely.bounds(outlines))):
            inside = shapely.intersects_xy(outlines[owner], *self.centres[bins].T)
            found.append(bins[inside])
            many[1:] += np.bincount(owner[inside], minlength=len(outlines))
        indices = np.concatenate(found) if found else np.empty(0, dtype=np.int32)
        edges = np.cumsum(many, dtype=np.int32 if len(indices) < 2**31 else np.int64)
        entries = (np.ones(len(indices), dtype=np.int8), indices, edges)
        result = csr_matrix(entries, shape=(len(outlines), self.n_bins))
        result.sort_indices()
        return result

    def _boxes(self, bounds: NDArray[np.float64]) -> tuple[Indices, Indices]:
        """First step of the grid (n, 2: column, row) under each box, and how many (n, 2)."""
        half = (bounds[:, 2:] - bounds[:, :2]) / 2
        turned = self._to_grid[:2, :2].T
        centre = (bounds[:, :2] + half) @ turned + self._to_grid[:2, 2]
        reach = half @ np.abs(turned) + self._margin
        # No outline, no bounds: nothing is as small as NaN.
        last = np.array(self._table_row.shape[::-1]) - 1
        low = np.fmin(np.fmax(np.ceil(centre - reach), 0), last + 1).astype(np.int64)
        high = np.fmin(np.fmax(np.floor(centre + reach), -1), last).astype(np.int64)
        many = np.maximum(high - low + 1, 0)
        many[np.isnan(centre[:, 0])] = 0
        return low, many

    def _blocks(self, low: Indices, many: Indices) -> Iterator[tuple[Indices, Rows]]:
        """Pairs of outline and bin that lies in its box, some outlines at a time."""
        totals = many[:, 0] * many[:, 1]
        ends = np.cumsum(totals)
        edges = [0, len(totals)]
        if len(totals) and ends[-1] > _BLOCK:
            cuts = np.searchsorted(ends, np.arange(_BLOCK, ends[-1], _BLOCK)) + 1
            edges = np.unique([0, *cuts, len(totals)]).tolist()
        for start, stop in pairwise(edges):
            yield self._pairs(low, many, totals, start, stop)

    def _pairs(
        self, low: Indices, many: Indices, totals: Indices, start: int, stop: int
    ) -> tuple[Indices, Rows]:
        owner = np.repeat(np.arange(start, stop), totals[start:stop])
        first = np.cumsum(totals[start:stop]) - totals[start:stop]
        step = np.arange(len(owner)) - np.repeat(first, totals[start:stop])
        wide = many[owner, 0]
        bins = self._table_row[low[owner, 1] + step // wide, low[owner, 0] + step % wide]
        there = bins >= 0
        return owner[there], bins[there]

    def _fit(self, row: Indices, col: Indices) -> NDArray[np.float64]:
        """Fit the 3 × 3 matrix from full-resolution px to the grid (column, row)."""
        some = np.unique(np.linspace(0, len(row) - 1, min(len(row), _FITTED)).astype(int))
        places = np.column_stack([self.centres[some], np.ones(len(some))])
        grid = np.column_stack([col[some], row[some]]).astype(float)
        solution = np.linalg.lstsq(places, grid, rcond=None)[0]
        return np.vstack([solution.T, [0.0, 0.0, 1.0]])

    def _largest_residual(self, row: Indices, col: Indices) -> float:
        """How far bins lie off the fitted grid, in steps of it: no bin is missed for that."""
        places = self.centres @ self._to_grid[:2, :2].T + self._to_grid[:2, 2]
        off = np.abs(places - np.column_stack([col, row]))
        return float(off.max(initial=0.0))
