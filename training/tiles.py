"""One training tile from one number: which kind it is and how it is put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nuclei
import numpy as np
import paint
from nuclei import Layout
from prepare_tiles import optical_density
from scipy import ndimage as ndi
from textures import stain_vectors, veil

if TYPE_CHECKING:
    from sources import Sources

SIZE = 256
#: Share of each kind of tile.
KINDS = {
    "native": 0.16,
    "recomposed": 0.42,
    "scene": 0.21,
    "slide": 0.11,
    "empty": 0.06,
    "keratin": 0.04,
}
SMALLEST_NUCLEUS_PX = 20
#: Optical density of the three channels together.
LEAST_CONTRAST = 0.08


def make_tile(source: Sources, seed: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Compose one tile.

    Returns
    -------
    rgb : uint8 (SIZE, SIZE, 3)
    labels : int32 (SIZE, SIZE)
    """
    rng = np.random.default_rng(seed)
    kind = rng.choice(list(KINDS), p=np.array(list(KINDS.values())) / sum(KINDS.values()))
    if kind == "native":
        rgb, labels = _native(source, rng)
    elif kind == "slide":
        rgb, labels = _slide(source, rng)
    elif kind == "keratin":
        rgb, labels = _keratin(source, rng)
    else:
        # 20x to 40x; the larger half of the range more often.
        smallest = 16 if rng.random() < 0.4 else 10
        diameter = float(np.exp(rng.uniform(np.log(smallest), np.log(36))))
        if kind == "recomposed":
            layout = nuclei.whole_tiles(source, rng, SIZE, diameter)
            if rng.random() < 0.45:
                nuclei.crowd(layout, source, rng, rng.uniform(0.05, 0.45))
        elif kind == "scene":
            layout = nuclei.scene(source, rng, SIZE, diameter)
        else:
            layout = Layout(SIZE, diameter)
        density = paint.colour(source, layout, rng)
        rgb = paint.optics(density, rng)
        labels = without_invisible(layout.labels, density)
    return rgb, without_crumbs(labels)


def without_crumbs(labels: np.ndarray) -> np.ndarray:
    """Drop labels of fewer than ``SMALLEST_NUCLEUS_PX`` pixels."""
    area = np.bincount(labels.ravel())
    small = area < SMALLEST_NUCLEUS_PX
    small[0] = False
    return np.where(small[labels], 0, labels).astype(np.int32)


def without_invisible(labels: np.ndarray, density: np.ndarray) -> np.ndarray:
    """Drop labels of nuclei that cannot be told from what surrounds them.

    Parameters
    ----------
    labels : int32 (H, W)
    density : float32 (H, W, 3)
        Optical density of the painted tile.
    """
    if not labels.any():
        return labels
    ids = np.arange(1, labels.max() + 1)
    ring = np.where(labels > 0, 0, ndi.grey_dilation(labels, size=7))
    total = density.sum(axis=2)
    area, rim = (np.bincount(at.ravel(), minlength=len(ids) + 1)[1:] for at in (labels, ring))
    inside, around = (
        np.bincount(at.ravel(), total.ravel(), len(ids) + 1)[1:] / np.maximum(count, 1)
        for at, count in ((labels, area), (ring, rim))
    )
    seen = (inside - around > LEAST_CONTRAST) | (rim == 0)
    return np.concatenate([[0], np.where(seen, ids, 0)])[labels].astype(np.int32)


def _native(source: Sources, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Take a tile of the Data Science Bowl in its own colours, resized and slightly varied."""
    weight = np.where(source.pink, 5.0, 1.0)
    index = rng.choice(len(weight), p=weight / weight.sum())
    zoom = np.exp(rng.uniform(np.log(0.75), np.log(1.45)))
    if source.diameter[index] > 30:
        zoom = rng.uniform(0.45, 1.1)
    rgb = source.images[index].astype(np.float32)
    labels = source.labels[index].astype(np.int32)
    need = int(np.ceil(SIZE / zoom))
    pad = [(0, max(need - side, 0)) for side in labels.shape]
    rgb = np.pad(rgb, [*pad, (0, 0)], mode="reflect")
    # A mirrored nucleus is another nucleus; only one that crosses the mirror stays one.
    mirrored = np.pad(labels, pad, mode="reflect")
    beyond = np.ones(mirrored.shape, bool)
    beyond[: labels.shape[0], : labels.shape[1]] = False
    labels = np.where(beyond & (mirrored > 0), mirrored + labels.max(), mirrored)
    top = rng.integers(0, labels.shape[0] - need + 1)
    left = rng.integers(0, labels.shape[1] - need + 1)
    window = (slice(top, top + need), slice(left, left + need))
    if zoom < 0.75:
        rgb = ndi.gaussian_filter(rgb, (0.4 / zoom, 0.4 / zoom, 0))
    rgb = ndi.zoom(rgb[window], (SIZE / need, SIZE / need, 1), order=1)
    labels = ndi.zoom(labels[window], SIZE / need, order=0)
    density = optical_density(np.clip(rgb, 0, 255)) * rng.uniform(0.75, 1.25)
    density = density * np.exp(rng.normal(0, 0.05, 3)).astype(np.float32)
    return paint.optics(density, rng), labels


def _slide(source: Sources, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Take real H&E of the slide with its outlined nuclei, mostly in other stains."""
    top, bottom, left, right = source.labelled[rng.choice(len(source.labelled), p=source.share)]
    side = int(SIZE / np.exp(rng.uniform(np.log(0.8), np.log(2.6))))
    side = min(side, bottom - top, right - left)
    row, column = rng.integers(top, bottom - side + 1), rng.integers(left, right - side + 1)
    window = (slice(row, row + side), slice(column, column + side))
    zoom = SIZE / side
    rgb = ndi.zoom(source.slide[window].astype(np.float32), (zoom, zoom, 1), order=1)
    labels = ndi.zoom(source.slide_labels[window].astype(np.int32), zoom, order=0)
    density = optical_density(np.clip(rgb, 0, 255), 243.0)
    if rng.random() < 0.75:
        haematoxylin, eosin = stain_vectors(rng)
        rest = np.cross(haematoxylin, eosin)
        amount = density @ source.unmix
        amount *= (rng.uniform(0.4, 1.1), rng.uniform(0.3, 1.2), 1.0)
        density = np.maximum(amount @ np.stack([haematoxylin, eosin, rest]), 0)
    density = density + veil(SIZE, rng)
    return paint.optics(density.astype(np.float32), rng), labels


def _keratin(source: Sources, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Take real keratin and debris of the slide: dark strands and not one nucleus."""
    top, bottom, left, right = source.keratin[rng.integers(len(source.keratin))]
    patch = source.slide[top:bottom, left:right]
    side = int(min(SIZE / rng.uniform(1.0, 2.4), *patch.shape[:2]))
    row, column = (rng.integers(0, length - side + 1) for length in patch.shape[:2])
    patch = patch[row : row + side, column : column + side].astype(np.float32)
    patch = np.rot90(ndi.zoom(patch, (SIZE / side, SIZE / side, 1), order=1), rng.integers(4))
    density = optical_density(np.clip(patch, 0, 255), 243.0) * rng.uniform(0.5, 1.2)
    return paint.optics(density, rng), np.zeros((SIZE, SIZE), np.int32)
