"""Learns that a viewer's window is closed, through a dock or the window itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QApplication, QMainWindow

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer


class WindowEnd(QObject):
    """Calls a function when the window of a viewer is closed.

    Parameters
    ----------
    window
        The main window.
    call
        What to do.
    """

    def __init__(self, window: QMainWindow, call: Callable[[], None]) -> None:
        super().__init__(window)
        self._call = call
        self._may_go = False
        window.installEventFilter(self)

    @classmethod
    def of(cls, viewer: Viewer, call: Callable[[], None]) -> WindowEnd | None:
        """Watch the window of a viewer; None where it has none."""
        window = main_window(viewer)
        return None if window is None else cls(window, call)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """See the window go; whoever of ours holds it up was asked before."""
        kind = event.type()
        if kind == QEvent.Type.Close and event.isAccepted() and event.spontaneous():
            # Its cross was pressed: napari asks yet, where there are layers, and then hides it.
            self._may_go = True
        elif (
            kind == QEvent.Type.DeferredDelete
            or (kind == QEvent.Type.Close and event.isAccepted())
            or (kind == QEvent.Type.Hide and self._may_go and not event.spontaneous())
        ):
            self._call()
        return False


def main_window(viewer: Viewer) -> QMainWindow | None:
    """Find the main window that shows a viewer, None where there is none."""
    application = QApplication.instance()
    if application is None:
        return None
    unwrapped = getattr(viewer, "__wrapped__", viewer)
    for window in application.topLevelWidgets():
        if isinstance(window, QMainWindow):
            shown = getattr(getattr(window, "_qt_viewer", None), "viewer", None)
            if getattr(shown, "__wrapped__", shown) is unwrapped:
                return window
    return None
