"""Boundaries made elsewhere keep their ids and places."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from anndata import AnnData
from shapely.affinity import scale, translate
from spatialdata import SpatialData
from spatialdata.models import ShapesModel, TableModel
from spatialdata.transformations import Identity, Scale

from napari_vhd.exceptions import BadInputError
from napari_vhd.io.segmented import read_boundaries, read_proseg_counts

if TYPE_CHECKING:
    from pathlib import Path

SQUARE = shapely.box(10, 10, 20, 20)
TWO_PARTS = shapely.MultiPolygon([shapely.box(30, 10, 40, 20), shapely.box(50, 10, 52, 12)])
BOW_TIE = shapely.Polygon([(60, 10), (80, 30), (80, 10), (60, 40)])
POINT = shapely.Point(5, 5)


def _write(path: Path, *features: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def _feature(outline: Any, **more: Any) -> dict[str, Any]:
    geometry = json.loads(shapely.to_geojson(outline))
    return {"type": "Feature", "geometry": geometry, "properties": {}} | more


@pytest.fixture
def cells() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"nucleus_id": ["n1", "n2"]}, geometry=[SQUARE, TWO_PARTS], index=["c1", "c2"]
    )


def _store(path: Path, cells: gpd.GeoDataFrame, transformations: dict[str, Any]) -> Path:
    shapes = ShapesModel.parse(cells, transformations=transformations)
    table = AnnData(np.arange(len(cells) * 3, dtype=np.float32).reshape(-1, 3))
    table.obs_names = cells.index
    table.obs["cell_id"] = cells.index.astype(str)
    table.obs["region"] = "proseg_boundaries"
    table.obs["region"] = table.obs["region"].astype("category")
    counts = TableModel.parse(
        table, region="proseg_boundaries", region_key="region", instance_key="cell_id"
    )
    sdata = SpatialData(shapes={"proseg_boundaries": shapes}, tables={"table_proseg": counts})
    sdata.write(path)
    return path


def test_qupath_ids_and_probabilities_are_kept(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "a.geojson",
        _feature(SQUARE, id="u-1", properties={"measurements": {"Detection probability": 0.8}}),
        _feature(TWO_PARTS, id="u-2"),
    )
    cells = read_boundaries(path, "demo")
    assert list(cells.index) == ["u-1", "u-2"]
    assert cells.geometry.iloc[0].equals(SQUARE)
    assert cells["probability"].iloc[0] == 0.8
    assert np.isnan(cells["probability"].iloc[1])


def test_space_ranger_ids_are_the_barcodes_of_its_matrices(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.geojson", _feature(SQUARE, properties={"cell_id": 12}))
    assert list(read_boundaries(path, "demo").index) == ["cellid_000000012-1"]


def test_outlines_without_ids_are_numbered_and_that_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    path = _write(tmp_path / "a.json", _feature(SQUARE), _feature(TWO_PARTS, id="x"))
    assert list(read_boundaries(path, "demo", notice=said.append).index) == ["c000001", "c000002"]
    assert "numbered" in said[0]


def test_a_list_of_features_as_qupath_also_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps([_feature(SQUARE, id="u-1")]))
    assert list(read_boundaries(path, "demo").index) == ["u-1"]


def test_invalid_outlines_are_repaired_and_empty_ones_left_out(tmp_path: Path) -> None:
    said: list[str] = []
    flat = shapely.Polygon([(1, 1), (2, 2), (3, 3)])
    path = _write(
        tmp_path / "a.geojson",
        _feature(SQUARE, id="a"),
        _feature(BOW_TIE, id="b"),
        _feature(flat, id="c"),
        _feature(POINT, id="d"),
    )
    cells = read_boundaries(path, "demo", notice=said.append)
    assert list(cells.index) == ["a", "b"]
    assert cells.is_valid.all()
    largest = max(shapely.make_valid(BOW_TIE).geoms, key=lambda part: part.area)
    assert cells.geometry["b"].equals(largest)
    assert any("1 of 3 invalid outlines were repaired" in sentence for sentence in said)
    assert any("1 of 3 outlines without an area" in sentence for sentence in said)


def test_parquet_ids_come_from_the_index_or_cell_id(
    tmp_path: Path, cells: gpd.GeoDataFrame
) -> None:
    cells.to_parquet(tmp_path / "index.parquet")
    read = read_boundaries(tmp_path / "index.parquet", "demo")
    assert list(read.index) == ["c1", "c2"]
    assert list(read["nucleus_id"]) == ["n1", "n2"]
    assert read.geometry["c2"].equals(TWO_PARTS)
    plain = cells.reset_index(names="cell_id")
    plain.to_parquet(tmp_path / "column.parquet")
    assert list(read_boundaries(tmp_path / "column.parquet", "demo").index) == ["c1", "c2"]


@pytest.mark.parametrize("folder", ["sample.zarr", ""])
def test_a_run_folder_or_store_gives_its_boundaries_unchanged(
    tmp_path: Path, cells: gpd.GeoDataFrame, folder: str
) -> None:
    _store(tmp_path / "sample.zarr", cells, {"demo": Identity()})
    read = read_boundaries(tmp_path / folder, "demo")
    assert list(read.index) == ["c1", "c2"]
    assert read.geometry.geom_equals(cells.geometry).all()


def test_a_store_in_microns_is_brought_to_full_resolution_px(
    tmp_path: Path, cells: gpd.GeoDataFrame
) -> None:
    small = cells.set_geometry([scale(g, 0.25, 0.25, origin=(0, 0)) for g in cells.geometry])
    frames = {"demo": Scale([4, 4], axes=("x", "y")), "microns": Identity()}
    _store(tmp_path / "a.zarr", small, frames)
    read = read_boundaries(tmp_path / "a.zarr", "demo")
    assert read.geometry["c1"].equals_exact(SQUARE, 1e-9)


def test_prosegs_own_counts_come_in_the_order_asked_for(
    tmp_path: Path, cells: gpd.GeoDataFrame
) -> None:
    path = _store(tmp_path / "a.zarr", cells, {"demo": Identity()})
    counts = read_proseg_counts(path, ["c2", "c1"])
    assert counts is not None
    assert counts.X.tolist() == [[3, 4, 5], [0, 1, 2]]
    assert read_proseg_counts(path, ["c1", "new"]) is None


def test_what_lies_outside_the_extent_is_left_out(tmp_path: Path) -> None:
    said: list[str] = []
    far = translate(SQUARE, 1000, 0)
    path = _write(tmp_path / "a.geojson", _feature(SQUARE, id="a"), _feature(far, id="b"))
    cells = read_boundaries(path, "demo", extent=(0, 0, 100, 100), notice=said.append)
    assert list(cells.index) == ["a"]
    assert said == ["1 of 2 outlines lie outside the region."]
    with pytest.raises(BadInputError, match=r"outside the region.*full-resolution px"):
        read_boundaries(path, "demo", extent=(500, 500, 600, 600))


def test_an_id_that_is_there_twice_is_named(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.geojson", _feature(SQUARE, id="a"), _feature(TWO_PARTS, id="a"))
    with pytest.raises(BadInputError, match="cell id 'a' is there twice"):
        read_boundaries(path, "demo")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.geojson", "{", "no GeoJSON"),
        ("a.geojson", "{}", "no polygon"),
        ("a.geojson", "[" * 100_000, "no GeoJSON"),
        ("a.geojson", '{"type": "FeatureCollection", "features": []}', "no polygon"),
        ("a.geojson", '{"type": "Point", "coordinates": [1, 2]}', "no polygon"),
        ("a.geojson", '{"type": "Polygon", "coordinates": "x"}', "feature 1 is damaged"),
        (
            "a.geojson",
            '{"type": "Polygon", "coordinates": [[[0,0],[NaN,1],[1,0],[0,0]]]}',
            "no num",
        ),
        ("a.parquet", "junk", "no GeoParquet"),
        ("a.csv", "x", "are read from"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(BadInputError, match=said) as caught:
        read_boundaries(path, "demo")
    assert str(path) in str(caught.value)


def test_folders_without_the_boundaries_say_what_there_is(
    tmp_path: Path, cells: gpd.GeoDataFrame
) -> None:
    with pytest.raises(BadInputError, match="no such boundaries"):
        read_boundaries(tmp_path / "none", "demo")
    with pytest.raises(BadInputError, match="no run folder"):
        read_boundaries(tmp_path, "demo")
    path = _store(tmp_path / "a.zarr", cells, {"demo": Identity()})
    with pytest.raises(BadInputError, match="holds no stardist_boundaries, only proseg_boundaries"):
        read_boundaries(path, "demo", name="stardist_boundaries")
    with pytest.raises(BadInputError, match="not placed on the sample 'other'"):
        read_boundaries(path, "other")
