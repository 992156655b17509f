"""Boundaries from a file take the place of a segmentation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from anndata import AnnData
from shapely.affinity import scale
from spatialdata import SpatialData, get_extent
from spatialdata.models import ShapesModel, TableModel
from spatialdata.transformations import Identity, get_transformation

from napari_vhd.config import Paths, RunConfig, SampleConfig
from napari_vhd.exceptions import BadInputError
from napari_vhd.parameters import BoundariesParameters, Params, RegionParameters
from napari_vhd.stages import region
from napari_vhd.stages.boundaries import STAGE
from napari_vhd.stages.stage import Inputs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_vhd.stages.stage import Outcome, Sample

BOX = (120.0, 150.0, 420.0, 400.0)


@pytest.fixture
def sample(simulated: Path, make_sample: Any) -> Sample:
    cropped = make_sample(outs=simulated / "outs", image=simulated / "tissue_image.tif", region=BOX)
    outcome = region.STAGE.run([cropped], RegionParameters())[0]
    return make_sample(SpatialData.init_from_elements(dict(outcome.elements)))


@pytest.fixture
def cells() -> gpd.GeoDataFrame:
    """Cells in the region, one of them in two parts, and one outside."""
    outlines = [
        shapely.box(200, 200, 240, 240),
        shapely.MultiPolygon([shapely.box(250, 200, 290, 240), shapely.box(300, 200, 310, 210)]),
        shapely.box(10, 10, 40, 40),
    ]
    return gpd.GeoDataFrame(
        {"nucleus_id": ["n1", "n2", "n3"]}, geometry=outlines, index=["b", "a", "far"]
    )


@pytest.fixture
def kept(tmp_path: Path, cells: gpd.GeoDataFrame) -> Path:
    """A run folder with boundaries and ProSeg's own counts."""
    table = AnnData(np.arange(6, dtype=np.float32).reshape(3, 2), obsm={"spatial": np.ones((3, 2))})
    table.obs_names = cells.index
    table.obs["cell_id"] = cells.index.astype(str)
    table.obs["region"] = "proseg_boundaries"
    table.obs["region"] = table.obs["region"].astype("category")
    counts = TableModel.parse(
        table, region="proseg_boundaries", region_key="region", instance_key="cell_id"
    )
    nuclei = cells.set_geometry([scale(g, 0.5, 0.5) for g in cells.geometry])
    nuclei = nuclei.drop(columns="nucleus_id").assign(probability=[0.9, 0.8, 0.7])
    nuclei.index = ["n1", "n2", "n3"]
    frame = {"demo": Identity()}
    shapes = {
        "proseg_boundaries": ShapesModel.parse(cells, transformations=frame),
        "stardist_boundaries": ShapesModel.parse(nuclei, transformations=frame),
    }
    SpatialData(shapes=shapes, tables={"table_proseg": counts}).write(tmp_path / "kept/sample.zarr")
    return tmp_path / "kept"


def _run(sample: Sample, path: Path, **more: Any) -> Outcome:
    return STAGE.run([sample], BoundariesParameters(boundaries=str(path), **more))[0]


def _inputs(path: Path, **more: Any) -> Inputs:
    params = Params(boundaries=str(path), **more)
    config = RunConfig(Paths(str(path)), (SampleConfig("demo"),), params)
    return Inputs(config, config.samples[0], path)


def test_ids_places_and_areas_are_those_of_the_file(
    sample: Sample, cells: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    cells.to_parquet(tmp_path / "cells.parquet")
    outcome = _run(sample, tmp_path / "cells.parquet")
    (name, shapes), *rest = outcome.elements.items()
    assert name == "proseg_boundaries"
    assert rest == []
    assert list(shapes.index) == ["b", "a"]
    assert shapes.geometry.geom_equals(cells.geometry.iloc[:2]).all()
    frames = get_transformation(shapes, get_all=True)
    um = frames["microns"].to_affine_matrix(("x", "y"), ("x", "y"))[0, 0]
    assert np.allclose(shapes["area_um2"], shapes.area * um**2)
    assert get_extent(shapes, coordinate_system="demo")["x"] == (200, 310)
    assert any("outside the region" in sentence for sentence in sample.report.notices)


def test_nuclei_are_nuclei_where_they_are_typed(sample: Sample, tmp_path: Path) -> None:
    features = [
        {
            "type": "Feature",
            "id": "u",
            "geometry": json.loads(shapely.to_geojson(shapely.box(200, 200, 210, 210))),
            "properties": {"measurements": {"Detection probability": 0.6}},
        }
    ]
    path = tmp_path / "nuclei.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    outcome = _run(sample, path, boundaries_to_type="stardist")
    assert list(outcome.elements) == ["stardist_boundaries"]
    assert outcome.elements["stardist_boundaries"]["probability"].tolist() == [0.6]


def test_a_kept_run_gives_cells_nuclei_and_counts_again(sample: Sample, kept: Path) -> None:
    outcome = _run(sample, kept)
    cells, counts = outcome.elements["proseg_boundaries"], outcome.elements["table_proseg"]
    assert list(cells.index) == list(counts.obs_names) == ["b", "a"]
    assert counts.X.tolist() == [[0, 1], [2, 3]]
    assert list(cells["nucleus_id"]) == ["n1", "n2"]
    assert list(outcome.elements["stardist_boundaries"].index) == ["n1", "n2"]
    again = SpatialData.init_from_elements(dict(sample.sdata.shapes) | dict(outcome.elements))
    assert set(again.tables) == {"table_proseg"}


def test_the_check_finds_what_can_be_known(kept: Path, tmp_path: Path) -> None:
    STAGE.check(_inputs(kept))
    STAGE.check(_inputs(kept, cell_counts="proseg"))
    with pytest.raises(BadInputError, match="no such boundaries"):
        STAGE.check(_inputs(tmp_path / "none.geojson"))
    (tmp_path / "a.geojson").write_text("{}")
    with pytest.raises(BadInputError, match="no counts of ProSeg"):
        STAGE.check(_inputs(tmp_path / "a.geojson", cell_counts="proseg"))


def test_a_store_that_could_run_programs_is_refused(
    kept: Path, edit_json: Callable[..., None]
) -> None:
    edit_json(kept / "sample.zarr/tables/table_proseg/X/zarr.json", codecs=[{"name": "pickle"}])
    with pytest.raises(BadInputError, match="'pickle'"):
        STAGE.check(_inputs(kept))


def test_the_files_that_are_read_are_inputs(kept: Path) -> None:
    files = list(STAGE.files(_inputs(kept)))
    assert kept / "sample.zarr/shapes/proseg_boundaries/shapes.parquet" in files
    assert any("table_proseg" in str(file) for file in files)


@pytest.fixture
def edit_json() -> Callable[..., None]:
    def edit(file: Path, **values: object) -> None:
        file.write_text(json.dumps(json.loads(file.read_text()) | values))

    return edit
