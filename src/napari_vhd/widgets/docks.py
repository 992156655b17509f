"""Which docks come with a sample, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.compat import isalive
from qtpy.QtCore import QObject, Qt

from napari_vhd.keys import PLUGIN

from .current import current_of
from .parts.dispatch import dispatcher
from .parts.loading import when_loaded

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer
    from qtpy.QtWidgets import QMainWindow

    from napari_vhd.layers.scene import Scene

    from .docked import Docked
    from .opening import Opening
    from .parts.settings import Settings

FIRST = ("Workflow", "Legend", "Cell", "Corrections", "Log")
"""Behind each other as tabs at the right; all others are in the menu Plugins."""

# Leaves the tissue more than a third of a window of 1280.
_WIDTH = 390


def show_docks(viewer: Viewer) -> None:
    """Show the docks that come with a sample, unless the user set otherwise or they are there.

    They come one after the other, in turns of the window.
    """
    window = getattr(viewer, "window", None)
    if window is None:
        return
    main: QMainWindow = window._qt_window  # noqa: SLF001  (napari has no other way to it)
    if not all(_is_there(viewer, name) for name in FIRST) and main.findChild(_Arrival) is None:
        _Arrival(viewer, main)


def raise_dock(viewer: Viewer, name: str) -> Docked:
    """Bring a dock to the front of its tabs; one that is not there comes."""
    dock, held = viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
    dock.show()
    dock.raise_()
    return held


class _Arrival(QObject):
    """Adds the docks that are not there, one in each turn, and ends.

    Parameters
    ----------
    viewer
        To whose window they come.
    main
        That window.
    """

    def __init__(self, viewer: Viewer, main: QMainWindow) -> None:
        super().__init__(main)
        self._viewer, self._main = viewer, main
        self._left = list(FIRST)
        when_loaded(viewer, "parts.settings:settings", self._on_settings)

    def _on_settings(self, settings: Callable[[], Settings]) -> None:
        if settings().open_docks:
            self._next()
        else:
            self.deleteLater()

    def _next(self) -> None:
        if not isalive(self):
            return  # the window was closed
        if not self._left:
            when_loaded(self._viewer, "opening:opening_of", self._follow)
            return
        name = self._left.pop(0)
        dock, held = self._viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
        if name == FIRST[0]:
            self._main.resizeDocks([dock], [_WIDTH], Qt.Orientation.Horizontal)
        front = _in_front(current_of(self._viewer).scene)
        raise_dock(self._viewer, front if _is_there(self._viewer, front) else name)
        held.when_filled(self._next_turn)

    def _next_turn(self) -> None:
        dispatcher()(self._next)

    def _follow(self, opening_of: Callable[[Viewer], Opening]) -> None:
        opening_of(self._viewer).opened.connect(_on_opened, unique=True)
        if (scene := current_of(self._viewer).scene) is not None:
            _on_opened(scene)
        self.deleteLater()


def _is_there(viewer: Viewer, name: str) -> bool:
    return f"{name} ({PLUGIN})" in viewer.window.dock_widgets


def _on_opened(scene: Scene) -> None:
    raise_dock(scene.viewer, _in_front(scene))


def _in_front(scene: Scene | None) -> str:
    """Name the dock that is wanted: the legend of what is computed, or the workflow."""
    return "Legend" if scene is not None and scene.session.segmentations() else "Workflow"
