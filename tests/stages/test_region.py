"""Cropping a sample: what is inside, where it lies, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import shapely
import tifffile
from spatialdata import SpatialData, get_extent, get_pyramid_levels
from spatialdata.transformations import get_transformation

from napari_vhd.config import Paths, RunConfig, SampleConfig
from napari_vhd.exceptions import BadInputError, StageError
from napari_vhd.parameters import RegionParameters
from napari_vhd.stages.region import STAGE
from napari_vhd.stages.stage import Inputs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_vhd.stages.stage import Outcome, Sample

BOX = (120.0, 150.0, 420.0, 400.0)


@pytest.fixture
def crop(simulated: Path, make_sample: Any) -> Callable[..., tuple[SpatialData, Outcome, Sample]]:
    def run(region: Any) -> tuple[SpatialData, Outcome, Sample]:
        sample = make_sample(
            outs=simulated / "outs", image=simulated / "tissue_image.tif", region=region
        )
        outcome = STAGE.run([sample], RegionParameters())[0]
        sdata = SpatialData.init_from_elements(dict(outcome.elements), attrs=dict(outcome.attrs))
        return sdata, outcome, sample

    return run


def _geojson(path: Path, **areas: Any) -> str:
    features = [
        {
            "type": "Feature",
            "geometry": json.loads(shapely.to_geojson(area)),
            "properties": {"classification": {"name": name}},
        }
        for name, area in areas.items()
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return str(path)


def _check(simulated: Path, region: Any) -> None:
    image = str(simulated / "tissue_image.tif")
    config = RunConfig(
        Paths(str(simulated)), (SampleConfig("demo", fullres_image=image, region=region),)
    )
    STAGE.check(Inputs(config, config.samples[0], simulated / "outs"))


def test_a_box_keeps_every_bin_it_touches_and_no_other(crop: Any, simulated: Path) -> None:
    sdata, outcome, _ = crop(BOX)
    squares = sdata["demo_square_002um"]
    assert squares.intersects(shapely.box(*BOX)).all()
    centres = squares.centroid
    inside = centres.x.between(BOX[0], BOX[2]) & centres.y.between(BOX[1], BOX[3])
    folder = simulated / "outs/binned_outputs/square_002um/spatial"
    every = pd.read_parquet(folder / "tissue_positions.parquet").query("in_tissue == 1")
    wanted = every["pxl_col_in_fullres"].between(BOX[0], BOX[2]) & every[
        "pxl_row_in_fullres"
    ].between(BOX[1], BOX[3])
    assert inside.sum() == wanted.sum()
    assert outcome.numbers["2 µm bins"] == len(squares) >= inside.sum()


@pytest.mark.parametrize("size", [2, 8, 16])
def test_tables_and_squares_name_the_same_bins_in_both_frames(crop: Any, size: int) -> None:
    sdata, _, _ = crop(BOX)
    table, squares = sdata[f"square_{size:03d}um"], sdata[f"demo_square_{size:03d}um"]
    assert list(table.obs["location_id"]) == list(squares.index)
    centres = np.column_stack([squares.centroid.x, squares.centroid.y])
    assert np.allclose(table.obsm["spatial"], centres)
    scale = get_transformation(squares, "microns").to_affine_matrix(("x", "y"), ("x", "y"))[0, 0]
    assert np.allclose(table.obsm["spatial_um"], centres * scale)
    assert np.allclose(np.sqrt(squares.area) * scale, size)


def test_the_image_is_cut_and_stays_in_its_place(crop: Any, simulated: Path) -> None:
    sdata, _, _ = crop(BOX)
    image = sdata["demo_full_image"]
    pixels = tifffile.imread(simulated / "tissue_image.tif")[150:400, 120:420]
    full = get_pyramid_levels(image, n=0)
    assert np.array_equal(full.values, pixels.transpose(2, 0, 1))
    assert len(list(get_pyramid_levels(image))) > 1
    extent = get_extent(image, coordinate_system="demo")
    assert (extent["x"], extent["y"]) == ((120, 420), (150, 400))
    microns = get_extent(image, coordinate_system="microns")
    bins = get_extent(sdata["demo_square_002um"], coordinate_system="microns")
    assert microns["x"][0] == pytest.approx(bins["x"][0], abs=2)
    assert microns["y"][1] == pytest.approx(bins["y"][1], abs=2)


def test_none_keeps_the_whole_slide(crop: Any, simulated: Path) -> None:
    sdata, outcome, _ = crop(None)
    folder = simulated / "outs/binned_outputs/square_002um/spatial"
    positions = pd.read_parquet(folder / "tissue_positions.parquet")
    assert outcome.numbers["2 µm bins"] == positions["in_tissue"].sum()
    assert outcome.numbers["region (px)"] == "600 x 600"
    assert sdata.attrs["bins_table"] == "square_002um"


def test_drawn_areas_keep_bins_by_their_centre_and_name_them(crop: Any, tmp_path: Path) -> None:
    left = shapely.Polygon([(120, 150), (250, 150), (120, 350)])
    right = shapely.box(300, 200, 420, 320)
    sdata, _, _ = crop(_geojson(tmp_path / "r.geojson", tumour=left, stroma=right))
    for size in (2, 8):
        table = sdata[f"square_{size:03d}um"]
        named = {"tumour": left, "stroma": right}
        assert set(table.obs["region_name"]) == set(named)
        for name, area in named.items():
            points = table.obsm["spatial"][table.obs["region_name"] == name]
            assert shapely.contains_xy(area, *points.T).all()
    outline = sdata["region_of_interest"]
    assert outline.union_all().difference(left.union(right)).area < 1e-6
    assert list(outline["name"]) == ["tumour", "stroma"]


def test_areas_that_overlap_are_counted_once(crop: Any, tmp_path: Path) -> None:
    first, second = shapely.box(150, 150, 300, 300), shapely.box(250, 150, 400, 300)
    sdata, _, _ = crop(_geojson(tmp_path / "r.geojson", first=first, second=second))
    table = sdata["square_002um"]
    assert table.obs_names.is_unique
    shared = shapely.contains_xy(first, *table.obsm["spatial"].T)
    assert (table.obs["region_name"][shared] == "first").all()


def test_the_outline_never_reaches_beyond_the_image(crop: Any) -> None:
    sdata, _, sample = crop((300.0, 300.0, 900.0, 900.0))
    xmin, ymin, xmax, ymax = sdata["region_of_interest"].total_bounds
    assert (xmin, ymin) == (300, 300)
    assert xmax <= 600
    assert ymax <= 600
    assert "was cut to [300, 300, 600, 600]" in sample.report.notices[0]


def test_the_crop_is_written_and_read_as_it_is(crop: Any, tmp_path: Path) -> None:
    sdata, _, _ = crop(BOX)
    sdata.write(tmp_path / "a.zarr")
    again = SpatialData.read(tmp_path / "a.zarr")
    assert (again["square_002um"].X != sdata["square_002um"].X).nnz == 0
    chunks = get_pyramid_levels(again["demo_full_image"], n=0).data.chunks
    assert [c[0] for c in chunks] == [3, 250, 300]


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ((400, 150, 120, 400), "xmin 400 is above xmax 120"),
        ((120, 400, 420, 150), "ymin 400 is above ymax 150"),
        ((120, 150, 120, 400), "no size along x"),
        ((700, 0, 900, 400), "outside the image, which is 600 x 600 px"),
        ((0, float("nan"), 100, 100), "no number"),
        ((0, 0, 3, 3), "no tissue inside"),
        ("none.geojson", "cannot be read"),
    ],
)
def test_a_region_that_makes_no_sense_is_refused_beforehand(
    simulated: Path, region: Any, said: str
) -> None:
    with pytest.raises(BadInputError, match=said):
        _check(simulated, region)


def test_good_regions_pass_the_check(simulated: Path, tmp_path: Path) -> None:
    for region in (None, BOX, _geojson(tmp_path / "r.geojson", a=shapely.box(*BOX))):
        _check(simulated, region)


def test_areas_without_tissue_are_refused_even_where_their_box_has_some(
    simulated: Path, tmp_path: Path, crop: Any
) -> None:
    far = shapely.MultiPolygon([shapely.box(0, 0, 2, 2), shapely.box(598, 598, 600, 600)])
    region = _geojson(tmp_path / "r.geojson", corners=far)
    with pytest.raises(BadInputError, match="no tissue inside"):
        _check(simulated, region)
    with pytest.raises(StageError, match="no 2 µm bin"):
        crop(region)
