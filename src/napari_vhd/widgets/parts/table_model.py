"""What the tables of the docks have in common: rows that come whole, under heads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt

if TYPE_CHECKING:
    from collections.abc import Sequence


class TableModel(QAbstractTableModel):
    """Rows as Qt reads them; what is shown of them, `data` says.

    Attributes
    ----------
    heads
        Heads of the columns.
    rows
        What is shown.
    """

    heads: ClassVar[Sequence[str]]
    rows: Sequence[Any] = ()

    def set_rows(self, rows: Sequence[Any]) -> None:
        """Show other rows; where `key_of` says that they are the same, the view keeps its place."""
        if [self.key_of(row) for row in rows] == [self.key_of(row) for row in self.rows]:
            self.rows = rows
            self.redraw()
            return
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def key_of(self, row: Any) -> object:
        """Say by what a row is known."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Read all rows again."""
        if len(self.rows):
            last = self.index(len(self.rows) - 1, len(self.heads) - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Give the number of rows."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Give the number of columns."""
        return 0 if parent is not None and parent.isValid() else len(self.heads)

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:
        """Name a column."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self.heads[section]
        return None
