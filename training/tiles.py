"""One training tile from one number: which kind it is and how it is put together."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

import nuclei
import paint
from nuclei import Layout, Sources
from prepare_tiles import optical_density

SIZE = 256
#: Share of each kind of tile.
KINDS = {"native": 0.17, "recomposed": 0.49, "scene": 0.22, "empty": 0.08, "keratin": 0.04}
SMALLEST_NUCLEUS_PX = 20


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
    elif kind == "keratin":
        rgb, labels = _keratin(source, rng)
    else:
        diameter = float(np.exp(rng.uniform(np.log(10), np.log(36))))
        if kind == "recomposed":
            layout = nuclei.whole_tiles(source, rng, SIZE, diameter)
            if rng.random() < 0.45:
                nuclei.crowd(layout, source, rng, rng.uniform(0.05, 0.45))
        elif kind == "scene":
            layout = nuclei.scene(source, rng, SIZE, diameter)
        else:
            layout = Layout(SIZE, diameter)
        rgb = paint.optics(paint.colour(source, layout, rng), rng)
        labels = layout.labels
    return rgb, without_crumbs(labels)


def without_crumbs(labels: np.ndarray) -> np.ndarray:
    """Drop labels of fewer than ``SMALLEST_NUCLEUS_PX`` pixels."""
    area = np.bincount(labels.ravel())
    small = area < SMALLEST_NUCLEUS_PX
    small[0] = False
    return np.where(small[labels], 0, labels).astype(np.int32)


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
