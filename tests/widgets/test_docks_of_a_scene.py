"""What holds for every dock about the open sample: quick, named, reachable, gone when closed."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import ref

import pytest
from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QLineEdit,
    QSlider,
    QTabBar,
    QWidget,
)

from napari_vhd.session import Session
from napari_vhd.widgets.bins import BinsDock
from napari_vhd.widgets.cell import CellDock
from napari_vhd.widgets.compare import CompareDock
from napari_vhd.widgets.legend import LegendDock
from napari_vhd.widgets.parts.figure_source import Wanted, draw
from napari_vhd.widgets.plots import PlotsDock
from napari_vhd.widgets.regions import RegionsDock

sys.path.append(str(Path(__file__).parent))
from bench import GuiWatch
from window import CELLS, DOMAINS, LONG, TYPES, Window, one_window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

DOCKS = (LegendDock, CellDock, RegionsDock, BinsDock, CompareDock, PlotsDock)
CONTROLS = (QAbstractButton, QComboBox, QLineEdit, QSlider, QAbstractItemView)


@pytest.fixture(scope="module")
def window(
    qapp: QApplication, finished_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Window]:
    yield from one_window(LegendDock, finished_run, tmp_path_factory.mktemp("window"))


@pytest.fixture
def shown(window: Window, qtbot: QtBot) -> Iterator[Window]:
    window.bot = qtbot
    window.settle()
    yield window
    window.clear()


def put(window: Window, make: type) -> Any:
    dock = make(window.viewer)
    window.viewer.window.add_dock_widget(dock, name=f"another {dock.accessibleName()}")
    window.bot.wait(30)
    window.bot.waitUntil(lambda: dock.background.is_idle, timeout=30_000)
    window.bot.wait(60)
    return dock


def own_controls(dock: QWidget) -> list[QWidget]:
    """Give the controls of a dock, without the parts that Qt makes of them."""
    found = [one for kind in CONTROLS for one in dock.findChildren(kind)]
    parts = ("qt_", "completer")
    inner = [
        one for one in found if isinstance(one.parent(), QComboBox | QAbstractItemView | QLineEdit)
    ]
    return [
        one for one in found
        if one not in inner and not one.objectName().startswith(parts)
        and not (isinstance(one, QAbstractItemView) and one.window() is not dock.window())
    ]  # fmt: skip


@pytest.mark.parametrize("make", DOCKS)
def test_each_control_has_a_name_and_is_reached_by_keyboard(shown: Window, make: type) -> None:
    dock = put(shown, make)
    for one in own_controls(dock):
        named = one.accessibleName() or getattr(one, "text", str)()
        if isinstance(one, QLineEdit) and not named:
            named = one.parent().accessibleName()
        assert named, (type(one), one.objectName(), one.parent())
        has_fields = type(one).__name__ == "QDoubleRangeSlider"  # two fields do the same
        by_row = isinstance(one.parent(), QWidget) and "Header" in type(one).__name__
        reached = one.focusPolicy() & Qt.FocusPolicy.TabFocus
        spin = isinstance(one.parent(), QWidget) and "SpinBox" in type(one.parent()).__name__
        assert reached or has_fields or by_row or spin, (type(one), named)
    shown.viewer.window.remove_dock_widget(dock)


@pytest.mark.parametrize("make", DOCKS)
def test_no_work_of_a_dock_holds_up_the_window(shown: Window, make: type) -> None:
    # Imports and fonts are loaded once; the tissue is drawn by napari, in tests without a GPU.
    shown.viewer.window.remove_dock_widget(put(shown, make))
    shown.scene.select(shown.cells(1))
    shown.viewer.window._qt_window.hide()
    shown.bot.wait(200)
    # The best of three: on a shared machine CPU time, too, is longer than it is alone.
    longest = min(longest_ms(shown, make) for _ in range(3))
    shown.viewer.window._qt_window.show()
    assert longest < 50


def longest_ms(window: Window, make: type) -> float:
    """Open a dock, select cells and let go of them; gives the longest work on the GUI thread."""
    with GuiWatch() as watch:
        dock = make(window.viewer)
        window.bot.wait(20)
        dock.resize(340, 700)
        dock.show()
        window.bot.waitUntil(lambda: dock.background.is_idle, timeout=30_000)
        window.scene.select(window.cells(100))
        window.bot.wait(100)
        window.scene.select(())
        window.bot.wait(100)
    dock.close()
    dock.deleteLater()
    return watch.longest_ms


def test_taking_layers_out_looks_for_no_garbage(shown: Window) -> None:
    found: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"] == 2:
            found.append(info["collected"])

    shown.scene.color_by(TYPES)
    shown.settle()
    opened: list[Any] = []
    shown.scene.paint_window(opened.append)
    shown.bot.waitUntil(lambda: bool(opened), timeout=LONG)
    shown.bot.wait(100)
    gc.callbacks.append(note)
    shown.scene.end_paint()
    gc.callbacks.remove(note)
    assert opened[0] not in shown.viewer.layers
    assert found == []


def test_icons_follow_the_theme(shown: Window) -> None:
    dock = put(shown, RegionsDock)
    seen = {}
    for theme in ("light", "dark"):
        shown.viewer.theme = theme
        shown.bot.wait(30)
        button = dock.draw_buttons["rectangle"]
        pixels = button.icon().pixmap(32, 32).toImage()
        seen[theme] = pixels.pixelColor(16, 7).name()
        assert seen[theme] == get_theme(theme).text.as_hex("long")[:7]
    assert seen["light"] != seen["dark"]
    shown.viewer.window.remove_dock_widget(dock)


@pytest.mark.parametrize("make", DOCKS)
def test_docks_that_were_closed_are_gone_and_hear_nothing(shown: Window, make: type) -> None:
    def once() -> ref[Any]:
        dock = put(shown, make)
        shown.viewer.window.remove_dock_widget(dock)
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        return ref(dock)

    once()
    gc.collect()
    heard = len(shown.scene.coloring_changed), len(shown.session.cells_changed)
    widgets = len(QApplication.allWidgets())
    gone = [once() for _ in range(3)]
    shown.bot.wait(50)
    gc.collect()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert [dock() for dock in gone] == [None] * 3
    assert (len(shown.scene.coloring_changed), len(shown.session.cells_changed)) == heard
    assert len(QApplication.allWidgets()) <= widgets


def test_tabs_of_many_docks_show_their_names_in_full(shown: Window) -> None:
    window = shown.viewer.window
    docks = [make(shown.viewer) for make in DOCKS]
    for dock in docks:
        window.add_dock_widget(dock, name=f"one more {dock.accessibleName()}", tabify=True)
    shown.bot.wait(60)
    bars = window._qt_window.findChildren(
        QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly
    )
    assert max(bar.count() for bar in bars) >= len(DOCKS)
    assert {bar.elideMode() for bar in bars} == {Qt.TextElideMode.ElideNone}
    for dock in docks:
        window.remove_dock_widget(dock)


def test_the_columns_show_nothing_as_chosen_while_a_gene_colours(shown: Window) -> None:
    column = shown.scene.coloring.column
    gene = shown.session.genes()[0]
    shown.scene.color_by(f"gene:{gene}")
    shown.bot.waitUntil(lambda: shown.dock.gene.text() == gene, timeout=LONG)
    assert shown.dock.column.currentText() == ""
    shown.scene.color_by(column)
    shown.settle()


@pytest.mark.parametrize("kind", ["qc", "proportions", "composition"])
def test_figures_of_a_store_that_no_run_of_ours_made(finished_run: Path, kind: str) -> None:
    with Session.open(finished_run / "sample.zarr", author="ab") as session:
        shown = draw(session, Wanted(kind, CELLS, "", None, TYPES, DOMAINS), 320)
        assert shown.picture.shape[1] <= 330
        assert len(shown.drawn.data)
