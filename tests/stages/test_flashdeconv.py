from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from spatialdata import SpatialData

from napari_vhd.parameters import FlashdeconvParameters
from napari_vhd.stages import flashdeconv

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(find_spec("flashdeconv") is None, reason="needs flashdeconv")


@pytest.fixture
def bins(simulated: Path) -> ad.AnnData:
    """The 8 µm bins of the simulated sample."""
    import scanpy as sc

    folder = simulated / "outs/binned_outputs/square_008um"
    table = sc.read_10x_h5(folder / "filtered_feature_bc_matrix.h5")
    places = pd.read_parquet(folder / "spatial/tissue_positions.parquet").set_index("barcode")
    table.obsm["spatial"] = places.loc[
        table.obs_names, ["pxl_col_in_fullres", "pxl_row_in_fullres"]
    ].to_numpy(float)
    return table


@pytest.mark.tools
def test_most_bins_get_their_true_dominant_type(
    make_sample: Any, simulated: Path, bins: ad.AnnData
) -> None:
    sample = make_sample(
        SpatialData(tables={"square_008um": bins}), reference=simulated / "reference.h5ad"
    )
    outcome = flashdeconv.deconvolve(sample, FlashdeconvParameters())
    patch = outcome.patches["square_008um"]
    assert list(patch.obs.index) == list(bins.obs_names)

    fitted = np.asarray(bins.X.sum(axis=1)).ravel() >= 100
    assert 0 < fitted.sum() < len(fitted)
    dominant = patch.obs["flashdeconv_dominant"]
    np.testing.assert_array_equal(dominant.notna(), fitted)
    np.testing.assert_array_equal(patch.obs["kept"], fitted)
    truth = pd.read_parquet(simulated / "truth/bins_008um.parquet").loc[bins.obs_names]
    assert (dominant[fitted].astype(str) == truth["dominant"][fitted].astype(str)).mean() > 0.8

    types = list(patch.uns["flashdeconv_types"])
    columns = patch.obs[[f"flashdeconv_{name}" for name in types]].to_numpy()
    np.testing.assert_allclose(columns[fitted].sum(axis=1), 1, rtol=1e-5)
    assert np.isnan(columns[~fitted]).all()
    np.testing.assert_allclose(patch.obsm["flashdeconv"], columns, rtol=1e-5, atol=1e-6)
    assert outcome.numbers["bins fitted"] == fitted.sum()

    again = flashdeconv.deconvolve(sample, FlashdeconvParameters()).patches["square_008um"]
    pd.testing.assert_frame_equal(again.obs, patch.obs)


@pytest.mark.tools
def test_few_genes_and_bins_are_enough(make_sample: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rate = np.where(np.arange(25) % 2, [[9.0], [1.0]], [[1.0], [9.0]])
    genes = [f"G{i}" for i in range(25)]
    cells = ad.AnnData(sparse.csr_matrix(rng.poisson(np.repeat(rate, 30, 0)).astype(np.float32)))
    cells.var_names, cells.obs["t"] = genes, pd.Categorical(np.repeat(["a/1", "b"], 30))
    cells.write_h5ad(tmp_path / "r.h5ad")
    table = ad.AnnData(sparse.csr_matrix(rng.poisson(np.repeat(rate, 12, 0)).astype(np.float32)))
    table.var_names = genes
    table.obsm["spatial"] = np.c_[np.arange(24), np.repeat([0, 50], 12)].astype(float)
    sample = make_sample(SpatialData(tables={"square_016um": table}), reference=tmp_path / "r.h5ad")
    parameters = FlashdeconvParameters(cell_type_col="t", deconvolution_bins=16, umi_min=20)
    obs = flashdeconv.deconvolve(sample, parameters).patches["square_016um"].obs
    assert obs["flashdeconv_dominant"].astype(str).tolist() == ["a/1"] * 12 + ["b"] * 12
    assert "flashdeconv_a_1" in obs
