"""Polygons of a GeoJSON file, as QuPath, Space Ranger and others write them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_vhd.exceptions import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

_AREAS = {"Polygon", "MultiPolygon", "GeometryCollection"}


@dataclass(frozen=True)
class Feature:
    """One area of a GeoJSON file.

    Attributes
    ----------
    geometry
        As drawn, in the file's coordinates; it may be invalid.
    id
        The feature's own id, or None.
    properties
        What the file says about it.
    """

    geometry: BaseGeometry
    id: str | None
    properties: Mapping[str, Any]

    @property
    def name(self) -> str | None:
        """Its name or, as QuPath keeps it, the name of its class."""
        classification = self.properties.get("classification")
        kind = classification.get("name") if isinstance(classification, dict) else None
        name = self.properties.get("name") or kind
        return None if name is None else str(name)


def read_features(path: Path) -> list[Feature]:
    """Read the areas of a GeoJSON file; points and lines are left out.

    Parameters
    ----------
    path
        A FeatureCollection, a Feature, a geometry, or a list of features (QuPath).

    Raises
    ------
    BadInputError
        Naming the file: missing, not GeoJSON, a damaged geometry, or no polygon in it.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror}); check the path.") from (
            error
        )
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{path}: is no GeoJSON; give polygons as GeoJSON.") from error
    features = [feature for entry in _entries(data) if (feature := _feature(path, *entry))]
    if not features:
        raise BadInputError(f"{path}: holds no polygon; draw at least one and export it again.")
    return features


def _entries(data: Any) -> list[tuple[int, Any]]:
    """Unwrap the features of a file, numbered from 1."""
    if isinstance(data, dict) and data.get("type") == "FeatureCollection":
        data = data.get("features")
    elif isinstance(data, dict):
        data = [data if data.get("type") == "Feature" else {"geometry": data}]
    return list(enumerate(data, start=1)) if isinstance(data, list) else []


def _feature(path: Path, number: int, data: Any) -> Feature | None:
    """Read one feature; None where it is no area."""
    import numpy as np
    import shapely
    from shapely.geometry import shape

    geometry = data.get("geometry") if isinstance(data, dict) else None
    if not isinstance(geometry, dict) or geometry.get("type") not in _AREAS:
        return None
    try:
        with np.errstate(invalid="ignore"):
            area = shape(geometry)
        finite = bool(np.isfinite(shapely.get_coordinates(area)).all())
    except (shapely.errors.ShapelyError, ValueError, TypeError, KeyError, IndexError) as error:
        raise BadInputError(
            f"{path}: the geometry of feature {number} is damaged ({error}); export it again."
        ) from error
    if not finite:
        raise BadInputError(f"{path}: feature {number} has coordinates that are no numbers.")
    properties = data.get("properties")
    known = data.get("id")
    return Feature(
        area,
        None if known is None else str(known),
        properties if isinstance(properties, dict) else {},
    )
