"""StarDist nuclei: with the shipped model, on a small simulated sample."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from spatialdata import SpatialData, read_zarr
from spatialdata.transformations import Identity, get_transformation

from napari_vhd import keys
from napari_vhd.exceptions import StageError
from napari_vhd.io.visium_hd import quiet
from napari_vhd.parameters import PatchesParameters, RegionParameters, StardistParameters
from napari_vhd.runner.executor import Processes
from napari_vhd.stages import patches, region, stardist
from napari_vhd.stages.stardist import Nuclei

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

SHIPPED = StardistParameters(stardist_model="vhd-he-small")
REGION = (60, 100, 460, 480)
OVERLAP = PatchesParameters(patch_width=256, patch_overlap=60)
RUNS: dict[str, gpd.GeoDataFrame] = {}


class Backwards:
    """Gives the last patch first."""

    def __init__(self, beside: Processes) -> None:
        self._beside = beside

    def map(
        self, function: Callable[[Any], Any], items: Sequence[Any]
    ) -> Iterator[tuple[int, Any]]:
        for index in reversed(range(len(items))):
            for _, result in self._beside.map(function, [items[index]]):
                yield index, result


@pytest.fixture
def cropped(simulated: Path, make_sample: Any) -> SpatialData:
    given = {"outs": simulated / "outs", "image": simulated / "tissue_image.tif"}
    outcome = region.STAGE.run([make_sample(region=REGION, **given)], RegionParameters())[0]
    sdata = SpatialData.init_from_elements(dict(outcome.elements))
    made = patches.STAGE.run([make_sample(sdata)], OVERLAP)[0]
    sdata[keys.IMAGE_PATCHES] = made.elements[keys.IMAGE_PATCHES]
    return sdata


def run(make_sample: Any, sdata: SpatialData, **given: Any) -> gpd.GeoDataFrame:
    parameters = given.pop("parameters", SHIPPED)
    outcome = stardist.STAGE.run([make_sample(sdata, **given)], parameters)[0]
    return outcome.elements[keys.STARDIST]


@pytest.fixture
def nuclei(cropped: SpatialData, make_sample: Any, beside: Processes) -> gpd.GeoDataFrame:
    """Nuclei of the region; found once for all tests here."""
    if "all" not in RUNS:
        RUNS["all"] = run(make_sample, cropped, executor=beside)
    return RUNS["all"]


@pytest.mark.tools
def test_each_nucleus_keeps_its_probability(nuclei):
    from napari_vhd.io.models import stardist_folder

    threshold = (stardist_folder("vhd-he-small") / "thresholds.json").read_text()
    own = float(threshold.split('"prob":')[1].split(",")[0].strip(" }\n"))
    assert nuclei[keys.PROBABILITY].between(own, 1).all()
    assert nuclei[keys.PROBABILITY].nunique() > len(nuclei) / 2


@pytest.mark.tools
def test_nuclei_lie_where_they_were_drawn(nuclei, simulated):
    """To less than half a pixel: the half between a pixel's centre and corner is accounted for."""
    truth = gpd.read_parquet(simulated / "truth" / "nuclei.parquet").geometry.to_numpy()
    truth = truth[shapely.within(truth, shapely.box(*REGION))]
    found = nuclei.geometry.to_numpy()
    drawn, seen = shapely.STRtree(found).query(truth, predicate="intersects")
    common = shapely.area(shapely.intersection(truth[drawn], found[seen]))
    union = shapely.area(truth[drawn]) + shapely.area(found[seen]) - common
    same = common / union > 0.5
    assert same.sum() > 0.75 * len(truth)
    places = [
        shapely.get_coordinates(shapely.centroid(outlines))
        for outlines in (found[seen[same]], truth[drawn[same]])
    ]
    assert np.abs((places[0] - places[1]).mean(axis=0)).max() < 0.3


