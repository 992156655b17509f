"""The legend's table: a category a row, with colour, name, count, eye and solo."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QModelIndex, QObject, QSize, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QColorDialog, QHeaderView, QTableView, QWidget

from napari_vhd.palettes import DISTINCT

from .table_model import TableModel
from .theme import Icons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QKeyEvent

_ICON = 18
_ROW = 24
_MOST_CUSTOM = 16  # colours that Qt's dialog has room for
_ROLES = {
    int(role)
    for role in (
        Qt.ItemDataRole.DisplayRole,
        Qt.ItemDataRole.DecorationRole,
        Qt.ItemDataRole.TextAlignmentRole,
        Qt.ItemDataRole.ToolTipRole,
        Qt.ItemDataRole.AccessibleTextRole,
    )
}


@dataclass(frozen=True)
class Row:
    """A row of the legend.

    Attributes
    ----------
    key
        What signals call it.
    label
        What is shown.
    color
        ``#RRGGBB``.
    count
        Cells of it.
    visible
        Whether they are shown.
    named
        Whether it is a category of the column: cells without one, and those left out by quality
        control, have a row but no colour to choose.
    """

    key: str
    label: str
    color: str
    count: int
    visible: bool
    named: bool = True


class Column(IntEnum):
    """What stands where."""

    COLOR = 0
    NAME = 1
    COUNT = 2
    EYE = 3
    SOLO = 4


class CategoryModel(TableModel):
    """Rows of the legend as Qt reads them."""

    heads = ("", "Category", "Cells", "Show", "Solo")
    rows: Sequence[Row]

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._icons = Icons()

    def key_of(self, row: Row) -> str:
        """Say what signals call a category."""
        return row.key

    def set_ink(self, color: QColor) -> None:
        """Draw icons in another colour."""
        self._icons.set_ink(color)
        self.redraw()

    @property
    def solo(self) -> str | None:
        """Key of the only row that is shown, if it is the only one."""
        shown = [row.key for row in self.rows if row.visible]
        return shown[0] if len(shown) == 1 and len(self.rows) > 1 else None

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Give what is shown, drawn and said of a cell of the table."""
        if role not in _ROLES:
            return None
        row, column = self.rows[index.row()], Column(index.column())
        if role == Qt.ItemDataRole.DisplayRole:
            return {Column.NAME: row.label, Column.COUNT: f"{row.count:,}"}.get(column)
        if role == Qt.ItemDataRole.DecorationRole:
            return self._drawn(row, column)
        if role == Qt.ItemDataRole.TextAlignmentRole and column == Column.COUNT:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return self._said(row, column)
        return None

    def _drawn(self, row: Row, column: Column) -> Any:
        if column == Column.COLOR:
            return self._icons.swatch(row.color)
        if column == Column.EYE:
            return self._icons.icon("eye" if row.visible else "hidden")
        if column == Column.SOLO:
            return self._icons.icon("solo" if self.solo == row.key else "not_solo")
        return None

    def _said(self, row: Row, column: Column) -> str:
        if column == Column.COLOR:
            change = "; click to choose another" if row.named else ""
            return f"Colour of {row.label}: {row.color}{change}"
        if column == Column.EYE:
            return f"{row.label} is {'shown; click to hide' if row.visible else 'hidden; show'}"
        if column == Column.SOLO:
            alone = self.solo == row.key
            return f"Only {row.label} is shown; show all" if alone else f"Show only {row.label}"
        return f"{row.label}: {row.count:,} cells"


class CategoryTable(QTableView):
    """The table; a click, Space or Enter on a cell of it acts.

    Parameters
    ----------
    parent
        Qt's.
    fixed
        Only tell what the colours mean; nothing can be hidden.

    Attributes
    ----------
    color_chosen
        Key and ``#RRGGBB`` that a person chose.
    visibility_toggled
        Key and whether its cells are to be shown.
    solo_toggled
        Key of the only row to be shown, "" for all.
    """

    color_chosen = Signal(str, str)
    visibility_toggled = Signal(str, bool)
    solo_toggled = Signal(str)

    def __init__(self, parent: QWidget | None = None, fixed: bool = False) -> None:
        super().__init__(parent)
        self.rows_model = CategoryModel(self)
        self.setModel(self.rows_model)
        self.setAccessibleName("Legend")
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectItems)
        self.setShowGrid(False)
        self.setWordWrap(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setTabKeyNavigation(False)
        self.setIconSize(QSize(_ICON, _ICON))
        self.setMinimumHeight(140)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.verticalHeader().setMinimumSectionSize(_ROW)
        head = self.horizontalHeader()
        head.setMinimumSectionSize(24)
        for column in Column:
            fits = column in (Column.COUNT, Column.EYE, Column.SOLO)
            mode = QHeaderView.ResizeMode.ResizeToContents if fits else QHeaderView.ResizeMode.Fixed
            head.setSectionResizeMode(column, mode)
        head.setSectionResizeMode(Column.NAME, QHeaderView.ResizeMode.Stretch)
        self.setColumnWidth(Column.COLOR, 28)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.clicked.connect(self._act)
        for column in (Column.EYE, Column.SOLO) if fixed else ():
            self.setColumnHidden(column, True)

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show other rows."""
        self.rows_model.set_rows(rows)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Act by keyboard as by mouse."""
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if self.currentIndex().isValid():
                self._act(self.currentIndex())
            event.accept()
            return
        super().keyPressEvent(event)

    def _act(self, index: QModelIndex) -> None:
        row, column = self.rows_model.rows[index.row()], Column(index.column())
        if column == Column.EYE:
            self.visibility_toggled.emit(row.key, not row.visible)
        elif column == Column.SOLO:
            self.solo_toggled.emit("" if self.rows_model.solo == row.key else row.key)
        elif column == Column.COLOR and row.named:
            self._ask_color(row)

    def _ask_color(self, row: Row) -> None:
        dialog = ask_color(self, row.color, f"Colour of {row.label}")
        dialog.setProperty("key", row.key)
        dialog.colorSelected.connect(self._on_color)

    def _on_color(self, color: QColor) -> None:
        self.color_chosen.emit(self.sender().property("key"), color.name().upper())


def ask_color(parent: QWidget, color: str, title: str) -> QColorDialog:
    """Open a dialog that asks for a colour and offers those that colour-blind eyes can part."""
    for place, safe in enumerate(DISTINCT[:_MOST_CUSTOM]):
        QColorDialog.setCustomColor(place, QColor(safe))
    dialog = QColorDialog(QColor(color), parent)
    dialog.setWindowTitle(title)
    dialog.setOption(QColorDialog.ColorDialogOption.DontUseNativeDialog)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
    return dialog
