"""Computing on the cells and genes that the filters kept, and giving results for all rows."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from .stage import TablePatch


def kept(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Say which rows of ``table.obs`` or ``table.var`` the filters kept; all, where none ran."""
    if keys.KEPT not in frame:
        return np.ones(len(frame), dtype=bool)
    return frame[keys.KEPT].fillna(False).to_numpy(dtype=bool)


def lognormalized(
    counts: csr_matrix, cells: NDArray[np.bool_], genes: NDArray[np.bool_]
) -> csr_matrix:
    """Normalise to the median depth of the kept cells, then log1p, as scanpy does.

    Parameters
    ----------
    counts
        cells × genes, raw.
    cells, genes
        The kept ones. Depth is counted over kept genes.

    Returns
    -------
    csr_matrix
        cells × genes, float32: every cell; genes that are not kept are zero.
    """
    import scanpy as sc
    from anndata import AnnData
    from scipy import sparse

    part = AnnData(sparse.csr_matrix(counts[:, genes], dtype=np.float32))
    depth = np.asarray(part.X[cells].sum(axis=1)).ravel()
    depth = depth[depth > 0]
    target = float(np.median(depth)) if len(depth) else 1.0
    with warnings.catch_warnings():
        # Cells that were dropped may have none; they stay zero.
        warnings.filterwarnings("ignore", message="Some cells have zero counts")
        sc.pp.normalize_total(part, target_sum=target)
    sc.pp.log1p(part)
    columns = np.flatnonzero(genes)
    return sparse.csr_matrix(
        (part.X.data, columns[part.X.indices], part.X.indptr), shape=counts.shape
    )


def all_rows(values: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Spread values of the rows in `mask` over all rows; NaN elsewhere."""
    full = np.full((len(mask), *values.shape[1:]), np.nan, dtype=np.float32)
    full[mask] = values
    return full


def all_rows_categorical(
    values: Iterable[object], mask: NDArray[np.bool_], categories: Iterable[str]
) -> pd.Categorical:
    """Spread labels of the rows in `mask` over all rows; missing elsewhere.

    Categories that no row has are left out; the others keep their order.
    """
    import pandas as pd

    full = np.full(len(mask), None, dtype=object)
    full[mask] = [None if pd.isna(value) else str(value) for value in values]
    present = set(full)
    return pd.Categorical(full, categories=[name for name in categories if name in present])


def patched(table: AnnData, patches: Iterable[TablePatch]) -> AnnData:
    """Copy a table with patches applied.

    Parameters
    ----------
    table
        Not changed.
    patches
        Applied in turn.
    """
    result = table.copy()
    for patch in patches:
        if patch.obs is not None:
            for name in patch.obs:
                result.obs[name] = patch.obs[name].reindex(result.obs_names)
        if patch.var is not None:
            for name in patch.var:
                result.var[name] = patch.var[name].reindex(result.var_names)
        for part in ("obsm", "varm", "layers", "obsp", "uns"):
            own = getattr(result, part)
            for name, value in getattr(patch, part).items():
                if value is None:
                    own.pop(name, None)
                else:
                    own[name] = value
    return result


def kept_part(table: AnnData, patches: Iterable[TablePatch] = ()) -> AnnData:
    """Copy the kept cells and genes of a table, with patches applied, as the h5ad files hold."""
    whole = patched(table, patches)
    return whole[kept(whole.obs), kept(whole.var)].copy()
