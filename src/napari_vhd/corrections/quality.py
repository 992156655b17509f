"""Quality numbers of edited cells: as the stage ``qc`` works them out, over the genes it kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.stages import qc

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

_GENES, _TOTAL, _MITO = "n_genes_by_counts", "total_counts", "total_counts_mt"
_LOG = "log1p_"
QUALITY = frozenset(
    {qc.N_COUNTS, qc.PCT_MITO, _GENES, _TOTAL, _MITO}
    | {f"{_LOG}{name}" for name in (_GENES, _TOTAL, _MITO)}
)
"""Columns that follow the counts of a cell."""


class Quality:
    """Works out quality numbers.

    Parameters
    ----------
    genes, mito
        Which genes quality control kept, and which are mitochondrial.
    """

    def __init__(self, genes: NDArray[np.bool_], mito: NDArray[np.bool_]) -> None:
        self._genes, self._mito = genes, mito
        self._kept_mito = genes & mito

    @classmethod
    def of(cls, var: pd.DataFrame) -> Quality | None:
        """Read which genes count; None where no quality control ran."""
        if keys.KEPT not in var or qc.MITO not in var:
            return None
        return cls(var[keys.KEPT].to_numpy(dtype=bool), var[qc.MITO].to_numpy(dtype=bool))

    def of_one(self, counts: csr_matrix, name: str) -> np.float32:
        """Give one number of one cell (counts: 1 × genes); quick, for what follows an edit."""
        if name.startswith(_LOG):
            return np.float32(np.log1p(self.of_one(counts, name.removeprefix(_LOG))))
        kept = self._genes[counts.indices]
        if name == _GENES:
            return np.float32(np.count_nonzero(counts.data[kept]))
        total = np.float32(counts.data[kept].sum())
        if name in (_TOTAL, qc.N_COUNTS):
            return total
        mito = np.float32(counts.data[self._kept_mito[counts.indices]].sum())
        if name == _MITO:
            return mito
        return mito / total * np.float32(100) if total else np.float32(np.nan)

    def of_all(self, counts: csr_matrix) -> pd.DataFrame:
        """Give every number of cells (counts: cells × genes), by the stage's own function."""
        from anndata import AnnData

        table: Any = AnnData(counts.astype(np.float32))
        return qc.metrics(table, self._genes, self._mito)
