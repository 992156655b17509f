"""The table of regions: colour, name, eye, cells, area and composition of each."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QItemSelectionModel, QModelIndex, QSize, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from .category_table import ask_color
from .composition_bar import SharesDelegate, told
from .table_model import TableModel
from .theme import Icons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QColor, QKeyEvent

    from .gathering import RegionStats

_SHARES = int(Qt.ItemDataRole.UserRole) + 1
_ROW = 26


class Column(IntEnum):
    """What stands where."""

    COLOR = 0
    NAME = 1
    EYE = 2
    CELLS = 3
    AREA = 4
    SHARES = 5


class RegionModel(TableModel):
    """Regions as Qt reads them.

    Attributes
    ----------
    rename_requested
        Old and new name.
    """

    rename_requested = Signal(str, str)
    heads = ("", "Region", "", "Cells", "mm²", "Content")
    rows: Sequence[RegionStats]

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icons = Icons()

    def key_of(self, row: RegionStats) -> str:
        """Give the region's name."""
        return row.name

    def set_ink(self, color: QColor) -> None:
        """Draw icons in another colour."""
        self._icons.set_ink(color)
        self.redraw()

    def flags(self, index: QModelIndex) -> Any:
        """Let names be edited."""
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == Column.NAME else flags

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Give what is shown, drawn and said of a cell of the table."""
        row, column = self.rows[index.row()], Column(index.column())
        if role == Qt.ItemDataRole.DisplayRole:
            shown = {
                Column.NAME: row.name,
                Column.CELLS: f"{row.cells:,}",
                Column.AREA: f"{row.area_mm2:.3g}",
            }
            return shown.get(column)
        if role == Qt.ItemDataRole.EditRole and column == Column.NAME:
            return row.name
        if role == Qt.ItemDataRole.DecorationRole:
            if column == Column.COLOR:
                return self._icons.swatch(row.color)
            if column == Column.EYE:
                return self._icons.icon("eye" if row.visible else "hidden")
        if role == _SHARES and column == Column.SHARES:
            return row.shares
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return _said(row, column)
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (Column.CELLS, Column.AREA):
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = 0) -> bool:
        """Ask for another name; it is shown once it is kept."""
        name, old = str(value).strip(), self.rows[index.row()].name
        if role == Qt.ItemDataRole.EditRole and name and name != old:
            self.rename_requested.emit(old, name)
            return True
        return False


def _said(row: RegionStats, column: Column) -> str:
    if column == Column.COLOR:
        return f"Colour of {row.name}: {row.color}; click to choose another"
    if column == Column.EYE:
        return f"{row.name} is {'shown; click to hide' if row.visible else 'hidden; click to show'}"
    if column == Column.SHARES:
        return told(row.shares) or "No cells to count"
    return f"{row.name}: {row.cells:,} cells on {row.area_mm2:.4g} mm²"


class RegionTable(QTableView):
    """The table; several rows can be selected.

    Attributes
    ----------
    color_chosen, visibility_toggled
        Name, and what a person chose.
    picked
        Name of a region that was double-clicked beside its name: go there.
    """

    color_chosen = Signal(str, str)
    visibility_toggled = Signal(str, bool)
    picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows_model = RegionModel(self)
        self.setModel(self.rows_model)
        self.setAccessibleName("Regions")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.setShowGrid(False)
        self.setWordWrap(True)
        self.setTabKeyNavigation(False)
        self.setIconSize(QSize(18, 18))
        self.setMinimumHeight(150)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.verticalHeader().setMinimumSectionSize(_ROW)
        self._shares = SharesDelegate(_SHARES, self)
        self.setItemDelegateForColumn(Column.SHARES, self._shares)
        head = self.horizontalHeader()
        head.setMinimumSectionSize(24)
        for column in Column:
            fixed = column in (Column.COLOR, Column.EYE)
            modes = QHeaderView.ResizeMode
            head.setSectionResizeMode(column, modes.Fixed if fixed else modes.ResizeToContents)
        for column in (Column.NAME, Column.SHARES):
            head.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        self.setColumnWidth(Column.COLOR, 26)
        self.setColumnWidth(Column.EYE, 28)
        self.clicked.connect(self._act)
        self.doubleClicked.connect(self._on_double)

    @property
    def chosen(self) -> tuple[str, ...]:
        """Names of the selected regions, from top to bottom."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        return tuple(self.rows_model.rows[row].name for row in rows)

    def set_ink(self, color: QColor) -> None:
        """Follow the theme."""
        self._shares.ink = color
        self.rows_model.set_ink(color)

    def select(self, name: str) -> bool:
        """Select one region; says whether it is there."""
        names = [row.name for row in self.rows_model.rows]
        if name not in names:
            return False
        row = names.index(name)
        self.selectRow(row)
        # Selecting a row makes its first cell the current one, on which Enter chooses a colour.
        no_more = QItemSelectionModel.SelectionFlag.NoUpdate
        self.selectionModel().setCurrentIndex(self.rows_model.index(row, Column.NAME), no_more)
        return True

    def edit_name(self, name: str) -> None:
        """Select a region and let its name be typed."""
        if self.select(name):
            self.edit(self.currentIndex())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Act by keyboard as by mouse."""
        keys = (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter)
        # The Enter that ends typing a name comes here, too.
        types = self.state() == QAbstractItemView.State.EditingState
        if event.key() in keys and self.currentIndex().isValid() and not types:
            if self.currentIndex().column() in (Column.COLOR, Column.EYE):
                self._act(self.currentIndex())
            else:
                self.picked.emit(self.rows_model.rows[self.currentIndex().row()].name)
            return
        super().keyPressEvent(event)

    def _act(self, index: QModelIndex) -> None:
        row = self.rows_model.rows[index.row()]
        if index.column() == Column.EYE:
            self.visibility_toggled.emit(row.name, not row.visible)
        elif index.column() == Column.COLOR:
            dialog = ask_color(self, row.color, f"Colour of {row.name}")
            dialog.setProperty("key", row.name)
            dialog.colorSelected.connect(self._on_color)

    def _on_color(self, color: QColor) -> None:
        self.color_chosen.emit(self.sender().property("key"), color.name().upper())

    def _on_double(self, index: QModelIndex) -> None:
        if index.column() in (Column.CELLS, Column.AREA, Column.SHARES):
            self.picked.emit(self.rows_model.rows[index.row()].name)
