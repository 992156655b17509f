"""Closing a dock or the window: during a run it is asked first, and all ends cleanly."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QDockWidget, QMainWindow, QMessageBox, QWidget

from napari_vhd.widgets.run_control import control_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer

    from napari_vhd.widgets.run_control import RunControl

END, GO_ON = "End the run and close", "Go on"


def wants_to_end(parent: QWidget | None) -> bool:
    """Ask whether a run is to be ended."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("A run is going on")
    box.setText("A run is going on, and ends when this is closed.")
    box.setInformativeText("What was finished is kept; the stage at work would start anew.")
    end = box.addButton(END, QMessageBox.ButtonRole.DestructiveRole)
    go_on = box.addButton(GO_ON, QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(go_on)
    box.setEscapeButton(go_on)
    box.exec()
    return box.clickedButton() is end


class CloseGuard(QObject):
    """Watches the dock that a widget is in, and the window.

    Parameters
    ----------
    widget
        Inside the dock.
    viewer
        Whose run is asked about.
    release
        Called when the dock goes.
    """

    def __init__(self, widget: QWidget, viewer: Viewer, release: Callable[[], None]) -> None:
        super().__init__(widget)
        self._widget = widget
        self._control: RunControl = control_of(viewer)
        self._watched: list[QWidget] = []
        self._let_go = _once(release)
        let_go = self._let_go
        # A window that goes takes its docks along without a word to them but this one.
        widget.destroyed.connect(lambda: let_go())
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Find the dock when there is one; hold up its closing."""
        kind = event.type()
        if watched is self._widget:
            if kind in (QEvent.Type.ParentChange, QEvent.Type.Show, QEvent.Type.Polish):
                self._watch()
            elif kind == QEvent.Type.DeferredDelete:
                self._let_go()
            return False
        if kind == QEvent.Type.Close and self._control.is_running:
            if not wants_to_end(self._widget.window()):
                event.ignore()
                return True
            self._control.abandon()
        return False

    def _watch(self) -> None:
        """Watch every dock and window that the widget is in."""
        parent = self._widget.parentWidget()
        while parent is not None:
            if isinstance(parent, QDockWidget | QMainWindow) and parent not in self._watched:
                self._watched.append(parent)
                parent.installEventFilter(self)
            parent = parent.parentWidget()


def _once(release: Callable[[], None]) -> Callable[[], None]:
    """Make something that can be told twice, also when parts of the widget are gone."""
    waiting = [release]

    def let_go() -> None:
        while waiting:
            # Signals are let go of first; what Qt has deleted already needs no more.
            with contextlib.suppress(RuntimeError):
                waiting.pop()()

    return let_go
