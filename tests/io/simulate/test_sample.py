"""A simulated sample is a Space Ranger folder, and its truth is the truth of its counts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anndata as ad
import geopandas as gpd
import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml
from scipy import ndimage as ndi
from scipy import sparse

from napari_vhd.exceptions import BadInputError
from napari_vhd.io.simulate import simulate
from napari_vhd.io.simulate.tissue.celltypes import TYPES

if TYPE_CHECKING:
    from pathlib import Path

SMALL = {"size_px": 500, "genes": 300}


def bins_folder(sample: Path, size_um: int) -> Path:
    return sample / "outs" / "binned_outputs" / f"square_{size_um:03d}um"


def read_matrix(sample: Path, size_um: int) -> tuple[sparse.csr_matrix, pd.Index, list[str]]:
    with h5py.File(bins_folder(sample, size_um) / "filtered_feature_bc_matrix.h5") as file:
        group = file["matrix"]
        genes, bins = group["shape"][:]
        parts = (group["data"][:], group["indices"][:], group["indptr"][:])
        names = group["features/name"].asstr()[:].tolist()
        barcodes = pd.Index(group["barcodes"].asstr()[:])
    return sparse.csr_matrix(parts, shape=(bins, genes)), barcodes, names


def positions(sample: Path, size_um: int) -> pd.DataFrame:
    return pd.read_parquet(bins_folder(sample, size_um) / "spatial" / "tissue_positions.parquet")


@pytest.fixture(scope="module")
def origin(simulated: Path) -> sparse.csr_matrix:
    return sparse.load_npz(simulated / "truth" / "umi_origin_002um.npz")


def test_sopa_reads_it_unchanged(simulated: Path) -> None:
    import sopa

    sdata = sopa.io.visium_hd(
        simulated / "outs", dataset_id="demo", fullres_image_file=simulated / "tissue_image.tif"
    )
    assert set(sdata.tables) == {"square_002um", "square_008um", "square_016um"}
    assert {"demo_full_image", "demo_hires_image", "demo_lowres_image"} <= set(sdata.images)
    assert {f"demo_square_{size:03d}um" for size in (2, 8, 16)} <= set(sdata.shapes)
    assert sdata.attrs["bins_table"] == "square_002um"
    counts, barcodes, names = read_matrix(simulated, 2)
    table = sdata.tables["square_002um"]
    assert list(table.obs_names) == list(barcodes)
    assert list(table.var_names) == names
    assert (counts != table.X).nnz == 0


def test_bins_lie_on_the_tissue_of_the_picture(simulated: Path) -> None:
    pixels = tifffile.imread(simulated / "tissue_image.tif", key=0)
    places = positions(simulated, 8)
    # Lumina are white too; away from bins there is nothing but glass.
    brightness = ndi.uniform_filter(pixels.mean(axis=2), 15)
    at = (places.pxl_row_in_fullres.astype(int), places.pxl_col_in_fullres.astype(int))
    in_tissue = places.in_tissue.to_numpy() == 1
    assert in_tissue.any()
    assert (~in_tissue).any()
    assert np.median(brightness[at][in_tissue]) < 210
    assert brightness[at][~in_tissue].min() > 215
    assert places.pxl_row_in_fullres.max() < pixels.shape[0]
    assert places.pxl_col_in_fullres.max() < pixels.shape[1]


@pytest.mark.parametrize("size_um", [2, 8, 16])
def test_scale_factors_agree(simulated: Path, size_um: int) -> None:
    path = bins_folder(simulated, size_um) / "spatial" / "scalefactors_json.json"
    factors = json.loads(path.read_text())
    assert factors["bin_size_um"] == size_um
    ratio = factors["bin_size_um"] / factors["spot_diameter_fullres"]
    assert ratio == pytest.approx(factors["microns_per_pixel"])
    steps = np.diff(np.unique(positions(simulated, size_um).pxl_col_in_fullres))
    assert steps == pytest.approx(factors["spot_diameter_fullres"])


@pytest.mark.parametrize("size_um", [8, 16])
def test_coarse_bins_are_sums_of_fine_ones(simulated: Path, size_um: int) -> None:
    fine, barcodes, _ = read_matrix(simulated, 2)
    coarse, names, _ = read_matrix(simulated, size_um)
    places = barcodes.str.extract(r"_(\d+)_(\d+)-1").astype(int) // (size_um // 2)
    owners = pd.Index([f"s_{size_um:03d}um_{r:05d}_{c:05d}-1" for r, c in places.to_numpy()])
    group = names.get_indexer(owners)
    assert (group >= 0).all()
    ones = np.ones(len(group))
    pooled = sparse.csr_matrix((ones, (group, np.arange(len(group))))) @ fine
    assert abs(pooled - coarse).sum() == 0


def test_every_transcript_has_an_origin(simulated: Path, origin: sparse.csr_matrix) -> None:
    counts, barcodes, _ = read_matrix(simulated, 2)
    cells = gpd.read_parquet(simulated / "truth" / "cells.parquet")
    assert origin.shape == (counts.shape[0], len(cells) + 1)
    assert np.array_equal(origin.sum(axis=1), counts.sum(axis=1))
    ambient = origin[:, 0].sum() / origin.sum()
    assert 0.015 < ambient < 0.025
    fine = pd.read_parquet(simulated / "truth" / "bins_002um.parquet")
    assert fine.index.equals(barcodes.rename("barcode"))
    assert np.array_equal(fine.n_umis, np.asarray(counts.sum(axis=1)).ravel())


def test_transcripts_lie_in_their_cell_but_spill(
    simulated: Path, origin: sparse.csr_matrix
) -> None:
    places = positions(simulated, 2).query("in_tissue == 1")
    points = gpd.GeoDataFrame(
        geometry=gpd.points_from_xy(places.pxl_col_in_fullres, places.pxl_row_in_fullres)
    )
    cells = gpd.read_parquet(simulated / "truth" / "cells.parquet")
    hit = gpd.sjoin(points, cells.reset_index(names="row"), predicate="within")
    within = np.asarray(origin[hit.index.to_numpy(), hit.row.to_numpy() + 1]).sum()
    share = within / origin[:, 1:].sum()
    assert 0.78 < share < 0.9


def test_type_fractions_are_those_of_the_transcripts(
    simulated: Path, origin: sparse.csr_matrix
) -> None:
    cells = gpd.read_parquet(simulated / "truth" / "cells.parquet")
    coarse = pd.read_parquet(simulated / "truth" / "bins_008um.parquet")
    barcodes = positions(simulated, 2).query("in_tissue == 1").barcode
    places = barcodes.str.extract(r"_(\d+)_(\d+)-1").astype(int).to_numpy() // 4
    owner = np.array([f"s_008um_{r:05d}_{c:05d}-1" for r, c in places])
    bin_ = coarse.index[len(coarse) // 2]
    of_cells = np.asarray(origin[owner == bin_, 1:].sum(axis=0)).ravel()
    by_type = pd.Series(of_cells).groupby(cells.cell_type.to_numpy(), observed=True).sum()
    expected = by_type / by_type.sum()
    assert coarse.loc[bin_, expected.index].to_numpy(float) == pytest.approx(expected.to_numpy())
    assert coarse.loc[bin_, "dominant"] == expected.idxmax()


def test_outlines_do_not_overlap_and_cells_hold_their_nuclei(simulated: Path) -> None:
    nuclei = gpd.read_parquet(simulated / "truth" / "nuclei.parquet")
    cells = gpd.read_parquet(simulated / "truth" / "cells.parquet")
    assert list(nuclei.cell_id) == list(cells.cell_id)
    for frame in (nuclei, cells):
        assert frame.is_valid.all()
        pairs = frame.sindex.query(frame.geometry, predicate="overlaps")
        first, second = frame.geometry.iloc[pairs[0]], frame.geometry.iloc[pairs[1]]
        shared = first.intersection(second, align=False).area.sum() / 2
        assert shared < 1e-3 * frame.area.sum()
    inside = nuclei.intersection(cells.geometry).area / nuclei.area
    assert inside.min() > 0.99
    touching = cells.sindex.query(cells.buffer(0.5), predicate="intersects")
    assert (np.bincount(touching[0]) > 1).mean() > 0.9


@pytest.mark.parametrize("name", [t.name for t in TYPES])
def test_markers_are_expressed_by_the_right_type(simulated: Path, name: str) -> None:
    counts, barcodes, symbols = read_matrix(simulated, 8)
    truth = pd.read_parquet(simulated / "truth" / "bins_008um.parquet").loc[barcodes]
    markers = yaml.safe_load((simulated / "config.yaml").read_text())["marker_genes"][name]
    assert len(markers) >= 10
    share = np.asarray(counts[:, [symbols.index(g) for g in markers]].sum(axis=1)).ravel()
    share = share / np.maximum(np.asarray(counts.sum(axis=1)).ravel(), 1)
    own = truth[name].fillna(0).to_numpy() > 0.7
    assert own.any()
    assert share[own].mean() > 3 * share[truth[name].fillna(0).to_numpy() < 0.05].mean()


def test_mitochondrial_genes_are_raised_at_the_rim(simulated: Path) -> None:
    counts, _, symbols = read_matrix(simulated, 8)
    places = positions(simulated, 8)
    shape = (places.array_row.max() + 1, places.array_col.max() + 1)
    tissue = places.in_tissue.to_numpy().reshape(shape) == 1
    depth = (8 * ndi.distance_transform_edt(tissue))[tissue]
    mt = [i for i, symbol in enumerate(symbols) if symbol.startswith("MT-")]
    assert len(mt) == 13
    total = np.asarray(counts.sum(axis=1)).ravel()
    of_mt = np.asarray(counts[:, mt].sum(axis=1)).ravel()
    rim, core = depth < 20, depth > 50
    assert of_mt[rim].sum() / total[rim].sum() > 1.3 * of_mt[core].sum() / total[core].sum()


def test_depth_is_what_was_asked_for(simulated: Path) -> None:
    counts, _, _ = read_matrix(simulated, 2)
    assert counts.sum() / counts.shape[0] == pytest.approx(11, rel=0.12)


def test_picture_is_a_tiled_pyramid(simulated: Path) -> None:
    with tifffile.TiffFile(simulated / "tissue_image.tif") as tiff:
        series = tiff.series[0]
        assert series.shape == (600, 600, 3)
        assert [level.shape[0] for level in series.levels] == [600, 300]
        assert series.keyframe.is_tiled


def test_reference_is_as_cellxgene_ships(simulated: Path) -> None:
    reference = ad.read_h5ad(simulated / "reference.h5ad")
    assert reference.var_names.str.fullmatch(r"ENSG\d{11}").all()
    assert "REG1A" in set(reference.var["feature_name"])
    assert reference.obs["ClusterMidway"].value_counts().min() >= 60
    assert isinstance(reference.X, sparse.csr_matrix)
    assert np.array_equal(reference.X.data, np.round(reference.X.data))


def test_config_names_only_what_is_there(simulated: Path) -> None:
    from napari_vhd.config import RunConfig

    config = RunConfig.from_yaml(simulated / "config.yaml")
    assert config.samples[0].id == "demo"
    text = (simulated / "config.yaml").read_text()
    assert str(simulated) not in text
    _, _, symbols = read_matrix(simulated, 16)
    for genes in config.marker_genes.values():
        assert set(genes) <= set(symbols)


def contents(sample: Path) -> dict[str, object]:
    found: dict[str, object] = {"picture": tifffile.imread(sample / "tissue_image.tif").tobytes()}
    for size in (2, 8, 16):
        matrix, barcodes, _ = read_matrix(sample, size)
        found[f"counts {size}"] = (matrix.data.tobytes(), matrix.indices.tobytes(), tuple(barcodes))
        found[f"places {size}"] = positions(sample, size).to_csv()
    for name in ("nuclei", "cells"):
        frame = gpd.read_parquet(sample / "truth" / f"{name}.parquet")
        found[name] = frame.to_wkb().to_csv()
    found["reference"] = ad.read_h5ad(sample / "reference.h5ad").X.toarray().tobytes()
    return found


def test_the_seed_decides_everything(tmp_path: Path) -> None:
    first, again, other = (
        contents(simulate(tmp_path / name, seed=seed, **SMALL))
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert {k for k in first if first[k] != again[k]} == set()
    assert {k for k in first if first[k] == other[k]} == set()


def test_the_number_of_cells_can_be_set(tmp_path: Path) -> None:
    sample = simulate(tmp_path / "s", cells=40, **SMALL)
    assert len(gpd.read_parquet(sample / "truth" / "cells.parquet")) == 40
    with pytest.raises(BadInputError, match=r"holds \d+"):
        simulate(tmp_path / "t", cells=100_000, **SMALL)


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(BadInputError, match="not an empty folder"):
        simulate(tmp_path, **SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"size_px": 499}, "500 to 20000"),
        ({"size_px": 20_001}, "500 to 20000"),
        ({"genes": 199}, "200 to 20000"),
        ({"cells": 0}, "1 or more"),
        ({"seed": -1}, "seed is -1"),
        ({"umis_per_bin": 0.0}, "umis_per_bin is 0"),
        ({"umis_per_bin": float("nan")}, "umis_per_bin is nan"),
        ({"sample_id": "../x"}, "sample_id"),
        ({"picture": "nowhere.svs"}, "nowhere.svs"),
        ({"reference": "nowhere.h5ad"}, "nowhere.h5ad"),
        ({"layout": "nowhere.csv"}, "nowhere.csv"),
    ],
)
def test_bad_arguments_leave_nothing_behind(
    tmp_path: Path, arguments: dict[str, object], said: str
) -> None:
    for name in ("picture", "reference", "layout"):
        if name in arguments:
            arguments = {name: tmp_path / str(arguments[name])}
    with pytest.raises(BadInputError, match=said):
        simulate(tmp_path / "new", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(what: str, share: float) -> None:
        if what == "counts":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path / "new", progress=stop, **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match="cannot be made"):
        simulate(tmp_path / "file" / "new", **SMALL)


def test_progress_only_grows(tmp_path: Path) -> None:
    shares: list[float] = []
    simulate(tmp_path / "new", progress=lambda what, share: shares.append(share), **SMALL)
    assert shares == sorted(shares)
    assert shares[-1] == 1
