"""The cells of an invented section: which type stands where."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.measure import find_contours

from napari_vhd.io.simulate import anatomy as an
from napari_vhd.io.simulate.celltypes import (
    B_CELL,
    ENDOTHELIAL,
    ENTEROCYTE,
    FIBROBLAST,
    GOBLET,
    MACROPHAGE,
    NEUTROPHIL,
    T_CELL,
    TUMOR,
    TYPES,
)
from napari_vhd.io.simulate.placing import Seeds, settle
from napari_vhd.io.simulate.shapes import THETA, ellipse_extent, extent

_LONG = np.array([t.long for t in TYPES])
_SHORT = np.array([t.short for t in TYPES])
_SPREAD = np.array([t.spread for t in TYPES])

# Nuclei per um2 and shares of the types between the glands of each domain.
_MIXES: dict[int, tuple[float, dict[int, float]]] = {
    an.MUCOSA: (0.0115, {B_CELL: 0.36, T_CELL: 0.22, FIBROBLAST: 0.22, MACROPHAGE: 0.13,
                         ENDOTHELIAL: 0.04, NEUTROPHIL: 0.03}),
    an.STROMA: (0.0042, {FIBROBLAST: 0.62, ENDOTHELIAL: 0.10, MACROPHAGE: 0.13, T_CELL: 0.09,
                         B_CELL: 0.04, NEUTROPHIL: 0.02}),
    an.AGGREGATE: (0.0240, {B_CELL: 0.52, T_CELL: 0.39, MACROPHAGE: 0.06, FIBROBLAST: 0.03}),
    an.TUMOUR: (0.0068, {FIBROBLAST: 0.50, MACROPHAGE: 0.19, T_CELL: 0.12, NEUTROPHIL: 0.09,
                         B_CELL: 0.04, ENDOTHELIAL: 0.06}),
    an.MARGIN: (0.0085, {FIBROBLAST: 0.36, MACROPHAGE: 0.24, T_CELL: 0.17, NEUTROPHIL: 0.14,
                         B_CELL: 0.04, ENDOTHELIAL: 0.05}),
}  # fmt: skip
_NEST_DENSITY = 0.0175
_NEST_MIX = {TUMOR: 0.95, T_CELL: 0.03, NEUTROPHIL: 0.02}
_ROUNDS = 5


def populate(section: an.Anatomy) -> Seeds:
    """Place the cells of a section: linings first, then nests, then what is between them."""
    rng = np.random.default_rng((section.seed, 11))
    seeds = _lining(section, rng)
    seeds = settle(seeds, 0, 0.8)
    for _ in range(_ROUNDS):
        settled = len(seeds)
        seeds = settle(seeds.join(_candidates(section, rng)), settled, 0.93)
    height, width = section.shape
    inside = (seeds.x > 0) & (seeds.y > 0) & (seeds.x < width) & (seeds.y < height)
    return seeds.take(inside)


def make_seeds(
    rng: np.random.Generator,
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    kind: NDArray[np.integer],
    angle: NDArray[np.floating],
    apical: NDArray[np.floating],
) -> Seeds:
    """Give each place a nucleus of its type's size."""
    size = np.clip(1 + _SPREAD[kind] * rng.standard_normal(len(x)), 0.7, 1.45)
    shape = np.clip(1 + 0.5 * _SPREAD[kind] * rng.standard_normal(len(x)), 0.85, 1.15)
    return Seeds(
        np.asarray(x, float), np.asarray(y, float), kind.astype(np.uint8), np.asarray(angle, float),
        np.asarray(apical, float), _LONG[kind] * size * shape, _SHORT[kind] * size / shape,
    )  # fmt: skip


def _lining(section: an.Anatomy, rng: np.random.Generator) -> Seeds:
    """Cells that line crypts, the mucosa's surface and vessels."""
    x, y, kind, angle, apical = (np.concatenate(part) for part in zip(
        _crypt_cells(section.crypts, rng), _surface_cells(section, rng),
        _vessel_cells(section.vessels, rng), strict=True,
    ))  # fmt: skip
    seeds = make_seeds(rng, x, y, kind.astype(int), angle, apical)
    height, width = section.shape
    inside = (seeds.x > -9) & (seeds.y > -9) & (seeds.x < width + 9) & (seeds.y < height + 9)
    rows = np.clip(seeds.y, 0, height - 1).astype(int)
    cols = np.clip(seeds.x, 0, width - 1).astype(int)
    return seeds.take(inside & (section.depth[rows, cols] > 2))


_Columns = tuple[NDArray[np.float64], ...]


def _around(
    rings: an.Rings, rng: np.random.Generator, spacing: float, inset: NDArray[np.float64] | float
) -> tuple[NDArray[np.int64], NDArray[np.float64], _Columns]:
    """Evenly spaced places along each ring: ring number, direction from its centre, (x, y)."""
    count = np.maximum((2 * np.pi * (rings.radius * 0.86 - inset) / spacing).astype(int), 4)
    ring = np.repeat(np.arange(len(count)), count)
    step = np.concatenate([np.arange(n) for n in count]) if len(count) else np.empty(0)
    phase = rng.uniform(0, 2 * np.pi, len(count))
    theta = phase[ring] + 2 * np.pi * (step + rng.normal(0, 0.1, len(ring))) / count[ring]
    reach = extent(rings.outline[ring], theta[:, None])[:, 0] - inset
    direction = rings.angle[ring] + theta
    x = rings.x[ring] + reach * np.cos(direction)
    y = rings.y[ring] + reach * np.sin(direction)
    return ring, direction, (x, y)


