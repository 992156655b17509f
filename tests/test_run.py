"""The whole run, by the command's own path, on small simulated samples with the real engines."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import shapely
import yaml
from run_copies import copy_run

from napari_vhd import RunConfig, Session, keys
from napari_vhd.exceptions import BadInputError
from napari_vhd.io import proseg_binary
from napari_vhd.runner.run import run_config, status_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.tools

QUICK = {
    "proseg": {"samples": 2, "burnin_samples": 2, "hillclimb": 1},
    "novae_max_epochs": 3,
    "domain_range": [4, 5],
    "clustering_col": "novae_domains_5",
}


def configure(sample: Path, **params: object) -> RunConfig:
    data = yaml.safe_load((sample / "config.yaml").read_text())
    data["params"] |= QUICK | params
    return RunConfig.from_dict(data).resolved(sample)


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    from napari_vhd.io.simulate import simulate

    return simulate(tmp_path_factory.mktemp("run") / "sample", size_px=600, seed=1)


@pytest.fixture(scope="module")
def finished(sample) -> Path:
    """A run folder with every stage done."""
    return run_config(configure(sample))[0]


def tables(run_dir: Path) -> dict[str, pd.DataFrame]:
    """Everything that typing computed, as plain frames."""
    with Session.open(run_dir) as session:
        cells = session.cells
        bins = session.sdata.tables[keys.bin_table(8)]
        return {
            "cells": cells.obs,
            "bins": bins.obs,
            "counts": pd.DataFrame(cells.X.toarray(), cells.obs_names, cells.var_names),
            "latent": pd.DataFrame(cells.obsm[keys.LATENT], cells.obs_names),
        }


def test_a_run_folder_is_complete(finished):
    names = {path.name for path in finished.iterdir()}
    assert {
        "sample.zarr",
        "ledger.sqlite",
        "run.json",
        "run.log",
        "figures",
        "model",
        "segmented.h5ad",
        "SIM_clustered.h5ad",
        "SIM_annotated.h5ad",
        "enrichment_ranking_novae_domains_5.csv",
        "celltypist_model.pkl",
    } <= names
    run = json.loads((finished / "run.json").read_text())
    assert set(run["stages"]) == {step.stage for step in status_of(finished).steps}
    for record in run["stages"].values():
        assert record["seconds"] > 0
        assert record["peak_rss_mb"] > 50
        assert record["hash"]
    assert run["versions"]["sopa"]
    assert run["versions"]["proseg"] == proseg_binary.VERSION
    assert run["seed"] == 0
    assert "weights_best.h5" in run["weights"]
    assert all(digest.startswith("sha256:") for digest in run["weights"].values())


def test_the_store_opens_with_plain_spatialdata_and_has_the_contract_names(finished):
    import spatialdata

    sdata = spatialdata.read_zarr(finished / "sample.zarr")
    assert {"SIM_full_image", "SIM_hires_image", "SIM_lowres_image"} <= set(sdata.images)
    assert {
        "SIM_square_002um",
        "SIM_square_008um",
        "SIM_square_016um",
        "image_patches",
        "stardist_boundaries",
        "proseg_boundaries",
    } <= set(sdata.shapes)
    assert {"square_002um", "square_008um", "square_016um", "table", "table_proseg"} <= set(
        sdata.tables
    )
    cells = sdata.tables["table"]
    assert {
        "novae_domains_4",
        "novae_domains_5",
        "cell_type_domain",
        "cell_type_enrichmap",
        "cell_type_celltypist",
        "cell_type_celltypist_per_cell",
        "conf_score_celltypist",
        "Tumor_score",
        "Tumor_score_raw",
        "kept",
    } <= set(cells.obs)
    assert {"spatial", "spatial_um", "novae_latent", "novae_latent_4", "X_pca"} <= set(cells.obsm)
    assert "bins_assignments" in cells.obsm
    assert {"counts", "lognorm_counts", "lognorm_counts_celltypist"} <= set(cells.layers)
    bins = sdata.tables["square_008um"]
    assert {"flashdeconv_dominant", "flashdeconv_Tumor", "rctd_dominant", "prop_Tumor"} <= set(
        bins.obs
    )
    assert {"flashdeconv", "rctd_weights"} <= set(bins.obsm)
    assert list(sdata.shapes["proseg_boundaries"].index) == list(cells.obs_names)


def test_cells_lie_on_the_picture_whichever_library_made_them(finished):
    with Session.open(finished) as session:
        outlines = session.boundaries("proseg_boundaries")
        nuclei = session.boundaries("stardist_boundaries")
        cells = session.cells
        centroids = outlines.loc[cells.obs_names].centroid
        np.testing.assert_allclose(
            cells.obsm["spatial"], np.column_stack([centroids.x, centroids.y]), atol=1e-6
        )
        scale = json.loads(
            next((finished.parent.parent / "outs").rglob("scalefactors_json.json")).read_text()
        )["microns_per_pixel"]
        areas = outlines.loc[cells.obs_names].area * scale**2
        np.testing.assert_allclose(cells.obs["area_um2"], areas, rtol=1e-6)
        assert nuclei.total_bounds.min() >= 0
        assert nuclei.total_bounds.max() <= 600
        # Each cell lies over the nucleus it grew from.
        own = nuclei.loc[outlines["nucleus_id"]].geometry.to_numpy()
        assert shapely.intersects(outlines.geometry.to_numpy(), own).mean() > 0.95


def test_dropped_rows_stay_marked_and_have_no_types(finished):
    frames = tables(finished)
    cells, bins = frames["cells"], frames["bins"]
    dropped = ~cells["kept"].astype(bool)
    assert dropped.any()
    assert cells.loc[dropped, "cell_type_enrichmap"].isna().all()
    assert (cells.loc[dropped, "kept_reason"] != "").all()
    assert cells.loc[~dropped, "cell_type_enrichmap"].notna().all()
    not_fitted = bins["rctd_dominant"] == "filtered"
    assert not_fitted.any()
    assert bins.loc[not_fitted, "prop_Tumor"].isna().all()
    assert bins.loc[~not_fitted, "prop_Tumor"].notna().all()


def test_types_are_mostly_right(finished, sample):
    """Against the simulated truth; a broken join or a shifted frame brings this to chance."""
    truth = pd.read_parquet(sample / "truth" / "bins_008um.parquet")
    bins = tables(finished)["bins"]
    true_type = truth["dominant"].astype(str)
    for column in ("rctd_dominant", "flashdeconv_dominant"):
        fitted = bins[bins[column].notna() & (bins[column] != "filtered")]
        by_barcode = fitted.set_index(fitted.index.astype(str))[column].astype(str)
        common = by_barcode.index.intersection(true_type.index)
        assert len(common) > 50
        assert (by_barcode[common] == true_type[common]).mean() > 0.6


def test_figures_of_every_stage_are_there(finished):
    names = {path.name for path in (finished / "figures").glob("*.png")}
    expected = [
        "overview",
        "region",
        "stardist_outlines",
        "proseg_outlines",
        "n_counts_SIM",
        "pct_counts_mt_SIM",
        "mt_after_filtering_SIM",
        "islands",
        "connectivities",
        "domains_4",
        "domains_proportions_4",
        "domains_on_he",
        "flashdeconv_dominant",
        "flashdeconv_proportions",
        "rctd_dominant",
        "rctd_proportions",
        "cell_type_celltypist",
        "score_Tumor",
        "elbow_plot_novae_domains_5",
        "cell_types_spatial",
        "cell_types_on_he",
        "matrixplot",
        "dotplot_markers",
    ]
    assert {f"{name}.png" for name in expected} <= names


def test_a_second_run_does_nothing_and_says_so(finished, sample, monkeypatch, capfd):
    from napari_vhd import cli

    before = json.loads((finished / "run.json").read_text())["stages"]
    file = sample / "same.yaml"
    file.write_text(configure(sample).to_yaml())
    monkeypatch.setattr("sys.argv", ["napari-vhd", "run", str(file), "--run-dir", str(finished)])
    cli.main()
    out, err = capfd.readouterr()
    assert "nothing to do" in err
    assert out.splitlines()[-1] == str(finished.resolve())
    assert json.loads((finished / "run.json").read_text())["stages"] == before
    assert all(step.status == "done" for step in status_of(finished).steps)


def test_a_changed_parameter_runs_what_depends_on_it(finished, sample, tmp_path):
    copy = tmp_path / finished.name
    copy_run(finished, copy)
    config = configure(sample, smoothing=False)
    kept = {name: config.marker_genes[name] for name in ("Tumor", "Fibroblasts")}
    config = replace(config, marker_genes=kept)
    assert (copy / "figures" / "score_T_cells.png").exists()
    planned = []
    run_config(
        config, run_dir=copy, listen=lambda runner, _: runner.planned.connect(planned.append)
    )
    ran = [step.stage for step in planned[0][0] if step.runs]
    assert ran == ["enrichment"]
    cells = tables(copy)["cells"]
    pd.testing.assert_series_equal(
        cells["Tumor_score"], cells["Tumor_score_raw"], check_names=False
    )
    # No figure of what is no longer there.
    scores = {path.name for path in (copy / "figures").glob("score_*.png")}
    assert scores == {"score_Tumor.png", "score_Fibroblasts.png"}


def test_kept_boundaries_give_the_same_cells_and_counts(finished, sample, tmp_path):
    copy = copy_run(finished, tmp_path / finished.name)
    run_config(configure(sample, boundaries=str(finished)), run_dir=copy, until="qc")
    status = {step.stage: step.status for step in status_of(copy).steps}
    assert status["boundaries"] == status["qc"] == "done"
    with Session.open(copy) as session:
        cells = session.cells
    original = tables(finished)
    counts = pd.DataFrame(cells.X.toarray(), cells.obs_names, cells.var_names)
    pd.testing.assert_frame_equal(counts, original["counts"])
    assert {"kept", "area_um2"} <= set(cells.obs)
    pd.testing.assert_frame_equal(cells.obs, original["cells"][cells.obs.columns])


@pytest.mark.slow
def test_a_kept_proseg_result_gives_identical_tables(finished, sample):
    again = tables(run_config(configure(sample, boundaries=str(finished)))[0])
    original = tables(finished)
    for name, frame in again.items():
        assert set(frame) == set(original[name])
        pd.testing.assert_frame_equal(frame, original[name][frame.columns])


def test_a_session_goes_on_from_python(finished, tmp_path):
    copy = tmp_path / finished.name
    copy_run(finished, copy)
    with Session.open(copy, author="ab") as session:
        session.configure(pct_mito=8)
        session.run(until="qc")
        assert (session.cells.obs.loc[session.cells.obs["kept"], "pct_counts_mt"] < 8).all()
        with pytest.raises(BadInputError, match="pct_mto"):
            session.configure(pct_mto=8)
    status = {step.stage: step.status for step in status_of(copy).steps}
    assert status["qc"] == "done"
    assert status["domains"] == "stale"


@pytest.mark.slow
def test_nuclei_do_not_depend_on_where_patches_are_computed(sample):
    """Here, in two local processes, and by a dask scheduler that runs already."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    python = [sys.executable, "-m"]
    host, port = address.removeprefix("tcp://").split(":")
    commands = [
        [*python, "distributed.cli.dask_scheduler", "--host", host, "--port", port],
        [*python, "distributed.cli.dask_worker", address, "--nthreads", "1"],
    ]
    cluster = [
        subprocess.Popen([*command, "--no-dashboard"], stderr=subprocess.DEVNULL)
        for command in commands
    ]
    try:
        found = []
        for where in ({}, {"workers": 2}, {"scheduler": address}):
            (folder,) = run_config(configure(sample, patch_width=256), until="stardist", **where)
            with Session.open(folder) as session:
                found.append(session.boundaries("stardist_boundaries"))
    finally:
        for process in reversed(cluster):
            process.terminate()
            process.wait()
    assert len(found[0]) > 100
    # Processes have fewer threads each, and TensorFlow adds up in another order.
    for other in found[1:]:
        assert list(other.index) == list(found[0].index)
        same = shapely.equals_exact(
            other.geometry.to_numpy(), found[0].geometry.to_numpy(), tolerance=1e-3
        )
        assert same.all()
        np.testing.assert_allclose(other["probability"], found[0]["probability"], atol=1e-4)


@pytest.mark.slow
def test_two_samples_share_domains(tmp_path):
    from napari_vhd.io.simulate import simulate

    for seed, name in enumerate("AB"):
        simulate(tmp_path / name, size_px=600, seed=seed + 5, sample_id=name)
    data = yaml.safe_load((tmp_path / "A" / "config.yaml").read_text())
    data["paths"] = {"spaceranger_outs": ".", "processed": "processed"}
    data["samples"] = [
        {"id": name, "name": name, "fullres_image": f"{name}/tissue_image.tif"} for name in "AB"
    ]
    data["params"] |= QUICK | {"boundaries_to_type": "stardist"}
    folders = run_config(RunConfig.from_dict(data).resolved(tmp_path))
    assert [re.sub(r"_\d{8}_\d{4}$", "", folder.name) for folder in folders] == ["A", "B"]
    found = [tables(folder)["cells"] for folder in folders]
    shared = set(found[0]["novae_domains_5"].dropna()) & set(found[1]["novae_domains_5"].dropna())
    assert len(shared) >= 3
    csv = [folder / "enrichment_ranking_novae_domains_5.csv" for folder in folders]
    assert csv[0].read_text() == csv[1].read_text()
