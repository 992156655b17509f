"""Counts of the cells that a correction touches, as counting all cells again would give them.

The rule is that of `napari_vhd.stages.aggregation`, with the expansion and the components that the
stage recorded. Where a bin may lie in several cells, an edit changes the counts of the edited cells
alone. With ``no_overlap`` it reaches farther:

- bins of the edited cells come to be shared or no longer are, so the profiles of the cells around
  may change (one step),
- by these profiles, all bins that they share are given out anew (two steps).

What lies beyond keeps its bins. To give out all bins of those two steps, the profiles of a third
are needed, and to know these, who shares bins with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.io.bin_counts import BinCounts
from napari_vhd.stages import counting
from napari_vhd.stages.counting import Rule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from .outlines import Outlines

    Rows = NDArray[np.int64]

# Steps from the edited cells to those whose bins can change, and to those that must be looked at.
CHANGED_STEPS, LOOKED_AT_STEPS = 2, 4


@dataclass(frozen=True)
class Recounted:
    """New counts.

    Attributes
    ----------
    rows
        Rows of the outlines, ascending: the changed that are alive, and the neighbours whose bins
        changed.
    counts
        (rows, genes), float32 whole numbers.
    membership
        (rows, bins), int8, 1 where the bin is counted in the cell.
    """

    rows: Rows
    counts: csr_matrix
    membership: csr_matrix


class Counter:
    """Counts cells again after an edit.

    Parameters
    ----------
    bins
        The 2 µm bins.
    rule
        As recorded when all cells were counted.
    components
        With ``no_overlap``: as recorded, None where none were.
    """

    def __init__(
        self, bins: BinCounts, rule: Rule, components: NDArray[np.float32] | None = None
    ) -> None:
        self.bins = bins
        self.rule = rule
        self._components = counting.recorded_components(rule, components, bins.n_genes)

    @classmethod
    def open(cls, store: Path) -> Counter | None:
        """Open the bins of a store and the rule by which its cells were counted.

        Parameters
        ----------
        store
            A SpatialData store, places of bins in full-resolution px.

        Returns
        -------
        Counter or None
            None where the store has no cells that the stage ``aggregation`` counted.

        Raises
        ------
        BadInputError
            Where the bins cannot be read by rows.
        """
        import zarr
        from anndata.io import read_elem

        path = store / "tables" / keys.CELLS
        if not path.is_dir():
            return None
        table: Any = zarr.open_group(path, mode="r")
        if f"uns/{keys.AGGREGATION}" not in table:
            return None
        rule = Rule.read(read_elem(table[f"uns/{keys.AGGREGATION}"]))
        place = f"varm/{keys.AGGREGATION}"
        components = read_elem(table[place]) if rule.no_overlap and place in table else None
        return cls(BinCounts.open(store / "tables" / keys.bin_table(2)), rule, components)

    @property
    def n_genes(self) -> int:
        """Number of genes."""
        return self.bins.n_genes

    def recount(self, outlines: Outlines, changed: Any, before: Sequence[Any]) -> Recounted:
        """Count the changed cells, and the neighbours whose bins changed.

        Parameters
        ----------
        outlines
            Of `rule.boundaries`, all changes made.
        changed
            Rows that were added, edited or removed.
        before
            The outline of each as it was counted last, None where there was none.
        """
        changed = np.asarray(changed, dtype=np.int64)
        if self.rule.no_overlap:
            return self._shared_out(outlines, changed, before)
        rows = np.unique(changed[outlines.alive[changed]])
        membership = self._within(outlines.geometries(rows))
        return Recounted(rows, self.bins.summed(membership), membership)

    def _within(self, geometries: Any) -> csr_matrix:
        return self.bins.grid.within(counting.grown(geometries, self.rule.expansion_px))

    def _shared_out(self, outlines: Outlines, changed: Rows, before: Sequence[Any]) -> Recounted:
        """Count where every bin is in one cell only."""
        import shapely
        from scipy.sparse import vstack

        old = np.asarray(before, dtype=object)
        alive = outlines.alive[changed]
        new = np.full(len(changed), None, dtype=object)
        new[alive] = outlines.geometries(changed[alive])
        reached = np.vstack([shapely.bounds(old), shapely.bounds(new)])
        others = np.setdiff1d(self._around(outlines, reached), changed)
        rows = np.concatenate([changed, others])
        of_others = self._within(outlines.geometries(others))
        after = vstack([self._within(new), of_others]).tocsr()
        earlier = vstack([self._within(old), of_others]).tocsr()
        # From here on only the bins at hand have columns.
        bins = np.unique(np.concatenate([after.indices, earlier.indices])).astype(np.int64)
        after, earlier = (
            _renamed(part, np.searchsorted(bins, part.indices), len(bins))
            for part in (after, earlier)
        )
        edited = np.arange(len(rows)) < len(changed)
        near = _reached(after + earlier, edited, CHANGED_STEPS)
        now, then = self._given((after, earlier), bins, outlines.ids_of(rows), near)
        differs = np.diff((now != then).tocsr().indptr) > 0
        kept = np.flatnonzero(outlines.alive[rows] & (differs | edited))
        kept = kept[np.argsort(rows[kept])]
        membership = _renamed(now[kept], bins[now[kept].indices], self.bins.n_bins)
        return Recounted(rows[kept], self.bins.summed(membership), membership)

    def _around(self, outlines: Outlines, boxes: NDArray[np.float64]) -> Rows:
        """Rows whose grown outlines may be reached from boxes (n, 4) in `LOOKED_AT_STEPS` steps."""
        wide = 2 * self.rule.expansion_px
        seen: set[int] = set()
        boxes = boxes[np.isfinite(boxes).all(axis=1)]
        for _ in range(LOOKED_AT_STEPS):
            found = {
                int(row)
                for xmin, ymin, xmax, ymax in boxes.tolist()
                for row in outlines.query(xmin - wide, ymin - wide, xmax + wide, ymax + wide)
            }
            fresh = np.fromiter(found - seen, dtype=np.int64)
            seen |= found
            boxes = outlines.bounds[fresh]
        return np.sort(np.fromiter(seen, dtype=np.int64))

    def _given(
        self,
        states: tuple[csr_matrix, csr_matrix],
        bins: Rows,
        ids: Sequence[str],
        near: NDArray[np.bool_],
    ) -> list[csr_matrix]:
        """Give the bins of the cells `near` to one cell each; other cells' are left empty.

        Both states are given out in one go, side by side: each has cells and bins of its own.
        """
        from scipy.sparse import block_diag, csr_matrix

        membership = block_diag(states, format="csr")
        nearby = np.tile(near, 2)
        # Profiles are needed of those asked alone; the others say which of their bins are shared.
        asked = _reached(membership, nearby, 1)
        wanted = np.unique(membership[asked].indices)
        counts = self.bins.rows(bins[wanted % len(bins)])
        own_ids = [*ids, *ids]
        shares = counting.shared_out(membership[:, wanted], counts, own_ids, self._components)
        entries = shares.membership.tocoo()
        mine = nearby[entries.row] & (entries.data > 0)
        row, column, data = entries.row[mine], wanted[entries.col[mine]], entries.data[mine]
        state = row >= len(ids)
        return [
            csr_matrix(
                (data[part], (row[part] % len(ids), column[part] % len(bins))), states[0].shape
            )
            for part in (~state, state)
        ]


def _renamed(membership: csr_matrix, columns: Rows, number: int) -> csr_matrix:
    """Give the entries other columns (in the same order), of `number`."""
    from scipy.sparse import csr_matrix

    entries = (membership.data, columns, membership.indptr)
    return csr_matrix(entries, shape=(membership.shape[0], number))


def _reached(membership: csr_matrix, seeds: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    """Cells that are linked to the seeds by up to so many shared bins, the seeds included."""
    cells = np.repeat(np.arange(membership.shape[0]), np.diff(membership.indptr))
    bins = membership.indices
    reached = seeds.copy()
    for _ in range(steps):
        hit = np.zeros(membership.shape[1], dtype=bool)
        hit[bins[reached[cells]]] = True
        reached[cells[hit[bins]]] = True
    return reached