def _crypt_cells(crypts: an.Rings, rng: np.random.Generator) -> _Columns:
    _, direction, (x, y) = _around(crypts, rng, 6.2, 6.0)
    goblet = rng.random(len(x)) < 0.42
    shift = np.where(goblet, 2.2, rng.normal(0, 0.9, len(x)))
    x, y = x + shift * np.cos(direction), y + shift * np.sin(direction)
    kind = np.where(goblet, GOBLET, ENTEROCYTE)
    angle = direction + np.where(goblet, np.pi / 2, 0) + rng.normal(0, 0.15, len(x))
    return x, y, kind, angle, direction + np.pi


def _surface_cells(section: an.Anatomy, rng: np.random.Generator) -> _Columns:
    """A row of columnar cells where the mucosa meets the glass."""
    places = [np.empty((0, 2))]
    smooth = ndi.gaussian_filter(section.depth, 3.0)
    for contour in find_contours(smooth, 14.0):
        lengths = np.concatenate([[0], np.hypot(*np.diff(contour, axis=0).T).cumsum()])
        marks = np.arange(3.0, lengths[-1] - 3.0, 6.0)
        places.append(
            np.column_stack([np.interp(marks, lengths, contour[:, a]) for a in range(2)])
        )
    rows, cols = np.concatenate(places).T
    at = (rows.astype(int), cols.astype(int))
    keep = (section.domain[at] == an.MUCOSA) & (section.lumen[at] == an.NO_LUMEN)
    rows, cols = rows[keep], cols[keep]
    at = (rows.astype(int), cols.astype(int))
    slope_y, slope_x = (g[at] for g in np.gradient(smooth))
    inward = np.arctan2(slope_y, slope_x)
    goblet = rng.random(len(rows)) < 0.2
    depth = np.where(goblet, 2.0, rng.normal(0, 0.8, len(rows)))
    x, y = cols + 0.5 + depth * np.cos(inward), rows + 0.5 + depth * np.sin(inward)
    kind = np.where(goblet, GOBLET, ENTEROCYTE)
    angle = inward + np.where(goblet, np.pi / 2, 0)
    return x, y, kind, angle, inward + np.pi


def _vessel_cells(vessels: an.Rings, rng: np.random.Generator) -> _Columns:
    _, direction, (x, y) = _around(vessels, rng, 13.0, 1.0)
    none = np.full(len(x), np.nan)
    return x, y, np.full(len(x), ENDOTHELIAL), direction + np.pi / 2, none


def _candidates(section: an.Anatomy, rng: np.random.Generator) -> Seeds:
    """Random cells at random places, as many as each place's density asks for in one round."""
    height, width = section.shape
    density = np.zeros(len(an.DOMAINS))
    for domain, (per_um2, _) in _MIXES.items():
        density[domain] = per_um2
    total = rng.poisson(height * width * density.max())
    x, y = rng.uniform(0, width, total), rng.uniform(0, height, total)
    at = (y.astype(int), x.astype(int))
    domain, nest = section.domain[at], section.epithelium[at]
    wanted = np.where(nest == an.TUMOUR_EPITHELIUM, _NEST_DENSITY, density[domain])
    keep = (
        (rng.random(total) * density.max() < wanted * 2.2 / _ROUNDS)
        & (nest != an.NORMAL_EPITHELIUM)
        & ((section.lumen[at] == an.NO_LUMEN) | (section.lumen[at] == an.DEBRIS))
        & (section.depth[at] > 3)
    )
    x, y, domain, nest, lumen = x[keep], y[keep], domain[keep], nest[keep], section.lumen[at][keep]
    kind = _kinds(rng, domain, nest)
    dead = lumen == an.DEBRIS
    kind[dead] = NEUTROPHIL
    angle, apical = _directions(section, rng, x, y, kind)
    seeds = make_seeds(rng, x, y, kind, angle, apical)
    return seeds.take(~dead | (rng.random(len(seeds)) < 0.25))


def _kinds(
    rng: np.random.Generator, domain: NDArray[np.uint8], nest: NDArray[np.uint8]
) -> NDArray[np.int64]:
    kind = np.zeros(len(domain), np.int64)
    for code, (_, mix) in _MIXES.items():
        here = domain == code
        kind[here] = rng.choice(list(mix), here.sum(), p=list(mix.values()))
    here = nest == an.TUMOUR_EPITHELIUM
    kind[here] = rng.choice(list(_NEST_MIX), here.sum(), p=list(_NEST_MIX.values()))
    return kind


def _directions(
    section: an.Anatomy,
    rng: np.random.Generator,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    kind: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Long axes: fibroblasts along the fibres, tumour cells across the nest's border."""
    height, width = section.shape
    rows, cols = np.clip(y.astype(int), 1, height - 2), np.clip(x.astype(int), 1, width - 2)
    slope_y = section.flow[rows + 1, cols] - section.flow[rows - 1, cols]
    slope_x = section.flow[rows, cols + 1] - section.flow[rows, cols - 1]
    across = np.arctan2(slope_y, slope_x)
    free = rng.uniform(0, np.pi, len(x))
    along = across + np.pi / 2 + rng.normal(0, 0.25, len(x))
    angle = np.where(np.isin(kind, (FIBROBLAST, ENDOTHELIAL)), along, free)
    tumour = kind == TUMOR
    border = np.where(section.lumen == an.MUCUS, 0, section.epithelium == an.TUMOUR_EPITHELIUM)
    inside = ndi.gaussian_filter(border.astype(np.float32), 7.0)
    gy = inside[rows + 1, cols] - inside[rows - 1, cols]
    gx = inside[rows, cols + 1] - inside[rows, cols - 1]
    normal = np.arctan2(gy, gx) + rng.normal(0, 0.4, len(x))
    angle = np.where(tumour & (np.hypot(gy, gx) > 0.012), normal, angle)
    return angle, np.full(len(x), np.nan)
