"""Rules of computing on kept cells and giving results for all rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData
from scipy import sparse

from napari_vhd.stages.kept import all_rows, all_rows_categorical, kept_part, lognormalized
from napari_vhd.stages.stage import TablePatch


def test_shallow_counts_are_normalised_too_as_scanpy_does() -> None:
    counts = sparse.csr_matrix(np.random.default_rng(0).poisson(0.4, (30, 20)).astype(np.float32))
    cells, genes = np.arange(30) > 2, np.arange(20) > 4
    expected = AnnData(counts[cells][:, genes].copy())
    sc.pp.normalize_total(expected)
    sc.pp.log1p(expected)
    result = lognormalized(counts, cells, genes)
    assert counts.max() < 10
    np.testing.assert_allclose(result[cells][:, genes].toarray(), expected.X.toarray(), rtol=1e-5)
    assert result.shape == counts.shape
    assert result[:, ~genes].nnz == 0


def test_rows_that_were_not_computed_are_missing() -> None:
    mask = np.array([False, True, True])
    np.testing.assert_array_equal(all_rows(np.array([1.0, 2.0]), mask), [np.nan, 1, 2])
    labels = all_rows_categorical(["b", None], mask, ["a", "b"])
    assert labels.tolist()[1] == "b"
    assert labels.isna().tolist() == [True, False, True]
    assert list(labels.categories) == ["b"]


def test_the_kept_part_has_the_new_columns_and_the_table_stays(banded_cells: Any) -> None:
    table = banded_cells(50)
    patch = TablePatch(
        obs=pd.DataFrame({"new": range(50)}, index=table.obs_names[::-1]), uns={"how": "so"}
    )
    part = kept_part(table, [patch])
    assert part.shape == (47, 118)
    assert part.obs["new"].iloc[0] == 46
    assert part.uns["how"] == "so"
    assert "new" not in table.obs
