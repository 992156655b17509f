"""The single-cell reference that comes with a sample: invented, or half of a real one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from napari_vhd.exceptions import BadInputError
from napari_vhd.io.simulate.counts.expression import InventedExpression, raise_at_rim
from napari_vhd.io.simulate.counts.genes import Genes
from napari_vhd.io.simulate.tissue.celltypes import TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

_CELLS_PER_TYPE = (80, 260)
# More cells of one type than this add nothing to a sample.
_MOST_PER_TYPE = 2000
_MARKERS_PER_TYPE = 10


def write_invented_reference(path: Path, genes: int, seed: int, column: str) -> None:
    """Write single cells of another donor: raw counts, made-up Ensembl ids, ``feature_name``."""
    expression = InventedExpression(genes, seed, batch=1)
    rng = np.random.default_rng((seed, 71))
    numbers = rng.integers(*_CELLS_PER_TYPE, len(TYPES))
    kind = rng.permutation(np.repeat(np.arange(len(TYPES)), numbers))
    richness = np.array([t.richness for t in TYPES])[kind]
    depth = richness * np.exp(rng.normal(np.log(2200), 0.45, len(kind)))
    counts = expression.draw(rng, kind, depth, np.zeros(len(kind)))
    labels = pd.Categorical.from_codes(kind, list(expression.type_names))
    names = [f"ref_{i:06d}" for i in range(len(kind))]
    _write(path, counts, names, labels, column, expression.genes)


@dataclass(frozen=True)
class RealCells:
    """Single cells of a real reference.

    Attributes
    ----------
    counts
        Cells x genes, int32.
    names
        Of the cells.
    cell_type
        Number of each cell's type.
    type_names
        Names of the types.
    genes
        Names of the genes as they are.
    """

    counts: sparse.csr_matrix
    names: NDArray[np.object_]
    cell_type: NDArray[np.int64]
    type_names: tuple[str, ...]
    genes: Genes

    def take(self, rows: NDArray[np.int64]) -> RealCells:
        """Keep some cells."""
        return RealCells(
            self.counts[rows], self.names[rows], self.cell_type[rows], self.type_names, self.genes
        )

    def split(self, seed: int) -> tuple[RealCells, RealCells]:
        """Two halves of each type, at most `_MOST_PER_TYPE` cells of a type in each.

        Of an odd number of cells the first half gets the smaller part, but at least one.
        """
        rng = np.random.default_rng((seed, 72))
        first, second = [], []
        for kind in range(len(self.type_names)):
            rows = rng.permutation(np.flatnonzero(self.cell_type == kind))
            half = len(rows) // 2
            first.append(rows[:half][:_MOST_PER_TYPE])
            second.append(rows[half:][:_MOST_PER_TYPE])
        return self.take(np.sort(np.concatenate(first))), self.take(np.sort(np.concatenate(second)))

    def write(self, path: Path, column: str) -> None:
        """Write the cells as an H5AD file."""
        labels = pd.Categorical.from_codes(self.cell_type, list(self.type_names))
        _write(path, self.counts, list(self.names), labels, column, self.genes)

    def markers(self) -> dict[str, list[str]]:
        """Ten strongest genes of each type against the rest (scanpy's Wilcoxon test)."""
        import anndata as ad
        import scanpy as sc

        labels = pd.Categorical.from_codes(self.cell_type, list(self.type_names))
        obs = pd.DataFrame({"type": labels}, index=self.names.astype(str))
        var = pd.DataFrame(index=list(self.genes.symbols))
        cells = ad.AnnData(self.counts.astype(np.float32), obs, var)
        sc.pp.normalize_total(cells, target_sum=1e4)
        sc.pp.log1p(cells)
        known = [name for name in self.type_names if (labels == name).sum() > 1]
        sc.tl.rank_genes_groups(
            cells, "type", groups=known, method="wilcoxon", n_genes=_MARKERS_PER_TYPE
        )
        found = cells.uns["rank_genes_groups"]["names"]
        return {name: [str(gene) for gene in found[name]] for name in known}


class RealExpression:
    """Transcripts of real single cells: each simulated cell is drawn from one cell of its type."""

    def __init__(self, cells: RealCells) -> None:
        self._cells = cells
        self.genes, self.type_names = cells.genes, cells.type_names
        self._mt = np.array([s.upper().startswith("MT-") for s in cells.genes.symbols])
        self._members = [
            np.flatnonzero(cells.cell_type == kind) for kind in range(len(cells.type_names))
        ]

    def draw(
        self,
        rng: np.random.Generator,
        cell_type: NDArray[np.integer],
        expected: NDArray[np.floating],
        rim: NDArray[np.floating],
    ) -> sparse.csr_matrix:
        """Draw counts (cells x genes): `expected` transcripts a cell, `rim` 1 at the edge."""
        pick = rng.random(len(cell_type))
        members = (self._members[kind] for kind in cell_type)
        rows = np.array([m[int(u * len(m))] for m, u in zip(members, pick, strict=True)], np.int64)
        rate = self._cells.counts[rows].astype(np.float32)
        of_entry = np.repeat(np.arange(len(rows)), np.diff(rate.indptr))
        rate.data *= raise_at_rim(self._mt[rate.indices], rim[of_entry])
        total = np.maximum(np.bincount(of_entry, rate.data, len(rows)), 1e-9)
        rate.data *= (expected / total)[of_entry]
        counts = sparse.csr_matrix(
            (rng.poisson(rate.data).astype(np.int32), rate.indices, rate.indptr), shape=rate.shape
        )
        counts.eliminate_zeros()
        return counts

    def ambient(self, shares: NDArray[np.floating]) -> NDArray[np.float64]:
        """Profile of free transcripts in a tissue whose types hold these shares of them."""
        profile = np.zeros(len(self.genes))
        for share, rows in zip(shares, self._members, strict=True):
            if len(rows) and share > 0:
                mean = np.asarray(self._cells.counts[rows].sum(axis=0), float).ravel()
                profile += share * mean / mean.sum()
        return profile / profile.sum()


def read_reference(path: Path, column: str) -> RealCells:
    """Read a real single-cell reference.

    Raises
    ------
    BadInputError
        If the file, the column or raw counts are not there, or fewer than two types.
    """
    import anndata as ad

    try:
        cells = ad.read_h5ad(path)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise BadInputError(
            f"{path}: cannot be read as an H5AD file ({error}); give one."
        ) from error
    if column not in cells.obs:
        columns = ", ".join(map(str, cells.obs.columns)) or "none"
        raise BadInputError(
            f"{path} has no column {column!r} in obs; name its column of cell types "
            f"(it has: {columns})."
        )
    counts = _raw_counts(path, cells)
    labelled = cells.obs[column].notna().to_numpy()
    filled = np.asarray(counts.sum(axis=1)).ravel() > 0
    types = pd.Categorical(cells.obs[column].astype(str)[labelled & filled])
    common = [name for name in types.categories if (types == name).sum() >= 2]
    if len(common) < 2:
        raise BadInputError(
            f"{path}: column {column!r} has fewer than two types of two cells; "
            "name the column of cell types."
        )
    symbols = cells.var.get("feature_name", cells.var_names)
    genes = Genes(_unique(cells.var_names), _unique(symbols))
    known = labelled & filled & cells.obs[column].astype(str).isin(common).to_numpy()
    codes = pd.Categorical(cells.obs[column].astype(str)[known], categories=common).codes
    return RealCells(
        counts[known], np.asarray(cells.obs_names[known], object), codes.astype(np.int64),
        tuple(common), genes,
    )  # fmt: skip


def _raw_counts(path: Path, cells: AnnData) -> sparse.csr_matrix:
    """Find the integer counts: X, the layer ``counts``, or raw."""
    candidates = [cells.X, cells.layers.get("counts"), getattr(cells.raw, "X", None)]
    for matrix in candidates:
        if matrix is None or matrix.shape[1] != cells.shape[1]:
            continue
        counts = sparse.csr_matrix(matrix)
        if counts.nnz and counts.data.min() >= 0 and np.all(counts.data == np.round(counts.data)):
            counts = counts.astype(np.int32)
            counts.eliminate_zeros()
            return counts
    raise BadInputError(
        f"{path} has no raw counts in X, layers['counts'] or raw; give integer counts."
    )


def _unique(symbols: Iterable[object]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    out = []
    for symbol in map(str, symbols):
        number = seen.get(symbol, 0)
        seen[symbol] = number + 1
        out.append(f"{symbol}-{number}" if number else symbol)
    return tuple(out)


def _write(
    path: Path,
    counts: sparse.csr_matrix,
    names: list[str],
    labels: pd.Categorical,
    column: str,
    genes: Genes,
) -> None:
    import anndata as ad

    obs = pd.DataFrame({column: labels}, index=[str(name) for name in names])
    var = pd.DataFrame({"feature_name": list(genes.symbols)}, index=list(genes.ids))
    ad.AnnData(counts.astype(np.float32), obs, var).write_h5ad(path, compression="gzip")
