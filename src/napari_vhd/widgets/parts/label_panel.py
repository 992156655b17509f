"""What is corrected and which labels can be given: column, palette, note."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_vhd import keys
from napari_vhd.corrections.catalogue import CATEGORICAL, GENE_PREFIX, OWN_LABELS
from napari_vhd.corrections.correction import RENAME_CATEGORY

from .category_table import ask_color
from .column_choice import Choice, ColumnChoice
from .label_dialogs import LabelSetDialog, NameDialog
from .palette import UNSURE, UNSURE_COLOR, Palette, palette_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtpy.QtGui import QColor
    from qtpy.QtWidgets import QColorDialog

    from napari_vhd.corrections.catalogue import Column
    from napari_vhd.session import Session

    from .desk import Desk
    from .palette import PaletteRow

# Columns of names that no person decides.
_NOT_CORRECTED = frozenset({keys.KEPT_REASON, keys.ISLAND, keys.REGION_NAME})


class LabelPanel(QWidget):
    """Shows the labels of a column, and makes, renames and colours them.

    Parameters
    ----------
    desk
        Whose sample it is about.

    Attributes
    ----------
    label_given
        The label that was chosen, and whether it is to be added to the list.
    listed
        Other labels are listed.
    """

    label_given = Signal(str, bool)
    listed = Signal()

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.column = ColumnChoice("Column to correct")
        self.column.setMinimumContentsLength(8)
        self.new_set = QPushButton("Own set…")
        self.new_set.setToolTip("Make a set of labels of your own, or change the one shown.")
        self.palette_table = Palette()
        self.add_label = QPushButton("Add label…")
        self.add_label.setToolTip(
            "Add a label that is not in the list, and give it to the selection."
        )
        self.rename = QPushButton("Rename, merge…")
        self.rename.setToolTip(
            "Give all cells of the marked label another: a new one, or one there is."
        )
        self.note = QLineEdit()
        self.note.setPlaceholderText("note, kept with the next correction")
        self.note.setAccessibleName("Note")
        self.note.setClearButtonEnabled(True)
        first, last = QHBoxLayout(), QHBoxLayout()
        first.setSpacing(2)
        first.addWidget(QLabel("Correct"))
        for button in (self.new_set, self.add_label, self.rename):
            button.setMinimumWidth(60)
        first.addWidget(self.column, 1)
        first.addWidget(self.new_set)
        last.addWidget(self.add_label)
        last.addWidget(self.rename)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(first)
        layout.addWidget(self.palette_table, 1)
        layout.addLayout(last)
        layout.addWidget(self.note)
        self._columns: dict[str, Column] = {}
        self._extra: dict[str, list[str]] = {}
        self._keys: dict[str, dict[str, str]] = {}
        self._found: Gathered | None = None
        self._after_columns = ""
        self.boundaries = ""
        self.column.chosen.connect(self._on_column)
        self.palette_table.given.connect(self.give)
        self.palette_table.rename_asked.connect(self._ask_rename)
        self.palette_table.color_asked.connect(self._ask_color)
        self.palette_table.key_given.connect(self._on_key_given)
        self.add_label.clicked.connect(self._ask_label)
        self.rename.clicked.connect(lambda: self._ask_rename(self.palette_table.current))
        self.new_set.clicked.connect(self._ask_set)

    @property
    def titles(self) -> Mapping[str, str]:
        """Columns as people read them."""
        return {name: column.title for name, column in self._columns.items()}

    @property
    def shown(self) -> tuple[str, str]:
        """Segmentation and column that are corrected, "" where there is none."""
        return self.boundaries, self.column.current()

    @property
    def color(self) -> str:
        """Colour of the current label."""
        row = self._rows().get(self.palette_table.current)
        return UNSURE_COLOR if row is None else row.color

    def refresh_columns(self) -> None:
        """Read the columns again; what colours the cells is corrected, if it can be."""
        scene = self._desk.scene
        if scene is None:
            return
        names = scene.session.segmentations()
        wanted = scene.coloring.boundaries
        boundaries = wanted if wanted in names else next(iter(names), "")
        if boundaries:
            columns = scene.session.columns
            then = self._show_columns
            self._desk.ask("columns", lambda: (boundaries, columns(boundaries)), then=then)

    def refresh_labels(self) -> None:
        """Read the labels again, and count them."""
        scene, (boundaries, column) = self._desk.scene, self.shown
        if scene is not None and column:
            self._desk.ask(
                "labels", Gathered, scene.session, boundaries, column, then=self._show_labels
            )

    def follow(self) -> None:
        """Correct what colours the cells now, if it can be."""
        scene = self._desk.scene
        if scene is None:
            return
        coloring = scene.coloring
        if coloring.boundaries and coloring.boundaries != self.boundaries:
            self.refresh_columns()
        elif coloring.column in self._columns and coloring.column != self.column.current():
            self.column.set_current(coloring.column)
            self.refresh_labels()

    def forget(self) -> None:
        """Show nothing."""
        self._columns, self._found, self.boundaries = {}, None, ""
        self.column.set_choices([])
        self.column.set_current("")
        self.palette_table.set_rows(())

    def _show_columns(self, found: tuple[str, tuple[Column, ...]]) -> None:
        self.boundaries, columns = found
        fitting = [c for c in columns if c.kind == CATEGORICAL and c.name not in _NOT_CORRECTED]
        self._columns = {column.name: column for column in fitting}
        self.column.set_choices([Choice(c.name, c.title, c.group) for c in fitting])
        scene = self._desk.scene
        coloring = None if scene is None else scene.coloring.column
        known = {column.name for column in columns}
        gone = not coloring or (coloring not in known and not coloring.startswith(GENE_PREFIX))
        current = self.column.current()
        wanted = (self._after_columns, current or coloring, coloring, *self._columns)
        chosen = next((name for name in wanted if name in self._columns), "")
        if chosen and (chosen == self._after_columns or (gone and current and chosen != current)):
            self._after_columns = ""
            self._on_column(chosen)
        else:
            self.column.set_current(chosen)
            if not chosen:
                self._found = None
                self.palette_table.set_rows(())
                self.rename.setEnabled(False)
            self.refresh_labels()
        self.listed.emit()

    def _show_labels(self, found: Gathered) -> None:
        if found.shown != self.shown:
            return
        self._found = found
        column = found.shown[1]
        own = [name for name in self._extra.get(column, []) if name not in found.labels.names]
        rows = palette_rows(found.labels, found.alive, own, self._keys.get(column), found.gone)
        self.palette_table.set_rows(rows)
        self.rename.setEnabled(bool(rows))
        self.listed.emit()

    def set_ink(self, color: QColor) -> None:
        """Draw in another colour."""
        self.palette_table.rows_model.set_ink(color)

    def _rows(self) -> dict[str, PaletteRow]:
        return {row.name: row for row in self.palette_table.rows}

    def give(self, name: str) -> None:
        """Ask for a label to be given, and mark it as the current one."""
        self.palette_table.set_current(name)
        row = self._rows().get(name)
        self.label_given.emit(name, row is not None and not row.known and name != UNSURE)

    def _on_key_given(self, name: str, digit: str) -> None:
        chosen = self._keys.setdefault(self.column.current(), {})
        for other, key in list(chosen.items()):
            if key == digit:
                del chosen[other]
        chosen[name] = digit
        self._list_again()

    def _ask_label(self) -> NameDialog:
        rows = self._rows()
        known = () if self._found is None else self._found.offered
        offered = [name for name in known if name not in rows]
        told = "A label that is not in the list. The selected cells get it."
        dialog = NameDialog("Add label", told, offered, _counts(rows), self)
        dialog.named.connect(self._on_named)
        return dialog

    def _on_named(self, name: str) -> None:
        if name not in self._rows():
            self._extra.setdefault(self.column.current(), []).append(name)
            self._list_again()
        self.give(name)

    def _ask_rename(self, old: str) -> NameDialog | None:
        rows = self._rows()
        if old not in rows:
            return None
        told = f"All {rows[old].count:,} cells of {old} get another label, as one correction."
        others = [name for name in rows if name != old]
        dialog = NameDialog(f"Rename or merge {old}", told, others, _counts(rows), self)
        dialog.named.connect(lambda new: self._rename(old, new))
        return dialog

    def _ask_set(self) -> LabelSetDialog:
        column = self._columns.get(self.column.current())
        name, labels = "", []
        if column is not None and column.group == OWN_LABELS:
            name = column.name
            labels = [(r.name, r.color) for r in self.palette_table.rows if r.name != UNSURE]
        dialog = LabelSetDialog(self, name, labels)
        dialog.made.connect(self._make_set)
        return dialog

    def _on_column(self, column: str) -> None:
        """Correct another column, and colour the cells by it: one sees what one corrects."""
        self.column.set_current(column)
        if self._desk.scene is not None:
            self._desk.scene.color_by(column, self.boundaries)
        self.refresh_labels()

    def _list_again(self) -> None:
        if self._found is not None:
            self._show_labels(self._found)

    def _rename(self, old: str, new: str) -> None:
        if self._desk.scene is not None:
            boundaries, column = self.shown
            verb = self._desk.scene.session.rename_category
            note = self.note.text().strip()
            self._desk.correct(verb, column, old, new, boundaries=boundaries, note=note)

    def _make_set(self, name: str, labels: tuple[str, ...], colors: tuple[str, ...]) -> None:
        if self._desk.scene is not None:
            verb, boundaries = self._desk.scene.session.make_label_set, self.boundaries
            self._after_columns = name
            self._desk.correct(verb, name, labels, colors, boundaries=boundaries)

    def _ask_color(self, name: str) -> QColorDialog:
        dialog = ask_color(self, self._rows()[name].color, f"Colour of {name}")
        dialog.colorSelected.connect(lambda color: self._set_color(name, color.name().upper()))
        return dialog

    def _set_color(self, name: str, color: str) -> None:
        if self._desk.scene is not None:
            boundaries, column = self.shown
            verb = self._desk.scene.session.set_colors
            self._desk.correct(verb, column, {name: color}, boundaries=boundaries)


class Gathered:
    """Labels of a column and what goes with them; made beside the GUI thread.

    Attributes
    ----------
    shown
        Segmentation and column.
    labels, alive
        As `palette_rows` takes them; snapshots.
    offered
        Values that may be given without being added.
    gone
        Categories that were renamed or merged into others.
    """

    def __init__(self, session: Session, boundaries: str, column: str) -> None:
        from dataclasses import replace

        self.shown = (boundaries, column)
        labels = session.labels(boundaries, column)
        self.labels = replace(labels, codes=labels.codes.copy())
        self.alive = session.outlines(boundaries).alive.copy()
        self.offered = session.allowed_values(column, boundaries)
        history = session.editor.history
        self.gone = frozenset(
            str(entry.correction.before[0])
            for entry in session.entries()
            if entry.correction.kind == RENAME_CATEGORY
            and (entry.correction.boundaries, entry.correction.column) == (boundaries, column)
            and history.active(entry.entry_id)
        )


def _counts(rows: Mapping[str, PaletteRow]) -> dict[str, int]:
    return {name: row.count for name, row in rows.items() if row.known}
