"""H&E drawn by optical densities: how much of each dye lies in each pixel.

The picture is made block by block; every texture is a field over the whole plane, so blocks fit.
Numbers are optical densities of haematoxylin, eosin and red blood cells, chosen by eye.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_vhd.io.simulate.drawing.canvas import View, along_flow, blur, borders, smooth_step
from napari_vhd.io.simulate.tissue import anatomy as an
from napari_vhd.io.simulate.tissue.celltypes import GOBLET, NEUTROPHIL, TUMOR, TYPES
from napari_vhd.io.simulate.tissue.noise import Noise
from napari_vhd.io.simulate.tissue.shapes import rasterize

if TYPE_CHECKING:
    from napari_vhd.io.simulate.drawing.artefacts import Bubble, Fold
    from napari_vhd.io.simulate.drawing.stain import Stain
    from napari_vhd.io.simulate.tissue.cells import Cells

Float = NDArray[np.float32]
Labels = NDArray[np.int32]

# Pixels around a block that are drawn with it, so that blur, fibres and outlines run on.
_HALO = 64
# Spread of the optics (um), and of the sensor's noise (grey values).
_FOCUS_UM, _SENSOR_NOISE = 0.17, 1.7
_NUCLEUS_DENSITY = 0.74
# Noise fields and the size of their details (um).
_TEXTURES = (
    ("grain", 0.55), ("chromatin", 0.8), ("fine", 1.3), ("patch", 6.0), ("broad", 55.0),
    ("cleft", 4.0),
)  # fmt: skip
_SHADE = np.array([0.0, *(t.shade for t in TYPES)], np.float32)
_VESICULAR = np.array([0.0, *(t.vesicular for t in TYPES)], np.float32)


class Painter:
    """Draws blocks of a section.

    Parameters
    ----------
    section, cells
        What there is to see (maps per um; cells in px).
    shape
        Height and width of the picture (px).
    mpp
        um per px.
    stain
        Its colours.
    artefacts
        Folds and bubbles to lay over it.
    """

    def __init__(
        self,
        section: an.Anatomy,
        cells: Cells,
        shape: tuple[int, int],
        mpp: float,
        stain: Stain,
        artefacts: tuple[Fold | Bubble, ...] = (),
    ) -> None:
        self._section, self._cells, self._mpp, self._stain = section, cells, mpp, stain
        self._artefacts = artefacts
        self._reach = cells.body.max(axis=1) if len(cells) else np.empty(0)
        self._noise = {
            name: Noise((section.seed, 40 + k), shape, max(um / mpp, 2.0))
            for k, (name, um) in enumerate(_TEXTURES)
        }

    def block(self, y0: int, x0: int, height: int, width: int) -> NDArray[np.uint8]:
        """RGB, uint8 (height, width, 3), of a block whose corner is pixel (`y0`, `x0`)."""
        view = View(y0 - _HALO, x0 - _HALO, height + 2 * _HALO, width + 2 * _HALO)
        dyes = self._dyes(view)
        for artefact in self._artefacts:
            dyes = artefact.add(dyes, view)
        dyes = np.stack([blur(dye, _FOCUS_UM / self._mpp) for dye in dyes])
        light = self._stain.light(dyes[:, _HALO:-_HALO, _HALO:-_HALO])
        rng = np.random.default_rng((self._section.seed, 32, y0, x0))
        light += rng.normal(0, _SENSOR_NOISE, light.shape).astype(np.float32)
        return np.clip(light + 0.5, 0, 255).astype(np.uint8)

    def labels(self, y0: int, x0: int, height: int, width: int) -> tuple[Labels, Labels]:
        """Nuclei and bodies of a block as label images: cell row + 1, 0 where there is none."""
        cells = self._cells
        near = (
            (cells.y + self._reach > y0) & (cells.y - self._reach < y0 + height)
            & (cells.x + self._reach > x0) & (cells.x - self._reach < x0 + width)
        )  # fmt: skip
        rows = np.flatnonzero(near)
        some = cells.take(rows)
        numbers = np.concatenate([[0], rows + 1]).astype(np.int32)
        nuclei, bodies = (
            numbers[rasterize(some.x - x0, some.y - y0, some.angle, radii, (height, width))]
            for radii in (some.nucleus, some.body)
        )
        return nuclei, bodies

    def _dyes(self, view: View) -> Float:
        """Haematoxylin, eosin and blood in each pixel, (3, height, width)."""
        nuclei, bodies = self.labels(*view.box)
        ground = _Ground.read(self._section, view, self._mpp)
        noise = {name: field.block(*view.box) for name, field in self._noise.items()}
        dyes = self._matrix(ground, noise)
        self._add_cytoplasm(dyes, bodies, ground, noise)
        self._add_mucin(dyes, view, bodies, nuclei, noise)
        self._add_lumina(dyes, view, ground, noise)
        self._add_nuclei(dyes, nuclei, noise)
        tissue = smooth_step(ground.depth + 0.5 * noise["fine"], -0.6, 0.8)
        dyes *= tissue
        dyes[1] += (1 - tissue) * 0.006
        return dyes

    def _matrix(self, ground: _Ground, noise: dict[str, Float]) -> Float:
        """Collagen fibres along the flow, with clefts between them; loose in the mucosa."""
        px = 1 / self._mpp
        fibres = along_flow(noise["fine"], ground.flow, 9.0 * px)
        bundles = along_flow(noise["cleft"], ground.flow, 14.0 * px)
        eosin = 0.29 + 0.045 * fibres + 0.035 * bundles + 0.025 * noise["broad"]
        eosin += 0.02 * noise["chromatin"]
        eosin *= 1 - 0.3 * ground.mucosa - 0.45 * ground.aggregate
        openness = 0.8 * bundles + 0.35 * fibres - 0.35 * noise["broad"]
        cleft = smooth_step(openness + 0.9 * ground.aggregate, -2.7, -1.8)
        eosin = np.clip(eosin, 0.05, None) * (0.12 + 0.88 * cleft)
        haematoxylin = 0.045 + 0.012 * noise["patch"] + 0.04 * ground.aggregate
        return np.stack([haematoxylin * cleft, eosin, np.zeros_like(eosin)])

    def _add_cytoplasm(
        self, dyes: Float, bodies: Labels, ground: _Ground, noise: dict[str, Float]
    ) -> None:
        """Granular cytoplasm, amphophilic in tumour, and thin borders between epithelial cells."""
        gland = smooth_step(np.clip(ground.normal + ground.tumour, 0, 1), 0.35, 0.65)
        tumour = smooth_step(ground.tumour, 0.35, 0.65)
        grain = 0.6 * noise["chromatin"] + 0.4 * noise["grain"]
        tone = np.concatenate([[1.0], self._cells.shade]).astype(np.float32)[bodies] - 1
        haematoxylin = 0.085 + 0.05 * tumour + 0.014 * grain + 0.08 * tone
        eosin = 0.25 - 0.03 * tumour + 0.025 * noise["patch"] + 0.03 * grain + 0.15 * tone
        dyes[0] += gland * (haematoxylin - dyes[0])
        dyes[1] += gland * (eosin - dyes[1])
        loose = blur((bodies > 0) & (gland < 0.5), 0.35 / self._mpp)
        dyes[0] += loose * 0.03
        dyes[1] += loose * 0.5 * (0.22 + 0.03 * grain - dyes[1])
        edge = blur(borders(bodies) & (gland > 0.5), 0.2 / self._mpp)
        dyes[1] += edge * 0.16

    def _add_mucin(
        self, dyes: Float, view: View, bodies: Labels, nuclei: Labels, noise: dict[str, Float]
    ) -> None:
        """Fill goblet cells with a pale, bluish droplet between nucleus and lumen."""
        kind = np.concatenate([[255], self._cells.kind])
        y, x = np.nonzero((kind[bodies] == GOBLET) & (nuclei == 0))
        cells, rows, mpp = self._cells, bodies[y, x] - 1, self._mpp
        dx = (x + view.x0 + 0.5 - cells.x[rows]) * mpp
        dy = (y + view.y0 + 0.5 - cells.y[rows]) * mpp
        cos, sin = np.cos(cells.apical[rows]), np.sin(cells.apical[rows])
        ahead, aside = dx * cos + dy * sin, dy * cos - dx * sin
        size = 0.75 + 0.35 * cells.shade[rows]
        droplet = np.zeros(bodies.shape, np.float32)
        droplet[y, x] = 1 - np.hypot((ahead - 7.8 * size) / (5.4 * size), aside / (4.0 * size))
        droplet[borders(bodies)] = 0
        inside = blur(smooth_step(droplet, 0.0, 0.12), 0.2 / mpp)
        dyes[0] += inside * (0.11 + 0.03 * noise["fine"] - dyes[0])
        dyes[1] += inside * (0.04 - dyes[1])

    def _add_lumina(
        self, dyes: Float, view: View, ground: _Ground, noise: dict[str, Float]
    ) -> None:
        mucus = smooth_step(ground.mucus, 0.4, 0.6)
        threads = np.clip(0.7 * noise["patch"] + 0.3 * noise["fine"] - 0.6, 0, 1.5)
        dyes[0] += mucus * (0.012 + 0.07 * threads - dyes[0])
        dyes[1] += mucus * (0.012 + 0.05 * threads - dyes[1])
        debris = smooth_step(ground.debris, 0.4, 0.6)
        speckle = np.clip(noise["chromatin"] - 1.5, 0, 0.8)
        dyes[0] += debris * (0.07 + 0.5 * speckle - dyes[0])
        dyes[1] += debris * (0.36 + 0.10 * noise["patch"] + 0.05 * noise["fine"] - dyes[1])
        blood = smooth_step(ground.blood, 0.4, 0.6)
        # Some vessels are empty: the broad field decides for a whole vessel.
        filled = smooth_step(noise["broad"], -0.3, 0.0)
        discs = smooth_step(self._blood_discs(view, noise), 0.0, 0.9) * filled
        dyes[0] += blood * (0.008 - dyes[0])
        dyes[1] += blood * (0.02 - dyes[1])
        dyes[2] += blood * discs * (0.33 + 0.03 * noise["fine"])

    def _blood_discs(self, view: View, noise: dict[str, Float]) -> Float:
        """Pack round red cells of about 6 um: a jittered lattice of discs."""
        pitch = 5.4 / self._mpp
        y = (view.y0 + np.arange(view.height, dtype=np.float32) + 0.5)[:, None] / pitch
        x = (view.x0 + np.arange(view.width, dtype=np.float32) + 0.5)[None] / pitch
        x = x + 0.5 * (np.floor(y) % 2) + 0.16 * noise["patch"]
        y = y + 0.16 * np.roll(noise["patch"], 40, axis=1)
        distance = np.hypot(y - np.floor(y) - 0.5, x - np.floor(x) - 0.5)
        discs: Float = (0.53 - distance) * 6
        return discs

    def _add_nuclei(self, dyes: Float, nuclei: Labels, noise: dict[str, Float]) -> None:
        """Clumped chromatin; dark rim, pale centre and nucleoli where vesicular; soft edge."""
        mpp = self._mpp
        inside = nuclei > 0
        rims = borders(nuclei)
        depth = ndi.distance_transform_edt(inside & ~rims).astype(np.float32) * np.float32(mpp)
        kind = np.concatenate([[0], self._cells.kind + 1])[nuclei]
        shade = np.concatenate([[0.0], self._cells.shade]).astype(np.float32)[nuclei] * _SHADE[kind]
        pale = _VESICULAR[kind]
        clumps = noise["chromatin"] * 0.65 + noise["fine"] * 0.5
        rim = np.exp(-np.square((depth - 0.35) / 0.42))
        centre = smooth_step(depth, 0.5, 1.7)
        density = _NUCLEUS_DENSITY * shade
        density *= 1 + 0.15 * clumps + pale * (0.26 * rim - 0.28 * centre)
        density += 0.28 * smooth_step(clumps, 1.2, 1.6) * centre * pale * (kind == TUMOR + 1)
        density *= 1 + 0.12 * (kind == NEUTROPHIL + 1)
        edge = blur(inside, 0.16 / mpp)
        full = blur(np.where(inside, density, 0), 0.16 / mpp)
        full *= 1 - 0.18 * blur(rims, 0.2 / mpp)
        dyes[0] = dyes[0] * (1 - edge) + np.clip(full, 0, None)
        dyes[1] *= 1 - 0.5 * edge


@dataclass(frozen=True)
class _Ground:
    """What the maps of a section say of each pixel of a view: shares 0 .. 1, lengths in um."""

    depth: Float
    normal: Float
    tumour: Float
    mucus: Float
    debris: Float
    blood: Float
    mucosa: Float
    aggregate: Float
    flow: Float

    @staticmethod
    def read(section: an.Anatomy, view: View, mpp: float) -> _Ground:
        """Read all maps at the pixels of a view."""

        def share(plane: NDArray[np.uint8], code: int) -> Float:
            return blur(view.sample(plane, mpp, code), 1.2 / mpp)

        return _Ground(
            depth=view.sample(section.depth, mpp),
            normal=share(section.epithelium, an.NORMAL_EPITHELIUM),
            tumour=share(section.epithelium, an.TUMOUR_EPITHELIUM),
            mucus=share(section.lumen, an.MUCUS),
            debris=share(section.lumen, an.DEBRIS),
            blood=share(section.lumen, an.BLOOD),
            mucosa=share(section.domain, an.MUCOSA),
            aggregate=share(section.domain, an.AGGREGATE),
            flow=view.sample(section.flow, mpp),
        )
