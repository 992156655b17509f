"""Where things can stand without lying on each other: random places, denser things first."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_vhd.io.simulate.tissue.shapes import ellipse_extent

Real = NDArray[np.floating]


@dataclass(frozen=True)
class Seeds:
    """Nuclei to be, as ellipses: places and semi-axes in um, angles in radians.

    `apical` is the direction to the lumen that a cell looks at, NaN for cells without one.
    """

    x: Real
    y: Real
    kind: NDArray[np.uint8]
    angle: Real
    apical: Real
    long: Real
    short: Real

    def __len__(self) -> int:
        """Give the number of nuclei."""
        return len(self.x)

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Seeds:
        """Keep the nuclei named by a mask or by row numbers."""
        return replace(self, **{f.name: getattr(self, f.name)[which] for f in fields(self)})

    def join(self, other: Seeds) -> Seeds:
        """Append other nuclei after these."""
        both = {
            f.name: np.concatenate([getattr(self, f.name), getattr(other, f.name)])
            for f in fields(self)
        }
        return Seeds(**both)


def settle(seeds: Seeds, settled: int, closeness: float = 0.93) -> Seeds:
    """Drop nuclei that lie on nuclei before them.

    Parameters
    ----------
    seeds
        In order of priority.
    settled
        The first so many stay whatever lies on them.
    closeness
        Least distance of two nuclei as a share of the sum of their extents towards each other.
    """
    alive = np.ones(len(seeds), bool)
    kept = np.zeros(len(seeds), bool)
    kept[:settled] = True
    pairs = _conflicts(seeds, settled, closeness)
    first, second = pairs[:, 0], pairs[:, 1]
    while True:
        # A nucleus is decided once nothing undecided before it lies on it.
        blocked = np.zeros(len(seeds), bool)
        blocked[second] = True
        kept |= alive & ~blocked
        alive[second[kept[first]]] = False
        open_pairs = alive[second] & alive[first] & ~kept[first]
        if not open_pairs.any():
            break
        first, second = first[open_pairs], second[open_pairs]
    return seeds.take(alive)


def _conflicts(seeds: Seeds, settled: int, closeness: float) -> NDArray[np.int64]:
    """Pairs (i < j) of nuclei that are too close."""
    if len(seeds) < 2:
        return np.empty((0, 2), np.int64)
    tree = cKDTree(np.column_stack([seeds.x, seeds.y]))
    pairs = tree.query_pairs(2 * closeness * float(seeds.long.max()), output_type="ndarray")
    pairs = pairs[pairs[:, 1] >= settled]
    i, j = pairs[:, 0], pairs[:, 1]
    dx, dy = seeds.x[j] - seeds.x[i], seeds.y[j] - seeds.y[i]
    towards = np.arctan2(dy, dx)
    reach = sum(
        ellipse_extent(seeds.long[k], seeds.short[k], towards - seeds.angle[k]) for k in (i, j)
    )
    close: NDArray[np.int64] = pairs[np.hypot(dx, dy) < closeness * reach]
    return close
