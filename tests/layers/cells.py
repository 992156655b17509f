"""Cells that are easy to check: odd shapes, holes, several parts, some of them overlapping."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from napari_vhd.corrections.outlines import Outlines


def shapes(number: int = 120, size: float = 400.0, seed: int = 0) -> list[Any]:
    """Polygons and MultiPolygons in a square."""
    rng = np.random.default_rng(seed)
    found: list[Any] = []
    for x, y in rng.uniform(20, size - 20, (number, 2)):
        angles = np.linspace(0, 2 * np.pi, 25)[:-1]
        radius = rng.uniform(8, 20, 24)
        ring = np.column_stack([x + radius * np.cos(angles), y + radius * np.sin(angles)])
        found.append(shapely.Polygon(ring))
    found[3] = shapely.Point(200, 200).buffer(40).difference(shapely.Point(205, 200).buffer(15))
    found[7] = shapely.MultiPolygon([shapely.box(10, 10, 30, 30), shapely.box(50, 10, 60, 40)])
    return found


def outlines(number: int = 120, size: float = 400.0, seed: int = 0) -> Outlines:
    """Live outlines of `shapes`."""
    ids = [f"c{index}" for index in range(number)]
    return Outlines("proseg_boundaries", ids, np.array(shapes(number, size, seed), dtype=object))
