"""Which docks come with a sample, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .parts.settings import PLUGIN, settings

if TYPE_CHECKING:
    from napari.viewer import Viewer

FIRST = ("Workflow", "Legend", "Cell", "Corrections", "Log")
"""Under each other as tabs at the right; all others are in the menu Plugins."""


def show_docks(viewer: Viewer) -> None:
    """Show the docks that come with a sample, unless the user set otherwise or they are there."""
    window = getattr(viewer, "window", None)
    if window is None or not settings().open_docks:
        return
    for name in FIRST:
        window.add_plugin_dock_widget(PLUGIN, name, tabify=name != FIRST[0])


def raise_dock(viewer: Viewer, name: str) -> None:
    """Bring a dock that is there to the front of its tabs."""
    window = getattr(viewer, "window", None)
    if window is not None:
        dock, _ = window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
        dock.show()
        dock.raise_()
