"""Pixels of the fills of a Scene, and what they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_vhd import keys

if TYPE_CHECKING:
    from napari_vhd.layers import Scene


def codes(scene: Scene, boundaries: str = keys.PROSEG) -> np.ndarray:
    """Pixels of the fills at one per full-resolution px."""
    fills = scene.cells[boundaries].fills
    return np.asarray(fills.layer.data[scene.raster(boundaries).level_of(1.0)])


def expected(scene: Scene, column: str) -> np.ndarray:
    """The same by asking the session about the cell at each pixel."""
    raster, labels = scene.raster(keys.PROSEG), scene.session.labels(keys.PROSEG, column)
    level = raster.level_of(1.0)
    ids = raster.read(level, 0, raster.shape(level)[0], 0, raster.shape(level)[1])
    codes = np.concatenate([[0], labels.codes + 1])
    kept = scene.session.labels(keys.PROSEG, keys.KEPT)
    gone = np.concatenate([[False], kept.codes == kept.names.index("dropped")])
    none = codes == 0
    none[0] = False
    codes[none] = len(labels.names) + 1
    codes[none & gone] = len(labels.names) + 2
    return codes[ids]
