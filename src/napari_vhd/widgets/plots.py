"""The plots dock: the run's figures, drawn for all cells, a region or the selected ones."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_info
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
)
from superqt.utils import signals_blocked

from napari_vhd.corrections.catalogue import CATEGORICAL, CELL_TYPES, DOMAINS
from napari_vhd.exceptions import VhdError
from napari_vhd.figures.chosen import KINDS, save

from .parts.column_choice import ColumnChoice, choice_of
from .parts.figure_saving import ask_path
from .parts.figure_source import Wanted, draw, redraw
from .parts.figure_view import FigureView
from .parts.limits_panel import LimitsPanel
from .parts.scene_dock import SceneDock

if TYPE_CHECKING:
    from pathlib import Path

    from napari.viewer import Viewer

    from napari_vhd.corrections.catalogue import Column
    from napari_vhd.layers.scene import Scene

    from .parts.figure_source import Shown

_ALL, _SELECTED = "all", "selected"
_RESIZE_MS = 250


class PlotsDock(SceneDock):
    """Figures of chosen cells.

    Parameters
    ----------
    napari_viewer
        The viewer whose sample it is about.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer, "Plots")
        self.kind, self.cells = QComboBox(), QComboBox()
        self.kind.setAccessibleName("Figure")
        self.cells.setAccessibleName("Cells to draw")
        for key, one in KINDS.items():
            self.kind.addItem(one.title, key)
        self.column, self.by = ColumnChoice("Column"), ColumnChoice("Groups")
        self.view = FigureView()
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.save = QPushButton("Save…")
        self.save.setToolTip("Save the figure as PNG or SVG, or its numbers as CSV")
        self.limits = LimitsPanel()
        self._shown: Shown | None = None
        self._columns: tuple[Column, ...] = ()
        self._resized = QTimer(self)
        self._resized.setSingleShot(True)
        self._resized.setInterval(_RESIZE_MS)
        self._lay_out()
        self.kind.activated.connect(self._on_kind)
        self.cells.activated.connect(self.refresh)
        self.column.chosen.connect(self.refresh)
        self.by.chosen.connect(self.refresh)
        self.view.moved.connect(self.limits.set_value)
        self.limits.changed.connect(self.view.set_value)
        self.limits.use_requested.connect(self._on_use)
        self.save.clicked.connect(self._on_save)
        self._resized.timeout.connect(self._redraw)
        self.start()

    def _lay_out(self) -> None:
        self._form = QFormLayout()
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.addRow("Figure", self.kind)
        self._form.addRow("Cells", self.cells)
        self._form.addRow("Column", self.column)
        self._form.addRow("in each", self.by)
        scroll = QScrollArea()
        scroll.setWidget(self.view)
        scroll.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        scroll.setMinimumHeight(220)
        scroll.setAccessibleName("Figure")
        self._scroll = scroll
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.save)
        self.body.addLayout(self._form)
        self.body.addWidget(self.told)
        self.body.addWidget(scroll, 1)
        self.body.addWidget(self.limits)
        self.body.addLayout(row)

    def show_scene(self, scene: Scene) -> None:
        """Offer the sample's columns and regions."""
        session = scene.session
        for signal in (session.columns_changed, session.regions_changed, session.reloaded):
            self.listen(signal, self._ask_choices, thread=True)
        self.listen(session.cells_changed, self.refresh, thread=True)
        self.listen(scene.selection_changed, self._on_selection)
        self._ask_choices()

    def leave_scene(self) -> None:
        """Forget the figure."""
        self._show(None)

    def _boundaries(self) -> str:
        if self.scene is None:
            return ""
        session = self.scene.session
        names = session.segmentations()
        return session.typed or (names[0] if names else "")

    def _ask_choices(self) -> None:
        boundaries = self._boundaries()
        if self.scene is None or not boundaries:
            self.show_empty(
                "There are no cells to plot yet.\n\nFind nuclei and cells with the Segmentation "
                "step of the workflow dock."
            )
            return
        self.show_body()
        self.ask("choices", _choices, self.scene.session, boundaries, then=self._show_choices)

    def _show_choices(self, found: tuple[tuple[Column, ...], tuple[str, ...]]) -> None:
        self._columns = tuple(column for column in found[0] if column.kind == CATEGORICAL)
        choices = [choice_of(column) for column in self._columns]
        for field, group in ((self.column, CELL_TYPES), (self.by, DOMAINS)):
            if field.current() not in {choice.key for choice in choices}:
                first = [c.key for c in choices if c.group == group] + [c.key for c in choices]
                field.set_current(first[0] if first else "")
            field.set_choices(choices)
        kept = self.cells.currentData()
        with signals_blocked(self.cells):
            self.cells.clear()
            self.cells.addItem("All cells", (_ALL, ""))
            self.cells.addItem("Selected cells", (_SELECTED, ""))
            for name in found[1]:
                self.cells.addItem(f"In {name}", ("region", name))
            self.cells.setCurrentIndex(max(self.cells.findData(kept), 0))
        self._on_kind()

    def _on_kind(self) -> None:
        needed = KINDS[self.kind.currentData()].columns
        self._form.setRowVisible(self.column, needed > 0)
        self._form.setRowVisible(self.by, needed > 1)
        self.refresh()

    def _on_selection(self, _ids: Any) -> None:
        if self.cells.currentData() == (_SELECTED, ""):
            self.refresh()

    def refresh(self, _news: Any = None) -> None:
        """Draw what is asked for, beside the GUI thread."""
        if self.scene is None or not self.isVisible() or self.cells.count() == 0:
            return
        which, region = self.cells.currentData()
        selection = self.scene.selection if which == _SELECTED else None
        if selection == ():
            self._show(None)
            self.told.setText("Select cells first: click, Ctrl-click or lasso.")
            return
        kind = self.kind.currentData()
        names = (self.column.current(), self.by.current())
        wanted = Wanted(kind, self._boundaries(), region, selection, *names)
        self.told.setText("Drawing …")
        self.background.ask(
            "figure", draw, self.scene.session, wanted, self._width(),
            then=self._show, failed=self._on_refused,
        )  # fmt: skip
        self._asked.add("figure")

    def _width(self) -> int:
        # With room for the bar that a high figure brings.
        bar = self._scroll.verticalScrollBar().sizeHint().width()
        return self._scroll.width() - bar - 2 * self._scroll.frameWidth() - 2

    def _show(self, shown: Shown | None) -> None:
        new = self._shown is None or shown is None or self._shown.drawn is not shown.drawn
        self._shown = shown
        self.told.setText("")
        self.told.setVisible(shown is None)
        self.save.setEnabled(shown is not None)
        self.view.show_figure(shown)
        if new:
            self.limits.show_limits(() if shown is None else shown.drawn.limits)

    def _on_refused(self, error: Exception) -> None:
        if not isinstance(error, VhdError):
            raise error
        self._show(None)
        self.told.setText(str(error))

    def _on_use(self, parameter: str, value: float) -> None:
        if self.scene is not None:
            whole = self.limits.rows[parameter].limit.least
            self._current.parameter_chosen.emit(parameter, int(value) if whole else value)
            show_info(f"The next run of quality control uses {parameter}: {value:g}.")

    def _redraw(self) -> None:
        if self._shown is not None:
            self.ask("figure", redraw, self._shown.drawn, self._width(), then=self._show)

    def _on_save(self) -> None:
        path = ask_path(self)
        if path is not None:
            self.save_figure(path)

    def save_figure(self, path: Path) -> None:
        """Save the figure as PNG or SVG, or its numbers as CSV, by the file's ending."""
        if self._shown is not None:
            drawn = self._shown.drawn
            values = dict(self.view.values)
            said = partial(_said, path)
            self.ask("saved", save, drawn, path, values, then=said)

    def resizeEvent(self, event: Any) -> None:
        """Draw again for the new width, when it is settled."""
        super().resizeEvent(event)
        self._resized.start()

    def showEvent(self, event: Any) -> None:
        """Draw what was missed while hidden."""
        super().showEvent(event)
        self.refresh()


def _said(path: Path, _result: Any) -> None:
    show_info(f"Saved {path}.")


def _choices(session: Any, boundaries: str) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    return session.columns(boundaries), tuple(map(str, session.regions().index))
