"""Counts of the 2 µm bins, read a few rows at a time from the store.

A whole slide has some 400 million entries; an edit needs those of a hundred bins. Rows are taken
from the chunks that hold them, and the chunks last used are kept.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError

from .bin_grid import BinGrid

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

CACHE_BYTES = 256 * 2**20


class BinCounts:
    """Counts by bin (rows) and gene, and where the bins lie.

    Make one with `open` (read when asked for) or `of` (a table in memory). Not to be used by two
    threads at once.

    Attributes
    ----------
    grid
        Where the bins lie.
    n_genes
        Number of genes.
    """

    def __init__(
        self,
        grid: BinGrid,
        n_genes: int,
        indptr: NDArray[Any],
        indices: Any,
        data: Any,
        chunk: int,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.grid = grid
        self.n_genes = n_genes
        self._indptr = indptr
        self._sources = (indices, data)
        self._chunk = chunk
        self._cache_bytes = cache_bytes
        self._kept: OrderedDict[int, tuple[NDArray[Any], NDArray[Any]]] = OrderedDict()
        self._kept_bytes = 0

    @classmethod
    def open(cls, table: Path, cache_bytes: int = CACHE_BYTES) -> BinCounts:
        """Open the table of bins of a store (``sample.zarr/tables/square_002um``).

        Its places must be in full-resolution px, as in a run folder.

        Raises
        ------
        BadInputError
            Where the table is not there, or its counts are not kept by rows.
        """
        import zarr
        from zarr.errors import GroupNotFoundError

        try:
            group: Any = zarr.open_group(table, mode="r")
            counts = group["X"]
            row, col = (group[f"obs/{name}"][:] for name in (keys.ARRAY_ROW, keys.ARRAY_COL))
            places = group[f"obsm/{keys.SPATIAL}"][:]
        except (KeyError, FileNotFoundError, GroupNotFoundError) as error:
            raise BadInputError(
                f"{table}: is not a table of bins with their places ({error}); run the stage "
                "region again."
            ) from error
        if counts.attrs.get("encoding-type") != "csr_matrix":
            raise BadInputError(
                f"{table}: the counts of bins are not kept by rows (CSR), so single cells cannot "
                "be counted again; run the stage region again."
            )
        indices, data = counts["indices"], counts["data"]
        chunk = max(int(data.chunks[0]), 1)
        n_genes = int(counts.attrs["shape"][1])
        grid = BinGrid(row, col, places)
        return cls(grid, n_genes, counts["indptr"][:], indices, data, chunk, cache_bytes)

    @classmethod
    def of(cls, table: AnnData) -> BinCounts:
        """Take a table of bins that is in memory; its places in full-resolution px."""
        from scipy.sparse import csr_matrix

        counts = csr_matrix(table.X)
        whole = max(counts.nnz, 1)
        return cls(
            BinGrid.of(table), counts.shape[1], counts.indptr, counts.indices, counts.data, whole
        )

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return self.grid.n_bins

    def rows(self, bins: NDArray[Any]) -> csr_matrix:
        """Give the counts of some bins (rows of the table, in any order).

        Returns
        -------
        csr_matrix
            (len(bins), genes), float32.
        """
        from scipy.sparse import csr_matrix

        return csr_matrix(self._entries(bins), shape=(len(bins), self.n_genes))

    def summed(self, membership: csr_matrix) -> csr_matrix:
        """Add up the counts of the bins of each cell.

        Parameters
        ----------
        membership
            (cells, bins), 1 where the bin is in the cell.

        Returns
        -------
        csr_matrix
            (cells, genes), float32: membership × counts, to the last bit as these are whole.
        """
        from scipy.sparse import csr_matrix

        data, genes, edges = self._entries(membership.indices)
        shape = (membership.shape[0], self.n_genes)
        counts = csr_matrix((data, genes, edges[membership.indptr]), shape=shape)
        counts.sum_duplicates()
        return counts

    def _entries(
        self, bins: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int64]]:
        """Give counts and genes of bins, one bin after the other, and where each begins."""
        starts = self._indptr[bins].astype(np.int64)
        lengths = self._indptr[np.asarray(bins) + 1] - starts
        edges = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=edges[1:])
        where = np.arange(edges[-1]) + np.repeat(starts - edges[:-1], lengths)
        genes = np.empty(len(where), dtype=np.int32)
        data = np.empty(len(where), dtype=np.float32)
        numbers = where // self._chunk
        steps = np.diff(numbers)
        # Each chunk is met once, or all of them would pass through the cache again and again.
        order = np.argsort(numbers, kind="stable") if (steps < 0).any() else slice(None)
        if isinstance(order, np.ndarray):
            where, numbers = where[order], numbers[order]
            steps = np.diff(numbers)
        cuts = [0, *(np.flatnonzero(steps) + 1).tolist(), len(where)] if len(where) else []
        found_genes, found_data = np.empty_like(genes), np.empty_like(data)
        for start, stop in pairwise(cuts):
            number = int(numbers[start])
            here = where[start:stop] - number * self._chunk
            chunk_genes, chunk_data = self._read(number)
            found_genes[start:stop] = chunk_genes[here]
            found_data[start:stop] = chunk_data[here]
        genes[order], data[order] = found_genes, found_data
        return data, genes, edges

    def _read(self, number: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Give one chunk of indices and data, from those kept or from the store."""
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        chunk = self._take(number)
        self._kept[number] = chunk
        self._kept_bytes += sum(array.nbytes for array in chunk)
        while self._kept_bytes > self._cache_bytes and len(self._kept) > 1:
            _, gone = self._kept.popitem(last=False)
            self._kept_bytes -= sum(array.nbytes for array in gone)
        return chunk

    def _take(self, number: int) -> tuple[NDArray[Any], NDArray[Any]]:
        part = slice(number * self._chunk, (number + 1) * self._chunk)
        indices, data = self._sources
        return np.asarray(indices[part]), np.asarray(data[part])
