"""Where nuclei lie and how dense they are, before any colour: the layouts of training tiles."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from prepare_tiles import BANK_DIAMETER, BANK_PX
from scipy import ndimage as ndi

if TYPE_CHECKING:
    from sources import Sources

#: What a pixel between nuclei belongs to.
STROMA, EPITHELIUM, LUMEN = 0, 1, 2
SMALLEST_PIECE_PX = 16


@dataclass
class Layout:
    """Nuclei on a square canvas.

    Attributes
    ----------
    density : float32 (H, W)
        Nuclear stain, about 1 in a nucleus.
    labels : int32 (H, W)
    tissue : uint8 (H, W)
        ``STROMA``, ``EPITHELIUM`` or ``LUMEN``.
    diameter : float
        Typical diameter of a nucleus, px.
    """

    size: int
    diameter: float
    density: np.ndarray = field(init=False)
    labels: np.ndarray = field(init=False)
    tissue: np.ndarray = field(init=False)
    n_labels: int = 0

    def __post_init__(self) -> None:
        shape = (self.size, self.size)
        self.density = np.zeros(shape, np.float32)
        self.labels = np.zeros(shape, np.int32)
        self.tissue = np.zeros(shape, np.uint8)

    def add(
        self,
        source: Sources,
        index: int,
        centre: tuple[float, float],
        angle: float,
        diameter: float,
        stretch: float = 1.0,
        overlap: float = 0.25,
    ) -> bool:
        """Paste nucleus ``index`` of the bank; False where it would hide another one.

        ``angle`` is that of the long axis from +x towards +y, radians; ``stretch`` lengthens it.
        """
        reach = int(np.ceil(diameter * max(stretch, 1.0) * 1.25)) + 2
        top, left = int(centre[0]) - reach, int(centre[1]) - reach
        rows = slice(max(top, 0), min(top + 2 * reach + 1, self.size))
        columns = slice(max(left, 0), min(left + 2 * reach + 1, self.size))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return False
        zoom = BANK_DIAMETER / diameter
        along = zoom / stretch * np.array([np.sin(angle), np.cos(angle)])
        across = zoom * stretch**0.5 * np.array([np.cos(angle), -np.sin(angle)])
        matrix = np.stack([across, along])
        start = np.array([rows.start - centre[0], columns.start - centre[1]])
        offset = (BANK_PX - 1) / 2 + matrix @ start
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        mask = ndi.affine_transform(source.bank_mask[index], matrix, offset, shape, order=1) > 0.5
        here = self.labels[rows, columns]
        free = mask & (here == 0)
        if mask.sum() < 12 or free.sum() < (1 - overlap) * mask.sum():
            return False
        density = ndi.affine_transform(source.bank_density[index], matrix, offset, shape, order=1)
        self.n_labels += 1
        here[free] = self.n_labels
        np.maximum(self.density[rows, columns], density, out=self.density[rows, columns])
        return True


def whole_tiles(source: Sources, rng: np.random.Generator, size: int, diameter: float) -> Layout:
    """Take the nuclei of real tiles as they lie, resized so that they measure ``diameter`` px."""
    layout = Layout(size, diameter)
    top = 0
    while top < size:
        left, row_height = 0, size
        while left < size:
            density, labels = _resized(source, rng, diameter)
            height, width = labels.shape
            # A large tile is cut at random; a small one stands whole beside the next.
            cut_top = rng.integers(0, max(height - (size - top), 0) + 1)
            cut_left = rng.integers(0, max(width - (size - left), 0) + 1)
            density = density[cut_top : cut_top + size - top, cut_left : cut_left + size - left]
            labels = labels[cut_top : cut_top + size - top, cut_left : cut_left + size - left]
            height, width = labels.shape
            row_height = min(row_height, height)
            if min(height, width) < SMALLEST_PIECE_PX:
                left += width
                continue
            density, labels = _without_cut(density, labels)
            target = (slice(top, top + height), slice(left, left + width))
            layout.density[target] = density
            layout.labels[target] = np.where(labels > 0, labels + layout.n_labels, 0)
            layout.n_labels += int(labels.max(initial=0))
            left += width
        top += row_height
    return layout


def _resized(
    source: Sources, rng: np.random.Generator, diameter: float
) -> tuple[np.ndarray, np.ndarray]:
    index = rng.choice(source.recolourable)
    zoom = float(np.clip(diameter / source.diameter[index], 0.3, 1.9))
    density = source.density[index].astype(np.float32)
    if zoom < 0.75:
        density = ndi.gaussian_filter(density, 0.4 / zoom)
    stretch = np.exp(rng.normal(0, 0.08))
    factors = (zoom * stretch, zoom / stretch)
    density = ndi.zoom(density, factors, order=1)
    labels = ndi.zoom(source.labels[index].astype(np.int32), factors, order=0)
    turns, mirror = rng.integers(4), rng.integers(2)
    density, labels = np.rot90(density, turns), np.rot90(labels, turns)
    if mirror:
        density, labels = density[:, ::-1], labels[:, ::-1]
    return density, labels


def _without_cut(density: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fade the density out at the rim of a piece, so that pieces meet without a step."""
    fade = np.ones(labels.shape, np.float32)
    ramp = np.linspace(0, 1, 6, dtype=np.float32)
    for axis in (0, 1):
        view = np.moveaxis(fade, axis, 0)
        view[:6] *= ramp[:, None]
        view[-6:] *= ramp[::-1, None]
    cut = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    gone = np.isin(labels, cut[cut > 0])
    soft = 1 - np.clip(ndi.gaussian_filter(gone.astype(np.float32), 2) * 2.2, 0, 1)
    density = density * np.minimum(fade, soft)
    return density, np.where(gone, 0, labels)


