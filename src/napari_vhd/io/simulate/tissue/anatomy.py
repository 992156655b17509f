"""The map of a colorectal section: where there is glass, mucosa, stroma, immune aggregate, tumour.

Everything here is in um; maps have one value per um (row y holds y .. y + 1 um).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.draw import polygon

from napari_vhd.io.simulate.tissue.distance import distance_inside, signed_distance
from napari_vhd.io.simulate.tissue.noise import Noise
from napari_vhd.io.simulate.tissue.placing import Seeds, settle
from napari_vhd.io.simulate.tissue.shapes import vertices, wobbly

Real = NDArray[np.floating]

DOMAINS = ("glass", "mucosa", "stroma", "immune_aggregate", "tumour", "invasive_margin")
GLASS, MUCOSA, STROMA, AGGREGATE, TUMOUR, MARGIN = range(len(DOMAINS))

NO_EPITHELIUM, NORMAL_EPITHELIUM, TUMOUR_EPITHELIUM = range(3)
NO_LUMEN, MUCUS, DEBRIS, BLOOD = range(4)

# Where along the axis from lumen to tumour each layer of the bowel ends.
_GLASS_END, _MUCOSA_END, _STROMA_END = 0.09, 0.44, 0.60


@dataclass(frozen=True)
class Rings:
    """Round things with a lumen: crypts or vessels; centres and radii in um, outlines (n, RAYS)."""

    x: Real
    y: Real
    angle: Real
    radius: Real
    outline: Real

    def take(self, which: NDArray[np.bool_]) -> Rings:
        """Keep some of the rings."""
        return Rings(
            self.x[which], self.y[which], self.angle[which], self.radius[which], self.outline[which]
        )


@dataclass(frozen=True)
class Anatomy:
    """Maps of a section, one value per um, and its crypts and vessels.

    Attributes
    ----------
    domain
        Code of `DOMAINS`, uint8.
    depth
        Distance to the tissue's edge, negative on glass (um, float32).
    epithelium
        0 none, 1 normal, 2 tumour, uint8 (lumina included).
    lumen
        0 none, 1 mucus, 2 debris, 3 blood, uint8.
    flow
        A potential (um); collagen and fibroblasts follow its contour lines.
    crypts, vessels
        The rings that cells line.
    """

    seed: int
    domain: NDArray[np.uint8]
    depth: NDArray[np.float32]
    epithelium: NDArray[np.uint8]
    lumen: NDArray[np.uint8]
    flow: NDArray[np.float32]
    crypts: Rings
    vessels: Rings

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width (um)."""
        height, width = self.domain.shape
        return height, width


def draw_anatomy(
    shape: tuple[int, int], seed: int, span: tuple[float, float] = (0.0, 1.0)
) -> Anatomy:
    """Invent a section.

    Parameters
    ----------
    shape
        Height and width (um).
    seed
        Names the section.
    span
        The part shown of the way from the bowel's lumen (0) to the tumour's centre (1).
    """
    rng = np.random.default_rng((seed, 1))
    along, size = _along(shape, seed, rng, span)
    domain = np.full(shape, TUMOUR, np.uint8)
    for code, end in ((STROMA, _STROMA_END), (MUCOSA, _MUCOSA_END), (GLASS, _GLASS_END)):
        domain[along < end] = code
    edge = (along - _STROMA_END) * size / (span[1] - span[0])
    width = min(45.0, 0.09 * size)
    domain[(np.abs(edge) < width) & (domain >= STROMA)] = MARGIN
    _add_aggregates(domain, rng, size)
    depth = ndi.gaussian_filter(signed_distance(domain != GLASS), 1.5)

    epithelium = np.zeros(shape, np.uint8)
    lumen = np.zeros(shape, np.uint8)
    crypts = _crypts(domain, depth, rng, size)
    _stamp(epithelium, crypts, 1.0, NORMAL_EPITHELIUM)
    _stamp(lumen, crypts, 0.24, MUCUS)
    epithelium[(domain == MUCOSA) & (depth < 24) & (epithelium == 0)] = NORMAL_EPITHELIUM
    nests = _nests(edge, domain, seed)
    epithelium[nests] = TUMOUR_EPITHELIUM
    _punch_lumina(lumen, nests, rng)
    vessels = _vessels(domain, epithelium, depth, rng)
    _stamp(lumen, vessels, 0.72, BLOOD)
    flow = _flow(epithelium, lumen, seed)
    return Anatomy(seed, domain, depth, epithelium, lumen, flow, crypts, vessels)


