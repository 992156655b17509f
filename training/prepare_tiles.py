"""Turn the free pictures into the material that training tiles are composed from.

Reads the colour tiles of the Data Science Bowl 2018 (CC0) and OpenSlide's CMU-1-Small-Region
(CC0) and writes one ``sources.npz``: nucleus density of each training tile, a bank of single
nuclei, and real background texture with its nuclei painted over. The 21 held-out tiles never
enter it.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import tifffile
from scipy import ndimage as ndi
from skimage.measure import regionprops

BANK_PX = 64
BANK_DIAMETER = 24.0
N_HELD_OUT = 21
#: Tiles that are pink haematoxylin and eosin: they are used in their own colours only.
PINK_TILES = (28, 42, 64, 66)
#: Boxes (top, bottom, left, right) in px of CMU-1 where the start model's outlines were looked
#: through by eye and are good, and where they are not: keratin and debris, hardly a nucleus.
LABELLED_BOXES = (
    (500, 860, 920, 1335),
    (860, 1230, 850, 1220),
    (1220, 1665, 850, 1170),
    (1660, 2300, 728, 1170),
    (2250, 2967, 520, 1720),
)
KERATIN_BOXES = ((1290, 1760, 1310, 1620), (1180, 1420, 1690, 1950), (1000, 1180, 1500, 1600))


def held_out(n_tiles: int = 107) -> np.ndarray:
    """Return the sorted indices of the held-out tiles, which are for reporting only."""
    return np.sort(np.random.default_rng(5).permutation(n_tiles)[:N_HELD_OUT])


def optical_density(rgb: np.ndarray, white: np.ndarray | float = 255.0) -> np.ndarray:
    """Return -ln(rgb / white), float32, never negative."""
    ratio = (rgb.astype(np.float32) + 1.0) / (np.asarray(white, np.float32) + 1.0)
    return np.maximum(-np.log(ratio), 0.0).astype(np.float32)


def nucleus_density(rgb: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return how much nuclear stain each pixel holds: 0 background, about 1 in a nucleus.

    The optical density is measured against the tile's own background and projected onto the
    mean colour of its own nuclei, since these tiles are not stained as H&E is.
    """
    inside = labels > 0
    outside = ~ndi.binary_dilation(inside, iterations=4)
    if outside.sum() < 200:
        outside = ~inside
    white = np.percentile(rgb[outside], 75, axis=0)
    density = optical_density(rgb, white)
    vector = density[inside].mean(axis=0)
    density = density @ (vector / np.linalg.norm(vector))
    density = density - np.median(density[outside])
    return np.clip(density / np.median(density[inside]), 0.0, 2.5).astype(np.float16)


