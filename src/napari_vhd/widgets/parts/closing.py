"""Closing a dock or the window: during a run it is asked first, and all ends cleanly.

Only what ends something asks: a dock that is merely hidden (the eye in its title) comes back by
the Window menu, and its run goes on.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from weakref import WeakSet

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QDockWidget, QMainWindow, QMessageBox, QPushButton, QWidget

from napari_vhd.widgets.current import current_of
from napari_vhd.widgets.run_control import control_of

from .dock_title import shorten_title

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer

    from napari_vhd.widgets.run_control import RunControl

# napari's name of the cross in the title of a dock.
_CROSS = "QTitleBarCloseButton"
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
        self._current = current_of(viewer)
        # Weak: Qt keeps this object as long as the window, and must not keep the window by it.
        self._watched: WeakSet[QWidget] = WeakSet()
        let_go = self._let_go = _once(release, self._forget)
        self._control.run_changed.connect(self._come_first)
        self._current.scene_changed.connect(self._come_first)
        # A window that goes takes its docks along without a word to them but this one.
        widget.destroyed.connect(lambda: let_go())
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Find the dock when there is one; hold up its closing."""
        kind = event.type()
        if "_widget" not in self.__dict__:
            # Qt still tells an object that Python has emptied already.
            return False
        if watched is self._widget:
            if kind in (QEvent.Type.ParentChange, QEvent.Type.Show, QEvent.Type.Polish):
                self._watch()
            elif kind == QEvent.Type.DeferredDelete:
                self._let_go()
            return False
        if isinstance(watched, QDockWidget):
            if kind == QEvent.Type.ChildPolished:
                # napari makes another title with another cross when a dock is moved or floats.
                self._watch()
            return False
        if self._control.is_running and self._closes(watched, event):
            if not wants_to_end(self._widget.window()):
                event.ignore()
                return True
            self._control.abandon()
        return False

    def _closes(self, watched: QObject, event: QEvent) -> bool:
        """Whether this is the window being closed, or the cross of the dock being pressed."""
        kind = event.type()
        if isinstance(watched, QMainWindow):
            return bool(kind == QEvent.Type.Close)
        return kind in (QEvent.Type.MouseButtonRelease, QEvent.Type.KeyRelease)

    def _watch(self) -> None:
        """Watch the crosses of the docks that the widget is in, and the window."""
        shorten_title(self._widget)
        parent = self._widget.parentWidget()
        while parent is not None:
            found = [parent] if isinstance(parent, QDockWidget | QMainWindow) else []
            if isinstance(parent, QDockWidget):
                found += parent.findChildren(QPushButton, _CROSS)
            for widget in found:
                if widget not in self._watched:
                    self._watched.add(widget)
                    widget.installEventFilter(self)
            parent = parent.parentWidget()

    def _come_first(self) -> None:
        """Be asked before others who hear of the window's closing and act on it."""
        self._watch()
        for widget in list(self._watched):
            try:
                widget.installEventFilter(self)
            except RuntimeError:
                self._watched.discard(widget)

    def _forget(self) -> None:
        self._control.run_changed.disconnect(self._come_first, missing_ok=True)
        self._current.scene_changed.disconnect(self._come_first, missing_ok=True)


def _once(*deeds: Callable[[], None]) -> Callable[[], None]:
    """Make something that can be told twice, also when parts of the widget are gone."""
    waiting = list(deeds)

    def let_go() -> None:
        while waiting:
            # Signals are let go of first; what Qt has deleted already needs no more.
            with contextlib.suppress(RuntimeError):
                waiting.pop()()

    return let_go
