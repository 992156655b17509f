"""The history: every correction, newest first, with who, when and what."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QModelIndex, QObject, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_vhd.corrections.correction import REDO, SWITCHES, UNDO

from .entry_text import what, when
from .table_model import TableModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qtpy.QtGui import QKeyEvent

    from napari_vhd.corrections.correction import Correction, Entry

_ROW = 22


class Column(IntEnum):
    """What stands where."""

    TIME = 0
    WHO = 1
    WHAT = 2


class HistoryModel(TableModel):
    """Entries as Qt reads them, oldest first; each is put into words when it is looked at."""

    heads = ("When", "Who", "What")
    rows: Sequence[Entry]

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._by_id: dict[str, Entry] = {}
        self._titles: Mapping[str, str] = {}
        self._active: Callable[[str], bool] = _always

    def set_entries(self, entries: Sequence[Entry], active: Callable[[str], bool]) -> None:
        """Show other entries, given oldest first; `active` says which are in force."""
        self._active = active
        old = self.rows
        grown = len(entries) > len(old) and (not old or entries[len(old) - 1] is old[-1])
        if old and grown:
            more = entries[len(old) :]
            self.beginInsertRows(QModelIndex(), 0, len(more) - 1)
            self.rows = entries
            self._by_id.update((entry.entry_id, entry) for entry in more)
            self.endInsertRows()
        else:
            self.beginResetModel()
            self.rows = entries
            self._by_id = {entry.entry_id: entry for entry in entries}
            self.endResetModel()
        self.redraw()

    def set_titles(self, titles: Mapping[str, str]) -> None:
        """Call columns by these titles."""
        self._titles = titles
        self.redraw()

    def entry(self, row: int) -> Entry:
        """Give the entry of a row."""
        return self.rows[len(self.rows) - 1 - row]

    def is_active(self, entry: Entry) -> bool:
        """Whether an entry is in force."""
        return self._active(entry.entry_id)

    def text(self, entry: Entry) -> str:
        """Say what an entry did."""
        return what(entry, self._titles, self._target(entry))

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Give what is shown and said of a cell of the table."""
        entry, column = self.entry(index.row()), Column(index.column())
        if role == Qt.ItemDataRole.DisplayRole:
            return {
                Column.TIME: when(entry.time),
                Column.WHO: entry.author,
                Column.WHAT: self._shown(entry),
            }[column]
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            note = f"\nNote: {entry.correction.note}" if entry.correction.note else ""
            return f"{when(entry.time)}, {entry.author}: {self._shown(entry)}{note}"
        return None

    def _shown(self, entry: Entry) -> str:
        mark = "✎ " if entry.correction.note else ""
        gone = "" if self._active(entry.entry_id) else "(taken back) "
        return f"{gone}{mark}{self.text(entry)}"

    def _target(self, entry: Entry) -> Correction | None:
        made = entry.correction
        while made.kind in SWITCHES:
            if made.target not in self._by_id:
                return None
            made = self._by_id[made.target].correction
        return made if made is not entry.correction else None


class HistoryTable(QTableView):
    """The table; double-click or Enter on a row goes to the place.

    Attributes
    ----------
    jump_asked
        Id of the entry whose place a person wants to see.
    chosen
        Id of the current entry, "" for none.
    """

    jump_asked = Signal(str)
    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows_model = HistoryModel(self)
        self.setModel(self.rows_model)
        self.setAccessibleName("History of corrections")
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setMinimumHeight(4 * _ROW)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW)
        head = self.horizontalHeader()
        head.setHighlightSections(False)
        head.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        head.setStretchLastSection(True)
        self.setColumnWidth(Column.TIME, 70)
        self.setColumnWidth(Column.WHO, 44)
        self.doubleClicked.connect(self._on_jump)
        self.selectionModel().currentRowChanged.connect(self._on_current)
        self.rows_model.modelReset.connect(self._on_current)

    @property
    def current(self) -> Entry | None:
        """The entry that is marked."""
        index = self.currentIndex()
        return self.rows_model.entry(index.row()) if index.isValid() else None

    @property
    def revertible(self) -> bool:
        """Whether the marked entry can be taken back."""
        entry = self.current
        if entry is None or entry.correction.kind in {UNDO, REDO}:
            return False
        return self.rows_model.is_active(entry)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go to the place by keyboard as by mouse."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._on_jump(self.currentIndex())
            event.accept()
            return
        super().keyPressEvent(event)

    def _on_jump(self, index: QModelIndex) -> None:
        if index.isValid():
            self.jump_asked.emit(self.rows_model.entry(index.row()).entry_id)

    def _on_current(self, *_ignored: Any) -> None:
        entry = self.current
        self.chosen.emit("" if entry is None else entry.entry_id)


def _always(_entry_id: str) -> bool:
    return True
