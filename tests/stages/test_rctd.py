from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from spatialdata import SpatialData

from napari_vhd.exceptions import StageError
from napari_vhd.io import rctd_tables
from napari_vhd.parameters import RctdParameters
from napari_vhd.stages import rctd
from napari_vhd.stages.bins import fitted_bins

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(find_spec("rctd") is None, reason="needs rctd")


@pytest.fixture
def sample(simulated: Path, make_sample: Any) -> Any:
    """A sample with the 8 µm bins of the simulated one."""
    import scanpy as sc

    folder = simulated / "outs/binned_outputs/square_008um"
    table = sc.read_10x_h5(folder / "filtered_feature_bc_matrix.h5")
    places = pd.read_parquet(folder / "spatial/tissue_positions.parquet").set_index("barcode")
    table.obsm["spatial"] = places.loc[
        table.obs_names, ["pxl_col_in_fullres", "pxl_row_in_fullres"]
    ].to_numpy(float)
    return make_sample(
        SpatialData(tables={"square_008um": table}), reference=simulated / "reference.h5ad"
    )


@pytest.fixture
def truth(simulated: Path, sample: Any) -> pd.Series:
    names = sample.sdata.tables["square_008um"].obs_names
    return pd.read_parquet(simulated / "truth/bins_008um.parquet").loc[names, "dominant"]


def _deep(sample: Any) -> np.ndarray:
    return np.asarray(sample.sdata.tables["square_008um"].X.sum(axis=1)).ravel() >= 100


@pytest.mark.tools
def test_full_mode_finds_the_true_types_and_gives_what_rctd_gives(
    sample: Any, truth: pd.Series
) -> None:
    outcome = rctd.deconvolve(sample, RctdParameters())
    patch = outcome.patches["square_008um"]
    fitted = _deep(sample)
    assert 0 < fitted.sum() < len(fitted)
    dominant = patch.obs["rctd_dominant"]
    np.testing.assert_array_equal(dominant != "filtered", fitted)
    assert (dominant[fitted].astype(str) == truth[fitted].astype(str)).mean() > 0.85
    types = list(patch.uns["rctd_types"])
    proportions = patch.obs[[f"prop_{name}" for name in types]].to_numpy()
    np.testing.assert_allclose(proportions[fitted].sum(axis=1), 1, rtol=1e-5)
    assert np.isnan(proportions[~fitted]).all()
    assert np.isnan(patch.obsm["rctd_weights"][~fitted]).all()
    totals = [total for _, total, _ in sample.report.steps]
    assert set(totals) == {100}

    # The portions, the shorter tables and the threads change nothing.
    own = _by_rctd_itself(sample, "full", tables_k_val=250)
    np.testing.assert_allclose(patch.obsm["rctd_weights"][fitted], own.weights, atol=1e-6)
    assert types == own.cell_type_names


@pytest.mark.tools
def test_doublet_mode_names_class_and_both_types(sample: Any, truth: pd.Series) -> None:
    patch = rctd.deconvolve(sample, RctdParameters(rctd_mode="doublet")).patches["square_008um"]
    fitted = _deep(sample)
    classes = patch.obs["rctd_spot_class"]
    assert set(classes.cat.categories) <= {
        *("reject", "singlet", "doublet_certain", "doublet_uncertain")
    }
    np.testing.assert_array_equal(classes.notna(), fitted)
    certain = fitted & classes.isin(["singlet", "doublet_certain"]).to_numpy()
    first = patch.obs["rctd_first_type"]
    assert (first[certain].astype(str) == truth[certain].astype(str)).mean() > 0.8


