"""Give a layout of nuclei the colours, textures, look-alikes and optics of real H&E."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from scipy import ndimage as ndi

from nuclei import EPITHELIUM, LUMEN, STROMA, Layout, Sources
from prepare_tiles import optical_density

Rng = np.random.Generator


class Noise:
    """Fields of noise made once; tiles cut random windows out of them."""

    _SIDE = 640

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.fields = {}
        sigmas = {
            "grain": 0.8, "fine": 1.6, "cell": 4.0, "patch": 12.0, "broad": 40.0,
            "fibre": (1.1, 16.0), "bundle": (3.0, 40.0),
        }  # fmt: skip
        for name, sigma in sigmas.items():
            field = ndi.gaussian_filter(rng.normal(size=(self._SIDE,) * 2), sigma, mode="wrap")
            self.fields[name] = (field / field.std()).astype(np.float32)

    def cut(self, name: str, size: int, rng: Rng) -> np.ndarray:
        """Return a random window, mean 0 and standard deviation about 1, float32 (size, size)."""
        field = self.fields[name]
        top, left = rng.integers(0, self._SIDE - size, 2)
        window = field[top : top + size, left : left + size]
        return window[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]

    def fibres(self, name: str, size: int, rng: Rng) -> np.ndarray:
        """Return wavy fibres of one random direction."""
        angle, zoom = rng.uniform(0, np.pi), rng.uniform(0.5, 1.3)
        rows, columns = np.mgrid[:size, :size].astype(np.float32) - size / 2
        wave = rng.uniform(0, 7) * self.cut("patch", size, rng)
        wave += rng.uniform(0, 25) * self.cut("broad", size, rng)
        across = zoom * (columns * np.sin(angle) + rows * np.cos(angle) + wave)
        along = zoom * (columns * np.cos(angle) - rows * np.sin(angle))
        at = [across + rng.uniform(0, self._SIDE), along + rng.uniform(0, self._SIDE)]
        return ndi.map_coordinates(self.fields[name], at, order=1, mode="grid-wrap")


NOISE = Noise()


def unit(vector: np.ndarray) -> np.ndarray:
    """Return the vector at length 1."""
    vector = np.asarray(vector, np.float32)
    return vector / np.linalg.norm(vector)


def stain_vectors(rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """Draw a haematoxylin and an eosin colour (unit optical densities of R, G, B).

    Haematoxylin runs from violet, as in thick or over-dyed sections, to blue; eosin from pink
    to salmon. The range round published vectors is narrow: wide jitter made the model worse.
    """
    violet, blue = np.array([0.52, 0.77, 0.38]), np.array([0.69, 0.66, 0.29])
    mix = rng.uniform(0, 1)
    haematoxylin = unit(violet * (1 - mix) + blue * mix + rng.normal(0, 0.02, 3))
    pink, salmon = np.array([0.22, 0.87, 0.40]), np.array([0.08, 0.85, 0.54])
    mix = rng.beta(1.2, 1.6)
    eosin = unit(np.abs(pink * (1 - mix) + salmon * mix + rng.normal(0, 0.03, 3)))
    return haematoxylin, eosin


def structure_nuclei(layout: Layout, rng: Rng) -> np.ndarray:
    """Vary nuclei one by one: pale or dark, vesicular with nucleoli, clumped or smooth.

    Returns
    -------
    float32 (H, W)
        The new density.
    """
    density, labels = layout.density, layout.labels
    count = layout.n_labels + 1
    gain = np.exp(rng.normal(0, rng.uniform(0.05, 0.35), count)).astype(np.float32)
    flat = rng.uniform(0, 0.7) if rng.random() < 0.5 else 0.0
    vesicular = (rng.random(count) < rng.choice([0.0, 0.25, 0.8], p=[0.4, 0.4, 0.2])) * 1.0
    # Distance to the nucleus' own edge, also where it touches another nucleus.
    edge = (ndi.grey_erosion(labels, size=3) != labels) | (labels == 0)
    depth = ndi.distance_transform_edt(~edge).astype(np.float32)
    inside = ndi.gaussian_filter((labels > 0).astype(np.float32), 0.8)
    clumps = NOISE.cut("fine", layout.size, rng)
    level = np.where(labels > 0, 0.85 + 0.12 * clumps, density)
    density = density * (1 - flat * inside) + level * flat * inside
    rim = rng.uniform(0.9, 1.8) * max(layout.diameter / 22, 0.6)
    pale = rng.uniform(0.35, 0.75)
    profile = pale + (1 - pale) * np.exp(-np.maximum(depth - 1, 0) / rim)
    profile = ndi.gaussian_filter(profile, 0.5) * (1 + 0.22 * clumps)
    if layout.diameter > 15:
        spots = NOISE.cut("fine" if layout.diameter < 24 else "cell", layout.size, rng)
        spots = (spots > rng.uniform(1.5, 2.1)) & (depth > 0.13 * layout.diameter)
        profile = profile + rng.uniform(0.3, 0.8) * ndi.gaussian_filter(
            spots.astype(np.float32), 0.7
        )
    share = vesicular[labels].astype(np.float32) * inside
    shape = (0.7 + 0.3 * density) * profile * np.where(labels > 0, 1.15, 1.0)
    density = density * (1 - share) + shape * share
    return density * gain[labels]


def background(source: Sources, layout: Layout, eosin: np.ndarray, rng: Rng) -> np.ndarray:
    """Return the optical density (H, W, 3) of what lies between the nuclei."""
    size = layout.size
    strength = rng.uniform(0.12, 0.65)
    if rng.random() < 0.55:
        real = _real_texture(source, size, rng)
        if rng.random() < 0.25:
            return real * rng.uniform(0.5, 1.1)
        amount = real[..., 1] / 0.55
        tint = unit(eosin + rng.normal(0, 0.03, 3))
        warm = (real[..., 0] - 0.2 * real[..., 1])[..., None] * rng.uniform(0, 0.8)
        return strength * amount[..., None] * tint + np.maximum(warm, 0) * unit([0.6, 0.7, 0.4])
    kind = rng.choice(["fibre", "bundle", "cell"])
    texture = (
        NOISE.cut("cell", size, rng) if kind == "cell" else NOISE.fibres(kind, size, rng)
    ) * rng.uniform(0.05, 0.5)
    texture = texture + rng.uniform(0, 0.2) * NOISE.cut("fine", size, rng)
    texture = texture + rng.uniform(0, 0.3) * NOISE.cut("patch", size, rng)
    if rng.random() < 0.3:
        # Clefts between bundles of collagen or muscle.
        texture = texture - 3 * np.clip(NOISE.fibres("bundle", size, rng) - rng.uniform(1, 2), 0, 1)
    drift = 0.06 * NOISE.cut("broad", size, rng)[..., None] * rng.normal(0, 1, 3)
    return strength * np.maximum(1 + texture, 0.03)[..., None] * np.maximum(eosin + drift, 0.02)


def _real_texture(source: Sources, size: int, rng: Rng) -> np.ndarray:
    zoom = rng.uniform(0.9, 2.2)
    side = int(np.ceil(size / zoom)) + 1
    height, width = source.painted.shape
    for _ in range(30):
        top, left = rng.integers(0, height - side), rng.integers(0, width - side)
        window = (slice(top, top + side), slice(left, left + side))
        sparse = source.background[window][::8, ::8]
        if source.painted[window].mean() < 0.35 and (sparse.mean(axis=2) < 215).mean() > 0.6:
            break
    density = optical_density(source.background[window], 243.0)
    density = np.rot90(density, rng.integers(4))
    return ndi.zoom(density, (size / side, size / side, 1), order=1)[:size, :size]


def tissue_density(
    layout: Layout, behind: np.ndarray, haematoxylin: np.ndarray, eosin: np.ndarray, rng: Rng
) -> np.ndarray:
    """Change the background where epithelium or lumen is, and round nuclei (cytoplasm)."""
    size = layout.size
    violet = rng.uniform(0.1, 0.8)
    cytoplasm = unit(eosin * (1 - violet) + haematoxylin * violet)
    grain = 1 + 0.12 * NOISE.cut("fine", size, rng) + 0.15 * NOISE.cut("patch", size, rng)
    if (layout.tissue != STROMA).any():
        wall = ndi.gaussian_filter((layout.tissue == EPITHELIUM).astype(np.float32), 2)
        lumen = ndi.gaussian_filter((layout.tissue == LUMEN).astype(np.float32), 1.5)
        body = rng.uniform(0.15, 0.6) * np.maximum(grain, 0)[..., None] * cytoplasm
        behind = behind * (1 - wall[..., None]) + body * wall[..., None]
        mucus = rng.uniform(0.0, 0.12) * np.maximum(1 + NOISE.cut("patch", size, rng), 0)
        filled = mucus[..., None] * unit([0.6, 0.65, 0.45])
        behind = behind * (1 - lumen[..., None]) + filled * lumen[..., None]
    halo = ndi.gaussian_filter(np.minimum(layout.density, 1), 0.35 * layout.diameter)
    amount = rng.uniform(0, 0.6) * halo * np.maximum(grain, 0)
    return behind + amount[..., None] * cytoplasm


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


def colour(source: Sources, layout: Layout, rng: Rng) -> np.ndarray:
    """Return the layout as the optical density of an H&E section, float32 (H, W, 3)."""
    haematoxylin, eosin = stain_vectors(rng)
    density = structure_nuclei(layout, rng)
    od = background(source, layout, eosin, rng)
    if rng.random() < 0.12:
        od = od * rng.uniform(0.05, 0.4)
    od = tissue_density(layout, od, haematoxylin, eosin, rng)
    if rng.random() < 0.22:
        od = add_blood(od, layout, rng)
    if rng.random() < 0.35:
        od = add_vacuoles(od, layout, rng)
    if rng.random() < 0.3:
        od = add_streaks(od, layout, haematoxylin, rng)
    if rng.random() < 0.3:
        od = add_debris(od, layout, haematoxylin, rng)
    cover = np.clip(density, 0, 1)[..., None]
    shade = 1 + 0.06 * NOISE.cut("patch", layout.size, rng)[..., None] * rng.normal(0, 1, 3)
    stain = rng.uniform(0.5, 1.5)
    od = od * (1 - rng.uniform(0.3, 0.9) * cover) + stain * density[..., None] * (
        haematoxylin * shade.astype(np.float32)
    )
    if rng.random() < 0.06:
        od = add_fold(od, layout, rng)
    return od


def optics(od: np.ndarray, rng: Rng) -> np.ndarray:
    """Photograph the section: white point, focus, noise, sharpening and JPEG; uint8 RGB."""
    size = od.shape[0]
    if rng.random() < 0.3:
        # Thick or pale regions of the section.
        od = od * np.exp(rng.uniform(0, 0.3) * NOISE.cut("broad", size, rng))[..., None]
    white = rng.uniform(222, 252) * np.exp(rng.normal(0, 0.012, 3))
    rgb = white * np.exp(-od)
    sigma = abs(rng.normal(0, 0.7))
    if sigma > 0.25:
        blurred = ndi.gaussian_filter(rgb, (sigma, sigma, 0))
        if rng.random() < 0.12:
            far = ndi.gaussian_filter(rgb, (sigma + 1.3, sigma + 1.3, 0))
            weight = np.clip(NOISE.cut("broad", size, rng) * 1.5, 0, 1)[..., None]
            blurred = blurred * (1 - weight) + far * weight
        rgb = blurred
    if rng.random() < 0.25:
        rgb = rgb + rng.uniform(0.3, 1.2) * (rgb - ndi.gaussian_filter(rgb, (1.2, 1.2, 0)))
    rgb = rgb + rng.normal(0, 1, rgb.shape) * rng.uniform(0, 4)
    rgb = np.clip(rgb, 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        buffer = io.BytesIO()
        Image.fromarray(rgb).save(buffer, "JPEG", quality=int(rng.integers(45, 95)))
        rgb = np.asarray(Image.open(buffer))
    return rgb
