"""Nuclei of a real H&E picture, found the classical way.

Haematoxylin by colour deconvolution (Ruifrok & Johnston 2001), a threshold that follows the
surroundings, and a watershed of the distance map. Good enough to place cells on real nuclei.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi
from skimage.color import rgb2hed
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed

from napari_vhd.io.simulate.drawing.canvas import Float, blur
from napari_vhd.io.simulate.tissue.shapes import RAYS, THETA

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK, _HALO = 1024, 64
_AREA_UM2 = (11.0, 260.0)
_STEP_PX = 0.5


@dataclass(frozen=True)
class Nuclei:
    """Star-shaped outlines of nuclei in px (see `shapes`); `angle` is that of the long axis."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    angle: NDArray[np.float64]
    radii: NDArray[np.float64]

    def take(self, which: NDArray[np.bool_]) -> Nuclei:
        """Keep some of the nuclei."""
        return Nuclei(self.x[which], self.y[which], self.angle[which], self.radii[which])


def find_nuclei(rgb: NDArray[np.uint8], mpp: float) -> Nuclei:
    """Find the nuclei of an H&E picture, block by block.

    Parameters
    ----------
    rgb
        uint8 (height, width, 3).
    mpp
        um per px.
    """
    threshold = _global_threshold(rgb)
    parts = []
    height, width = rgb.shape[:2]
    for y0 in range(0, height, _BLOCK):
        for x0 in range(0, width, _BLOCK):
            top, left = max(0, y0 - _HALO), max(0, x0 - _HALO)
            block = rgb[top : y0 + _BLOCK + _HALO, left : x0 + _BLOCK + _HALO]
            found = _outlines(_label(block, mpp, threshold), mpp)
            x, y = found.x + left, found.y + top
            own = (x >= x0) & (x < x0 + _BLOCK) & (y >= y0) & (y < y0 + _BLOCK)
            parts.append((x[own], y[own], found.angle[own], found.radii[own]))
    x, y, angle, radii = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Nuclei(x, y, angle, radii)


def _haematoxylin(rgb: NDArray[np.uint8]) -> Float:
    out: Float = rgb2hed(rgb)[..., 0].astype(np.float32)
    return out


def _global_threshold(rgb: NDArray[np.uint8]) -> float:
    """Otsu's threshold of the haematoxylin of what is not glass, on at most a million pixels."""
    step = max(1, int(np.sqrt(rgb.shape[0] * rgb.shape[1] / 1e6)))
    some = rgb[::step, ::step]
    stain = _haematoxylin(some)[some.mean(axis=2) < 215]
    if not stain.size or np.ptp(stain) == 0:
        return 1.0
    # Ink and dirt are far darker than any nucleus.
    return float(threshold_otsu(np.clip(stain, 0, np.percentile(stain, 99))))


def _label(rgb: NDArray[np.uint8], mpp: float, threshold: float) -> NDArray[np.int32]:
    stain = blur(_haematoxylin(rgb), 0.45 / mpp)
    around = blur(stain, 12.0 / mpp)
    mask = stain > np.maximum(0.7 * threshold, 0.35 * threshold + 0.75 * around)
    mask = ndi.binary_opening(mask, iterations=max(1, round(0.5 / mpp)))
    mask = ndi.binary_fill_holes(mask)
    distance = blur(ndi.distance_transform_edt(mask), 0.5 / mpp)
    apart = max(1, round(2.4 / mpp))
    pieces = ndi.label(mask)[0]
    peaks = peak_local_max(distance, min_distance=apart, labels=pieces, exclude_border=False)
    markers = np.zeros(mask.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels: NDArray[np.int32] = watershed(-distance, markers, mask=mask).astype(np.int32)
    area = np.bincount(labels.ravel()) * mpp**2
    labels[(area < _AREA_UM2[0])[labels] | (area > _AREA_UM2[1])[labels]] = 0
    return labels


def _outlines(labels: NDArray[np.int32], mpp: float) -> Nuclei:
    """Cast rays from the centre of each label to its edge."""
    numbers = np.flatnonzero(np.bincount(labels.ravel()))
    numbers = numbers[numbers > 0]
    if not len(numbers):
        none = np.empty(0)
        return Nuclei(none, none, none, np.empty((0, RAYS)))
    rows, cols = np.indices(labels.shape)
    flat = labels.ravel()
    count = np.bincount(flat)[numbers]

    def mean(values: NDArray[np.floating]) -> NDArray[np.float64]:
        out: NDArray[np.float64] = np.bincount(flat, values.ravel())[numbers] / count
        return out

    y, x = mean(rows + 0.5), mean(cols + 0.5)
    yy = mean((rows + 0.5) ** 2) - y**2
    xx = mean((cols + 0.5) ** 2) - x**2
    xy = mean((rows + 0.5) * (cols + 0.5)) - x * y
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)
    radii = np.full((len(numbers), RAYS), _STEP_PX)
    open_ = np.ones(radii.shape, bool)
    direction = angle[:, None] + THETA[None]
    for length in np.arange(_STEP_PX, 14.0 / mpp, _STEP_PX):
        r = np.floor(y[:, None] + length * np.sin(direction)).astype(int)
        c = np.floor(x[:, None] + length * np.cos(direction)).astype(int)
        inside = (r >= 0) & (c >= 0) & (r < labels.shape[0]) & (c < labels.shape[1])
        inside[inside] = (
            labels[r[inside], c[inside]] == np.broadcast_to(numbers[:, None], radii.shape)[inside]
        )
        open_ &= inside
        radii[open_] = length
        if not open_.any():
            break
    smooth = (np.roll(radii, 1, 1) + 2 * radii + np.roll(radii, -1, 1)) / 4
    return Nuclei(x, y, angle, smooth + _STEP_PX / 2)