def anatomy_around(domain: NDArray[np.uint8], epithelium: NDArray[np.uint8], seed: int) -> Anatomy:
    """Complete a section of which domains and epithelium are given: lumina, vessels, fibres.

    Parameters
    ----------
    domain, epithelium
        Maps as in `Anatomy`.
    seed
        Names the rest.
    """
    rng = np.random.default_rng((seed, 1))
    depth = signed_distance(domain != GLASS)
    lumen = np.zeros_like(domain)
    _punch_lumina(lumen, epithelium != NO_EPITHELIUM, rng)
    vessels = _vessels(domain, epithelium, depth, rng)
    _stamp(lumen, vessels, 0.72, BLOOD)
    none = _random_rings(rng, np.zeros_like(domain, bool), (1.0, 1.0), 0.0)
    flow = _flow(epithelium, lumen, seed)
    return Anatomy(seed, domain, depth, epithelium, lumen, flow, none, vessels)


def _along(
    shape: tuple[int, int], seed: int, rng: np.random.Generator, span: tuple[float, float]
) -> tuple[NDArray[np.float32], float]:
    """Way from lumen (0) to tumour (1) with irregular layers, and the section's extent (um)."""
    size = float(min(shape))
    angle = rng.uniform(0, 2 * np.pi)
    y, x = (np.arange(n, dtype=np.float32) - n / 2 for n in shape)
    reach = (abs(np.sin(angle)) * shape[0] + abs(np.cos(angle)) * shape[1]) * 0.94
    way = (np.sin(angle) * y[:, None] + np.cos(angle) * x[None]) / reach + 0.5
    broad = Noise((seed, 2), shape, max(0.4 * size, 60.0)).block(0, 0, *shape)
    fine = Noise((seed, 3), shape, 45.0).block(0, 0, *shape)
    way += 0.045 * broad + fine * np.float32(7.0 / size)
    return (span[0] + way * (span[1] - span[0])).astype(np.float32), size


def _random_rings(
    rng: np.random.Generator,
    allowed: NDArray[np.bool_],
    radius: tuple[float, float],
    per_um2: float,
) -> Rings:
    """Rings that do not touch, with their centres on `allowed`."""
    height, width = allowed.shape
    count = int(rng.poisson(height * width * per_um2))
    x, y = rng.uniform(0, width, count), rng.uniform(0, height, count)
    here = allowed[y.astype(int), x.astype(int)]
    x, y = x[here], y[here]
    count = len(x)
    size = rng.uniform(*radius, count)
    places = Seeds(
        x, y, np.zeros(count, np.uint8), rng.uniform(0, 2 * np.pi, count), np.full(count, np.nan),
        size, size,
    )  # fmt: skip
    order = np.argsort(-size, kind="stable")
    kept = settle(places.take(order), 0, 1.0) if count else places
    outline = wobbly(rng, kept.long * 0.93, kept.long * 0.8, np.full(len(kept), 0.035))
    return Rings(kept.x, kept.y, kept.angle, kept.long, outline)


def _stamp(plane: NDArray[np.uint8], rings: Rings, scale: float, value: int) -> None:
    """Write a value into the inner `scale` of each ring."""
    corners = vertices(rings.x, rings.y, rings.angle, rings.outline * scale)
    for corner in corners:
        rows, cols = polygon(corner[:, 1] - 0.5, corner[:, 0] - 0.5, plane.shape)
        plane[rows, cols] = value