@pytest.mark.tools
def test_nuclei_do_not_overlap_and_stay_in_the_region(nuclei):
    outlines = nuclei.geometry.to_numpy()
    assert shapely.is_valid(outlines).all()
    assert set(shapely.get_type_id(outlines)) == {int(shapely.GeometryType.POLYGON)}
    assert shapely.area(shapely.union_all(outlines)) == pytest.approx(
        shapely.area(outlines).sum(), rel=1e-6
    )
    assert shapely.box(*REGION).buffer(1e-6).covers(shapely.box(*shapely.total_bounds(outlines)))


@pytest.mark.tools
def test_vertices_are_in_the_frame_of_the_sample(nuclei):
    assert isinstance(get_transformation(nuclei, "demo"), Identity)
    scale = get_transformation(nuclei, keys.MICRONS).to_affine_matrix(("x", "y"), ("x", "y"))
    assert np.allclose(nuclei.area * scale[0, 0] ** 2, nuclei[keys.AREA_UM2])


@pytest.mark.tools
def test_ids_and_outlines_do_not_depend_on_the_order_of_patches(
    nuclei, cropped, make_sample, beside
):
    again = run(make_sample, cropped, executor=Backwards(beside))
    assert_same(again, nuclei)
    y = shapely.get_y(shapely.centroid(nuclei.geometry.to_numpy()))
    assert nuclei.index[0] == "n000001"
    assert (np.diff(np.round(y, 3)) >= 0).all()


@pytest.mark.tools
@pytest.mark.slow
def test_two_processes_find_the_same_from_the_store_on_disk(
    nuclei, cropped, make_sample, tmp_path, monkeypatch
):
    if (os.cpu_count() or 1) < 2:
        pytest.skip("one core only")
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    with quiet():
        cropped.write(tmp_path / "sample.zarr")
        stored = read_zarr(tmp_path / "sample.zarr")
    with Processes(2) as processes:
        assert_same(run(make_sample, stored, executor=processes), nuclei)


@pytest.mark.tools
def test_no_nuclei_is_said_with_the_mend(cropped, make_sample, beside):
    nothing = StardistParameters(stardist_model="vhd-he-small", prob_thresh=1.0)
    with pytest.raises(StageError, match="found no nuclei; choose a region with tissue"):
        run(make_sample, cropped, parameters=nothing, executor=beside)


def test_a_picture_that_is_not_rgb_is_refused(cropped, make_sample):
    from spatialdata.models import Image2DModel

    name = keys.full_image("demo")
    grey = Image2DModel.parse(
        np.zeros((1, 50, 50), np.uint8),
        dims=("c", "y", "x"),
        transformations=get_transformation(cropped[name], get_all=True),
    )
    del cropped.images[name]
    cropped[name] = grey
    with pytest.raises(StageError, match="RGB"):
        run(make_sample, cropped)


def square(x: float, y: float, side: float = 10) -> Any:
    return shapely.box(x, y, x + side, y + side)


def of(*pairs: tuple[Any, float]) -> Nuclei:
    return Nuclei(np.array([o for o, _ in pairs]), np.array([p for _, p in pairs]))


def test_a_nucleus_that_two_patches_saw_is_one_with_the_higher_probability():
    both = stardist.joined(
        [of((square(0, 0), 0.6), (square(100, 0), 0.9)), of((square(1, 0), 0.8))], 20
    )
    assert sorted(both.probability) == [0.8, 0.9]
    assert sorted(shapely.area(both.outlines)) == [100, 110]


def test_shared_area_goes_to_the_more_probable_nucleus():
    apart = stardist.joined([of((square(0, 0), 0.6), (square(8, 0), 0.7))], 20)
    area = dict(zip(apart.probability, shapely.area(apart.outlines), strict=True))
    assert area == {0.6: 80, 0.7: 100}


def test_what_is_left_of_a_nucleus_must_reach_the_least_area():
    apart = stardist.joined([of((square(0, 0), 0.6), (square(1, 0), 0.7))], 20)
    assert list(apart.probability) == [0.7]


def assert_same(a: gpd.GeoDataFrame, b: gpd.GeoDataFrame) -> None:
    assert list(a.index) == list(b.index)
    assert (a.geometry.to_wkb() == b.geometry.to_wkb()).all()
    assert (a[keys.PROBABILITY] == b[keys.PROBABILITY]).all()
