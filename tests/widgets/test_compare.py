"""The compare dock, driven by its own controls."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from shapely import LineString

from napari_vhd.widgets.compare import CompareDock

sys.path.append(str(Path(__file__).parent))
from window import CELLS, LONG, NUCLEI, Window, one_window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot
    from qtpy.QtWidgets import QApplication


@pytest.fixture(scope="module")
def window(
    qapp: QApplication, finished_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Window]:
    yield from one_window(CompareDock, finished_run, tmp_path_factory.mktemp("window"))


@pytest.fixture
def shown(window: Window, qtbot: QtBot) -> Iterator[Window]:
    """A sample of about 240 cells and the dock."""
    window.bot = qtbot
    window.settle()
    yield window
    window.clear()


def listed(window: Window) -> None:
    window.click(window.dock.list_button)
    window.settle()


def split_one(window: Window) -> str:
    """Split a cell; gives its id."""
    cell = window.cells(1)[0]
    xmin, ymin, xmax, ymax = window.session.outlines(CELLS).geometry(cell).bounds
    middle = (xmin + xmax) / 2
    window.session.split(cell, LineString([(middle, ymin - 5), (middle, ymax + 5)]))
    window.settle()
    return cell


def test_what_differs_is_listed_and_gone_to(shown: Window) -> None:
    split_one(shown)
    gone, extra = shown.cells(3)[1:]
    shown.session.delete([gone])
    listed(shown)
    model = shown.dock.table.rows_model
    kinds = [model.row(n).kind for n in range(model.rowCount())]
    assert set(kinds) >= {"split", "only_a"}
    assert "same" not in kinds
    assert all(
        model.row(n).disagreement >= model.row(n + 1).disagreement
        for n in range(model.rowCount() - 1)
    )
    shown.click(shown.dock.next)
    row = model.row(0)
    assert shown.scene.selection == (*row.ids_a, *row.ids_b)
    xmin, ymin, xmax, ymax = shown.scene.view_box()
    assert ((xmin + xmax) / 2, (ymin + ymax) / 2) == pytest.approx((row.x, row.y), abs=2)
    shown.click(shown.dock.next)
    assert shown.dock.table.current_row == 1
    shown.click(shown.dock.previous)
    assert shown.dock.table.current_row == 0
    assert extra


def test_one_kind_alone_can_be_listed(shown: Window) -> None:
    split_one(shown)
    listed(shown)
    dock = shown.dock
    place = dock.kind.findData("split")
    assert "split in B (1)" in dock.kind.itemText(place)
    dock.kind.setCurrentIndex(place)
    dock.kind.activated.emit(place)
    assert dock.table.rows_model.rowCount() == 1


def test_an_edit_says_that_the_list_is_old(shown: Window) -> None:
    listed(shown)
    shown.session.delete([shown.cells(1)[0]])
    shown.settle()
    assert "list the differences again" in shown.dock.told.text()


def test_the_same_segmentation_twice_is_refused(shown: Window) -> None:
    shown.dock.second.setCurrentIndex(shown.dock.first.currentIndex())
    listed(shown)
    assert "choose two" in shown.dock.told.text()
    shown.dock.second.setCurrentIndex(shown.dock.second.findData(CELLS))


def test_blinking_shows_the_other_while_a_button_or_key_is_held(shown: Window) -> None:
    lines = {name: shown.scene.cells[name].lines.layer for name in (NUCLEI, CELLS)}
    shown.click(shown.dock.modes["blink"])
    assert (lines[NUCLEI].visible, lines[CELLS].visible) == (True, False)
    shown.dock.hold.pressed.emit()
    assert (lines[NUCLEI].visible, lines[CELLS].visible) == (False, True)
    shown.dock.hold.released.emit()
    assert (lines[NUCLEI].visible, lines[CELLS].visible) == (True, False)
    shown.viewer.layers.selection.active = shown.scene.layers[0]
    keys = shown.viewer.window._qt_viewer.canvas._key_map_handler
    keys.press_key("K")
    assert (lines[NUCLEI].visible, lines[CELLS].visible) == (False, True)
    keys.release_key("K")
    assert (lines[NUCLEI].visible, lines[CELLS].visible) == (True, False)
    shown.click(shown.dock.modes["off"])
    assert not any("K" in layer.keymap for layer in shown.scene.layers)


def test_outlines_over_each_other_and_side_by_side(shown: Window) -> None:
    lines = {name: shown.scene.cells[name].lines.layer for name in (NUCLEI, CELLS)}
    before = {name: layer.visible for name, layer in lines.items()}
    shown.click(shown.dock.modes["outlines"])
    assert all(layer.visible for layer in lines.values())
    layers, grid = shown.viewer.layers, shown.viewer.canvas.grid
    names = [layer.name for layer in layers]
    # What somebody chose for a grid of their own.
    grid.shape, grid.stride = (-1, 3), 2
    chosen = grid.model_dump()
    shown.click(shown.dock.modes["side"])
    # Layers come one by one, and none is seen before the view is split.
    shown.bot.waitUntil(lambda: len(layers) == len(names) + 1, timeout=LONG)
    assert not layers[-1].visible
    shown.bot.waitUntil(lambda: grid.enabled, timeout=LONG)
    copies = [layer for layer in layers if layer.name not in names]
    assert len(copies) == 2
    assert copies[0].name == "H&E (right)"
    shown.bot.waitUntil(lambda: all(layer.visible for layer in copies), timeout=LONG)
    assert list(layers)[-2:] == copies
    assert grid.stride == len(names)
    shown.click(shown.dock.modes["off"])
    assert grid.model_dump() == chosen
    assert not any(layer.visible for layer in copies)
    shown.bot.waitUntil(lambda: [layer.name for layer in layers] == names, timeout=LONG)
    assert {name: layer.visible for name, layer in lines.items()} == before
    # Thought better of at once.
    shown.click(shown.dock.modes["side"])
    shown.click(shown.dock.modes["off"])
    shown.settle()
    assert [layer.name for layer in layers] == names
    assert grid.model_dump() == chosen
