"""Regions drawn by hand, as a file that a config can name.

The file is named by its content and never written again, so that a run which reads it is not
disturbed when another region is drawn meanwhile. It lies in a folder of this program until there
is a run folder, and moves into that with the first run.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from napari_vhd.io.whole_file import write_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shapely.geometry.base import BaseGeometry

_PREFIX = "drawn_region_"


def is_drawn(path: str) -> bool:
    """Whether a region's file was made by `write`."""
    return Path(path).name.startswith(_PREFIX)


def write(areas: Iterable[tuple[str, BaseGeometry]], folder: Path | None) -> Path:
    """Write areas as GeoJSON.

    Parameters
    ----------
    areas
        Name and polygon of each, full-resolution px.
    folder
        The run folder, None before there is one.
    """
    from shapely.geometry import mapping

    features = [
        {"type": "Feature", "geometry": mapping(area), "properties": {"name": name}}
        for name, area in areas
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features})
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    if folder is None:
        from platformdirs import user_cache_path

        folder = user_cache_path("napari-vhd", appauthor=False) / "regions"
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_PREFIX}{digest}.geojson"
    if not path.exists():
        write_text(path, text)
    return path
