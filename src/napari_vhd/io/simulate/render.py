"""H&E drawn by optical densities: how much of each stain lies in each pixel, then Beer-Lambert.

The picture is made block by block; every texture is a field over the whole plane, so blocks fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.draw import polygon

from napari_vhd.io.simulate import anatomy as an
from napari_vhd.io.simulate.cells import Cells
from napari_vhd.io.simulate.celltypes import GOBLET, NEUTROPHIL, TUMOR, TYPES
from napari_vhd.io.simulate.noise import Noise
from napari_vhd.io.simulate.shapes import vertices

Float = NDArray[np.float32]

# Pixels around a block that are drawn with it, so that blur and outlines run on (px).
_HALO = 48
_SHADE = np.array([t.shade for t in TYPES], np.float32)
_VESICULAR = np.array([t.vesicular for t in TYPES], np.float32)


@dataclass(frozen=True)
class Stain:
    """Colours of one staining run: optical densities of R, G, B for a unit of each dye."""

    haematoxylin: tuple[float, float, float]
    eosin: tuple[float, float, float]
    blood: tuple[float, float, float]
    strength: tuple[float, float]
    white: tuple[float, float, float]

    @staticmethod
    def draw(seed: int, variety: float = 1.0) -> Stain:
        """Vary the usual colours; `variety` 0 gives the usual ones."""
        rng = np.random.default_rng((seed, 31))

        def near(colour: tuple[float, float, float], spread: float) -> tuple[float, float, float]:
            vector = np.array(colour) + rng.normal(0, spread * variety, 3)
            vector = np.clip(vector, 0.03, None) / np.linalg.norm(vector)
            return (float(vector[0]), float(vector[1]), float(vector[2]))

        haematoxylin = near((0.62, 0.71, 0.34), 0.03)
        eosin = near((0.16, 0.90, 0.38), 0.03)
        blood = near((0.10, 0.80, 0.58), 0.02)
        strength = np.exp(rng.normal(0, 0.10 * variety, 2))
        white = 242 + rng.normal(0, 2 * variety, 3)
        return Stain(
            haematoxylin, eosin, blood, (float(strength[0]), float(strength[1])),
            (float(white[0]), float(white[1]), float(white[2])),
        )  # fmt: skip


class Painter:
    """Draws blocks of a section.

    Parameters
    ----------
    section, cells
        What there is to see (maps per um; cells in px).
    shape
        Height and width of the picture (px).
    mpp
        Micrometres per px.
    stain
        Its colours.
    """

    def __init__(
        self, section: an.Anatomy, cells: Cells, shape: tuple[int, int], mpp: float, stain: Stain
    ) -> None:
        self._section, self._cells, self._mpp, self._stain = section, cells, mpp, stain
        self._shape = shape
        self._reach = cells.body.max(axis=1) if len(cells) else np.empty(0)
        seed = section.seed

        def noise(name: int, um: float) -> Noise:
            return Noise((seed, 40 + name), shape, max(um / mpp, 2.0))

        self._grain, self._chromatin, self._fine = noise(0, 0.55), noise(1, 0.9), noise(2, 1.6)
        self._patch, self._broad, self._cleft = noise(3, 7.0), noise(4, 60.0), noise(5, 5.0)
        self._fold = _Fold(seed, shape, mpp)

    def block(self, y0: int, x0: int, height: int, width: int) -> NDArray[np.uint8]:
        """RGB, uint8 (height, width, 3), of a block whose corner is pixel (`y0`, `x0`)."""
        view = _View(y0 - _HALO, x0 - _HALO, height + 2 * _HALO, width + 2 * _HALO)
        nuclei, bodies = self.labels(view.y0, view.x0, view.height, view.width)
        dyes = self._dyes(view, nuclei, bodies)
        dyes = self._fold.thicken(dyes, view)
        vectors = np.array(
            [
                np.array(self._stain.haematoxylin) * self._stain.strength[0],
                np.array(self._stain.eosin) * self._stain.strength[1],
                self._stain.blood,
            ],
            np.float32,
        )
        density = np.tensordot(dyes, vectors, axes=(0, 0))
        density = ndi.gaussian_filter(density, (0.16 / self._mpp, 0.16 / self._mpp, 0))
        light = np.array(self._stain.white, np.float32) * np.exp(-np.float32(2.3026) * density)
        light = light[_HALO:-_HALO, _HALO:-_HALO]
        rng = np.random.default_rng((self._section.seed, 32, y0, x0))
        light += rng.normal(0, 1.6, light.shape).astype(np.float32)
        return np.clip(light + 0.5, 0, 255).astype(np.uint8)

    def labels(
        self, y0: int, x0: int, height: int, width: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Nuclei and bodies of a block as label images: cell row + 1, 0 where there is none."""
        cells = self._cells
        near = (
            (cells.y + self._reach > y0) & (cells.y - self._reach < y0 + height)
            & (cells.x + self._reach > x0) & (cells.x - self._reach < x0 + width)
        )  # fmt: skip
        rows = np.flatnonzero(near)
        some = cells.take(rows)
        planes = []
        for radii in (some.nucleus, some.body):
            plane = np.zeros((height, width), np.int32)
            corners = vertices(some.x - x0 - 0.5, some.y - y0 - 0.5, some.angle, radii)
            for row, corner in zip(rows, corners, strict=True):
                r, c = polygon(corner[:, 1], corner[:, 0], plane.shape)
                plane[r, c] = row + 1
            planes.append(plane)
        return planes[0], planes[1]

    def _dyes(self, view: _View, nuclei: NDArray[np.int32], bodies: NDArray[np.int32]) -> Float:
        """Haematoxylin, eosin and blood in each pixel, (3, height, width)."""
        ground = self._ground(view)
        dyes = self._matrix(view, ground)
        self._add_bodies(dyes, view, bodies, nuclei, ground)
        self._add_lumina(dyes, view, ground)
        self._add_nuclei(dyes, view, nuclei)
        glass = _smooth_step(ground.depth, -0.5, 0.8)
        dyes *= glass
        dyes[1] += (1 - glass) * 0.006
        return dyes

    def _ground(self, view: _View) -> _Ground:
        s, mpp = self._section, self._mpp
        return _Ground(
            depth=view.sample(s.depth, mpp),
            normal=view.sample((s.epithelium == an.NORMAL_EPITHELIUM).astype(np.float32), mpp),
            tumour=view.sample((s.epithelium == an.TUMOUR_EPITHELIUM).astype(np.float32), mpp),
            mucus=view.sample((s.lumen == an.MUCUS).astype(np.float32), mpp),
            debris=view.sample((s.lumen == an.DEBRIS).astype(np.float32), mpp),
            blood=view.sample((s.lumen == an.BLOOD).astype(np.float32), mpp),
            loose=view.sample(np.isin(s.domain, (an.MUCOSA,)).astype(np.float32), mpp),
            dense=view.sample(np.isin(s.domain, (an.AGGREGATE,)).astype(np.float32), mpp),
            flow=view.sample(s.flow, mpp),
        )

    def _matrix(self, view: _View, ground: _Ground) -> Float:
        """Collagen fibres along the flow, with clefts between them; loose in the mucosa."""
        fibres = _along_flow(self._fine.block(*view.box), ground.flow, 14.0 / self._mpp)
        coarse = _along_flow(self._cleft.block(*view.box), ground.flow, 26.0 / self._mpp)
        broad = self._broad.block(*view.box)
        eosin = 0.36 + 0.10 * fibres + 0.07 * coarse + 0.04 * broad
        eosin *= 1 - 0.45 * ground.loose - 0.5 * ground.dense
        cleft = _smooth_step(coarse + 0.25 * fibres - 0.12 * broad, -1.25, -0.75)
        cleft = 1 - (1 - cleft) * (1 - 0.7 * ground.dense)
        eosin = eosin * (0.08 + 0.92 * cleft)
        haematoxylin = 0.05 + 0.015 * self._patch.block(*view.box) + 0.05 * ground.dense
        return np.stack([haematoxylin * cleft, np.clip(eosin, 0.015, None), np.zeros_like(eosin)])

    def _add_bodies(
        self, dyes: Float, view: _View, bodies: NDArray[np.int32], nuclei: NDArray[np.int32], ground: _Ground
    ) -> None:
        """Cytoplasm: granular, amphophilic in tumour, pale mucin in goblet cells, thin cell borders."""
        gland = np.clip(ground.normal + ground.tumour, 0, 1)
        gland = _smooth_step(gland, 0.35, 0.65)
        tumour = _smooth_step(ground.tumour, 0.35, 0.65)
        patch, grain = self._patch.block(*view.box), self._chromatin.block(*view.box)
        dyes[0] += gland * (0.09 + 0.06 * tumour + 0.012 * grain - dyes[0])
        dyes[1] += gland * (0.33 - 0.05 * tumour + 0.03 * patch + 0.025 * grain - dyes[1])
        kind = np.concatenate([[255], self._cells.kind])[bodies]
        cytoplasm = (bodies > 0) & (gland < 0.5)
        soft = ndi.gaussian_filter(cytoplasm.astype(np.float32), 1.2)
        dyes[0] += soft * 0.035
        dyes[1] += soft * (0.24 + 0.02 * grain - dyes[1]) * 0.55
        border = _borders(bodies) & (gland > 0.5)
        dyes[1] += ndi.gaussian_filter(border.astype(np.float32), 0.8) * 0.10
        self._add_mucin(dyes, view, bodies, nuclei, kind == GOBLET)

    def _add_mucin(
        self, dyes: Float, view: _View, bodies: NDArray[np.int32], nuclei: NDArray[np.int32], goblet: NDArray[np.bool_]
    ) -> None:
        rows = bodies[goblet] - 1
        y, x = np.nonzero(goblet)
        cells = self._cells
        ahead = (x + view.x0 + 0.5 - cells.x[rows]) * np.cos(cells.apical[rows]) + (
            y + view.y0 + 0.5 - cells.y[rows]
        ) * np.sin(cells.apical[rows])
        inside = np.zeros(bodies.shape, bool)
        inside[y, x] = ahead > 2.2 / self._mpp
        inside &= (nuclei == 0) & ~_borders(bodies)
        inside = ndi.binary_erosion(inside, iterations=max(1, round(0.4 / self._mpp)))
        soft = ndi.gaussian_filter(inside.astype(np.float32), 1.0)
        texture = self._chromatin.block(*view.box)
        dyes[0] += soft * (0.105 + 0.015 * texture - dyes[0])
        dyes[1] += soft * (0.035 - dyes[1])

    def _add_lumina(self, dyes: Float, view: _View, ground: _Ground) -> None:
        patch, fine = self._patch.block(*view.box), self._fine.block(*view.box)
        mucus = _smooth_step(ground.mucus, 0.4, 0.6)
        threads = np.clip(patch * 0.6 + fine * 0.4 - 0.5, 0, 1.5)
        dyes[0] += mucus * (0.012 + 0.07 * threads - dyes[0])
        dyes[1] += mucus * (0.012 + 0.05 * threads - dyes[1])
        debris = _smooth_step(ground.debris, 0.4, 0.6)
        speckle = np.clip(self._chromatin.block(*view.box) - 1.3, 0, 1)
        dyes[0] += debris * (0.08 + 0.7 * speckle - dyes[0])
        dyes[1] += debris * (0.42 + 0.12 * patch + 0.06 * fine - dyes[1])
        blood = _smooth_step(ground.blood, 0.4, 0.6)
        discs = _smooth_step(self._blood_discs(view), 0.1, 0.5)
        dyes[0] += blood * (0.01 - dyes[0])
        dyes[1] += blood * (0.03 - dyes[1])
        dyes[2] += blood * discs * (0.42 + 0.05 * fine)

    def _blood_discs(self, view: _View) -> Float:
        """Closely packed round red cells of about 6 um: a jittered lattice of discs."""
        pitch = 5.6 / self._mpp
        y = (view.y0 + np.arange(view.height, dtype=np.float32) + 0.5)[:, None] / pitch
        x = (view.x0 + np.arange(view.width, dtype=np.float32) + 0.5)[None] / pitch
        x = x + 0.5 * (np.floor(y) % 2) + 0.12 * self._patch.block(*view.box)
        y = y + 0.12 * self._cleft.block(*view.box)
        distance = np.hypot(y - np.floor(y) - 0.5, x - np.floor(x) - 0.5)
        discs: Float = (0.47 - distance) * 6
        return discs

    def _add_nuclei(self, dyes: Float, view: _View, nuclei: NDArray[np.int32]) -> None:
        """Chromatin: clumped; dark rim, pale centre and nucleoli where vesicular; soft edge."""
        inside = nuclei > 0
        solid = inside & ~_borders(nuclei)
        depth = ndi.distance_transform_edt(solid).astype(np.float32) * np.float32(self._mpp)
        kind = np.concatenate([[0], self._cells.kind])[nuclei]
        shade = np.concatenate([[0.0], self._cells.shade]).astype(np.float32)[nuclei] * _SHADE[kind]
        pale = _VESICULAR[kind]
        clumps = self._chromatin.block(*view.box) * 0.6 + self._fine.block(*view.box) * 0.55
        rim = np.exp(-np.square((depth - 0.35) / 0.42))
        centre = _smooth_step(depth, 0.5, 1.7)
        density = 0.74 * shade * (1 + 0.16 * clumps + pale * (0.30 * rim - 0.30 * centre))
        nucleoli = _smooth_step(clumps, 1.25, 1.6) * centre * pale * (kind == TUMOR)
        density += 0.30 * nucleoli
        density *= 1 + 0.12 * (kind == NEUTROPHIL)
        edge = ndi.gaussian_filter(inside.astype(np.float32), 0.16 / self._mpp)
        full = ndi.gaussian_filter(np.where(inside, density, 0), 0.16 / self._mpp)
        gap = _borders(nuclei) & inside
        full -= 0.18 * ndi.gaussian_filter(gap.astype(np.float32), 0.7) * full
        dyes[0] = dyes[0] * (1 - edge) + np.clip(full, 0, None)
        dyes[1] = dyes[1] * (1 - 0.55 * edge)


