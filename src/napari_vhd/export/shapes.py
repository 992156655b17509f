"""Drawn areas as GeoJSON, in the form that QuPath reads."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd.exceptions import BadInputError
from napari_vhd.io.whole_file import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_ELLIPSE_VERTICES = 64
_AREAS = ("polygon", "rectangle", "ellipse")


def write_areas(
    path: Path,
    name: str,
    shapes: Sequence[Any],
    kinds: Sequence[str],
    properties: Sequence[Mapping[str, Any]],
) -> None:
    """Write areas whole, or not at all.

    Parameters
    ----------
    path
        File.
    name
        Of areas that have none.
    shapes
        Vertices (n, 2) as (y, x).
    kinds
        ``polygon``, ``rectangle`` or ``ellipse`` (its four corners); others have no area.
    properties
        What is known of each: ``id`` or ``cell_id``, ``name``, numbers.

    Raises
    ------
    BadInputError
        Where there is no area, or it cannot be written there.
    """
    features = [
        _feature(_ring(np.asarray(shape, dtype=float)[:, -2:], kind), name, row)
        for shape, kind, row in zip(shapes, kinds, properties, strict=True)
        if kind in _AREAS
    ]
    if not features:
        raise BadInputError(f"{path}: the layer holds no areas; draw polygons, not lines.")
    collection = {"type": "FeatureCollection", "features": features}
    write_text(path, json.dumps(collection, allow_nan=False))


def _ring(vertices: Any, kind: str) -> list[list[float]]:
    """Close the outline of a shape, as (x, y)."""
    if kind == "ellipse":
        centre = vertices.mean(axis=0)
        first, second = (vertices[1] - vertices[0]) / 2, (vertices[3] - vertices[0]) / 2
        angles = np.linspace(0, 2 * np.pi, _ELLIPSE_VERTICES, endpoint=False)
        vertices = centre + np.cos(angles)[:, None] * first + np.sin(angles)[:, None] * second
    points = vertices[:, ::-1].tolist()
    return [*points, points[0]]


def _feature(ring: list[list[float]], name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    own = {str(key): _plain(value) for key, value in row.items()}
    cell = own.pop("cell_id", None) or own.pop("id", None)
    measurements = {
        key: value
        for key, value in own.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    properties: dict[str, Any] = {
        "objectType": "detection" if cell is not None else "annotation",
        "name": own.get("name") or name,
        "measurements": measurements,
    }
    if cell is not None:
        properties["cell_id"] = cell
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _plain(value: Any) -> Any:
    """Give a value as JSON has it; NaN as nothing."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
