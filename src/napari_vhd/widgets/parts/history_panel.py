"""The history with what can be done about an entry: go there, take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QMessageBox, QPushButton, QVBoxLayout, QWidget

from .history_table import HistoryTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_vhd.corrections.correction import Entry
    from napari_vhd.session import Session

    from .desk import Desk

_AROUND_PX = 60
_MOST_LISTED = 12


class HistoryPanel(QWidget):
    """Shows the history and acts on an entry.

    Parameters
    ----------
    desk
        Whose sample it is about.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.table = HistoryTable()
        self.jump = QPushButton("Go there")
        self.jump.setToolTip("Show the place of this correction (double-click does the same).")
        self.revert = QPushButton("Take back…")
        self.revert.setToolTip("Take back this one correction; later ones stay in force.")
        buttons = QHBoxLayout()
        buttons.addWidget(self.jump)
        buttons.addWidget(self.revert)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.table, 1)
        layout.addLayout(buttons)
        self.table.jump_asked.connect(self.go_to)
        self.table.chosen.connect(self._refresh)
        self.jump.clicked.connect(self._on_jump)
        self.revert.clicked.connect(self._on_revert)
        self.box: QMessageBox | None = None
        self._refresh()

    def refresh(self) -> None:
        """Read the entries again."""
        if self._desk.scene is not None:
            session = self._desk.scene.session
            self._desk.ask("history", _entries, session, then=self._show_entries)

    def set_titles(self, titles: Mapping[str, str]) -> None:
        """Call columns by these titles."""
        self.table.rows_model.set_titles(titles)

    def go_to(self, entry_id: str) -> None:
        """Show the place of an entry."""
        if self._desk.scene is not None:
            bounds_of = self._desk.scene.session.bounds_of
            self._desk.ask("place", bounds_of, entry_id, then=self._show_place)

    def take_back(self, entry_id: str) -> None:
        """Take an entry back; where later ones are on the same cells, ask first."""
        if self._desk.scene is not None:
            later = self._desk.scene.session.later_entries
            self._desk.ask(
                "later", later, entry_id, then=lambda found: self._confirm(entry_id, found)
            )

    def _show_entries(self, found: tuple[Sequence[Entry], Any]) -> None:
        self.table.rows_model.set_entries(*found)
        self._refresh()

    def _show_place(self, bounds: tuple[float, float, float, float] | None) -> None:
        if self._desk.scene is not None and bounds is not None:
            xmin, ymin, xmax, ymax = bounds
            around = _AROUND_PX
            self._desk.scene.show_box(xmin - around, ymin - around, xmax + around, ymax + around)

    def _revert(self, entry_id: str) -> None:
        if self._desk.scene is not None:
            self._desk.correct(self._desk.scene.session.revert, entry_id)

    def _confirm(self, entry_id: str, later: Sequence[Entry]) -> None:
        if not later:
            self._revert(entry_id)
            return
        model = self.table.rows_model
        box = QMessageBox(self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Take back a correction")
        one = "1 later correction is" if len(later) == 1 else f"{len(later)} later corrections are"
        box.setText(f"{one} on the same cells, and what they say stays in force.")
        lines = [f"{entry.author}: {model.text(entry)}" for entry in later[:_MOST_LISTED]]
        lines += [f"and {len(later) - _MOST_LISTED} more"] if len(later) > _MOST_LISTED else []
        box.setInformativeText("\n".join(lines))
        take = box.addButton("Take back", QMessageBox.ButtonRole.AcceptRole)
        leave = box.addButton("Leave it", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(leave)
        box.setEscapeButton(leave)
        take.clicked.connect(lambda: self._revert(entry_id))
        self.box = box
        box.destroyed.connect(self._on_box_gone)
        box.open()

    def _refresh(self, *_ignored: Any) -> None:
        self.jump.setEnabled(self.table.current is not None)
        self.revert.setEnabled(self.table.revertible)

    def _on_jump(self) -> None:
        if self.table.current is not None:
            self.go_to(self.table.current.entry_id)

    def _on_revert(self) -> None:
        if self.table.current is not None:
            self.take_back(self.table.current.entry_id)

    def _on_box_gone(self, *_ignored: Any) -> None:
        self.box = None


def _entries(session: Session) -> tuple[Sequence[Entry], Any]:
    return session.entries(), session.editor.history.active