def crowd(layout: Layout, source: Sources, rng: np.random.Generator, share: float) -> None:
    """Put more nuclei close beside those that are there."""
    seats = np.argwhere(layout.labels > 0)
    if len(seats) == 0:
        return
    count = int(share * (layout.size / layout.diameter) ** 2)
    angle = rng.uniform(0, np.pi)
    for _ in range(count):
        seat = seats[rng.integers(len(seats))] + rng.normal(0, 0.9 * layout.diameter, 2)
        index = int(rng.integers(len(source.bank_mask)))
        turned = angle + rng.normal(0, 0.5)
        layout.add(source, index, tuple(seat), turned, _spread(rng, layout.diameter))


def scene(source: Sources, rng: np.random.Generator, size: int, diameter: float) -> Layout:
    """Arrange single nuclei as tissue does: glands, immune cells, fibres of stroma or muscle."""
    layout = Layout(size, diameter)
    if rng.random() < 0.6:
        for _ in range(rng.integers(1, 4)):
            _gland(layout, source, rng)
    if rng.random() < 0.45:
        for _ in range(rng.integers(1, 3)):
            _immune_cells(layout, source, rng)
    if rng.random() < 0.75:
        _fibres(layout, source, rng)
    if rng.random() < 0.3:
        _sheet(layout, source, rng)
    return layout


def _spread(rng: np.random.Generator, diameter: float, spread: float = 0.17) -> float:
    return float(diameter * np.exp(rng.normal(0, spread)))


