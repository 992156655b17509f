"""The label palette: the categories of a column, each with its key, colour and number of cells."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QModelIndex, QObject, QSize, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QTableView, QWidget

from napari_vhd import keys

from .table_model import TableModel
from .theme import swatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from qtpy.QtCore import QPoint
    from qtpy.QtGui import QContextMenuEvent, QKeyEvent

    from napari_vhd.corrections.columns import Labels

UNSURE = keys.UNSURE
UNSURE_KEY = "U"
UNSURE_COLOR = "#9E9E9E"
DIGITS = "123456789"
_ROW = 24


@dataclass(frozen=True)
class PaletteRow:
    """One label that can be given.

    Attributes
    ----------
    name
        The label.
    color
        ``#RRGGBB``.
    count
        Cells that have it.
    key
        What gives it in Review mode, "" for none.
    known
        Whether it is a category already; the first cell that gets it makes it one.
    """

    name: str
    color: str
    count: int
    key: str = ""
    known: bool = True


def palette_rows(
    labels: Labels,
    alive: Any,
    extra: Iterable[str] = (),
    keys: Mapping[str, str] | None = None,
    gone: Iterable[str] = (),
) -> tuple[PaletteRow, ...]:
    """List what can be given in a column: its categories, then more, `Unsure` last.

    Parameters
    ----------
    labels, alive
        The column, and by row whether the cell is there.
    extra
        Labels that no cell has yet.
    keys
        Digits that a person gave to names; the others are dealt out in order.
    gone
        Categories that were renamed or merged into others: listed only while cells have them.
    """
    codes = labels.codes[: len(alive)][alive[: len(labels.codes)]]
    counts = np.bincount(codes[codes >= 0], minlength=len(labels.names))
    hidden = set(gone)
    found = {
        name: (color, int(count), True)
        for name, color, count in zip(labels.names, labels.colors, counts, strict=True)
        if count or name not in hidden
    }
    for name in extra:
        found.setdefault(name, (UNSURE_COLOR, 0, False))
    unsure = found.pop(UNSURE, (UNSURE_COLOR, 0, False))
    dealt = _deal(list(found), keys or {})
    rows = [PaletteRow(n, c, count, dealt.get(n, ""), k) for n, (c, count, k) in found.items()]
    return (*rows, PaletteRow(UNSURE, unsure[0], unsure[1], UNSURE_KEY, unsure[2]))


def _deal(names: Sequence[str], chosen: Mapping[str, str]) -> dict[str, str]:
    """Give names the digits that a person chose, the others in order to the first without."""
    dealt = {name: key for name, key in chosen.items() if name in names}
    free = iter([digit for digit in DIGITS if digit not in dealt.values()])
    for name in names:
        if name not in dealt:
            dealt[name] = next(free, "")
    return dealt


class Column(IntEnum):
    """What stands where."""

    KEY = 0
    COLOR = 1
    NAME = 2
    COUNT = 3


class PaletteModel(TableModel):
    """Rows of the palette as Qt reads them."""

    heads = ("Key", "", "Label", "Cells")
    rows: Sequence[PaletteRow]

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ink = QColor("#808080")

    def key_of(self, row: PaletteRow) -> str:
        """Give the label."""
        return row.name

    def set_ink(self, color: QColor) -> None:
        """Draw rims in another colour."""
        self._ink = color
        self.redraw()

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Give what is shown, drawn and said of a cell of the table."""
        row, column = self.rows[index.row()], Column(index.column())
        if role == Qt.ItemDataRole.DisplayRole:
            shown = {Column.KEY: row.key, Column.NAME: row.name, Column.COUNT: f"{row.count:,}"}
            return shown.get(column)
        if role == Qt.ItemDataRole.DecorationRole and column == Column.COLOR:
            return swatch(row.color, self._ink)
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (Column.COUNT, Column.KEY):
            side = Qt.AlignmentFlag.AlignRight if column == Column.COUNT else _CENTRE
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            key = f" Key {row.key} in Review mode." if row.key else ""
            return f"{row.name}: {row.count:,} cells. Click to give it to the selected cells.{key}"
        return None


_CENTRE = Qt.AlignmentFlag.AlignHCenter


class Palette(QTableView):
    """The palette; a click, Space or Enter on a row gives its label.

    Attributes
    ----------
    given
        The label that a person chose.
    rename_asked, select_asked, color_asked
        A label whose name, cells or colour a person wants to change or have.
    key_given
        A label and the digit that is to be its key.
    """

    given = Signal(str)
    rename_asked = Signal(str)
    select_asked = Signal(str)
    color_asked = Signal(str)
    key_given = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows_model = PaletteModel(self)
        self.setModel(self.rows_model)
        self.setAccessibleName("Label palette")
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setTabKeyNavigation(False)
        self.setMinimumHeight(7 * _ROW)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW)
        head = self.horizontalHeader()
        head.setMinimumSectionSize(24)
        head.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        head.setSectionResizeMode(Column.NAME, QHeaderView.ResizeMode.Stretch)
        head.setSectionResizeMode(Column.COUNT, QHeaderView.ResizeMode.ResizeToContents)
        head.setHighlightSections(False)
        self.setColumnWidth(Column.KEY, 36)
        self.setColumnWidth(Column.COLOR, 28)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.clicked.connect(self._on_clicked)

    def sizeHint(self) -> QSize:
        """Ask for six rows; what is left over comes on top."""
        return QSize(super().sizeHint().width(), self.minimumHeight())

    @property
    def rows(self) -> tuple[PaletteRow, ...]:
        """What is listed."""
        return self.rows_model.rows

    @property
    def current(self) -> str:
        """The label that was chosen last, "" for none."""
        place = self.currentIndex().row()
        return self.rows[place].name if 0 <= place < len(self.rows) else ""

    def set_rows(self, rows: Sequence[PaletteRow]) -> None:
        """List other rows; the current one stays if it is still there."""
        current = self.current
        self.rows_model.set_rows(rows)
        if current and current != self.current:
            self.set_current(current)

    def set_current(self, name: str) -> None:
        """Mark a label as the current one; nothing is given."""
        for place, row in enumerate(self.rows):
            if row.name == name:
                self.setCurrentIndex(self.rows_model.index(place, Column.NAME))
                return

    def of_key(self, key: str) -> str:
        """Give the label of a key, "" where it has none."""
        return next((row.name for row in self.rows if row.key == key), "")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Give by keyboard as by mouse."""
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if self.current:
                self.given.emit(self.current)
            event.accept()
            return
        super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer what else can be done with a label."""
        place = self.indexAt(event.pos())
        if place.isValid():
            self.setCurrentIndex(place)
            self.show_menu(event.globalPos())

    def show_menu(self, where: QPoint) -> QMenu:
        """Open the menu of the current label."""
        name, menu = self.current, QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for text, signal in (
            (f"Select all cells of {name}", self.select_asked),
            ("Rename or merge…", self.rename_asked),
            ("Colour…", self.color_asked),
        ):
            action = menu.addAction(text)
            action.triggered.connect(lambda _=False, signal=signal: signal.emit(name))
        if name != UNSURE:
            keys = menu.addMenu("Key in Review mode")
            for digit in DIGITS:
                action = keys.addAction(digit)
                action.triggered.connect(lambda _=False, d=digit: self.key_given.emit(name, d))
        menu.popup(where)
        return menu

    def _on_clicked(self, index: QModelIndex) -> None:
        if Column(index.column()) == Column.COLOR and self.rows[index.row()].known:
            self.color_asked.emit(self.rows[index.row()].name)
        else:
            self.given.emit(self.rows[index.row()].name)
