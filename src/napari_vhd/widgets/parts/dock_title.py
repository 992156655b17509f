"""The title of a dock, which napari makes too long for the tabs of a narrow window."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabBar, QWidget

from napari_vhd.keys import PLUGIN

_BEHIND = f" ({PLUGIN})"


def shorten_title(widget: QWidget) -> None:
    """Leave the plugin's name out of the title of the dock that a widget is in.

    Where there are more tabs than fit they are scrolled: names cut to "Le…" say nothing.
    """
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, QDockWidget) and parent.windowTitle().endswith(_BEHIND):
            parent.setWindowTitle(parent.windowTitle().removesuffix(_BEHIND))
        if isinstance(parent, QMainWindow):
            only = Qt.FindChildOption.FindDirectChildrenOnly
            for tabs in parent.findChildren(QTabBar, options=only):
                # Setting it lays all tabs out anew, also where it is so already.
                if tabs.elideMode() != Qt.TextElideMode.ElideNone:
                    tabs.setElideMode(Qt.TextElideMode.ElideNone)
                    tabs.setUsesScrollButtons(True)
        parent = parent.parentWidget()
