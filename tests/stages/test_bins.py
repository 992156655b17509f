from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from spatialdata import SpatialData, read_zarr

from napari_vhd.exceptions import BadInputError, StageError
from napari_vhd.parameters import RctdParameters
from napari_vhd.stages import bins
from napari_vhd.stages.rctd import METHOD

if TYPE_CHECKING:
    from pathlib import Path

GENES = [f"G{i}" for i in range(60)]


def _table(rows: int = 40, depth: int = 3) -> ad.AnnData:
    rng = np.random.default_rng(0)
    table = ad.AnnData(sparse.csr_matrix(rng.poisson(depth, (rows, 60)).astype(np.float32)))
    table.obs_names = [f"s_008um_{i:05}" for i in range(rows)]
    table.var_names = GENES
    table.obsm["spatial"] = rng.random((rows, 2)) * 500
    return table


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    genes = [*GENES[:50][::-1], *(f"other{i}" for i in range(20))]
    cells = ad.AnnData(sparse.csr_matrix(rng.poisson(3, (60, 70)).astype(np.float32)))
    cells.obs["type"] = pd.Categorical(np.repeat(["A/B", "C"], 30))
    cells.var_names = genes
    cells.write_h5ad(tmp_path / "reference.h5ad")
    return tmp_path / "reference.h5ad"


def _parameters(**given: Any) -> RctdParameters:
    return RctdParameters(**{"cell_type_col": "type"} | given)


def test_bins_are_chosen_by_all_their_umis_and_genes_by_the_reference(
    make_sample: Any, reference: Path
) -> None:
    table = _table()
    counts = table.X.toarray()
    counts[[3, 5]], counts[7] = 0, 1000
    counts[3, 0], counts[5, 55] = 99, 100
    table.X = sparse.csr_matrix(counts)
    sample = make_sample(SpatialData(tables={"square_008um": table}), reference=reference)
    fitted = bins.fitted_bins(sample, _parameters(umi_max=5000))
    assert np.flatnonzero(~fitted.mask).tolist() == [3, 7]
    assert fitted.reasons[3] == "fewer than 100 UMIs"
    assert fitted.reasons[7] == "more than 5000 UMIs"
    assert pd.isna(fitted.reasons[0])
    assert list(fitted.bins.var_names) == list(fitted.reference.var_names) == GENES[:50]
    expected = table[fitted.mask, GENES[:50]]
    np.testing.assert_array_equal(fitted.bins.X.toarray(), expected.X.toarray())
    np.testing.assert_array_equal(fitted.bins.obsm["spatial"], expected.obsm["spatial"])


def test_too_few_deep_bins_are_said_with_the_mend(make_sample: Any, reference: Path) -> None:
    sample = make_sample(SpatialData(tables={"square_008um": _table()}), reference=reference)
    with pytest.raises(StageError, match=r"0 of 40 bins of 8 µm .*lower umi_min"):
        bins.fitted_bins(sample, _parameters(umi_min=1000))


def test_missing_bin_size_is_said(make_sample: Any, reference: Path) -> None:
    sample = make_sample(SpatialData(tables={"square_008um": _table()}), reference=reference)
    with pytest.raises(StageError, match="square_016um"):
        bins.fitted_bins(sample, _parameters(deconvolution_bins=16))


def test_reference_of_another_species_is_bad_input(make_sample: Any, reference: Path) -> None:
    table = _table()
    table.var_names = [f"mouse{i}" for i in range(60)]
    sample = make_sample(SpatialData(tables={"square_008um": table}), reference=reference)
    with pytest.raises(BadInputError, match="0 of its 70 genes"):
        bins.fitted_bins(sample, _parameters())


def test_names_of_types_are_made_fit_for_columns_and_stay_apart() -> None:
    names = bins.safe_names(
        ["T cells/NK", "T cells NK", "CD4+", "cd4_", "dominant", "β", "", "A-1.2"]
    )
    assert list(names.values()) == [
        *("T_cells_NK", "T_cells_NK_2", "CD4_", "cd4__2", "dominant_2", "β", "_", "A-1.2"),
    ]


def test_proportions_sum_to_one_or_are_missing() -> None:
    proportions = bins.proportions_of(np.array([[0.2, 0.6], [-0.5, 2.0], [0.0, 0.0], [-1.0, 0]]))
    np.testing.assert_allclose(proportions[:2], [[0.25, 0.75], [0, 1]])
    assert np.isnan(proportions[2:]).all()


def test_results_survive_spatialdata_with_any_name_of_type(tmp_path: Path) -> None:
    table = _table(4)
    types = ["T cells/NK", "t cells/nk", "B (naïve)"]
    mask = np.array([True, False, True, True])
    reasons = pd.Categorical([None, "few", None, None])
    fitted = bins.FittedBins("b", mask, reasons, table, table, tuple(sorted(types)))
    values = np.array([[0.1, 0.3, 0.1], [0, 0, 0], [0, 0, 2.0]])
    patch = bins.patch_of(fitted, bins.Weights(values, types, mask), METHOD, table.obs_names)
    assert patch.obs is not None
    table.obs = patch.obs
    table.obsm.update(patch.obsm)
    table.uns.update(patch.uns)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        SpatialData(tables={"b": table}).write(tmp_path / "s.zarr")
    back = read_zarr(tmp_path / "s.zarr").tables["b"]
    dominant = back.obs["rctd_dominant"].astype(str).tolist()
    assert dominant == ["t cells/nk", "filtered", "filtered", "B (naïve)"]
    assert list(back.uns["rctd_types"]) == types
    np.testing.assert_allclose(
        back.obs[["prop_T_cells_NK", "prop_t_cells_nk_2", "prop_B__naïve_"]].to_numpy(),
        [[0.2, 0.6, 0.2], [np.nan] * 3, [np.nan] * 3, [0, 0, 1]],
        rtol=1e-6,
    )
    np.testing.assert_allclose(back.obsm["rctd_weights"][[0, 3]], values[[0, 2]], rtol=1e-6)
    assert np.isnan(back.obsm["rctd_weights"][[1, 2]]).all()
    assert back.obs["kept"].tolist() == mask.tolist()
    assert bins.numbers_of(patch, METHOD)["bins fitted"] == 2


def test_a_type_has_its_colour_also_where_a_method_leaves_others_out() -> None:
    table, mask = _table(2), np.array([True, True])
    fitted = bins.FittedBins("b", mask, pd.Categorical([None, None]), table, table, ("A", "B", "C"))
    colors = []
    for types in (["A", "B", "C"], ["A", "C"]):
        values = np.eye(len(types))[[0, -1]]
        weights = bins.Weights(values, types, mask)
        patch = bins.patch_of(fitted, weights, METHOD, table.obs_names)
        assert patch.obs is not None
        names = patch.obs["rctd_dominant"].cat.categories
        colors.append(dict(zip(names, patch.uns["rctd_dominant_colors"], strict=True)))
    assert colors[0]["C"] == colors[1]["C"]


def test_size_says_what_will_be_read(make_sample: Any, reference: Path) -> None:
    sample = make_sample(SpatialData(tables={"square_008um": _table()}), reference=reference)
    size = bins.measure(sample, _parameters(max_reference_cells=50))
    assert (size.bins, size.genes) == (40, 60)
    assert size.counts == sample.sdata.tables["square_008um"].X.nnz
    assert 0.7 * 50 * 70 < size.reference_counts < 50 * 70