def _gland(layout: Layout, source: Sources, rng: np.random.Generator) -> None:
    """Epithelium round a lumen, nuclei standing on its wall, often in more than one row."""
    unit = layout.diameter * rng.uniform(1.0, 1.35)
    centre = rng.uniform(-0.1, 1.1, 2) * layout.size
    inner = np.array([rng.uniform(0.2, 3.5), rng.uniform(0.2, 3.5)]) * unit
    wall = unit * rng.uniform(1.6, 3.2)
    tilt = rng.uniform(0, np.pi)
    rows, columns = np.mgrid[: layout.size, : layout.size] - centre[:, None, None]
    wave = 1 + 0.12 * np.sin(np.arctan2(rows, columns) * rng.integers(2, 5) + rng.uniform(0, 6))
    x = (columns * np.cos(tilt) + rows * np.sin(tilt)) * wave
    y = (-columns * np.sin(tilt) + rows * np.cos(tilt)) * wave
    outer = (x / (inner[0] + wall)) ** 2 + (y / (inner[1] + wall)) ** 2 < 1
    lumen = (x / inner[0]) ** 2 + (y / inner[1]) ** 2 < 1
    layout.tissue[outer] = EPITHELIUM
    layout.tissue[lumen] = LUMEN
    layout.density[outer] = 0
    layout.labels[outer] = 0
    choice = source.oval_nuclei if rng.random() < 0.8 else source.round_nuclei
    stretch = rng.uniform(0.9, 1.4)
    spacing = rng.uniform(0.62, 1.15) * unit / stretch**0.5
    for row in range(int(rng.integers(1, 4))):
        depth = wall * (rng.uniform(0.25, 0.45) + 0.28 * row)
        radius = inner + wall - depth
        steps = max(int(2 * np.pi * radius.mean() / spacing), 5)
        for turn in (np.arange(steps) + rng.uniform(-0.25, 0.25, steps)) * 2 * np.pi / steps:
            local = radius * (np.cos(turn), np.sin(turn)) * (1 + rng.normal(0, 0.03))
            place = (
                centre[0] + local[0] * np.sin(tilt) + local[1] * np.cos(tilt),
                centre[1] + local[0] * np.cos(tilt) - local[1] * np.sin(tilt),
            )
            if not (-9 < place[0] < layout.size + 9 and -9 < place[1] < layout.size + 9):
                continue
            outwards = np.arctan2(place[0] - centre[0], place[1] - centre[1])
            angle = outwards + rng.normal(0, 0.15)
            size = _spread(rng, unit, 0.12)
            layout.add(source, int(rng.choice(choice)), place, angle, size, stretch, 0.3)


def _immune_cells(layout: Layout, source: Sources, rng: np.random.Generator) -> None:
    """Small round dark nuclei, close together."""
    centre = rng.uniform(0, 1, 2) * layout.size
    reach = rng.uniform(1.5, 5.0) * layout.diameter
    size = layout.diameter * rng.uniform(0.6, 0.85)
    for _ in range(int(rng.uniform(0.4, 1.4) * (2.4 * reach / size) ** 2 / 2)):
        place = centre + rng.normal(0, 0.6 * reach, 2)
        index = int(rng.choice(source.round_nuclei))
        layout.add(source, index, tuple(place), rng.uniform(0, np.pi), _spread(rng, size, 0.1))


def _fibres(layout: Layout, source: Sources, rng: np.random.Generator) -> None:
    """Long thin nuclei that follow one direction, few (fibroblasts) or many (muscle)."""
    direction = rng.uniform(0, np.pi)
    bend = rng.normal(0, 0.004)
    stretch = rng.uniform(1.0, 1.9)
    unit = layout.diameter * rng.uniform(0.7, 1.0)
    count = int(rng.uniform(0.03, 0.3) * (layout.size / unit) ** 2)
    for _ in range(count):
        place = rng.uniform(0, layout.size, 2)
        if layout.tissue[int(place[0]), int(place[1])] != STROMA:
            continue
        angle = direction + bend * (place[0] - layout.size / 2) + rng.normal(0, 0.15)
        index = int(rng.choice(source.long_nuclei))
        layout.add(source, index, tuple(place), angle, _spread(rng, unit), stretch, 0.15)


def _sheet(layout: Layout, source: Sources, rng: np.random.Generator) -> None:
    """Lay a sheet of tumour cells without order, touching each other."""
    spacing = layout.diameter * rng.uniform(0.9, 1.7)
    centre = rng.uniform(0, 1, 2) * layout.size
    reach = rng.uniform(0.3, 0.9) * layout.size
    grid = np.mgrid[0 : layout.size : spacing, 0 : layout.size : spacing].reshape(2, -1).T
    for place in grid + rng.normal(0, 0.25 * spacing, grid.shape):
        inside = place.min() >= 0 and place.max() < layout.size
        if not inside or np.hypot(*(place - centre)) > reach:
            continue
        if layout.tissue[int(place[0]), int(place[1])] == LUMEN:
            continue
        layout.tissue[int(place[0]), int(place[1])] = EPITHELIUM
        index = int(rng.integers(len(source.bank_mask)))
        angle = rng.uniform(0, np.pi)
        layout.add(source, index, tuple(place), angle, _spread(rng, layout.diameter))
