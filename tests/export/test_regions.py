"""Regions as GeoJSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import geopandas as gpd
import shapely

from napari_vhd.export.regions import write_regions
from napari_vhd.io.geojson import read_features

if TYPE_CHECKING:
    from pathlib import Path


def test_regions_come_back_as_they_were_written(tmp_path: Path) -> None:
    holed = shapely.box(0, 0, 10.5, 20).difference(shapely.box(2, 2, 4, 4))
    regions = gpd.GeoDataFrame(
        {"color": ["#E69F00", "#0072B2"]},
        geometry=[holed, shapely.box(30, 30, 40, 40)],
        index=["front", "µ-follicle"],
    )
    path = write_regions(regions, tmp_path / "regions.geojson")
    back = read_features(path)
    assert [feature.name for feature in back] == ["front", "µ-follicle"]
    assert back[0].geometry.equals(holed)
    kept = json.loads(path.read_text(encoding="utf-8"))["features"][0]["properties"]
    assert kept["objectType"] == "annotation"
    assert kept["classification"] == {"name": "front", "color": [230, 159, 0]}
    assert [p.name for p in tmp_path.iterdir()] == ["regions.geojson"]
