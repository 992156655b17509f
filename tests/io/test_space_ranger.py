"""Bad input is found by headers, before anything heavy is imported, and said in one sentence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import h5py
import pandas as pd
import pytest
import tifffile
from PIL import Image

from napari_vhd.exceptions import BadInputError
from napari_vhd.io.outs import find_image, find_outs, input_files
from napari_vhd.io.space_ranger import check_outs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BIN_2 = "binned_outputs/square_002um"


@pytest.fixture
def outs(simulated: Path, tmp_path: Path) -> Path:
    """A Space Ranger folder to damage."""
    return shutil.copytree(simulated / "outs", tmp_path / "outs")


@pytest.fixture
def image(simulated: Path) -> Path:
    return simulated / "tissue_image.tif"


def _edit_json(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def _rename_column(path: Path) -> None:
    pd.read_parquet(path).rename(columns={"array_row": "row"}).to_parquet(path, index=False)


def _drop_attribute(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file.attrs["metadata_json"]


def _empty_matrix(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["matrix/barcodes"]


def _cut_positions(path: Path) -> None:
    pd.read_parquet(path).query("in_tissue == 1").iloc[:-1].to_parquet(path, index=False)


def _no_tissue(outs: Path) -> None:
    for path in outs.rglob("tissue_positions.parquet"):
        pd.read_parquet(path).assign(in_tissue=0).to_parquet(path, index=False)


def test_a_good_folder_is_described_by_its_headers(outs: Path, image: Path) -> None:
    found = check_outs(outs, "demo", image)
    with tifffile.TiffFile(image) as tif:
        assert (found.image.height, found.image.width) == tif.series[0].shape[:2]
    with h5py.File(outs / BIN_2 / "filtered_feature_bc_matrix.h5") as file:
        assert found.bins[2] == len(file["matrix/barcodes"])
        assert len(found.genes) == len(file["matrix/features/name"])
    scales = json.loads((outs / BIN_2 / "spatial/scalefactors_json.json").read_text())
    assert found.microns_per_pixel == scales["microns_per_pixel"]
    assert set(found.bins) == {2, 8, 16}
    assert found.duplicate_genes == ()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (shutil.rmtree, "missing or empty"),
        (lambda o: [shutil.rmtree(o), o.mkdir()], "missing or empty"),
        (lambda o: (o / "feature_slice.h5").unlink(), "no feature_slice.h5"),
        (lambda o: (o / "feature_slice.h5").write_text("junk"), "no HDF5 file"),
        (lambda o: _drop_attribute(o / "feature_slice.h5"), "metadata_json"),
        (lambda o: shutil.rmtree(o / "binned_outputs"), "no 2 µm bins"),
        (lambda o: shutil.rmtree(o / BIN_2), "no 2 µm bins"),
        (lambda o: (o / BIN_2 / "filtered_feature_bc_matrix.h5").unlink(), "is missing"),
        (lambda o: _empty_matrix(o / BIN_2 / "filtered_feature_bc_matrix.h5"), "no whole"),
        (lambda o: (o / BIN_2 / "spatial/tissue_positions.parquet").unlink(), "is missing"),
        (
            lambda o: (o / BIN_2 / "spatial/tissue_positions.parquet").write_text("junk"),
            "no parquet file",
        ),
        (lambda o: _rename_column(o / BIN_2 / "spatial/tissue_positions.parquet"), "columns"),
        (lambda o: (o / BIN_2 / "spatial/scalefactors_json.json").unlink(), "is missing"),
        (lambda o: (o / BIN_2 / "spatial/scalefactors_json.json").write_text("{"), "damaged"),
        (
            lambda o: _edit_json(o / BIN_2 / "spatial/scalefactors_json.json", bin_size_um=3),
            "bin_size_um is 3, not 2",
        ),
        (
            lambda o: _edit_json(
                o / BIN_2 / "spatial/scalefactors_json.json", microns_per_pixel=0.5
            ),
            "microns_per_pixel is 0.5",
        ),
        (
            lambda o: _edit_json(
                o / BIN_2 / "spatial/scalefactors_json.json",
                microns_per_pixel=0.5,
                spot_diameter_fullres=4.0,
            ),
            "differs between the bin sizes",
        ),
        (
            lambda o: _cut_positions(o / BIN_2 / "spatial/tissue_positions.parquet"),
            "copy both from one run",
        ),
        (_no_tissue, "no bin is under tissue"),
    ],
)
def test_a_damaged_folder_is_refused_with_a_sentence(
    outs: Path, image: Path, damage: Callable[[Path], object], said: str
) -> None:
    damage(outs)
    with pytest.raises(BadInputError, match=said) as caught:
        check_outs(outs, "demo", image)
    assert str(outs) in str(caught.value)


def test_8_and_16_um_bins_are_only_missed_where_used(outs: Path, image: Path) -> None:
    shutil.rmtree(outs / "binned_outputs/square_008um")
    assert set(check_outs(outs, "demo", image).bins) == {2, 16}
    with pytest.raises(BadInputError, match="no 8 µm bins"):
        check_outs(outs, "demo", image, needed=(2, 8))


def test_a_picture_that_does_not_cover_the_bins_is_refused(
    outs: Path, image: Path, tmp_path: Path
) -> None:
    overview = tmp_path / "overview.png"
    Image.fromarray(tifffile.imread(image)[::2, ::2]).save(overview)
    with pytest.raises(BadInputError, match="the bins reach to"):
        check_outs(outs, "demo", overview)


def test_genes_of_the_same_name_are_reported(outs: Path, image: Path) -> None:
    path = outs / BIN_2 / "filtered_feature_bc_matrix.h5"
    with h5py.File(path, "a") as file:
        names = file["matrix/features/name"]
        first = names[0]
        names[1] = first
    assert check_outs(outs, "demo", image).duplicate_genes == (first.decode(),)


def test_any_prefix_of_the_feature_slice_will_do(outs: Path, image: Path) -> None:
    (outs / "feature_slice.h5").rename(outs / "Colon_1_feature_slice.h5")
    assert check_outs(outs, "demo", image).bins
    shutil.copy(image, outs / "Colon_1_tissue_image.tif")
    assert find_image(outs, None).name == "Colon_1_tissue_image.tif"


def test_the_image_is_looked_for_where_sopa_does(outs: Path, image: Path) -> None:
    with pytest.raises(BadInputError, match="name it as fullres_image"):
        find_image(outs, None)
    shutil.copy(image, outs / "tissue_image.tif")
    assert find_image(outs, None) == outs / "tissue_image.tif"
    (outs / "microscope_image").mkdir()
    shutil.copy(image, outs / "microscope_image/a.tif")
    assert find_image(outs, None).name == "a.tif"
    shutil.copy(image, outs / "microscope_image/b.tif")
    with pytest.raises(BadInputError, match=r"several images \(a.tif, b.tif\)"):
        find_image(outs, None)
    assert find_image(outs, image) == image


def test_the_sample_is_found_in_its_folder_or_alone(tmp_path: Path) -> None:
    (tmp_path / "binned_outputs").mkdir()
    assert find_outs(tmp_path, "a", single=True) == tmp_path
    with pytest.raises(BadInputError, match="no binned_outputs of sample 'a'") as caught:
        find_outs(tmp_path, "a", single=False)
    assert str(tmp_path / "a" / "outs") in str(caught.value)
    (tmp_path / "outs/binned_outputs").mkdir(parents=True)
    assert find_outs(tmp_path, "a", single=True) == tmp_path / "outs"
    (tmp_path / "a/binned_outputs").mkdir(parents=True)
    assert find_outs(tmp_path, "a", single=False) == tmp_path / "a"
    (tmp_path / "a/outs").mkdir()
    assert find_outs(tmp_path, "a", single=True) == tmp_path / "a/outs"


def test_every_file_that_is_read_is_an_input(outs: Path, image: Path) -> None:
    found = {str(file.relative_to(outs)) for file in input_files(outs, image) if file != image}
    assert f"{BIN_2}/filtered_feature_bc_matrix.h5" in found
    assert f"{BIN_2}/spatial/tissue_positions.parquet" in found
    assert "feature_slice.h5" in found
    assert "spatial/tissue_hires_image.png" in found
    assert image in input_files(outs, image)


def test_checking_imports_nothing_heavy(outs: Path, image: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from napari_vhd.io.space_ranger import check_outs; "
        "check_outs(Path(sys.argv[1]), 'demo', Path(sys.argv[2])); "
        "heavy = {'sopa', 'spatialdata', 'scanpy', 'geopandas', 'dask'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code, outs, image], check=True)
