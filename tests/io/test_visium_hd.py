"""Reading a checked Space Ranger folder."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from spatialdata import get_extent
from spatialdata.transformations import get_transformation

from napari_vhd.exceptions import StageError
from napari_vhd.io.visium_hd import check_outs, read

if TYPE_CHECKING:
    from pathlib import Path

    from spatialdata import SpatialData


@pytest.fixture(scope="module")
def sdata(simulated: Path) -> SpatialData:
    return read(check_outs(simulated / "outs", "demo", simulated / "tissue_image.tif"), "demo")


def test_elements_have_the_names_of_the_contract(sdata: SpatialData) -> None:
    assert set(sdata.images) == {f"demo_{kind}_image" for kind in ("full", "hires", "lowres")}
    squares = {f"demo_square_{size:03d}um" for size in (2, 8, 16)}
    assert set(sdata.shapes) == squares | {"region_of_interest"}
    assert set(sdata.tables) == {"square_002um", "square_008um", "square_016um"}
    assert sdata.attrs["cell_segmentation_image"] == "demo_full_image"
    assert sdata.attrs["tissue_segmentation_image"] == "demo_hires_image"
    assert sdata.attrs["bins_table"] == "square_002um"


def test_counts_are_those_of_the_file(sdata: SpatialData, simulated: Path) -> None:
    path = simulated / "outs/binned_outputs/square_008um/filtered_feature_bc_matrix.h5"
    with h5py.File(path) as file:
        assert sdata["square_008um"].X.sum() == file["matrix/data"][:].sum()


def test_the_image_is_the_file_and_is_opened_lazily(sdata: SpatialData, simulated: Path) -> None:
    image = sdata["demo_full_image"]
    assert not isinstance(image.data, np.ndarray)
    pixels = tifffile.imread(simulated / "tissue_image.tif")
    assert np.array_equal(image.data.compute(), pixels.transpose(2, 0, 1))


def test_every_element_lies_in_both_frames_alike(sdata: SpatialData, simulated: Path) -> None:
    scale = check_outs(simulated / "outs", "demo", simulated / "tissue_image.tif").microns_per_pixel
    for _, name, element in sdata.gen_spatial_elements():
        assert set(get_transformation(element, get_all=True)) == {"demo", "microns"}, name
        pixels = get_extent(element, coordinate_system="demo")
        microns = get_extent(element, coordinate_system="microns")
        assert np.allclose(np.multiply(pixels["x"], scale), microns["x"]), name
    full = get_extent(sdata["demo_full_image"], coordinate_system="demo")
    hires = get_extent(sdata["demo_hires_image"], coordinate_system="demo")
    assert np.allclose(full["y"], hires["y"], atol=3)


def test_overviews_are_placed_by_their_scale_factor(simulated: Path, tmp_path: Path) -> None:
    outs = shutil.copytree(simulated / "outs", tmp_path / "outs")
    picture = outs / "spatial/tissue_hires_image.png"
    Image.open(picture).resize((300, 300)).save(picture)
    for path in outs.rglob("scalefactors_json.json"):
        values = json.loads(path.read_text())
        path.write_text(json.dumps(values | {"tissue_hires_scalef": 0.5}))
    sdata = read(check_outs(outs, "demo", simulated / "tissue_image.tif"), "demo", (16,))
    extent = get_extent(sdata["demo_hires_image"], coordinate_system="demo")
    assert (extent["x"], extent["y"]) == ((0, 600), (0, 600))


def test_bins_lie_where_the_positions_say(sdata: SpatialData, simulated: Path) -> None:
    folder = simulated / "outs/binned_outputs/square_002um/spatial"
    positions = pd.read_parquet(folder / "tissue_positions.parquet").set_index("barcode")
    table = sdata["square_002um"]
    columns = ["pxl_col_in_fullres", "pxl_row_in_fullres"]
    assert np.allclose(table.obsm["spatial"], positions.loc[table.obs_names, columns])
    centres = sdata["demo_square_002um"].centroid
    assert np.allclose(table.obsm["spatial"][:, 0], centres.x)


def test_only_the_wanted_bins_are_read(simulated: Path) -> None:
    checked = check_outs(simulated / "outs", "demo", simulated / "tissue_image.tif")
    assert set(read(checked, "demo", bin_sizes=(16,)).tables) == {"square_016um"}


def test_a_prefixed_folder_with_segmented_outputs_and_equal_gene_names_is_read(
    simulated: Path, tmp_path: Path
) -> None:
    outs = shutil.copytree(simulated / "outs", tmp_path / "outs")
    (outs / "feature_slice.h5").rename(outs / "Colon_feature_slice.h5")
    (outs / "segmented_outputs/spatial").mkdir(parents=True)
    for name in ("cell_segmentations.geojson", "spatial/scalefactors_json.json"):
        (outs / "segmented_outputs" / name).write_text("not to be read")
    with h5py.File(outs / "binned_outputs/square_002um/filtered_feature_bc_matrix.h5", "a") as file:
        names = file["matrix/features/name"]
        names[1] = names[0]
    checked = check_outs(outs, "demo", simulated / "tissue_image.tif")
    sdata = read(checked, "demo")
    first = checked.genes[0]
    assert list(sdata["square_002um"].var_names[:2]) == [first, f"{first}-1"]
    assert "demo_square_002um" in sdata.shapes
    assert not any("segmentations" in name for name in sdata.shapes)


def test_what_headers_promised_but_is_not_there_is_one_sentence(
    simulated: Path, tmp_path: Path
) -> None:
    outs = shutil.copytree(simulated / "outs", tmp_path / "outs")
    path = outs / "binned_outputs/square_016um/spatial/tissue_positions.parquet"
    table = pd.read_parquet(path)
    table["barcode"] = table["barcode"] + "x"
    table.to_parquet(path, index=False)
    checked = check_outs(outs, "demo", simulated / "tissue_image.tif")
    with pytest.raises(StageError, match="sopa cannot read it"):
        read(checked, "demo")