def _crypts(
    domain: NDArray[np.uint8], depth: NDArray[np.float32], rng: np.random.Generator, size: float
) -> Rings:
    largest = float(np.clip(0.2 * size, 22, 38))
    allowed = (domain == MUCOSA) & (depth > 24 + largest * 0.8)
    if not allowed.any():
        allowed = (domain == MUCOSA) & (depth > largest * 0.8)
    return _random_rings(rng, allowed, (0.72 * largest, largest), 0.005)


def _add_aggregates(domain: NDArray[np.uint8], rng: np.random.Generator, size: float) -> None:
    """Round, dense immune aggregates in and around the stroma, at least one."""
    largest = float(np.clip(0.15 * size, 18, 85))
    allowed = (domain == STROMA) | (domain == MARGIN)
    # Whole ones, not cut by the picture's edge.
    inset = int(0.7 * largest)
    allowed[:inset] = allowed[-inset:] = False
    allowed[:, :inset] = allowed[:, -inset:] = False
    places = np.flatnonzero(allowed)
    if not len(places):
        return
    count = max(1, int(len(places) / (14 * largest**2)))
    rows, cols = np.divmod(rng.choice(places, count), domain.shape[1])
    radius = rng.uniform(0.75 * largest, largest, count)
    outline = wobbly(rng, radius, radius * 0.8, np.full(count, 0.08))
    angle = rng.uniform(0, 2 * np.pi, count)
    inside = np.zeros_like(domain)
    _stamp(inside, Rings(cols + 0.5, rows + 0.5, angle, radius, outline), 1.0, 1)
    domain[(inside == 1) & (domain != GLASS)] = AGGREGATE


def _nests(edge: NDArray[np.float32], domain: NDArray[np.uint8], seed: int) -> NDArray[np.bool_]:
    """Broad, irregular tumour nests with thin stroma between them."""
    shape = domain.shape
    field = Noise((seed, 4), shape, 42.0).block(0, 0, *shape)
    field += 0.35 * Noise((seed, 5), shape, 17.0).block(0, 0, *shape)
    nests = (field > -0.35) & (edge > 0) & (domain >= TUMOUR)
    opened: NDArray[np.bool_] = ndi.binary_opening(nests, iterations=7)
    return opened


def _punch_lumina(
    lumen: NDArray[np.uint8], glands: NDArray[np.bool_], rng: np.random.Generator
) -> None:
    """Punch round lumina, some with debris, where the epithelium stays thick enough."""
    inner = distance_inside(glands)
    rings = _random_rings(rng, inner > 17, (13.0, 34.0), 0.004)
    debris = rng.random(len(rings.x)) < 0.35
    stamped = np.zeros_like(lumen)
    for value, which in ((MUCUS, ~debris), (DEBRIS, debris)):
        _stamp(stamped, rings.take(which), 0.62, value)
    stamped[inner <= 13] = 0
    lumen[stamped > 0] = stamped[stamped > 0]


def _vessels(
    domain: NDArray[np.uint8],
    epithelium: NDArray[np.uint8],
    depth: NDArray[np.float32],
    rng: np.random.Generator,
) -> Rings:
    room = distance_inside(epithelium == NO_EPITHELIUM)
    allowed = (room > 11) & (depth > 20) & np.isin(domain, (MUCOSA, STROMA, MARGIN, TUMOUR))
    return _random_rings(rng, allowed, (7.0, 15.0), 0.00016)


def _flow(
    epithelium: NDArray[np.uint8], lumen: NDArray[np.uint8], seed: int
) -> NDArray[np.float32]:
    """Potential whose contour lines run around glands and vessels, and in waves elsewhere."""
    shape = epithelium.shape
    free = (epithelium == NO_EPITHELIUM) & (lumen != BLOOD)
    near = distance_inside(free)
    waves = 26 * Noise((seed, 6), shape, 110.0).block(0, 0, *shape)
    waves += 5 * Noise((seed, 7), shape, 34.0).block(0, 0, *shape)
    flow = waves + 30 * (1 - np.exp(-near / 22))
    return ndi.gaussian_filter(flow, 2.0).astype(np.float32)
