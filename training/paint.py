"""Give a layout of nuclei the colours, textures, look-alikes and optics of real H&E."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from lookalikes import add_blood, add_debris, add_fold, add_streaks, add_vacuoles
from nuclei import EPITHELIUM, LUMEN, STROMA, Layout
from PIL import Image
from scipy import ndimage as ndi
from textures import NOISE, Rng, background, stain_vectors, unit, veil

if TYPE_CHECKING:
    from sources import Sources


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


def colour(source: Sources, layout: Layout, rng: Rng) -> np.ndarray:
    """Return the layout as the optical density of an H&E section, float32 (H, W, 3)."""
    haematoxylin, eosin = stain_vectors(rng)
    density = structure_nuclei(layout, rng)
    od = background(source, layout.size, eosin, rng)
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
    stain = rng.uniform(0.5, 1.5) if rng.random() < 0.7 else rng.uniform(0.3, 0.7)
    od = od + veil(layout.size, rng)
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