@pytest.mark.slow
@pytest.mark.tools
def test_doublet_mode_gives_what_rctd_gives(sample: Any) -> None:
    patch = rctd.deconvolve(sample, RctdParameters(rctd_mode="doublet")).patches["square_008um"]
    fitted = _deep(sample)
    own = _by_rctd_itself(sample, "doublet", tables_k_val=125)
    names = np.asarray(own.cell_type_names)
    first = patch.obs["rctd_first_type"]
    assert first[fitted].astype(str).tolist() == names[own.first_type].tolist()
    second = patch.obs["rctd_second_type"]
    assert second[fitted].astype(str).tolist() == names[own.second_type].tolist()


def _by_rctd_itself(sample: Any, mode: str, tables_k_val: int) -> Any:
    """Run the library as its users do, with tables of another length."""
    import torch

    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patched:
        warnings.simplefilter("ignore")
        from rctd import RCTDConfig, Reference, run_rctd

        torch.set_num_threads(1)
        path = rctd_tables.tables_for(tables_k_val, lambda *_: None).path
        patched.setenv(rctd_tables.ENVIRONMENT, str(path))
        fitted = fitted_bins(sample, RctdParameters())
        umis = np.asarray(fitted.bins.X.sum(axis=1)).ravel()
        config = RCTDConfig(
            K_val=tables_k_val,
            compile=False,
            device="cpu",
            UMI_min_sigma=rctd._sigma_umis(umis, 300, sample),
        )
        return run_rctd(fitted.bins, Reference(fitted.reference, "ClusterMidway"), mode, config)


def test_noise_level_takes_shallower_bins_with_a_notice(make_sample: Any) -> None:
    sample = make_sample()
    umis = np.arange(100, 500, dtype=np.float32)
    assert rctd._sigma_umis(umis, 300, sample) == 300
    assert sample.report.notices == []
    lowered = rctd._sigma_umis(umis, 480, sample)
    assert (umis > lowered).sum() >= 100
    assert "only 19 have more than 480" in sample.report.notices[0]
    shallow = np.full(30, 120, dtype=np.float32)
    assert (shallow > rctd._sigma_umis(shallow, 300, sample)).all()


def _with_reference(sample: Any, tmp_path: Path, change: Any) -> Any:
    import dataclasses

    cells = ad.read_h5ad(sample.reference)
    change(cells)
    cells.write_h5ad(tmp_path / "changed.h5ad")
    return dataclasses.replace(sample, reference=tmp_path / "changed.h5ad")


def test_shallow_reference_is_said_before_rctd_runs(sample: Any, tmp_path: Path) -> None:
    def thin(cells: ad.AnnData) -> None:
        cells.X.data[:] = 1
        for row in range(cells.n_obs):
            start, stop = cells.X.indptr[row : row + 2]
            cells.X.data[start + 50 : stop] = 0

    with pytest.raises(StageError, match="0 of 9 types of 'ClusterMidway' are left"):
        rctd.deconvolve(_with_reference(sample, tmp_path, thin), RctdParameters())


def test_types_that_are_left_out_are_named(sample: Any, tmp_path: Path) -> None:
    def rename(cells: ad.AnnData) -> None:
        names = cells.obs["ClusterMidway"].astype(str).to_numpy()
        names[:5] = "rare type"
        cells.obs["ClusterMidway"] = pd.Categorical(names)

    changed = _with_reference(sample, tmp_path, rename)
    rctd._leave_out_small_types(changed, fitted_bins(changed, RctdParameters()), RctdParameters())
    assert sample.report.notices[0].startswith("RCTD leaves out rare type: fewer than 25 cells")


def test_environment_is_as_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    tables = rctd_tables.Tables(tmp_path / "t.npz", 125, 1)
    for before in (None, "mine"):
        if before is None:
            monkeypatch.delenv(rctd_tables.ENVIRONMENT, raising=False)
        else:
            monkeypatch.setenv(rctd_tables.ENVIRONMENT, before)
        with pytest.raises(ZeroDivisionError), rctd._tables_given(tables):
            assert os.environ[rctd_tables.ENVIRONMENT] == str(tables.path)
            _ = 1 / 0
        assert os.environ.get(rctd_tables.ENVIRONMENT) == before
