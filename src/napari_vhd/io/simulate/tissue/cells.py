"""The true cells: outlines of nucleus and body, type and domain of each."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_vhd.io.simulate.tissue.celltypes import ENTEROCYTE, GOBLET, TUMOR, TYPES
from napari_vhd.io.simulate.tissue.shapes import THETA, keep_apart, wobbly

if TYPE_CHECKING:
    from napari_vhd.io.simulate.real.nuclei import Nuclei
    from napari_vhd.io.simulate.tissue.placing import Seeds

Real = NDArray[np.floating]

# Columnar cells reach further towards the lumen (um).
_APICAL_REACH = {GOBLET: 15.0, ENTEROCYTE: 11.0}
# Goblet cells press their neighbours aside by so much.
_BULGE_UM = 1.3
# On real pictures, where some nuclei are missed, all bodies reach as far (um).
_REACH_ON_PICTURES = 6.0


@dataclass(frozen=True)
class Cells:
    """Columns of equal length; all lengths in full-resolution px (corner convention).

    Attributes
    ----------
    x, y
        Centres of the nuclei.
    kind
        Number of the cell's type.
    domain
        Code of the domain.
    angle, nucleus, body
        Star-shaped outlines (see `shapes`): angle (n,), radii (n, RAYS).
    apical
        Direction to the lumen (radians), NaN for cells that look at none.
    shade
        Haematoxylin density of the nucleus relative to its type's.
    """

    x: Real
    y: Real
    kind: NDArray[np.uint8]
    domain: NDArray[np.uint8]
    angle: Real
    apical: Real
    nucleus: NDArray[np.float32]
    body: NDArray[np.float32]
    shade: NDArray[np.float32]

    def __len__(self) -> int:
        """Give the number of cells."""
        return len(self.x)

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Cells:
        """Keep the cells named by a mask or by row numbers."""
        return replace(self, **{f.name: getattr(self, f.name)[which] for f in fields(self)})


def grow(seeds: Seeds, domain: NDArray[np.uint8], seed: int, mpp: float) -> Cells:
    """Give nuclei irregular outlines and cells their bodies, neighbours touching at most."""
    rng = np.random.default_rng((seed, 21))
    wobble = np.array([t.wobble for t in TYPES])[seeds.kind]
    wished = wobbly(rng, seeds.long, seeds.short, wobble)
    bodies = wished + np.array([t.reach for t in TYPES])[seeds.kind][:, None]
    cores = wished.copy()
    towards = np.cos(seeds.angle[:, None] + THETA[None] - seeds.apical[:, None])
    for kind, reach in _APICAL_REACH.items():
        # The body widens into a column on the side of the lumen.
        which = seeds.kind == kind
        ahead = np.nan_to_num(towards[which])
        bodies[which] += (reach - 5) * np.clip(ahead, 0, 1) ** 3
        if kind == GOBLET:
            cores[which] += _BULGE_UM * np.clip(1 - ahead**2, 0, 1)
    nucleus, body = keep_apart(seeds.x, seeds.y, seeds.angle, wished, bodies, cores, gap=0.25)
    spread = np.where(seeds.kind == TUMOR, 0.17, 0.1)
    shade = np.exp(rng.normal(0, 1, len(seeds)) * spread)
    return Cells(
        seeds.x / mpp, seeds.y / mpp, seeds.kind, domain, seeds.angle, seeds.apical,
        (nucleus / mpp).astype(np.float32), (body / mpp).astype(np.float32),
        shade.astype(np.float32),
    )  # fmt: skip


def grow_around(
    nuclei: Nuclei, kind: NDArray[np.uint8], domain: NDArray[np.uint8], mpp: float
) -> Cells:
    """Give bodies to nuclei found on a picture, neighbours touching at most."""
    bodies = nuclei.radii + _REACH_ON_PICTURES / mpp
    nucleus, body = keep_apart(
        nuclei.x, nuclei.y, nuclei.angle, nuclei.radii, bodies, nuclei.radii, gap=0.0
    )
    count = len(nuclei.x)
    return Cells(
        nuclei.x, nuclei.y, kind, domain, nuclei.angle, np.full(count, np.nan),
        nucleus.astype(np.float32), body.astype(np.float32), np.ones(count, np.float32),
    )  # fmt: skip
