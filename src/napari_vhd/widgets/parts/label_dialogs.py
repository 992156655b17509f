"""Small windows that ask for labels: a new one, another name, a whole set of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QGridLayout,
    QLabel,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_vhd.palettes import DISTINCT

from .category_table import ask_color
from .theme import swatch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qtpy.QtGui import QColor

_MOST_LABELS = 9


class _Dialog(QDialog):
    """A window with OK and Cancel that is gone when it is closed."""

    def __init__(self, title: str, told: str, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.column = QVBoxLayout(self)
        self.told = QLabel(told)
        self.told.setWordWrap(True)
        self.column.addWidget(self.told)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self.ok = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)

    def finish(self) -> None:
        """Put the buttons last, and open without holding up the window."""
        self.column.addWidget(self.buttons)
        self.resize(320, self.sizeHint().height())
        self.open()


class NameDialog(_Dialog):
    """Asks for one label, offering some.

    Parameters
    ----------
    title, told
        Of the window, and what is to be done.
    offered
        Labels to choose from; others can be written.
    counts
        Cells of each label that is there already: choosing it joins them.

    Attributes
    ----------
    named
        The label that was chosen.
    """

    named = Signal(str)

    def __init__(
        self,
        title: str,
        told: str,
        offered: Sequence[str],
        counts: Mapping[str, int],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(title, told, parent)
        self._counts = counts
        self.name = QComboBox()
        self.name.setEditable(True)
        self.name.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.name.setAccessibleName("Label")
        self.name.addItems(list(offered))
        self.name.setCurrentText("")
        self.name.lineEdit().setPlaceholderText("write or choose a label")
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.column.addWidget(self.name)
        self.column.addWidget(self.hint)
        self.name.currentTextChanged.connect(self._on_text)
        self.accepted.connect(self._on_accepted)
        self._on_text("")
        self.finish()

    def _on_text(self, text: str) -> None:
        name = text.strip()
        count = self._counts.get(name)
        self.hint.setText(
            "" if count is None else f"{name} is there already, with {count:,} cells."
        )
        self.ok.setEnabled(bool(name))

    def _on_accepted(self) -> None:
        self.named.emit(self.name.currentText().strip())


class LabelSetDialog(_Dialog):
    """Asks for a set of labels of one's own: its name, and up to nine labels with colours.

    Attributes
    ----------
    made
        Name of the set, names and colours of its labels in the order of their keys.
    """

    made = Signal(str, tuple, tuple)

    def __init__(
        self,
        parent: QWidget | None = None,
        name: str = "",
        labels: Sequence[tuple[str, str]] = (),
    ) -> None:
        told = "Labels of your own, beside what was computed. Keys 1 to 9 give them in this order."
        super().__init__("Own label set", told, parent)
        self.name = QLineEdit(name)
        self.name.setPlaceholderText("for example: Tumour budding")
        self.name.setReadOnly(bool(name))
        form = QFormLayout()
        form.addRow("Name", self.name)
        self.column.addLayout(form)
        grid = QGridLayout()
        grid.setHorizontalSpacing(6)
        self.fields: list[QLineEdit] = []
        self.colors: list[str] = []
        self.swatches: list[QToolButton] = []
        for place in range(max(_MOST_LABELS, len(labels))):
            text, color = labels[place] if place < len(labels) else ("", _color(place))
            self._add_row(grid, place, text, color)
        self.column.addLayout(grid)
        self.name.textChanged.connect(self._on_text)
        self.accepted.connect(self._on_accepted)
        self._on_text()
        self.finish()

    @property
    def labels(self) -> list[tuple[str, str]]:
        """Names and colours that were written."""
        pairs = zip(self.fields, self.colors, strict=True)
        return [(field.text().strip(), color) for field, color in pairs if field.text().strip()]

    def set_color(self, place: int, color: str) -> None:
        """Choose the colour of a row."""
        self.colors[place] = color
        self.swatches[place].setIcon(_icon(color, self))

    def _add_row(self, grid: QGridLayout, place: int, text: str, color: str) -> None:
        field = QLineEdit(text)
        field.setAccessibleName(f"Label {place + 1}")
        field.textChanged.connect(self._on_text)
        button = QToolButton()
        button.setAccessibleName(f"Colour of label {place + 1}")
        button.setIcon(_icon(color, self))
        button.clicked.connect(lambda _=False: self._ask_color(place))
        grid.addWidget(QLabel(str(place + 1) if place < _MOST_LABELS else ""), place, 0)
        grid.addWidget(button, place, 1)
        grid.addWidget(field, place, 2)
        self.fields.append(field)
        self.colors.append(color)
        self.swatches.append(button)

    def _ask_color(self, place: int) -> None:
        dialog = ask_color(self, self.colors[place], f"Colour of label {place + 1}")
        dialog.colorSelected.connect(lambda color: self._on_color(place, color))

    def _on_color(self, place: int, color: QColor) -> None:
        self.set_color(place, color.name().upper())

    def _on_text(self) -> None:
        names = [name for name, _ in self.labels]
        twice = len(set(names)) < len(names)
        self.ok.setEnabled(bool(self.name.text().strip() and names) and not twice)
        self.ok.setToolTip("A label is there twice." if twice else "")

    def _on_accepted(self) -> None:
        names, colors = zip(*self.labels, strict=True)
        self.made.emit(self.name.text().strip(), names, colors)


def _color(place: int) -> str:
    return DISTINCT[place % len(DISTINCT)]


def _icon(color: str, widget: QWidget) -> object:
    from qtpy.QtGui import QIcon

    return QIcon(swatch(color, widget.palette().windowText().color()))
