"""Tabs that ask for no more room than they need."""

from __future__ import annotations

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QTabWidget, QWidget

_HEIGHT = 190
# Narrower than the theme's, so that the names of all pages stand side by side in a narrow dock.
_STYLE = "QTabBar::tab { padding-left: 4px; padding-right: 4px; }"


class Tabs(QTabWidget):
    """Pages that scroll or grow by themselves.

    Qt would add up the heights of all text in them and make the whole dock scroll.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tabBar().setStyleSheet(_STYLE)

    def hasHeightForWidth(self) -> bool:
        """Say that the height is not a matter of the width."""
        return False

    def sizeHint(self) -> QSize:
        """Ask for a few lines; what is left over comes on top."""
        return QSize(super().sizeHint().width(), _HEIGHT)
