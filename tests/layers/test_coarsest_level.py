"""A sample that fits the window at its coarsest level changes as it does at any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.components import ViewerModel

from napari_vhd import keys
from napari_vhd.layers.scene import Scene
from napari_vhd.session import Session

if TYPE_CHECKING:
    from pathlib import Path


def test_codes_and_values_are_read_again_at_the_coarsest_level(reviewed_run: Path) -> None:
    session = Session.open(reviewed_run, author="ab")
    viewer = ViewerModel()
    scene = Scene(viewer, session)
    for column in (keys.TYPE_DOMAIN, keys.score("Tumor"), keys.score("Fibroblasts")):
        scene.color_by(column, keys.PROSEG)
        for layer in viewer.layers:
            if layer.name.startswith("ProSeg cells") and layer.visible and layer.multiscale:
                layer.locked_data_level = len(layer.data) - 1
                kept = layer._slice.image.raw
                expected = np.asarray(layer.data[-1])
                np.testing.assert_array_equal(kept, expected)
    ids = session.outlines(keys.PROSEG).live_ids()
    scene.color_by(keys.TYPE_DOMAIN, keys.PROSEG)
    layer = viewer.layers["ProSeg cells"]
    layer.locked_data_level = len(layer.data) - 1
    before = layer._slice.image.raw.copy()
    session.relabel(ids[:50], keys.TYPE_DOMAIN, "Tumor")
    assert (layer._slice.image.raw != before).any()
    scene.close()
    session.close()