@dataclass(frozen=True)
class _Ground:
    """What the maps of a section say of each pixel of a view: 0 .. 1, lengths in um."""

    depth: Float
    normal: Float
    tumour: Float
    mucus: Float
    debris: Float
    blood: Float
    loose: Float
    dense: Float
    flow: Float


@dataclass(frozen=True)
class _View:
    """A window of the picture (px)."""

    y0: int
    x0: int
    height: int
    width: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        return self.y0, self.x0, self.height, self.width

    def sample(self, plane: Float, mpp: float) -> Float:
        """A map with one value per um, read at the centres of the pixels (linear)."""
        rows = (self.y0 + np.arange(self.height) + 0.5) * mpp - 0.5
        cols = (self.x0 + np.arange(self.width) + 0.5) * mpp - 0.5
        rows = np.clip(rows, 0, plane.shape[0] - 1.001)
        cols = np.clip(cols, 0, plane.shape[1] - 1.001)
        r, c = rows.astype(int), cols.astype(int)
        fr, fc = (rows - r).astype(np.float32)[:, None], (cols - c).astype(np.float32)[None]
        r1, c1 = np.minimum(r + 1, plane.shape[0] - 1), np.minimum(c + 1, plane.shape[1] - 1)
        top = plane[r][:, c] * (1 - fc) + plane[r][:, c1] * fc
        low = plane[r1][:, c] * (1 - fc) + plane[r1][:, c1] * fc
        out: Float = (top * (1 - fr) + low * fr).astype(np.float32)
        return out


