"""Marker genes as text: one signature a line, ``Tumor: REG1A, REG1B``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QPlainTextEdit, QSizePolicy, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from collections.abc import Mapping

Markers = dict[str, tuple[str, ...]]


def to_text(markers: Mapping[str, tuple[str, ...]]) -> str:
    """Write signatures, one a line."""
    return "\n".join(f"{name}: {', '.join(genes)}" for name, genes in markers.items())


def from_text(text: str) -> tuple[Markers, str]:
    """Read signatures.

    Returns
    -------
    tuple
        The signatures, and what is wrong with the first line that cannot be read.
    """
    found: Markers = {}
    problem = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, colon, rest = line.partition(":")
        genes = tuple(dict.fromkeys(rest.replace(",", " ").split()))
        name = name.strip()
        if not colon or not name or not genes:
            problem = problem or f"Line {number}: write a name, a colon and genes."
        elif name in found:
            problem = problem or f"Line {number}: {name} is there twice."
        else:
            found[name] = genes
    return found, problem


class MarkerEditor(QWidget):
    """A text of signatures; tells of them when the cursor leaves it."""

    changed = Signal(dict)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = _Text()
        self.text.setPlaceholderText("Tumor: REG1A, REG1B, CEACAM6\nFibroblasts: COL1A1, DCN")
        self.text.setAccessibleName("Marker genes")
        self.text.setTabChangesFocus(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFixedHeight(110)
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.text)
        layout.addWidget(self.note)
        self.text.textChanged.connect(self._on_text)
        self.text.left.connect(self._on_left)
        self._told: Markers = {}
        self._on_text()

    @property
    def value(self) -> Markers:
        """The signatures that can be read."""
        return from_text(self.text.toPlainText())[0]

    @value.setter
    def value(self, markers: Mapping[str, tuple[str, ...]]) -> None:
        self._told = dict(markers)
        if from_text(self.text.toPlainText())[0] != self._told:
            self.text.setPlainText(to_text(markers))

    def _on_text(self) -> None:
        found, problem = from_text(self.text.toPlainText())
        genes = {gene for every in found.values() for gene in every}
        told = f"{len(found)} signatures, {len(genes)} genes." if found else "No signatures yet."
        self.note.setText(problem or told)

    def _on_left(self) -> None:
        found, _ = from_text(self.text.toPlainText())
        if found != self._told:
            self._told = found
            self.changed.emit(found)


class _Text(QPlainTextEdit):
    """Tells when the cursor leaves it."""

    left = Signal()

    def focusOutEvent(self, event: object) -> None:
        super().focusOutEvent(event)
        self.left.emit()
