"""The cells of an invented section: which type stands where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.measure import find_contours

from napari_vhd.io.simulate.tissue import anatomy as an
from napari_vhd.io.simulate.tissue.celltypes import (
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
from napari_vhd.io.simulate.tissue.placing import Seeds, settle
from napari_vhd.io.simulate.tissue.shapes import areas, extent

if TYPE_CHECKING:
    from napari_vhd.io.simulate.real.nuclei import Nuclei

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
# So many places are tried for each nucleus wanted; some lie on others.
_TRIES = 2.2
_AREA_DENSITY = np.array([_MIXES[d][0] if d in _MIXES else 0.0 for d in range(len(an.DOMAINS))])
# Where the types of places are given: nuclei per um2 of each type.
_KIND_DENSITY = np.full(len(TYPES), 0.008)
_KIND_DENSITY[[TUMOR, GOBLET, ENTEROCYTE]] = _NEST_DENSITY
_KIND_DENSITY[[T_CELL, B_CELL]] = 0.018


def populate(section: an.Anatomy, kinds: NDArray[np.int64] | None = None) -> Seeds:
    """Place the cells of a section: linings first, then nests, then what is between them.

    Parameters
    ----------
    section
        The map.
    kinds
        Where given, the type of the cells at each um, instead of those usual in each domain.
    """
    rng = np.random.default_rng((section.seed, 11))
    seeds = settle(_lining(section, rng), 0, 0.8)
    glands = (section.epithelium != an.NO_EPITHELIUM) & (section.lumen != an.MUCUS)
    inside = ndi.gaussian_filter(glands.astype(np.float32), 7.0)
    for _ in range(_ROUNDS):
        settled = len(seeds)
        seeds = settle(seeds.join(_candidates(section, inside, rng, kinds)), settled, 0.93)
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
    rings: an.Rings, rng: np.random.Generator, spacing: float, inset: float, wide: float
) -> tuple[NDArray[np.bool_], NDArray[np.float64], _Columns]:
    """Places along each ring, `inset` um within it, some of them (share `wide`) half as wide again.

    Returns
    -------
    Which places are wide, their directions from the ring's centre, and (x, y).
    """
    mean = spacing * (1 + 0.5 * wide)
    count = np.maximum((2 * np.pi * (rings.radius * 0.86 - inset) / mean).astype(int), 4)
    ring = np.repeat(np.arange(len(count)), count)
    broad = rng.random(len(ring)) < wide
    width = np.where(broad, 1.5, 1.0) * rng.uniform(0.9, 1.1, len(ring))
    end = np.cumsum(width)
    whole = np.bincount(ring, width, len(count))
    before = (np.cumsum(whole) - whole)[ring]
    phase = rng.uniform(0, 2 * np.pi, len(count))
    theta = phase[ring] + 2 * np.pi * (end - width / 2 - before) / whole[ring]
    reach = extent(rings.outline[ring], theta[:, None])[:, 0] - inset
    direction = rings.angle[ring] + theta
    x = rings.x[ring] + reach * np.cos(direction)
    y = rings.y[ring] + reach * np.sin(direction)
    return broad, direction, (x, y)


def _crypt_cells(crypts: an.Rings, rng: np.random.Generator) -> _Columns:
    goblet, direction, (x, y) = _around(crypts, rng, 5.6, 6.0, 0.42)
    shift = np.where(goblet, 2.2, rng.normal(0, 0.9, len(x)))
    x, y = x + shift * np.cos(direction), y + shift * np.sin(direction)
    kind = np.where(goblet, GOBLET, ENTEROCYTE)
    angle = direction + np.where(goblet, np.pi / 2, 0) + rng.normal(0, 0.12, len(x))
    return x, y, kind, angle, direction + np.pi


def _surface_cells(section: an.Anatomy, rng: np.random.Generator) -> _Columns:
    """Line the mucosa's surface, where it meets the glass, with columnar cells."""
    places = [np.empty((0, 2))]
    smooth = ndi.gaussian_filter(section.depth, 3.0)
    for contour in find_contours(smooth, 14.0):
        lengths = np.concatenate([[0], np.hypot(*np.diff(contour, axis=0).T).cumsum()])
        marks = np.arange(3.0, lengths[-1] - 3.0, 6.0)
        places.append(np.column_stack([np.interp(marks, lengths, contour[:, a]) for a in range(2)]))
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
    _, direction, (x, y) = _around(vessels, rng, 15.0, 1.0, 0.0)
    none = np.full(len(x), np.nan)
    return x, y, np.full(len(x), ENDOTHELIAL), direction + np.pi / 2, none


