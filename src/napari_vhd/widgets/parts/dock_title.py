"""The title of a dock, which napari makes too long for the tabs of a narrow window."""

from __future__ import annotations

from qtpy.QtWidgets import QDockWidget, QWidget

from .settings import PLUGIN

_BEHIND = f" ({PLUGIN})"


def shorten_title(widget: QWidget) -> None:
    """Leave the plugin's name out of the title of the dock that a widget is in."""
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, QDockWidget) and parent.windowTitle().endswith(_BEHIND):
            parent.setWindowTitle(parent.windowTitle().removesuffix(_BEHIND))
        parent = parent.parentWidget()
