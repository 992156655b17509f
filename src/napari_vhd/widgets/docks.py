"""Which docks come with a sample, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMainWindow

from .opening import opening_of
from .parts.settings import PLUGIN, settings

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_vhd.layers.scene import Scene

FIRST = ("Workflow", "Legend", "Cell", "Corrections", "Log")
"""Behind each other as tabs at the right; all others are in the menu Plugins."""

# Leaves the tissue more than a third of a window of 1280.
_WIDTH = 390


def show_docks(viewer: Viewer) -> None:
    """Show the docks that come with a sample, unless the user set otherwise or they are there."""
    window = getattr(viewer, "window", None)
    if window is None or not settings().open_docks:
        return
    before = set(window.dock_widgets)
    docks = [
        window.add_plugin_dock_widget(PLUGIN, name, tabify=name != FIRST[0])[0] for name in FIRST
    ]
    if set(window.dock_widgets) == before:
        return
    main = docks[0].parent()
    if isinstance(main, QMainWindow):
        main.resizeDocks(docks, [_WIDTH] * len(docks), Qt.Orientation.Horizontal)
    raise_dock(viewer, FIRST[0])
    opening_of(viewer).opened.connect(_bring_forward)


def _bring_forward(scene: Scene) -> None:
    """Show the legend of what is computed, or the workflow where nothing is yet."""
    raise_dock(scene.viewer, "Legend" if scene.session.segmentations() else "Workflow")


def raise_dock(viewer: Viewer, name: str) -> None:
    """Bring a dock that is there to the front of its tabs."""
    window = getattr(viewer, "window", None)
    if window is not None:
        dock, _ = window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
        dock.show()
        dock.raise_()