class _Fold:
    """A fold: a curved band where the section lies twice, darker and out of focus."""

    def __init__(self, seed: int, shape: tuple[int, int], mpp: float) -> None:
        rng = np.random.default_rng((seed, 33))
        self._angle = rng.uniform(0, np.pi)
        self._offset = rng.uniform(-0.2, 0.2) * min(shape)
        self._width = float(np.clip(0.03 * min(shape) * mpp, 4, 14)) / mpp
        self._centre = np.array(shape) / 2
        self._bend = Noise((seed, 34), shape, 0.35 * min(shape))
        self._size = 0.05 * min(shape)
        self._reach = rng.uniform(0.2, 0.33) * min(shape)

    def thicken(self, dyes: Float, view: _View) -> Float:
        y = (view.y0 + np.arange(view.height, dtype=np.float32) - self._centre[0])[:, None]
        x = (view.x0 + np.arange(view.width, dtype=np.float32) - self._centre[1])[None]
        across = np.cos(self._angle) * y - np.sin(self._angle) * x - self._offset
        across = across + self._size * self._bend.block(*view.box)
        along = np.abs(np.sin(self._angle) * y + np.cos(self._angle) * x)
        width = self._width * np.clip(1 - along / self._reach, 0, 1) ** 0.5
        inside = _smooth_step(width - np.abs(across), -1.0, 3.0)
        if not inside.any():
            return dyes
        # The upper sheet is the same tissue a little shifted.
        twice = dyes + np.roll(dyes, (9, -14), axis=(1, 2))
        blurred = np.stack([ndi.gaussian_filter(d, 1.6) for d in twice])
        return dyes * (1 - inside) + 0.95 * blurred * inside


