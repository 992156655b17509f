"""Colours of the stains and the tissue between nuclei, real and invented."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from prepare_tiles import optical_density
from scipy import ndimage as ndi

if TYPE_CHECKING:
    from sources import Sources

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


def veil(size: int, rng: Rng) -> np.ndarray:
    """Return a haze of haematoxylin over everything, in a third of the tiles; (H, W, 3)."""
    if rng.random() > 0.33:
        return np.zeros((size, size, 3), np.float32)
    haze = np.maximum(1 + 0.3 * NOISE.cut("patch", size, rng), 0) * rng.uniform(0.03, 0.25)
    return haze[..., None] * unit(np.array([0.5, 0.72, 0.42]) + rng.normal(0, 0.03, 3))


def background(source: Sources, size: int, eosin: np.ndarray, rng: Rng) -> np.ndarray:
    """Return the optical density (H, W, 3) of what lies between the nuclei."""
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
