"""Text of tables, tools and fields as large as napari's settings say.

napari's own style gives a size to labels, buttons and lists alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.settings import get_settings
from qtpy.QtCore import QEvent, QObject

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

_STYLE = (
    "QTableView, QTreeView, QHeaderView, QToolButton, QLineEdit, QPlainTextEdit"
    " {{ font-size: {}pt; }}"
)


class TextSize(QObject):
    """Keeps a dock at the size of text of napari's settings, which restyle the window.

    Parameters
    ----------
    dock
        What it is for, and belongs to.
    """

    def __init__(self, dock: QWidget) -> None:
        super().__init__(dock)
        self._size = 0
        # Before it has a window: what is styled twice takes twice as long to show.
        self._follow(dock)
        dock.installEventFilter(self)

    def eventFilter(self, dock: QWidget, event: QEvent) -> bool:
        """Follow when the window was styled anew."""
        if event.type() == QEvent.Type.StyleChange:
            self._follow(dock)
        return False

    def _follow(self, dock: QWidget) -> None:
        size = int(get_settings().appearance.font_size)
        if size != self._size:
            self._size = size
            dock.setStyleSheet(_STYLE.format(size))
