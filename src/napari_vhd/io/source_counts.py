"""Counts that stay where they are: sums and single genes, read in pieces.

The same layout lies in a store (anndata, by rows), and in Space Ranger's files (10x: bins are its
columns): three arrays, `indptr`, `indices` and `data`. Neither is ever loaded whole, unless small.
"""

from __future__ import annotations

import contextlib
import threading
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Values = NDArray[np.float32]
    # First entry of each gene and one more; row and count of each entry.
    ByGene = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[Any]]

# Entries that are read at once.
_BLOCK = 16_000_000
# So many entries are sorted by gene when the first is asked for; of more, a gene is read first.
_SORTED_AT_ONCE = 8_000_000
# They are kept by gene where that takes no more than this share of the memory that is free.
_SHARE = 0.25
_ENTRY_BYTES = 6
# So many are sorted together beside a window: scipy lets no other thread work meanwhile.
_SORTED_TOGETHER = 1_000_000


class Counts:
    """Counts of cells or bins (rows) and genes. Any thread may ask.

    Parameters
    ----------
    indptr
        In memory (rows + 1,).
    indices, data
        Array-likes that read slices.
    genes
        Unique names; None where a column is no gene.
    """

    def __init__(
        self,
        indptr: NDArray[Any],
        indices: Any,
        data: Any,
        genes: Sequence[str | None],
    ) -> None:
        self._indptr = indptr.astype(np.int64)
        self._indices, self._data = indices, data
        self._column = {name: number for number, name in enumerate(genes) if name is not None}
        self._is_gene = np.array([name is not None for name in genes], dtype=bool)
        self._by_gene: ByGene | None = None
        self._sorting = False
        self._lock = threading.Lock()

    @property
    def n_rows(self) -> int:
        """Number of cells or bins."""
        return len(self._indptr) - 1

    @property
    def genes(self) -> tuple[str, ...]:
        """Names of the genes, in the order of the matrix."""
        return tuple(self._column)

    def total(self) -> Values:
        """Sum the counts of each row."""
        totals = np.zeros(self.n_rows, dtype=np.float64)
        for rows, start, stop in self._blocks():
            values = np.asarray(self._data[start:stop], dtype=np.float64)
            if not self._is_gene.all():
                values = values * self._is_gene[np.asarray(self._indices[start:stop])]
            starts = self._indptr[rows.start : rows.stop]
            filled = np.flatnonzero(np.diff(self._indptr[rows.start : rows.stop + 1]))
            totals[rows.start + filled] = np.add.reduceat(values, starts[filled] - start)
        return totals.astype(np.float32)

    def gene(self, name: str) -> Values:
        """Give the counts of one gene in each row; zeros for a gene that is not there.

        The first of a small matrix takes longer: its entries are then kept by gene. Those of a
        large one are read through, until they are sorted beside that, where there is room for them.
        """
        column = self._column.get(name)
        values = np.zeros(self.n_rows, dtype=np.float32)
        if column is None:
            return values
        with self._lock:
            if self._by_gene is None and self._indptr[-1] <= _SORTED_AT_ONCE:
                self._by_gene = self._sort()
        if self._by_gene is not None:
            starts, rows, counts = self._by_gene
            part = slice(int(starts[column]), int(starts[column + 1]))
            values[rows[part]] = counts[part]
            return values
        for _rows, start, stop in self._blocks():
            at = np.flatnonzero(np.asarray(self._indices[start:stop]) == column)
            if len(at):
                owners = np.searchsorted(self._indptr, at + start, side="right") - 1
                values[owners] = np.asarray(self._data[start:stop])[at]
        self._sort_beside()
        return values

    def _sort_beside(self) -> None:
        """Sort the entries by gene on a thread of its own, once, if there is room for them."""
        import psutil

        with self._lock:
            if self._sorting:
                return
            self._sorting = True
        if self._indptr[-1] * _ENTRY_BYTES <= _SHARE * psutil.virtual_memory().available:
            threading.Thread(target=self._keep_by_gene, name="by gene", daemon=True).start()

    def _keep_by_gene(self) -> None:
        # A store may be closed, or another version take its place, while it is read.
        with contextlib.suppress(OSError, KeyError, ValueError):
            self._by_gene = self._sort()

    def _sort(self) -> ByGene:
        """Sort the entries by gene, in pieces: never are all there twice."""
        from scipy.sparse import csr_matrix

        genes = len(self._is_gene)
        number, whole, highest = np.zeros(genes, dtype=np.int64), True, 0.0
        for _rows, start, stop in self._blocks():
            number += np.bincount(np.asarray(self._indices[start:stop]), minlength=genes)
            data = np.asarray(self._data[start:stop])
            highest, whole = max(highest, float(data.max())), whole and not np.any(data % 1)
        starts = np.concatenate([[0], np.cumsum(number)])
        owners = np.empty(starts[-1], dtype=np.int32)
        counts = np.empty(starts[-1], dtype=np.uint16 if whole and highest < 2**16 else np.float32)
        free = starts[:-1].copy()
        for rows, start, stop in self._blocks(_SORTED_TOGETHER):
            entries = np.asarray(self._data[start:stop]), np.asarray(self._indices[start:stop])
            within = self._indptr[rows.start : rows.stop + 1] - start
            shape = (rows.stop - rows.start, genes)
            block = csr_matrix((*entries, within), shape=shape).tocsc()
            there = np.diff(block.indptr)
            place = np.repeat(free - block.indptr[:-1], there) + np.arange(stop - start)
            owners[place], counts[place] = block.indices + rows.start, block.data
            free += there
        return starts, owners, counts

    def _blocks(self, size: int = _BLOCK) -> Iterator[tuple[slice, int, int]]:
        """Whole rows, some million entries at a time: rows, first entry, last entry + 1."""
        ends = np.arange(size, self._indptr[-1] + size, size)
        edges = np.unique([0, *np.searchsorted(self._indptr[1:], ends) + 1, self.n_rows])
        edges = np.minimum(edges, self.n_rows)
        for first, last in pairwise(np.unique(edges).tolist()):
            start, stop = int(self._indptr[first]), int(self._indptr[last])
            if stop > start:
                yield slice(first, last), start, stop


