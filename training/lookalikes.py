"""What is taken for nuclei and is none: blood, vacuoles, debris, keratin, folds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi
from textures import NOISE, Rng, unit

if TYPE_CHECKING:
    from nuclei import Layout


def _discs(
    size: int, centres: np.ndarray, radii: np.ndarray, rng: Rng, squash: float = 0.25
) -> np.ndarray:
    """Return per pixel the largest of (1 - squared radius) over the discs, -1 outside all."""
    out = np.full((size, size), -1.0, np.float32)
    for (y, x), radius in zip(centres, radii, strict=True):
        top, left = max(int(y - 1.5 * radius), 0), max(int(x - 1.5 * radius), 0)
        bottom, right = min(int(y + 1.5 * radius) + 2, size), min(int(x + 1.5 * radius) + 2, size)
        if top >= bottom or left >= right:
            continue
        rows, columns = np.mgrid[top:bottom, left:right]
        angle, flat = rng.uniform(0, np.pi), 1 + rng.uniform(0, squash)
        u = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
        v = (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)
        value = 1 - (u**2 / flat + v**2 * flat) / radius**2
        np.maximum(out[top:bottom, left:right], value, out=out[top:bottom, left:right])
    return out


def _clusters(size: int, diameter: float, most: int, rng: Rng) -> np.ndarray:
    """Return places that lie in a few clusters, float (n, 2)."""
    places = []
    for _ in range(rng.integers(1, 4)):
        count = int(rng.integers(1, most))
        middle, reach = rng.uniform(0, size, 2), rng.uniform(0.5, 1.0) * diameter * count**0.5
        places.append(middle + rng.uniform(-1, 1, (count, 2)) * reach)
    return np.concatenate(places)


def add_blood(od: np.ndarray, layout: Layout, rng: Rng) -> np.ndarray:
    """Lay red blood cells over the tissue, never over a nucleus."""
    diameter = layout.diameter * rng.uniform(0.65, 1.0)
    places = _clusters(layout.size, diameter, 14, rng)
    radii = diameter / 2 * np.exp(rng.normal(0, 0.1, len(places)))
    height = _discs(layout.size, places, radii, rng)
    inside = (height > 0) & (ndi.maximum_filter(layout.labels, 3) == 0)
    soft = ndi.gaussian_filter(inside.astype(np.float32), 0.8)[..., None]
    dip = 1 - rng.uniform(0, 0.5) * np.clip(height, 0, 1)
    colour = unit(np.array([rng.uniform(0.05, 0.3), 0.8, rng.uniform(0.45, 1.0)]))
    cells = rng.uniform(0.5, 1.4) * dip[..., None] * colour
    return od * (1 - soft) + cells * soft


def add_vacuoles(od: np.ndarray, layout: Layout, rng: Rng) -> np.ndarray:
    """Cut out fat, goblet cells and holes: pale, round, often with a darker wall."""
    diameter = layout.diameter * rng.uniform(0.4, 2.2)
    places = _clusters(layout.size, 1.3 * diameter, 9, rng)
    radii = diameter / 2 * np.exp(rng.normal(0, 0.25, len(places)))
    height = _discs(layout.size, places, radii, rng)
    free = ndi.maximum_filter(layout.labels, 5) == 0
    soft = ndi.gaussian_filter(((height > 0) & free).astype(np.float32), 0.9)[..., None]
    wall = np.exp(-((height / rng.uniform(0.1, 0.35)) ** 2)) * free * (height > -0.9)
    mucin = rng.uniform(0, 0.3) * np.maximum(1 + 0.3 * NOISE.cut("cell", layout.size, rng), 0)
    colour = unit([rng.uniform(0.4, 0.75), rng.uniform(0.5, 0.7), rng.uniform(0.25, 0.5)])
    od = od * (1 - soft) + mucin[..., None] * colour * soft
    return od + rng.uniform(0, 0.45) * wall[..., None] * unit([0.5, 0.75, 0.42])


def add_debris(od: np.ndarray, layout: Layout, haematoxylin: np.ndarray, rng: Rng) -> np.ndarray:
    """Scatter dark specks and fragments that are too small to be a nucleus."""
    places = rng.uniform(0, layout.size, (int(rng.integers(3, 40)), 2))
    radii = rng.uniform(0.8, max(0.13 * layout.diameter, 1.4), len(places))
    inside = (_discs(layout.size, places, radii, rng) > 0) & (layout.labels == 0)
    soft = ndi.gaussian_filter(inside.astype(np.float32), 0.6)[..., None]
    return od + rng.uniform(0.4, 1.6) * soft * haematoxylin


def add_streaks(od: np.ndarray, layout: Layout, haematoxylin: np.ndarray, rng: Rng) -> np.ndarray:
    """Draw dark purple strands and folds: keratin, crushed or doubled tissue."""
    name = "bundle" if rng.random() < 0.5 else "fibre"
    strand = np.clip(NOISE.fibres(name, layout.size, rng) - rng.uniform(0.8, 1.8), 0, 2)
    where = NOISE.cut("broad", layout.size, rng) > rng.uniform(-0.3, 1.0)
    strand = strand * ndi.gaussian_filter(where.astype(np.float32), 3)
    strand = strand * (1 - ndi.gaussian_filter((layout.labels > 0).astype(np.float32), 1))
    colour = unit(haematoxylin + rng.uniform(0, 1.5) * unit([0.3, 0.8, 0.5]))
    return od + rng.uniform(0.15, 0.6) * strand[..., None] * colour


def add_fold(od: np.ndarray, layout: Layout, rng: Rng) -> np.ndarray:
    """Double the tissue along a band."""
    rows, columns = np.mgrid[: layout.size, : layout.size] - layout.size / 2
    angle = rng.uniform(0, np.pi)
    across = columns * np.cos(angle) + rows * np.sin(angle)
    across = across + 12 * NOISE.cut("broad", layout.size, rng) - rng.normal(0, 40)
    band = 1 / (1 + np.exp((np.abs(across) - rng.uniform(8, 45)) / rng.uniform(1, 5)))
    return od * (1 + rng.uniform(0.2, 0.8) * band[..., None])
