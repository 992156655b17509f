"""Docks read as large as napari's settings say."""

from __future__ import annotations

import pytest
from napari.settings import get_settings
from qtpy.QtWidgets import QHeaderView, QLineEdit, QTableView, QToolButton

from napari_vhd.keys import PLUGIN
from napari_vhd.widgets.docks import FIRST

KINDS = (QTableView, QHeaderView, QToolButton, QLineEdit)


@pytest.mark.parametrize("name", [*FIRST, "Plots", "Step: Segmentation"])
def test_text_of_all_kinds_follows_napari(make_napari_viewer, qtbot, name):
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    qtbot.waitUntil(lambda: dock.dock is not None)
    for size in (14, 9):
        get_settings().appearance.font_size = size
        parts = [part for kind in KINDS for part in dock.findChildren(kind)]
        for part in parts:
            part.ensurePolished()
        # napari's own lists are one point larger than its setting.
        assert {part.font().pointSize() for part in parts} <= {size, size + 1}
    assert parts or name in {"Cell", "Log"}
