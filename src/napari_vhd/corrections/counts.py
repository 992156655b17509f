"""Live counts of the cells whose bins an edit changed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from .recount import Counter, Recounted
    from .segmentation import Moved, Segmentation


def digest_of(counts: Any) -> str:
    """Hash counts (1, genes) of a cell: equal counts, equal hashes."""
    own = counts.tocsr()
    order = np.argsort(own.indices)
    genes, values = own.indices[order], own.data[order]
    there = values != 0
    made = hashlib.sha256(genes[there].astype("<i8").tobytes())
    made.update(values[there].astype("<f8").tobytes())
    return made.hexdigest()


class LiveCounts:
    """Counts of edited cells, and of neighbours whose bins changed; all others are as computed.

    Parameters
    ----------
    counter
        Counts as the whole sample was counted.
    segmentation
        The outlines that are counted.
    """

    def __init__(self, counter: Counter, segmentation: Segmentation) -> None:
        self._counter = counter
        self._segmentation = segmentation
        self._counts: dict[int, csr_matrix] = {}
        self._bins: dict[int, csr_matrix] = {}
        # Row -> its outline when it was counted last.
        self._waiting: dict[int, Any] = {}

    @property
    def n_genes(self) -> int:
        """Number of genes."""
        return int(self._counter.n_genes)

    def follow(self, moved: Moved) -> None:
        """Note cells whose outline changed; `settle` counts them."""
        for row, before in zip(moved.rows, moved.before, strict=True):
            self._waiting.setdefault(row, before)

    def settle(self) -> NDArray[np.int64]:
        """Count what waits; gives the rows whose counts may have changed."""
        if not self._waiting:
            return np.empty(0, dtype=np.int64)
        rows, before = list(self._waiting), list(self._waiting.values())
        outlines = self._segmentation.outlines
        found: Recounted = self._counter.recount(outlines, np.array(rows, dtype=np.int64), before)
        self._waiting.clear()
        for row in rows:
            self._counts.pop(row, None)
            self._bins.pop(row, None)
        for place, row in enumerate(found.rows.tolist()):
            self._counts[row] = found.counts[place]
            self._bins[row] = found.membership[place]
        return np.union1d(np.array(rows, dtype=np.int64), found.rows)

    def rows(self) -> list[int]:
        """Rows that were counted again, ascending."""
        self.settle()
        return sorted(self._counts)

    def of(self, row: int) -> csr_matrix | None:
        """Give counts (1, genes) of a cell, None where they are as computed."""
        self.settle()
        return self._counts.get(row)

    def bins_of(self, row: int) -> csr_matrix | None:
        """Give bins (1, bins; 1: counted) of a cell, None where they are as computed."""
        self.settle()
        return self._bins.get(row)

    def stacked(self, rows: Sequence[int]) -> tuple[csr_matrix, csr_matrix]:
        """Give counts (rows, genes) and bins (rows, bins) of cells that were counted again."""
        from scipy.sparse import vstack

        return (
            vstack([self._counts[row] for row in rows]).tocsr(),
            vstack([self._bins[row] for row in rows]).tocsr(),
        )