def single_nuclei(density: np.ndarray, labels: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Cut out whole nuclei, long axis along x, equivalent diameter ``BANK_DIAMETER`` px.

    Returns
    -------
    list of (patch, elongation)
        ``patch`` is float16 (2, BANK_PX, BANK_PX): density and mask.
    """
    found = []
    height, width = labels.shape
    for region in regionprops(labels):
        top, left, bottom, right = region.bbox
        if min(top, left) < 1 or bottom >= height or right >= width or region.area < 60:
            continue
        if region.solidity < 0.85:
            continue
        long_over_short = region.axis_major_length / max(region.axis_minor_length, 1.0)
        zoom = region.equivalent_diameter_area / BANK_DIAMETER
        angle = region.orientation
        # Rows of the matrix: where output (row, column) steps land in the source tile.
        along, across = (np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))
        matrix = zoom * np.array([[across[0], along[0]], [across[1], along[1]]])
        offset = np.array(region.centroid) - matrix @ np.full(2, (BANK_PX - 1) / 2)
        shape = (BANK_PX, BANK_PX)
        mask = (labels == region.label).astype(np.float32)
        patch = [
            ndi.affine_transform(layer, matrix, offset, shape, order=1)
            for layer in (density.astype(np.float32), mask)
        ]
        found.append((np.stack(patch).astype(np.float16), float(long_over_short)))
    return found


def label_slide(rgb: np.ndarray, teacher: Path) -> np.ndarray:
    """Outline the nuclei of the slide by an earlier model, and drop what does not look like one.

    Dropped are outlines with hardly more haematoxylin than their surroundings, green ink and
    crumbs.

    Returns
    -------
    uint16 (H, W)
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    from csbdeep.utils import normalize
    from stardist.models import StarDist2D

    model = StarDist2D(None, name=teacher.name, basedir=str(teacher.parent))
    labels, _ = model.predict_instances(
        normalize(rgb, clip=True), prob_thresh=0.42, nms_thresh=0.2, n_tiles=(3, 3, 1)
    )
    labels = labels.astype(np.int32)
    ring = np.where(labels > 0, 0, ndi.grey_dilation(labels, size=7))
    density = optical_density(rgb, 243.0)
    ids = np.arange(1, labels.max() + 1)
    red, green = (ndi.mean(density[..., channel], labels, ids) for channel in (0, 1))
    contrast = red - ndi.mean(density[..., 0], ring, ids)
    area = np.bincount(labels.ravel(), minlength=len(ids) + 1)[1:]
    good = (contrast >= 0.12) & (red <= 1.15 * green) & (area >= 28)
    return np.concatenate([[0], np.where(good, ids, 0)])[labels].astype(np.uint16)


def clean_background(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Paint the nuclei of a slide over with their surroundings.

    Returns
    -------
    background : uint8 (H, W, 3)
    painted : bool (H, W)
        Where a nucleus was.
    """
    density = ndi.gaussian_filter(optical_density(rgb, 243.0), (1, 1, 0))
    # Haematoxylin takes out red; eosin, keratin and blood hardly do.
    painted = ndi.binary_opening(density[..., 0] > 0.75, iterations=1)
    painted = ndi.binary_dilation(painted, iterations=4)
    keep = (~painted).astype(np.float32)
    weight = ndi.gaussian_filter(keep, 7) + 1e-3
    smooth = np.stack(
        [ndi.gaussian_filter(rgb[..., c] * keep, 7) / weight for c in range(3)], axis=-1
    )
    grain = rgb.astype(np.float32) - ndi.gaussian_filter(rgb.astype(np.float32), (3, 3, 0))
    grain = np.roll(np.where(painted[..., None], 0, grain), (37, 23), axis=(0, 1))
    soft = ndi.gaussian_filter(painted.astype(np.float32), 1.5)[..., None]
    out = rgb * (1 - soft) + (smooth + grain) * soft
    return np.clip(out, 0, 255).astype(np.uint8), painted


def main() -> None:
    """Write ``sources.npz``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=Path, required=True, help="dsb2018_color.npz")
    parser.add_argument("--slide", type=Path, required=True, help="CMU-1-Small-Region.svs")
    parser.add_argument("--teacher", type=Path, required=True, help="model that outlines it")
    parser.add_argument("--out", type=Path, required=True, help="sources.npz to write")
    arguments = parser.parse_args()

    with np.load(arguments.tiles) as archive:
        images, instances = archive["images"], archive["inst"].astype(np.int32)
    train = np.setdiff1d(np.arange(len(images)), held_out(len(images)))
    densities = np.stack([nucleus_density(images[i], instances[i]) for i in train])
    bank = [
        nucleus
        for k, i in enumerate(train)
        if i not in PINK_TILES
        for nucleus in single_nuclei(densities[k], instances[i])
    ]
    diameters = [
        np.median([r.equivalent_diameter_area for r in regionprops(instances[i])]) for i in train
    ]
    with tifffile.TiffFile(arguments.slide) as slide:
        rgb = slide.pages[0].asarray()
    background, painted = clean_background(rgb)
    np.savez(
        arguments.out,
        images=images[train],
        labels=instances[train].astype(np.uint16),
        density=densities,
        diameter=np.array(diameters, np.float32),
        pink=np.isin(train, PINK_TILES),
        bank=np.stack([patch for patch, _ in bank]),
        bank_elongation=np.array([elongation for _, elongation in bank], np.float32),
        background=background,
        painted=painted,
        slide=rgb,
        slide_labels=label_slide(rgb, arguments.teacher),
        labelled=np.array(LABELLED_BOXES),
        keratin=np.array(KERATIN_BOXES),
    )


if __name__ == "__main__":
    main()
