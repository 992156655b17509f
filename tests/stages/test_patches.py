"""Patches cover the tissue and lie within the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shapely
from shapely.affinity import translate
from spatialdata import SpatialData
from spatialdata.transformations import get_transformation

from napari_vhd.exceptions import StageError
from napari_vhd.parameters import PatchesParameters, RegionParameters
from napari_vhd.stages import region
from napari_vhd.stages.patches import STAGE

if TYPE_CHECKING:
    from pathlib import Path

BOX = (120.0, 150.0, 420.0, 400.0)


@pytest.fixture
def sdata(simulated: Path, make_sample: Any) -> SpatialData:
    sample = make_sample(outs=simulated / "outs", image=simulated / "tissue_image.tif", region=BOX)
    outcome = region.STAGE.run([sample], RegionParameters())[0]
    return SpatialData.init_from_elements(dict(outcome.elements), attrs=dict(outcome.attrs))


def _patches(sdata: SpatialData, make_sample: Any, **parameters: int) -> Any:
    outcome = STAGE.run([make_sample(sdata)], PatchesParameters(**parameters))[0]
    return outcome.elements["image_patches"]


def test_patches_cover_the_outline_with_the_overlap(sdata: Any, make_sample: Any) -> None:
    patches = _patches(sdata, make_sample, patch_width=160, patch_overlap=20)
    outline = sdata["region_of_interest"].union_all()
    assert translate(patches.union_all(), 120, 150).symmetric_difference(outline).area < 1e-6
    assert len(patches) == 4
    first, second = patches.geometry.iloc[:2]
    assert first.intersection(second).bounds[2] - first.intersection(second).bounds[0] == 20


def test_no_patch_reaches_beyond_the_image(sdata: Any, make_sample: Any) -> None:
    patches = _patches(sdata, make_sample, patch_width=160, patch_overlap=20)
    assert shapely.box(0, 0, 300, 250).covers(patches.union_all())
    assert np.array(patches["bboxes"].to_list())[:, 2:].max(axis=0).tolist() == [300, 250]


def test_an_outline_larger_than_the_image_gives_no_larger_patch(
    sdata: Any, make_sample: Any
) -> None:
    outline = sdata.shapes["region_of_interest"]
    sdata.shapes["region_of_interest"].geometry = outline.buffer(80)
    patches = _patches(sdata, make_sample, patch_width=160, patch_overlap=20)
    assert patches.union_all().equals(shapely.box(0, 0, 300, 250))


def test_patches_lie_in_the_frames_of_the_image(sdata: Any, make_sample: Any) -> None:
    patches = _patches(sdata, make_sample)
    assert len(patches) == 1
    own = get_transformation(patches, get_all=True)
    image = get_transformation(sdata["demo_full_image"], get_all=True)
    for frame in ("demo", "microns"):
        a, b = (t[frame].to_affine_matrix(("x", "y"), ("x", "y")) for t in (own, image))
        assert np.allclose(a, b)


def test_the_store_is_not_written_to(sdata: Any, make_sample: Any, tmp_path: Path) -> None:
    sdata.write(tmp_path / "a.zarr")
    stored = SpatialData.read(tmp_path / "a.zarr")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "a.zarr").rglob("*")}
    _patches(stored, make_sample)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "a.zarr").rglob("*")} == before
    assert "image_patches" not in stored
    frames = get_transformation(stored["region_of_interest"], get_all=True)
    assert set(frames) == {"demo", "microns"}


def test_without_an_outline_nothing_is_guessed(sdata: Any, make_sample: Any) -> None:
    del sdata.shapes["region_of_interest"]
    with pytest.raises(StageError, match="run the stage region again"):
        _patches(sdata, make_sample)
