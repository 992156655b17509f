"""The regions dock, driven by its own controls."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import shapely
from npe2 import PluginManifest
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QLineEdit

from napari_vhd.session import Session
from napari_vhd.widgets import plugin
from napari_vhd.widgets.corrections import CorrectionsDock
from napari_vhd.widgets.current import current_of
from napari_vhd.widgets.parts.region_table import Column
from napari_vhd.widgets.region import RegionPanel
from napari_vhd.widgets.regions import RegionsDock
from napari_vhd.widgets.run_control import control_of
from napari_vhd.widgets.workflow import PANELS

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
    yield from one_window(RegionsDock, finished_run, tmp_path_factory.mktemp("window"))


@pytest.fixture
def shown(window: Window, qtbot: QtBot) -> Iterator[Window]:
    """A sample of about 240 cells and the dock."""
    window.bot = qtbot
    window.settle()
    yield window
    window.clear()


LEFT, RIGHT = shapely.box(50, 50, 300, 550), shapely.box(320, 50, 560, 550)


def names(window: Window) -> list[str]:
    return [row.name for row in window.dock.table.rows_model.rows]


def two(window: Window) -> None:
    window.session.add_region(LEFT, "left")
    window.session.add_region(RIGHT, "right")
    window.settle()


def choose(window: Window, name: str) -> None:
    window.click_cell(window.dock.table, names(window).index(name), Column.NAME)


def test_without_regions_it_says_what_to_do(shown: Window) -> None:
    assert "draw one" in shown.dock.told.text()
    assert not shown.dock.buttons.run.isEnabled()


@pytest.mark.parametrize("how", ["rectangle", "polygon", "lasso"])
def test_a_drawn_region_is_kept_and_named_by_typing(shown: Window, how: str) -> None:
    shown.click(shown.dock.draw_buttons[how])
    layer = shown.dock.drawing.layer
    corners = [(y, x) for x, y in LEFT.exterior.coords[:-1]]
    layer.add([corners], shape_type="rectangle" if how == "rectangle" else "polygon")
    shown.bot.waitUntil(lambda: len(names(shown)) == 1)
    shown.settle()
    editor = shown.dock.table.findChild(QLineEdit)
    editor.selectAll()
    shown.bot.keyClicks(editor, "Tumour front")
    shown.bot.keyClick(editor, Qt.Key.Key_Return)
    shown.settle()
    assert names(shown) == ["Tumour front"]
    assert shown.dock.findChild(QColorDialog) is None
    with Session.open(shown.run, author="cd") as again:
        assert again.regions().geometry["Tumour front"].equals_exact(LEFT, 1e-6, normalize=True)


def test_cells_area_and_composition_of_each(shown: Window) -> None:
    two(shown)
    row = shown.dock.table.rows_model.rows[0]
    inside = shown.session.outlines(CELLS).within(LEFT)
    assert row.cells == len(inside)
    assert row.area_mm2 == pytest.approx(250 * 500 * shown.session.um_per_px**2 / 1e6)
    labels = shown.session.labels(CELLS, TYPES)
    codes = labels.codes[inside]
    assert {s.name: s.count for s in row.shares} == {
        labels.names[c]: int((codes == c).sum()) for c in set(codes.tolist()) if c >= 0
    }


def test_eye_colour_order_and_delete(shown: Window) -> None:
    two(shown)
    shown.click_cell(shown.dock.table, 0, Column.EYE)
    shown.settle()
    assert not shown.session.regions().visible["left"]
    shown.click_cell(shown.dock.table, 1, Column.COLOR)
    dialog = shown.dock.findChild(QColorDialog)
    dialog.setCurrentColor(QColor("#123456"))
    dialog.accept()
    shown.settle()
    assert shown.session.regions().color["right"] == "#123456"
    choose(shown, "right")
    shown.click(shown.dock.buttons.up)
    shown.settle()
    assert names(shown) == ["right", "left"]
    assert shown.dock.table.chosen == ("right",)
    shown.click(shown.dock.buttons.delete)
    shown.settle()
    assert names(shown) == ["left"]


def test_what_is_refused_is_said_once(shown: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def tell(error: Exception) -> None:
        said.append(str(error))

    # What the opening of samples shows.
    shown.scene.failed.connect(tell)
    two(shown)
    model = shown.dock.table.rows_model
    model.setData(model.index(0, Column.NAME), "right", Qt.ItemDataRole.EditRole)
    shown.settle()
    assert len(said) == 1
    assert "there is a region of that name" in said[0]
    assert names(shown) == ["left", "right"]
    # Also what is drawn in the layer.
    bow = np.array([[100, 100], [200, 200], [200, 100], [100, 200]])
    shown.scene.background.regions.layer.add_polygons(bow)
    shown.settle()
    assert len(said) == 2
    assert "crosses itself" in said[1]
    assert shown.scene.background.regions.layer.nshapes == 2
    # While corrections are made by their dock, it says so.
    monkeypatch.setattr("napari_vhd.widgets.corrections.show_error", said.append)
    dock = CorrectionsDock(shown.viewer)
    model.setData(model.index(0, Column.NAME), "right", Qt.ItemDataRole.EditRole)
    shown.settle()
    assert len(said) == 3
    assert "there is a region of that name" in said[2]
    shown.scene.failed.disconnect(tell)
    dock.close()
    dock.deleteLater()


def test_going_to_a_region_shows_all_of_it(shown: Window) -> None:
    two(shown)
    choose(shown, "right")
    shown.click(shown.dock.buttons.jump)
    shown.settle()
    xmin, ymin, xmax, ymax = shown.scene.view_box()
    assert shapely.box(xmin, ymin, xmax, ymax).contains(RIGHT)


def test_regions_are_saved_and_loaded_as_geojson(shown: Window, tmp_path: Path) -> None:
    two(shown)
    path = tmp_path / "regions.geojson"
    shown.dock.save_regions(path)
    shown.settle()
    features = json.loads(path.read_text("utf-8"))["features"]
    assert [f["properties"]["name"] for f in features] == ["left", "right"]
    shown.dock.load_regions(path)
    shown.settle()
    assert names(shown) == ["left", "right", "left 2", "right 2"]
    assert shown.session.regions().geometry["left 2"].equals(LEFT)


def test_the_pipeline_is_asked_to_run_inside_the_chosen_ones(shown: Window, npe2pm: object) -> None:
    npe2pm.register(PluginManifest.from_file(Path(plugin.__file__).parents[1] / "napari.yaml"))
    two(shown)
    asked: list[tuple[str, ...]] = []
    current_of(shown.viewer).region_run_requested.connect(asked.append)
    shown.dock.table.selectAll()
    assert "2 regions" in shown.dock.buttons.run.text()
    shown.click(shown.dock.buttons.run)
    shown.bot.waitUntil(lambda: bool(asked), timeout=10_000)
    assert asked == [("left", "right")]
    control = control_of(shown.viewer)
    shown.bot.waitUntil(lambda: control.region_names == ("left", "right"), timeout=10_000)
    docks = shown.viewer.window.dock_widgets
    workflow = docks[next(name for name in docks if "Workflow" in name)]
    assert workflow.dock.step == PANELS.index(RegionPanel)
    shown.viewer.window.remove_dock_widget(workflow)
