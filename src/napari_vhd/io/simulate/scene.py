"""What a sample shows: picture, tissue and true cells, invented or taken from a real picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

from napari_vhd.io.simulate.drawing.artefacts import Bubble, Fold
from napari_vhd.io.simulate.drawing.render import Painter
from napari_vhd.io.simulate.drawing.stain import Stain
from napari_vhd.io.simulate.output.pyramid import STRIP_PX, Rgb
from napari_vhd.io.simulate.real.layout import BIN_UM, Plan, domains_of
from napari_vhd.io.simulate.real.nuclei import find_nuclei
from napari_vhd.io.simulate.tissue import anatomy as an
from napari_vhd.io.simulate.tissue.cells import Cells, grow, grow_around
from napari_vhd.io.simulate.tissue.celltypes import ENTEROCYTE, GOBLET, TUMOR
from napari_vhd.io.simulate.tissue.population import kinds_by_shape, populate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from napari_vhd.io.simulate.real.picture import Picture

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


def invent_scene(size_px: int, seed: int, plan: Plan | None = None) -> Scene:
    """Draw a square section.

    Parameters
    ----------
    size_px
        Its edge (px).
    seed
        Names it.
    plan
        Where the types are; without, a bowel wall from its lumen to a tumour is drawn.
    """
    shape = (size_px, size_px)
    um = int(np.ceil(size_px * DEFAULT_MPP))
    if plan is None:
        section = an.draw_anatomy((um, um), seed)
        seeds = populate(section)
    else:
        section = _section_of(plan, (um, um), seed)
        seeds = populate(section, _at_um(plan.kinds, (um, um)))
    # The last um may be cut by the picture's edge.
    extent = size_px * DEFAULT_MPP
    seeds = seeds.take((seeds.x < extent) & (seeds.y < extent))
    domain = section.domain[seeds.y.astype(int), seeds.x.astype(int)]
    cells = grow(seeds, domain, seed, DEFAULT_MPP)
    artefact = (Bubble if seed % 3 == 2 else Fold)(seed, shape, DEFAULT_MPP)
    painter = Painter(section, cells, shape, DEFAULT_MPP, Stain.draw(seed), (artefact,))

    def strips() -> Iterator[Rgb]:
        for y in range(0, size_px, STRIP_PX):
            height = min(STRIP_PX, size_px - y)
            yield np.concatenate(
                [
                    painter.block(y, x, height, min(_BLOCK_PX, size_px - x))
                    for x in range(0, size_px, _BLOCK_PX)
                ],
                axis=1,
            )

    return Scene(shape, DEFAULT_MPP, cells, section.domain, section.depth, strips)


def real_scene(picture: Picture, seed: int, plan: Plan | None = None) -> Scene:
    """Place cells on the nuclei of a real picture.

    Parameters
    ----------
    picture
        The picture.
    seed
        Names what is drawn by chance.
    plan
        Where the types are; without, they are guessed from the nuclei's shapes and from invented
        domains.
    """
    shape = (picture.rgb.shape[0], picture.rgb.shape[1])
    mpp, depth = picture.mpp, picture.depth
    if plan is None:
        domain = an.draw_anatomy(depth.shape, seed, (0.12, 1.0)).domain
        domain[domain == an.GLASS] = an.MUCOSA
    else:
        domain = domains_of(plan.kinds, depth.shape)
    domain[depth <= 0] = an.GLASS
    nuclei = find_nuclei(picture.rgb, mpp)
    rows, cols = ((v * mpp).astype(int) for v in (nuclei.y, nuclei.x))
    on_tissue = depth[rows, cols] > 0
    nuclei, rows, cols = nuclei.take(on_tissue), rows[on_tissue], cols[on_tissue]
    if plan is None:
        kind = kinds_by_shape(nuclei, domain[rows, cols], mpp, seed)
    else:
        kind = plan.kinds[rows // BIN_UM, cols // BIN_UM]
    cells = grow_around(nuclei, kind.astype(np.uint8), domain[rows, cols], mpp)

    def strips() -> Iterator[Rgb]:
        for y in range(0, shape[0], STRIP_PX):
            yield picture.rgb[y : y + STRIP_PX]

    return Scene(shape, mpp, cells, domain, depth, strips)


def thin(scene: Scene, count: int, seed: int) -> Scene:
    """Keep `count` of the cells."""
    rng = np.random.default_rng((seed, 22))
    kept = np.sort(rng.permutation(len(scene.cells))[:count])
    return replace(scene, cells=scene.cells.take(kept))


def _at_um(bins: NDArray[np.generic], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Values of 8 um bins, one per um."""
    fine = np.repeat(np.repeat(bins.astype(np.int64), BIN_UM, 0), BIN_UM, 1)
    return fine[: shape[0], : shape[1]]


def _section_of(plan: Plan, shape: tuple[int, int], seed: int) -> an.Anatomy:
    """Draw the section that a layout describes."""

    def smooth(bins: NDArray[np.bool_]) -> NDArray[np.float32]:
        out: NDArray[np.float32] = ndi.gaussian_filter(_at_um(bins, shape).astype(np.float32), 7.0)
        return out

    epithelium = np.zeros(shape, np.uint8)
    epithelium[smooth(np.isin(plan.kinds, (GOBLET, ENTEROCYTE))) > 0.5] = an.NORMAL_EPITHELIUM
    epithelium[smooth(plan.kinds == TUMOR) > 0.5] = an.TUMOUR_EPITHELIUM
    domain = domains_of(plan.kinds, shape)
    domain[smooth(plan.tissue) < 0.4] = an.GLASS
    epithelium[domain == an.GLASS] = an.NO_EPITHELIUM
    return an.anatomy_around(domain, epithelium, seed)
