"""The cell card, driven by its own controls and the mouse over the tissue."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import mouse
import pytest
from napari.utils.interactions import mouse_move_callbacks
from napari.utils.notifications import notification_manager

from napari_vhd import keys
from napari_vhd.widgets.cell import CellDock

sys.path.append(str(Path(__file__).parent))
from window import CELLS, TYPES, Window, one_window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot
    from qtpy.QtWidgets import QApplication


@pytest.fixture(scope="module")
def window(
    qapp: QApplication, finished_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Window]:
    yield from one_window(CellDock, finished_run, tmp_path_factory.mktemp("window"))


@pytest.fixture
def shown(window: Window, qtbot: QtBot) -> Iterator[Window]:
    """A sample of about 240 cells and the dock."""
    window.bot = qtbot
    window.settle()
    yield window
    window.clear()


def over(window: Window, cell: str) -> tuple[float, float]:
    """World place of a cell's middle."""
    outlines = window.session.outlines(CELLS)
    x, y = outlines.geometry(cell).representative_point().coords[0]
    return y * window.session.um_per_px, x * window.session.um_per_px


def click(window: Window, cell: str, *held: str) -> None:
    mouse.click(window.viewer, over(window, cell), *held)
    window.settle()


def test_with_nothing_chosen_it_says_how_to_choose(shown: Window) -> None:
    assert "Ctrl-click" in shown.dock.card.text()


def test_the_mouse_over_a_cell_shows_its_card(shown: Window) -> None:
    cell = shown.cells(1)[0]
    mouse_move_callbacks(shown.viewer, mouse.event("mouse_move", over(shown, cell)))
    shown.settle()
    card = shown.session.card(CELLS, cell)
    text = shown.dock.card.text()
    assert cell in text
    assert f"{card.umis:,.0f}" in text
    for title, value, _ in card.labels:
        assert title in text
        assert value in text
    assert all(title in text for title, _ in card.scores)


def test_a_click_keeps_a_card_and_ctrl_click_adds_cells(shown: Window) -> None:
    first, second, third = shown.cells(3)
    click(shown, first)
    assert shown.scene.selection == (first,)
    mouse_move_callbacks(shown.viewer, mouse.event("mouse_move", over(shown, third)))
    shown.settle()
    assert first in shown.dock.card.text()
    click(shown, second, "Control")
    assert set(shown.scene.selection) == {first, second}
    assert "2 ProSeg cells" in shown.dock.card.text()
    shown.click(shown.dock.clear)
    shown.settle()
    assert shown.scene.selection == ()


def test_to_go_to_a_cell_that_was_just_deleted_is_refused_in_a_sentence(shown: Window) -> None:
    (cell,) = shown.cells(1)
    shown.scene.select([cell])
    shown.settle()
    shown.session.delete([cell])
    assert shown.scene.selection == (cell,)  # the window has yet to hear of it
    with shown.bot.captureExceptions() as errors:
        shown.click(shown.dock.jump)
    assert errors == []
    assert f"there is no cell {cell!r}; if it was" in notification_manager.records[-1].message
    shown.settle()
    assert shown.scene.selection == ()
    assert not shown.dock.jump.isEnabled()


def test_several_cells_are_summed_up(shown: Window) -> None:
    ids = shown.cells(40)
    shown.scene.color_by(TYPES)
    shown.scene.select(ids)
    shown.settle()
    labels = shown.session.labels(CELLS, TYPES)
    rows = shown.session.outlines(CELLS).rows_of(list(ids))
    codes = labels.codes[rows]
    most = max(set(codes[codes >= 0].tolist()), key=codes.tolist().count)
    share = 100 * (codes == most).sum() / (codes >= 0).sum()
    assert f"{share:.1f} % ({(codes == most).sum():,})" in shown.dock.card.text()
    assert labels.names[most] in shown.dock.bar.accessibleName()


def test_a_lasso_selects_the_cells_inside(shown: Window) -> None:
    shown.click(shown.dock.lasso)
    layer = shown.dock.drawing.layer
    assert layer is not None
    shown.bot.waitUntil(lambda: layer.mode == "add_polygon_lasso")
    inside = shown.session.outlines(CELLS)
    x0, y0, x1, y1 = inside.bounds[inside.alive].T[[0, 1, 2, 3]].mean(1)
    half = 60.0
    corners = [(y0 - half, x0 - half), (y0 - half, x1 + half), (y1 + half, x1 + half)]
    layer.add([[*corners, (y1 + half, x0 - half)]], shape_type="polygon")
    shown.bot.waitUntil(lambda: shown.dock.drawing.layer is None)
    shown.settle()
    assert len(shown.scene.selection) > 1
    assert not shown.dock.lasso.isChecked()
    assert not any("draw" in layer.name for layer in shown.viewer.layers)


def test_a_click_with_the_lasso_is_no_lasso_yet(shown: Window) -> None:
    before = shown.scene.selection
    shown.click(shown.dock.lasso)
    layer = shown.dock.drawing.layer
    shown.bot.waitUntil(lambda: shown.viewer.layers.selection.active is layer)
    # The second ends it, without an area; the third begins another before anything was looked at.
    for _ in range(3):
        mouse.click(layer, (40.0, 40.0))
    shown.settle()
    assert shown.dock.drawing.layer is layer
    assert shown.scene.selection == before
    shown.click(shown.dock.lasso)


def test_escape_leaves_the_lasso(shown: Window) -> None:
    shown.click(shown.dock.lasso)
    layer = shown.dock.drawing.layer
    shown.bot.waitUntil(lambda: shown.viewer.layers.selection.active is layer)
    shown.viewer.window._qt_viewer.canvas._key_map_handler.press_key("Escape")
    shown.bot.waitUntil(lambda: shown.dock.drawing.layer is None)
    assert not shown.dock.lasso.isChecked()


def test_a_relabelled_cell_says_who_did_it(shown: Window) -> None:
    cell = shown.cells(1)[0]
    shown.scene.select([cell])
    shown.session.relabel([cell], TYPES, keys.UNSURE)
    shown.settle()
    assert keys.UNSURE in shown.dock.card.text()
    assert "AB" in shown.dock.card.text()


def test_cells_that_quality_control_left_out_are_brought_back(shown: Window) -> None:
    kept = shown.session.labels(CELLS, keys.KEPT)
    dropped = [row for row, code in enumerate(kept.codes) if kept.names[code] == "dropped"]
    assert dropped
    cell = shown.session.outlines(CELLS).id_of(dropped[0])
    shown.scene.select([cell])
    shown.settle()
    assert "Left out by quality control" in shown.dock.card.text()
    shown.click(shown.dock.back)
    shown.settle()
    assert shown.session.card(CELLS, cell).kept
    assert "Left out" not in shown.dock.card.text()
    assert not shown.dock.back.isVisible()


def test_ids_and_labels_are_shown_as_they_are_not_as_markup(shown: Window) -> None:
    cell = shown.cells(1)[0]
    shown.session.relabel([cell], TYPES, "<b>&CD4", add=True)
    shown.scene.select([cell])
    shown.settle()
    assert "&lt;b&gt;&amp;CD4" in shown.dock.card.text()