def _candidates(
    section: an.Anatomy,
    inside: NDArray[np.float32],
    rng: np.random.Generator,
    kinds: NDArray[np.int64] | None,
) -> Seeds:
    """Random cells at random places, as many as each place's density asks for in one round."""
    height, width = section.shape
    densest = max(_AREA_DENSITY.max(), _KIND_DENSITY.max())
    total = rng.poisson(height * width * densest * _TRIES / _ROUNDS)
    x, y = rng.uniform(0, width, total), rng.uniform(0, height, total)
    at = (y.astype(int), x.astype(int))
    domain, nest, lumen = section.domain[at], section.epithelium[at], section.lumen[at]
    if kinds is None:
        wanted = np.where(nest == an.TUMOUR_EPITHELIUM, _NEST_DENSITY, _AREA_DENSITY[domain])
        wanted[nest == an.NORMAL_EPITHELIUM] = 0
    else:
        wanted = _KIND_DENSITY[kinds[at]]
    keep = (
        (rng.random(total) * densest < wanted)
        & ((lumen == an.NO_LUMEN) | ((lumen == an.DEBRIS) & (rng.random(total) < 0.25)))
        & (section.depth[at] > 3)
    )
    x, y, lumen = x[keep], y[keep], lumen[keep]
    kind = _kinds(rng, domain[keep], nest[keep]) if kinds is None else kinds[at][keep]
    kind[lumen == an.DEBRIS] = NEUTROPHIL
    angle, apical = _directions(section, inside, rng, x, y, kind)
    return make_seeds(rng, x, y, kind, angle, apical)


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
    inside: NDArray[np.float32],
    rng: np.random.Generator,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    kind: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Long axes, and the directions that columnar cells look in.

    Fibroblasts lie along the fibres. `inside` is high within glands: epithelial cells stand across
    their border.
    """
    height, width = section.shape
    rows, cols = np.clip(y.astype(int), 1, height - 2), np.clip(x.astype(int), 1, width - 2)
    slope_y = section.flow[rows + 1, cols] - section.flow[rows - 1, cols]
    slope_x = section.flow[rows, cols + 1] - section.flow[rows, cols - 1]
    across = np.arctan2(slope_y, slope_x)
    free = rng.uniform(0, np.pi, len(x))
    along = across + np.pi / 2 + rng.normal(0, 0.25, len(x))
    angle = np.where(np.isin(kind, (FIBROBLAST, ENDOTHELIAL)), along, free)
    gy = inside[rows + 1, cols] - inside[rows - 1, cols]
    gx = inside[rows, cols + 1] - inside[rows, cols - 1]
    normal = np.arctan2(gy, gx) + rng.normal(0, 0.4, len(x))
    normal = np.where(np.hypot(gy, gx) > 0.012, normal, free)
    columnar = np.isin(kind, (GOBLET, ENTEROCYTE))
    angle = np.where((kind == TUMOR) | columnar, normal, angle)
    angle = np.where(kind == GOBLET, angle + np.pi / 2, angle)
    return angle, np.where(columnar, normal, np.nan)


def kinds_by_shape(
    nuclei: Nuclei, domain: NDArray[np.uint8], mpp: float, seed: int
) -> NDArray[np.int64]:
    """Guess types of nuclei on a real picture: those of the domain that such a shape suits."""
    rng = np.random.default_rng((seed, 12))
    area = areas(nuclei.radii) * mpp**2
    slender = nuclei.radii.max(axis=1) / nuclei.radii.min(axis=1) > 2.2
    weight = np.zeros((len(area), len(TYPES)))
    for code, (_, mix) in _MIXES.items():
        for kind, share in mix.items():
            weight[domain == code, kind] = share
    weight[domain == an.MUCOSA, ENTEROCYTE] += 0.7
    weight[domain == an.MUCOSA, GOBLET] += 0.45
    weight[np.isin(domain, (an.TUMOUR, an.MARGIN)), TUMOR] += 1.2
    spindle, small = [FIBROBLAST, ENDOTHELIAL], [T_CELL, B_CELL, NEUTROPHIL]
    weight[:, spindle] *= np.where(slender, 8.0, 0.4)[:, None]
    weight[:, small] *= np.where(area < 26, 3.0, 0.4)[:, None]
    weight[:, [TUMOR, MACROPHAGE]] *= np.where(area > 34, 3.0, 0.7)[:, None]
    order = weight.cumsum(axis=1)
    kinds: NDArray[np.int64] = (order < rng.random((len(area), 1)) * order[:, -1:]).sum(axis=1)
    return kinds
