"""Regions as GeoJSON, as QuPath and others read it; full-resolution px."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from shapely.geometry import mapping

from napari_vhd.io.whole_file import write_text

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

    Raises
    ------
    BadInputError
        Where it cannot be written there.
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
    write_text(path, json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def _rgb(color: str) -> list[int]:
    return [int(color[place : place + 2], 16) for place in (1, 3, 5)]
