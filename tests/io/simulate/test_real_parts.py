"""Real parts of a sample: a picture's nuclei, a reference's cells, a layout's types."""

from __future__ import annotations

import json
from pathlib import Path

import anndata as ad
import geopandas as gpd
import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from scipy import sparse

from napari_vhd.exceptions import BadInputError
from napari_vhd.io.simulate import simulate
from napari_vhd.io.simulate.counts.reference import read_reference
from napari_vhd.io.simulate.real.names import LABEL_TO_REFERENCE, kind_of
from napari_vhd.io.simulate.tissue.celltypes import NAMES
from napari_vhd.io.simulate.tissue.shapes import rasterize

DATA = Path(__file__).parents[4] / "shared" / "data"
TYPES = ("Tumor cell", "Fibroblast", "T cell")


@pytest.fixture(scope="module")
def picture(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulated sample's picture as a plain PNG."""
    path = tmp_path_factory.mktemp("picture") / "he.png"
    Image.fromarray(tifffile.imread(simulated / "tissue_image.tif", key=0)).save(path)
    return path


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    labels = np.repeat(TYPES, 60)
    rate = np.full((len(labels), 220), 1.0)
    for number, name in enumerate(TYPES):
        rate[labels == name, number * 5 : number * 5 + 5] = 40
        rate[labels != name, number * 5 : number * 5 + 5] = 0
    cells = ad.AnnData(
        sparse.csr_matrix(rng.poisson(rate).astype(np.float32)),
        obs=pd.DataFrame({"kind": labels}, index=[f"c{i}" for i in range(len(labels))]),
        var=pd.DataFrame(index=[f"G{i}" for i in range(220)]),
    )
    path = tmp_path / "cells.h5ad"
    cells.write_h5ad(path)
    return path


def layout_file(path: Path, rows: int = 40, cols: int = 40) -> Path:
    row, col = np.indices((rows, cols)).reshape(2, -1)
    table = pd.DataFrame(
        {
            "barcode": [f"s_008um_{r:05d}_{c:05d}-1" for r, c in zip(row, col, strict=True)],
            "DeconvolutionLabel1": np.where(col < cols / 2, "Tumor II", "CAF"),
        }
    )
    table.to_csv(path, index=False)
    return path


def truth(sample: Path, name: str) -> gpd.GeoDataFrame:
    return gpd.read_parquet(sample / "truth" / f"{name}.parquet")


def test_cells_stand_on_the_nuclei_of_the_picture(
    simulated: Path, picture: Path, tmp_path: Path
) -> None:
    sample = simulate(tmp_path / "s", picture=picture, genes=300)
    known, found = truth(simulated, "nuclei"), truth(sample, "nuclei")
    hits = gpd.sjoin(found.set_geometry(found.representative_point()), known, predicate="within")
    assert len(hits) > 0.75 * len(found)
    assert hits.index_right.nunique() > 0.6 * len(known)
    pixels = tifffile.imread(sample / "tissue_image.tif", key=0)
    assert np.abs(pixels.astype(int) - np.asarray(Image.open(picture))).mean() < 4


def test_a_picture_larger_than_the_sample_is_cut_where_the_tissue_is(
    picture: Path, tmp_path: Path
) -> None:
    slide = np.full((800, 1500, 3), 245, np.uint8)
    slide[100:660, 900:1460] = np.asarray(Image.open(picture))[:560, :560]
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, slide, resolution=(20_000, 20_000), resolutionunit="CENTIMETER")
    sample = simulate(tmp_path / "s", picture=path, size_px=600, genes=300)
    parameters = json.loads((sample / "truth" / "params.json").read_text())
    assert parameters["shape_px"] == [600, 600]
    assert parameters["microns_per_pixel"] == pytest.approx(0.5)
    assert parameters["n_cells"] > 50


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.zeros((600, 600), np.uint8), "RGB"),
        (np.zeros((600, 600, 3), np.uint16), "RGB"),
        (np.zeros((400, 600, 3), np.uint8), "600 x 400 px"),
        (np.full((600, 600, 3), 245, np.uint8), "no nuclei"),
    ],
)
def test_pictures_that_are_no_he_are_refused(tmp_path: Path, pixels: np.ndarray, said: str) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, pixels)
    with pytest.raises(BadInputError, match=said):
        simulate(tmp_path / "s", picture=path)
    assert not (tmp_path / "s").exists()


def test_a_file_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_text("no picture")
    with pytest.raises(BadInputError, match=r"x\.png"):
        simulate(tmp_path / "s", picture=path)


def test_half_of_the_reference_is_held_out(reference: Path, tmp_path: Path) -> None:
    sample = simulate(
        tmp_path / "s", size_px=500, reference=reference, cell_type_col="kind", seed=1
    )
    held_out = ad.read_h5ad(sample / "reference.h5ad")
    whole = ad.read_h5ad(reference)
    assert held_out.obs["kind"].value_counts().to_dict() == dict.fromkeys(TYPES, 30)
    assert set(held_out.obs_names) < set(whole.obs_names)
    assert (held_out.X != whole[held_out.obs_names].X).nnz == 0
    assert list(held_out.var["feature_name"]) == list(whole.var_names)
    assert set(truth(sample, "cells").cell_type) == set(TYPES)


def test_no_cell_is_in_both_halves(reference: Path) -> None:
    used, held_out = read_reference(reference, "kind").split(seed=0)
    assert set(used.names).isdisjoint(held_out.names)
    assert len(used.names) == len(held_out.names) == 90


