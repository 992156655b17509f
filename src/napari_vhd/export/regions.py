"""Regions as GeoJSON, as QuPath and others read it; full-resolution px."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from shapely.geometry import mapping

if TYPE_CHECKING:
    from pathlib import Path

    from geopandas import GeoDataFrame


def write_regions(regions: GeoDataFrame, path: Path) -> Path:
    """Write regions as QuPath annotations, whole or not at all.

    Parameters
    ----------
    regions
        Index: names; column ``color`` (``#RRGGBB``); geometry in full-resolution px.
    path
        The file; replaced if it is there.
    """
    features = [
        {
            "type": "Feature",
            "geometry": mapping(region.geometry),
            "properties": {
                "objectType": "annotation",
                "name": str(name),
                # QuPath fails on a class without a colour.
                "classification": {"name": str(name), "color": _rgb(str(region["color"]))},
            },
        }
        for name, region in regions.iterrows()
    ]
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        text = json.dumps({"type": "FeatureCollection", "features": features})
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def _rgb(color: str) -> list[int]:
    return [int(color[place : place + 2], 16) for place in (1, 3, 5)]
