"""A path: typed, dropped or chosen."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget


class PathRow(QWidget):
    """A line for a path, with a button that looks for one.

    Parameters
    ----------
    name
        Of what is asked for, for screen readers.
    kind
        ``"file"`` or ``"folder"``.
    hint
        Shown while the line is empty.
    filters
        Of the file dialog.
    """

    changed = Signal(str)

    def __init__(
        self,
        name: str,
        kind: str,
        hint: str = "",
        filters: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._kind, self._filters, self._name = kind, filters, name
        self.line = QLineEdit()
        self.line.setPlaceholderText(hint)
        self.line.setAccessibleName(name)
        self.line.setMinimumWidth(60)
        self.line.setClearButtonEnabled(True)
        self.button = QPushButton("Choose…")
        self.button.setAccessibleName(f"Choose: {name}")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.line, 1)
        layout.addWidget(self.button)
        self.line.editingFinished.connect(self._on_edited)
        self.line.textChanged.connect(self._on_text)
        self.button.clicked.connect(self._on_button)
        self._told = ""
        self.setFocusProxy(self.line)

    @property
    def value(self) -> str | None:
        """The path, None where the line is empty."""
        return self.line.text().strip() or None

    @value.setter
    def value(self, value: str | None) -> None:
        self._told = value or ""
        if self.line.text() != self._told:
            self.line.setText(self._told)

    def _on_text(self, text: str) -> None:
        # The cross that clears the line tells nothing else.
        if not text:
            self._on_edited()

    def _on_edited(self) -> None:
        text = self.line.text().strip()
        if text != self._told:
            self._told = text
            self.changed.emit(text)

    def _on_button(self) -> None:
        now = Path(self.line.text().strip() or Path.home()).expanduser()
        start = str(now if now.is_dir() else now.parent)
        if self._kind == "folder":
            found = QFileDialog.getExistingDirectory(self, self._name, start)
        else:
            found, _ = QFileDialog.getOpenFileName(self, self._name, start, self._filters)
        if found:
            self.line.setText(found)
            self._on_edited()
