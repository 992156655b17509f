"""The legend dock, driven by its own controls on an open sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog
from window import Window, one_window

from napari_vhd import keys
from napari_vhd.session import Session
from napari_vhd.widgets.current import current_of
from napari_vhd.widgets.legend import LegendDock
from napari_vhd.widgets.parts.category_table import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari.viewer import Viewer
    from pytestqt.qtbot import QtBot
    from qtpy.QtWidgets import QApplication


def click(opened: Window, dock: LegendDock, name: str, column: Column) -> None:
    """Click a cell of the table, as a person does."""
    row = [one.key for one in dock.table.rows_model.rows].index(name)
    opened.click_cell(dock.table, row, column)


def row_of(dock: LegendDock, name: str) -> Any:
    return next(row for row in dock.table.rows_model.rows if row.key == name)


@pytest.fixture(scope="module")
def window(
    qapp: QApplication, finished_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Window]:
    yield from one_window(LegendDock, finished_run, tmp_path_factory.mktemp("window"))


@pytest.fixture
def opened(window: Window, qtbot: QtBot) -> Iterator[Window]:
    """A sample of about 240 cells, coloured by its cell types."""
    window.bot = qtbot
    window.settle()
    window.scene.color_by(keys.TYPE_DOMAIN)
    qtbot.waitUntil(lambda: window.scene.coloring.column == keys.TYPE_DOMAIN, timeout=20_000)
    window.settle()
    yield window
    window.click(window.dock.show_all)
    if window.dock.computed.isChecked():
        window.click(window.dock.computed)
    window.clear()


@pytest.fixture
def dock(opened: Window) -> LegendDock:
    return opened.dock


def test_nothing_open_says_what_to_do(make_napari_viewer: Callable[..., Viewer]) -> None:
    dock = LegendDock(make_napari_viewer())
    assert "Open" in dock.empty_sentence
    dock.close()


def test_the_legend_counts_what_the_session_holds(opened: Window, dock: LegendDock) -> None:
    labels = opened.session.labels(keys.PROSEG, keys.TYPE_DOMAIN)
    counted = dict(zip(labels.names, np.bincount(labels.codes[labels.codes >= 0]), strict=False))
    shown = {row.key: row.count for row in dock.table.rows_model.rows if row.named}
    assert shown == counted
    assert [row.color for row in dock.table.rows_model.rows if row.named] == list(labels.colors)


def test_columns_are_found_by_typing_a_part_of_their_name(opened: Window, dock: LegendDock) -> None:
    field = dock.column.lineEdit()
    field.selectAll()
    opened.bot.keyClicks(field, "5 dom")
    completer = dock.column.completer()
    assert completer.completionCount() == 1
    popup = completer.popup()
    place = popup.visualRect(completer.completionModel().index(0, 0)).center()
    opened.bot.mouseClick(popup.viewport(), Qt.MouseButton.LeftButton, pos=place)
    opened.settle()
    assert opened.scene.coloring.column == keys.domains(5)
    assert dock.column.current() == keys.domains(5)


def choose_cells(opened: Window, dock: LegendDock, boundaries: str) -> None:
    """Choose another segmentation, by keyboard."""
    box = dock.boundaries
    key = Qt.Key.Key_Down if box.findData(boundaries) > box.currentIndex() else Qt.Key.Key_Up
    box.setFocus()
    opened.bot.keyClick(box, key)
    opened.bot.waitUntil(lambda: opened.scene.coloring.boundaries == boundaries, timeout=20_000)
    opened.settle()


def test_cells_of_another_segmentation_are_coloured_by_what_they_have(
    opened: Window, dock: LegendDock
) -> None:
    failed: list[Exception] = []
    opened.scene.failed.connect(failed.append)
    choose_cells(opened, dock, keys.STARDIST)
    # Nuclei have no types.
    assert opened.scene.coloring.column == keys.PROBABILITY
    assert dock.boundaries.currentData() == keys.STARDIST
    assert dock.column.current() == keys.PROBABILITY
    columns = {column.name for column in opened.session.columns(keys.STARDIST)}
    assert set(dock.column.offered()) - {""} == columns
    opened.scene.color_by(keys.AREA_UM2)
    opened.bot.waitUntil(lambda: opened.scene.coloring.column == keys.AREA_UM2, timeout=20_000)
    opened.settle()
    choose_cells(opened, dock, keys.PROSEG)
    # Both have an area.
    assert opened.scene.coloring.column == keys.AREA_UM2
    assert keys.TYPE_DOMAIN in dock.column.offered()
    assert failed == []


def test_a_gene_colours_by_its_counts_and_another_word_is_refused(
    opened: Window, dock: LegendDock
) -> None:
    gene = opened.session.genes()[3]
    opened.bot.keyClicks(dock.gene, gene.lower())
    opened.bot.keyClick(dock.gene, Qt.Key.Key_Return)
    opened.bot.waitUntil(lambda: opened.scene.coloring.column == f"gene:{gene}", timeout=20_000)
    opened.settle()
    assert dock.numbers.isVisibleTo(dock)
    dock.gene.clear()
    opened.bot.keyClicks(dock.gene, "no such gene")
    opened.bot.keyClick(dock.gene, Qt.Key.Key_Return)
    assert "no such gene" in dock.told.text()
    assert opened.scene.coloring.column == f"gene:{gene}"


def test_eye_and_solo_hide_and_show_categories(opened: Window, dock: LegendDock) -> None:
    first, second = [row.key for row in dock.table.rows_model.rows][:2]
    click(opened, dock, first, Column.EYE)
    assert not row_of(dock, first).visible
    assert not next(c for c in opened.scene.coloring.categories if c.name == first).visible
    click(opened, dock, second, Column.SOLO)
    assert [row.key for row in dock.table.rows_model.rows if row.visible] == [second]
    assert dock.table.rows_model.solo == second
    opened.bot.mouseClick(dock.show_all, Qt.MouseButton.LeftButton)
    assert all(row.visible for row in dock.table.rows_model.rows)


def test_the_table_is_worked_by_keyboard(opened: Window, dock: LegendDock) -> None:
    dock.table.setCurrentIndex(dock.table.rows_model.index(0, Column.EYE))
    opened.bot.keyClick(dock.table, Qt.Key.Key_Space)
    assert not dock.table.rows_model.rows[0].visible


def test_a_chosen_colour_is_drawn_and_kept(opened: Window, dock: LegendDock) -> None:
    name = dock.table.rows_model.rows[0].key
    click(opened, dock, name, Column.COLOR)
    dialog = dock.findChild(QColorDialog)
    dialog.setCurrentColor(QColor("#123456"))
    dialog.accept()
    opened.settle()
    assert row_of(dock, name).color == "#123456"
    run = opened.session.run_dir
    with Session.open(run, author="cd") as again:
        labels = again.labels(keys.PROSEG, keys.TYPE_DOMAIN)
        assert labels.colors[labels.names.index(name)] == "#123456"


def test_numbers_have_limits_colours_and_a_filter(opened: Window, dock: LegendDock) -> None:
    opened.scene.color_by("n_counts")
    opened.settle()
    low, high = dock.numbers.only.bounds
    values = opened.session.numbers(keys.PROSEG, "n_counts").values
    assert (low, high) == pytest.approx((np.nanmin(values), np.nanmax(values)), abs=1)
    middle = float(round((low + high) / 2))
    field = dock.numbers.only.fields[0]
    field.setFocus()
    field.selectAll()
    opened.bot.keyClicks(field, f"{middle:g}")
    opened.bot.keyClick(field, Qt.Key.Key_Return)
    opened.bot.waitUntil(lambda: opened.scene.coloring.only is not None)
    assert opened.scene.coloring.only == pytest.approx((middle, high), abs=1)
    opened.bot.mouseClick(dock.numbers.all_button, Qt.MouseButton.LeftButton)
    opened.bot.waitUntil(lambda: opened.scene.coloring.only == pytest.approx((low, high)))
    dock.numbers.colormap.setCurrentText("cividis")
    dock.numbers.limits.fields[1].setValue(middle)
    assert opened.scene.coloring.colormap == "cividis"
    assert opened.scene.coloring.limits[1] == pytest.approx(middle)


def test_outlines_have_an_eye_a_colour_and_opacity_for_each_segmentation(
    opened: Window, dock: LegendDock
) -> None:
    assert set(dock.outlines.rows) == {keys.PROSEG, keys.STARDIST}
    row = dock.outlines.rows[keys.STARDIST]
    shown = row.shown.isChecked()
    row.shown.click()
    assert opened.scene.outline_style(keys.STARDIST).visible is not shown
    row.opacity.setValue(40)
    assert opened.scene.outline_style(keys.STARDIST).opacity == pytest.approx(0.4)
    row.shapes.click()
    assert opened.scene.outline_style(keys.STARDIST).shapes
    names = [layer.name for layer in opened.viewer.layers if layer.visible]
    assert "StarDist nuclei shapes" in names


def test_a_correction_is_counted_at_once(opened: Window, dock: LegendDock) -> None:
    labels = opened.session.labels(keys.PROSEG, keys.TYPE_DOMAIN)
    row = int(np.flatnonzero(labels.codes == 0)[0])
    cell = opened.session.outlines(keys.PROSEG).id_of(row)
    first, second = labels.names[:2]
    before = row_of(dock, first).count, row_of(dock, second).count
    opened.session.relabel([cell], keys.TYPE_DOMAIN, second)
    opened.settle()
    assert (row_of(dock, first).count, row_of(dock, second).count) == (
        before[0] - 1,
        before[1] + 1,
    )
    dock.computed.click()
    opened.settle()
    assert row_of(dock, first).count == before[0]


def test_outlines_that_a_run_has_made_are_offered_once_they_are_drawn(
    opened: Window, dock: LegendDock
) -> None:
    scene = opened.scene
    later = scene.cells.pop(keys.STARDIST)
    assert keys.STARDIST in scene.session.segmentations()
    scene.awaited[keys.STARDIST] = {}
    scene.layers_changed.emit()
    assert list(dock.outlines.rows) == [keys.PROSEG]
    assert dock.outlines.awaited.isVisibleTo(dock)
    assert dock.outlines.awaited.text() == "Still being read: StarDist nuclei"
    scene.cells[keys.STARDIST] = later
    del scene.awaited[keys.STARDIST]
    scene.layers_changed.emit()
    assert not dock.outlines.awaited.isVisibleTo(dock)
    assert list(dock.outlines.rows) == [keys.PROSEG, keys.STARDIST]


def test_a_closed_sample_leaves_the_empty_state(opened: Window, dock: LegendDock) -> None:
    current_of(opened.viewer).scene = None
    assert dock.empty_sentence
    current_of(opened.viewer).scene = opened.scene
    opened.settle()
    assert not dock.empty_sentence
    assert dock.table.rows_model.rows
