"""Where a sample is cropped: a bounding box or drawn areas, in full-resolution px."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_vhd.exceptions import BadInputError

from .geojson import read_features

if TYPE_CHECKING:
    import numpy as np
    from shapely.geometry import Polygon
    from shapely.geometry.base import BaseGeometry

    from .fullres_image import ImageHeader


@dataclass(frozen=True)
class Region:
    """Where a sample is cropped, in whole full-resolution px.

    Attributes
    ----------
    box
        (xmin, ymin, xmax, ymax), within the image.
    areas
        Name and polygon of each drawn area; empty where the box is all.
    clipped
        Whether part of what was asked for lies outside the image.
    """

    box: tuple[int, int, int, int]
    areas: tuple[tuple[str, BaseGeometry], ...] = ()
    clipped: bool = False


def find_region(
    region: tuple[float, float, float, float] | str | None, image: ImageHeader
) -> Region:
    """Say where a sample is cropped.

    Parameters
    ----------
    region
        (xmin, ymin, xmax, ymax) or a GeoJSON file, in full-resolution px; None: the whole slide.
    image
        The full-resolution image.

    Raises
    ------
    BadInputError
        Where it is inverted, empty or wholly outside the image, or the file cannot be read.
    """
    if region is None:
        return Region((0, 0, image.width, image.height))
    if not isinstance(region, str):
        return _clip(f"region {list(region)}", region, image)
    areas = _read_areas(Path(region))
    bounds = [area.bounds for _, area in areas]
    box = (
        min(b[0] for b in bounds),
        min(b[1] for b in bounds),
        max(b[2] for b in bounds),
        max(b[3] for b in bounds),
    )
    clip = _clip(f"{region}: the region", box, image)
    return Region(clip.box, areas, clip.clipped)


def inside(region: Region, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Tell which points (full-resolution px) lie in a region."""
    import numpy as np
    import shapely

    if not region.areas:
        xmin, ymin, xmax, ymax = region.box
        return (x >= xmin) & (x <= xmax) & (y >= ymin) & (y <= ymax)
    return np.any([shapely.contains_xy(area, x, y) for _, area in region.areas], axis=0)


def area_names(region: Region, points: np.ndarray) -> Any:
    """Name the area that each point (n, 2; full-resolution px) lies in; the first of several.

    Returns
    -------
    pandas.Categorical
        Missing where a point lies in none.
    """
    import numpy as np
    import pandas as pd
    import shapely

    names = list(dict.fromkeys(name for name, _ in region.areas))
    codes = np.full(len(points), -1)
    for name, area in reversed(region.areas):
        codes[shapely.contains_xy(area, *points.T)] = names.index(name)
    return pd.Categorical.from_codes(codes, names)


def _clip(what: str, box: tuple[float, float, float, float], image: ImageHeader) -> Region:
    """Cut a box to the image, in whole px."""
    if not all(math.isfinite(value) for value in box):
        raise BadInputError(f"{what}: has a value that is no number.")
    xmin, ymin, xmax, ymax = box
    for axis, low, high in (("x", xmin, xmax), ("y", ymin, ymax)):
        if low > high:
            raise BadInputError(
                f"{what}: {axis}min {low:g} is above {axis}max {high:g}; write xmin, ymin, xmax, "
                "ymax."
            )
        if low == high:
            raise BadInputError(f"{what}: has no size along {axis} ({low:g} to {high:g}).")
    cut = (
        max(0, math.floor(xmin)),
        max(0, math.floor(ymin)),
        min(image.width, math.ceil(xmax)),
        min(image.height, math.ceil(ymax)),
    )
    if cut[0] >= cut[2] or cut[1] >= cut[3]:
        raise BadInputError(
            f"{what}: x {xmin:g} to {xmax:g}, y {ymin:g} to {ymax:g} lies outside the image, which "
            f"is {image.width} x {image.height} px; use full-resolution px."
        )
    return Region(cut, clipped=xmin < 0 or ymin < 0 or xmax > image.width or ymax > image.height)


def _read_areas(path: Path) -> tuple[tuple[str, BaseGeometry], ...]:
    """Read drawn areas, mended where their outline crosses itself."""
    import shapely

    areas = []
    for number, feature in enumerate(read_features(path), start=1):
        area = shapely.make_valid(feature.geometry)
        if area.area > 0:
            areas.append((feature.name or f"region {number}", area))
    if not areas:
        raise BadInputError(f"{path}: its polygons have no area; draw the region again.")
    return tuple(areas)


def polygons(geometry: BaseGeometry | None) -> list[Polygon]:
    """Give the polygons of any geometry, without lines and points."""
    if geometry is None or geometry.is_empty:
        return []
    if geometry.geom_type == "Polygon":
        return [geometry]
    return [polygon for part in getattr(geometry, "geoms", ()) for polygon in polygons(part)]
