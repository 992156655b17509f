"""Why an outline was refused, and the one that could be taken in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from collections.abc import Callable


class MendBar(QFrame):
    """Hidden until there is something to mend."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.take = QPushButton("Take the mended outline")
        self.leave = QPushButton("Leave it")
        buttons = QHBoxLayout()
        buttons.addWidget(self.take)
        buttons.addWidget(self.leave)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.told)
        layout.addLayout(buttons)
        self._mend: Callable[[], None] | None = None
        self.take.clicked.connect(self._on_take)
        self.leave.clicked.connect(self.forget)
        self.hide()

    def offer(self, sentence: str, mend: Callable[[], None]) -> None:
        """Show the sentence; `mend` is called where a person takes the mended outline."""
        self.told.setText(sentence)
        self._mend = mend
        self.show()

    def forget(self) -> None:
        """Offer nothing any more."""
        self._mend = None
        self.hide()

    def _on_take(self) -> None:
        mend = self._mend
        self.forget()
        if mend is not None:
            mend()
