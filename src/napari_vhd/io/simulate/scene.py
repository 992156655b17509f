"""What a sample shows: picture, tissue and true cells, invented or taken from a real picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_vhd.io.simulate.anatomy import draw_anatomy
from napari_vhd.io.simulate.cells import Cells, grow
from napari_vhd.io.simulate.population import populate
from napari_vhd.io.simulate.pyramid import STRIP_PX, Rgb
from napari_vhd.io.simulate.render import Painter, Stain

# A 40x scan, as of 10x Genomics' colorectal samples (um/px).
DEFAULT_MPP = 0.2737
_BLOCK_PX = 1024


@dataclass(frozen=True)
class Scene:
    """A picture with its true cells.

    Attributes
    ----------
    shape
        Height and width of the picture (full-resolution px).
    mpp
        um per px.
    cells
        True cells (px).
    domain, depth
        Maps with one value per um: domain code; distance to the tissue's edge, negative on glass.
    strips
        Gives the picture from the top, `STRIP_PX` rows at a time.
    """

    shape: tuple[int, int]
    mpp: float
    cells: Cells
    domain: NDArray[np.uint8]
    depth: NDArray[np.float32]
    strips: Callable[[], Iterator[Rgb]]


def invent_scene(size_px: int, seed: int) -> Scene:
    """Draw a square section of `size_px`."""
    um = int(np.ceil(size_px * DEFAULT_MPP))
    section = draw_anatomy((um, um), seed)
    seeds = populate(section)
    # The last um may be cut by the picture's edge.
    extent = size_px * DEFAULT_MPP
    seeds = seeds.take((seeds.x < extent) & (seeds.y < extent))
    domain = section.domain[seeds.y.astype(int), seeds.x.astype(int)]
    cells = grow(seeds, domain, seed, DEFAULT_MPP)
    shape = (size_px, size_px)
    painter = Painter(section, cells, shape, DEFAULT_MPP, Stain.draw(seed))

    def strips() -> Iterator[Rgb]:
        for y in range(0, size_px, STRIP_PX):
            height = min(STRIP_PX, size_px - y)
            widths = (min(_BLOCK_PX, size_px - x) for x in range(0, size_px, _BLOCK_PX))
            blocks = [
                painter.block(y, x * _BLOCK_PX, height, width) for x, width in enumerate(widths)
            ]
            yield np.concatenate(blocks, axis=1)

    return Scene(shape, DEFAULT_MPP, cells, section.domain, section.depth, strips)
