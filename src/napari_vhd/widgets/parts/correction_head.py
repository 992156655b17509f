"""Head of the correction dock: Review mode, undo and redo, who corrects, what is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from .mend_bar import MendBar
from .status_line import StatusLine
from .tool_icons import tool_icon

if TYPE_CHECKING:
    from qtpy.QtGui import QColor

_OFF, _ON = "Review mode", "Review mode is on"


class Head(QWidget):
    """Shows what is saved and what was refused, and asks for undo and redo.

    Attributes
    ----------
    undo_asked, redo_asked
        A button was clicked.
    named
        Who corrects from now on.
    """

    undo_asked = Signal()
    redo_asked = Signal()
    named = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.review = QPushButton(_OFF)
        self.review.setCheckable(True)
        self.review.setToolTip(
            "Label and correct by single keys on our layers; napari's own keys are back after."
        )
        self.undo, self.redo = _button("Undo (Ctrl-Z)"), _button("Redo (Ctrl-Shift-Z)")
        self.author = QLineEdit()
        self.author.setPlaceholderText("initials")
        self.author.setAccessibleName("Who corrects")
        self.author.setToolTip("Who corrects: initials or an id, kept with every correction.")
        self.author.setMaximumWidth(80)
        self.status = StatusLine()
        self.mend = MendBar()
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.told.hide()
        row = QHBoxLayout()
        row.addWidget(self.review, 1)
        for part in (self.undo, self.redo, self.author):
            row.addWidget(part)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        for part in (self.status, self.mend, self.told):
            column.addWidget(part)
        self.review.toggled.connect(lambda on: self.review.setText(_ON if on else _OFF))
        self.undo.clicked.connect(self.undo_asked)
        self.redo.clicked.connect(self.redo_asked)
        self.author.editingFinished.connect(lambda: self.named.emit(self.author.text().strip()))

    def tell(self, sentence: str) -> None:
        """Say what to do next, "" for nothing."""
        self.told.setText(sentence)
        self.told.setVisible(bool(sentence))

    def ask_name(self) -> None:
        """Ask who corrects."""
        self.author.setFocus()

    def set_ink(self, color: QColor) -> None:
        """Draw icons in another colour."""
        self.undo.setIcon(tool_icon("undo", color))
        self.redo.setIcon(tool_icon("redo", color))


def _button(does: str) -> QToolButton:
    button = QToolButton()
    button.setToolTip(does)
    button.setAccessibleName(does)
    button.setIconSize(QSize(18, 18))
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button
