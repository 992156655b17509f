"""Rendered H&E tiles with the masks of their nuclei, to train segmentation on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_vhd.io.simulate.drawing.artefacts import Fold
from napari_vhd.io.simulate.drawing.render import Painter
from napari_vhd.io.simulate.drawing.stain import Stain
from napari_vhd.io.simulate.tissue.anatomy import draw_anatomy
from napari_vhd.io.simulate.tissue.cells import grow
from napari_vhd.io.simulate.tissue.population import populate

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Scanners at 40x and 20x lie between these (um/px).
_MPP = (0.24, 0.50)
# Share of tiles that a fold may cross.
_FOLDED = 0.12


def render_tile(seed: int, size_px: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Draw a square H&E tile: any part of a colorectal section, any stain, 20x to 40x.

    Parameters
    ----------
    seed
        The same seed and size give the same tile.
    size_px
        Edge length (px).

    Returns
    -------
    rgb
        uint8 (size_px, size_px, 3).
    labels
        int32 (size_px, size_px): 0 outside nuclei, a number of its own for each nucleus.
    """
    rng = np.random.default_rng((seed, 91))
    # Low resolution is the rarer case, as among slides.
    mpp = float(_MPP[0] + (_MPP[1] - _MPP[0]) * rng.beta(0.8, 1.6))
    width = float(rng.uniform(0.12, 0.5))
    start = float(rng.uniform(0.0, 1.05 - width))
    um = int(np.ceil(size_px * mpp))
    # Tissue is invented with room around the tile, so that glands are cut by its edges.
    room = int(max(0.5 * um, 60))
    shape = (um + 2 * room, um + 2 * room)
    section = draw_anatomy(shape, seed, (start, start + width))
    seeds = populate(section)
    cells = grow(seeds, np.zeros(len(seeds), np.uint8), seed, mpp)
    whole = int(shape[0] / mpp)
    plane = (whole, whole)
    artefacts = (Fold(seed, plane, mpp),) if rng.random() < _FOLDED else ()
    painter = Painter(section, cells, plane, mpp, Stain.draw(seed, variety=2.0), artefacts)
    corner = (whole - size_px) // 2
    rgb = painter.block(corner, corner, size_px, size_px)
    nuclei, _ = painter.labels(corner, corner, size_px, size_px)
    return rgb, nuclei
