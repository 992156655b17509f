"""Tabs that ask for no more room than they need."""

from __future__ import annotations

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QTabWidget

_HEIGHT = 190


class Tabs(QTabWidget):
    """Pages that scroll or grow by themselves.

    Qt would add up the heights of all text in them and make the whole dock scroll.
    """

    def hasHeightForWidth(self) -> bool:
        """Say that the height is not a matter of the width."""
        return False

    def sizeHint(self) -> QSize:
        """Ask for a few lines; what is left over comes on top."""
        return QSize(super().sizeHint().width(), _HEIGHT)