def _smooth_step(value: Float, low: float, high: float) -> Float:
    t = np.clip((value - low) / (high - low), 0, 1)
    step: Float = (t * t * (3 - 2 * t)).astype(np.float32)
    return step


def _borders(labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Pixels whose right or lower neighbour has another label."""
    border = np.zeros(labels.shape, bool)
    border[:-1] |= labels[:-1] != labels[1:]
    border[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    return border & (labels > 0)


def _along_flow(texture: Float, flow: Float, length: float) -> Float:
    """Smear a texture along the contour lines of a potential (line integral convolution)."""
    small, potential = texture[::2, ::2], flow[::2, ::2]
    slope_y, slope_x = np.gradient(potential)
    norm = np.hypot(slope_y, slope_x) + 1e-6
    step_y, step_x = slope_x / norm, -slope_y / norm
    rows, cols = np.mgrid[: small.shape[0], : small.shape[1]].astype(np.float32)
    total, steps = small.copy(), max(2, int(length / 6))
    for sign in (1, -1):
        r, c = rows.copy(), cols.copy()
        for _ in range(steps):
            at = (np.clip(r, 0, rows.shape[0] - 1).astype(int), np.clip(c, 0, rows.shape[1] - 1).astype(int))
            r += sign * 1.5 * step_y[at]
            c += sign * 1.5 * step_x[at]
            total += ndi.map_coordinates(small, (r, c), order=1, mode="nearest")
    total *= np.float32(1 / np.sqrt(2 * steps + 1))
    total = np.repeat(np.repeat(total, 2, 0), 2, 1)[: texture.shape[0], : texture.shape[1]]
    return ndi.gaussian_filter(total, 0.8)