def test_cells_express_what_the_reference_cells_of_their_type_do(
    reference: Path, tmp_path: Path
) -> None:
    sample = simulate(tmp_path / "s", size_px=500, reference=reference, cell_type_col="kind")
    bins = pd.read_parquet(sample / "truth" / "bins_008um.parquet")
    file = sample / "outs/binned_outputs/square_008um/filtered_feature_bc_matrix.h5"
    with h5py.File(file) as h5:
        group = h5["matrix"]
        parts = (group["data"][:], group["indices"][:], group["indptr"][:])
        counts = sparse.csr_matrix(parts, shape=(len(bins), 220)).toarray()
    for number, name in enumerate(TYPES):
        own = counts[:, number * 5 : number * 5 + 5].sum(axis=1) / np.maximum(counts.sum(axis=1), 1)
        pure = bins[name].fillna(0).to_numpy() > 0.8
        assert own[pure].mean() > 4 * own[bins[name].fillna(0).to_numpy() < 0.1].mean()


def test_a_reference_without_the_column_or_counts_is_refused(
    reference: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match=r"no column 'ClusterMidway'.*kind"):
        simulate(tmp_path / "s", reference=reference)
    cells = ad.read_h5ad(reference)
    cells.X = cells.X * 0.5
    cells.write_h5ad(tmp_path / "half.h5ad")
    with pytest.raises(BadInputError, match="no raw counts"):
        simulate(tmp_path / "s", reference=tmp_path / "half.h5ad", cell_type_col="kind")
    (tmp_path / "junk.h5ad").write_text("junk")
    with pytest.raises(BadInputError, match="junk"):
        simulate(tmp_path / "s", reference=tmp_path / "junk.h5ad", cell_type_col="kind")
    assert not (tmp_path / "s").exists()


def test_types_lie_where_the_layout_has_them(tmp_path: Path) -> None:
    # The window is as large as the layout, so it can lie in one place only.
    layout = layout_file(tmp_path / "layout.csv.gz", 19, 19)
    sample = simulate(tmp_path / "s", size_px=520, genes=300, layout=layout)
    cells = truth(sample, "cells")
    edge = 9.5 * 8 / 0.2737
    left, right = cells.centroid.x < edge - 60, cells.centroid.x > edge + 60
    assert left.sum() > 20
    assert right.sum() > 20
    assert (cells.cell_type[left] == "Tumor").all()
    assert (cells.cell_type[right] == "Fibroblasts").all()


def test_picture_reference_and_layout_fit_together(
    picture: Path, reference: Path, tmp_path: Path
) -> None:
    sample = simulate(
        tmp_path / "s", picture=picture, reference=reference, cell_type_col="kind",
        layout=layout_file(tmp_path / "layout.csv", 21, 21),
    )  # fmt: skip
    cells = truth(sample, "cells")
    edge = 10.5 * 8 / 0.2737
    assert set(cells.cell_type[cells.centroid.x < edge - 60]) == {"Tumor cell"}
    assert set(cells.cell_type[cells.centroid.x > edge + 60]) == {"Fibroblast"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "barcode"),
        ("barcode,label\nAAAC-1,Tumor\n", "s_008um"),
        ("barcode\ns_008um_00000_00000-1\n", "no labels"),
        ("barcode,label\ns_008um_00000_00000-1,Tumor\n", "smaller"),
        ("barcode,label\ns_008um_90000_90000-1,Tumor\n", "no Visium HD slide"),
    ],
)
def test_a_table_that_is_no_layout_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "layout.csv"
    path.write_text(text)
    with pytest.raises(BadInputError, match=said):
        simulate(tmp_path / "s", size_px=500, layout=path)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *zip(NAMES, NAMES, strict=True),
        ("CD8 T cell", "T_cells"),
        ("Mature B", "B_cells"),
        ("Plasma", "B_cells"),
        ("Lymphatic Endothelial", "Endothelial_cells"),
        ("TAM", "Macrophages"),
        ("Normal Epithelial", "Enterocytes"),
        ("Tumor Epithelial", "Tumor"),
        ("SMC", "Fibroblasts"),
        ("T", "T_cells"),
        ("B", "B_cells"),
    ],
)
def test_names_of_types_are_understood(name: str, kind: str) -> None:
    assert NAMES[kind_of(name)] == kind


def test_every_label_of_the_map_is_understood() -> None:
    assert [label for label in LABEL_TO_REFERENCE if kind_of(label) is None] == []


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="needs the real data beside the repository")
def test_a_sample_of_real_parts(tmp_path: Path) -> None:
    sample = simulate(
        tmp_path / "s", size_px=3000, picture=DATA / "CMU-1-Small-Region.svs",
        reference=DATA / "crc_ref_counts.h5ad", cell_type_col="cell_type",
        layout=DATA / "DeconvolutionResults_P1CRC.csv.gz",
    )  # fmt: skip
    parameters = json.loads((sample / "truth" / "params.json").read_text())
    assert parameters["shape_px"] == [2967, 2220]
    assert parameters["microns_per_pixel"] == pytest.approx(0.499)
    nuclei = truth(sample, "nuclei")
    assert len(nuclei) > 2000
    pixels = tifffile.imread(sample / "tissue_image.tif", key=0)
    brightness = pixels.mean(axis=2)
    inside = rasterize(
        nuclei.centroid.x.to_numpy(), nuclei.centroid.y.to_numpy(), np.zeros(len(nuclei)),
        np.full((len(nuclei), 32), 3.0), brightness.shape,
    )  # fmt: skip
    assert brightness[inside > 0].mean() < brightness[inside == 0].mean() - 80
    types = parameters["cell_types"]
    assert types["Tumor Epithelial"] > 200
    assert sum(count > 0 for count in types.values()) >= 13
