"""The outline that could be taken in place of one that was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

if TYPE_CHECKING:
    from collections.abc import Callable


class MendBar(QWidget):
    """Hidden until there is something to mend; why stands above it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.take = QPushButton("Take the mended outline")
        self.leave = QPushButton("Leave it")
        buttons = QHBoxLayout(self)
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.addWidget(self.take, 1)
        buttons.addWidget(self.leave)
        self._mend: Callable[[], None] | None = None
        self.take.clicked.connect(self._on_take)
        self.leave.clicked.connect(self.forget)
        self.hide()

    def offer(self, mend: Callable[[], None]) -> None:
        """Call `mend` where a person takes the mended outline."""
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