class DenseCounts(Counts):
    """Counts that a store keeps as a full matrix, or by genes."""

    def __init__(self, group: Any, genes: Sequence[str]) -> None:
        from anndata.io import read_elem
        from scipy.sparse import csr_matrix

        rows = csr_matrix(read_elem(group))
        super().__init__(rows.indptr, rows.indices, rows.data, genes)


def stored_counts(table: Any, genes: Sequence[str]) -> Counts | None:
    """Open the counts of a table in a store.

    Parameters
    ----------
    table
        Its zarr group.
    genes
        Its genes, by column.
    """
    if "X" not in table:
        return None
    group = table["X"]
    if group.attrs.get("encoding-type") != "csr_matrix":
        return DenseCounts(group, genes)
    return Counts(group["indptr"][:], group["indices"], group["data"], genes)


class TenxCounts(Counts):
    """Counts in a file of Space Ranger (``filtered_feature_bc_matrix.h5``).

    Attributes
    ----------
    barcodes
        Of the rows, as bytes.
    """

    def __init__(self, path: Path) -> None:
        import h5py

        with h5py.File(path, "r") as file:
            matrix = file["matrix"]
            indptr = matrix["indptr"][:]
            self.barcodes = matrix["barcodes"][:]
            names = [name.decode() for name in matrix["features/name"][:]]
            expression = matrix["features/feature_type"][:] == b"Gene Expression"
        genes: list[str | None] = [None] * len(names)
        chosen = np.flatnonzero(expression)
        for number, name in zip(chosen, unique_names([names[n] for n in chosen]), strict=True):
            genes[number] = name
        super().__init__(indptr, _H5Array(path, "indices"), _H5Array(path, "data"), genes)


class _H5Array:
    """An array of a 10x file, opened for each slice: nothing stays open."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name

    def __getitem__(self, part: slice) -> NDArray[Any]:
        import h5py

        with h5py.File(self._path, "r") as file:
            values: NDArray[Any] = file[f"matrix/{self._name}"][part]
            return values


def unique_names(names: Sequence[str]) -> list[str]:
    """Make gene names unique as the stages do: a suffix (``-1``) for the second of a name."""
    import pandas as pd
    from anndata.utils import make_index_unique

    if len(set(names)) == len(names):
        return list(names)
    return [str(name) for name in make_index_unique(pd.Index(names))]
