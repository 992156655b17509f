"""The plots dock, driven by its own controls."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import shapely
from PIL import Image
from qtpy.QtCore import QPointF, Qt
from qtpy.QtTest import QTest

from napari_vhd import keys
from napari_vhd.widgets.current import current_of
from napari_vhd.widgets.plots import PlotsDock

sys.path.append(str(Path(__file__).parent))
from window import CELLS, DOMAINS, TYPES, Window, one_window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot
    from qtpy.QtWidgets import QApplication


@pytest.fixture(scope="module")
def window(
    qapp: QApplication, finished_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Window]:
    yield from one_window(PlotsDock, finished_run, tmp_path_factory.mktemp("window"))


@pytest.fixture
def shown(window: Window, qtbot: QtBot) -> Iterator[Window]:
    """A sample of about 240 cells and the dock."""
    window.bot = qtbot
    window.settle()
    window.dock.column.choose(TYPES)
    window.settle()
    yield window
    window.clear()


def draw(window: Window, kind: str, cells: str = "All cells") -> PlotsDock:
    dock = window.dock
    dock.cells.setCurrentText(cells)
    place = dock.kind.findData(kind)
    dock.kind.setCurrentIndex(place)
    dock.kind.activated.emit(place)
    window.bot.waitUntil(lambda: dock.told.text() != "Drawing …", timeout=30_000)
    window.settle()
    return dock


def ranking(window: Window) -> Path:
    rows = [
        (domain, name, change, 0.001)
        for domain in ("D0", "D1")
        for name, change in (("Tumor", 1.0), ("Fibroblasts", 0.1))
    ]
    path = window.run / keys.ranking_csv(DOMAINS)
    pd.DataFrame(rows, columns=["group", "name", "meanchange", "padj"]).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("kind", ["qc", "proportions", "composition", "scores", "markers"])
def test_each_figure_is_drawn_and_saved(shown: Window, kind: str, tmp_path: Path) -> None:
    dock = draw(shown, kind)
    assert dock.told.text() == ""
    assert dock.view.width() > 200
    for ending in ("png", "svg", "csv"):
        dock.save_figure(tmp_path / f"figure.{ending}")
        shown.settle()
    with Image.open(tmp_path / "figure.png") as picture:
        assert picture.size[0] > 400
    assert "<svg" in (tmp_path / "figure.svg").read_text("utf-8")
    assert len(pd.read_csv(tmp_path / "figure.csv"))


def test_proportions_are_of_the_chosen_cells(shown: Window, tmp_path: Path) -> None:
    left = shapely.box(0, 0, 300, 600)
    shown.session.add_region(left, "left half")
    shown.settle()
    dock = draw(shown, "proportions", "In left half")
    assert dock.column.current() == TYPES
    dock.save_figure(tmp_path / "left.csv")
    shown.settle()
    saved = pd.read_csv(tmp_path / "left.csv").set_index(TYPES)["cells"]
    labels = shown.session.labels(CELLS, TYPES)
    codes = labels.codes[shown.session.outlines(CELLS).within(left)]
    names = np.array(labels.names)[codes[codes >= 0]]
    expected = pd.Series(names).value_counts()
    assert saved[expected.index].to_dict() == expected.to_dict()
    shown.scene.select(shown.cells(25))
    dock = draw(shown, "proportions", "Selected cells")
    dock.save_figure(tmp_path / "some.csv")
    shown.settle()
    assert pd.read_csv(tmp_path / "some.csv")["cells"].sum() == 25


def test_nothing_selected_says_how_to_select(shown: Window) -> None:
    dock = draw(shown, "qc", "Selected cells")
    assert "Select cells first" in dock.told.text()
    assert not dock.save.isEnabled()


def test_the_elbow_plot_needs_a_ranking_and_shows_the_domains_there(shown: Window) -> None:
    dock = draw(shown, "elbow")
    assert "run the step Cell types" in dock.told.text()
    path = ranking(shown)
    dock = draw(shown, "elbow")
    assert dock.told.text() == ""
    assert set(dock._shown.drawn.data["group"]) == {"D0", "D1"}
    path.unlink()


def test_the_line_of_a_filter_is_dragged_and_used(shown: Window) -> None:
    dock = draw(shown, "qc")
    limit, panel = next(p for p in dock._shown.limits if p[0].parameter == "pct_mito")
    middle = (panel.top + panel.bottom) / 2
    at = QPointF(panel.place(dock.view.values["pct_mito"]), middle).toPoint()
    to = QPointF(panel.place(5.0), middle).toPoint()
    QTest.mousePress(dock.view, Qt.MouseButton.LeftButton, pos=at)
    QTest.mouseMove(dock.view, to)
    QTest.mouseRelease(dock.view, Qt.MouseButton.LeftButton, pos=to)
    row = dock.limits.rows["pct_mito"]
    assert row.field.value() == pytest.approx(5.0, abs=0.2)
    values = limit.values[np.isfinite(limit.values)]
    assert f"keeps {(values < row.field.value()).sum():,}" in row.told.text()
    row.field.setValue(4.0)
    assert dock.view.values["pct_mito"] == 4.0
    chosen: list[tuple[str, object]] = []
    current_of(shown.viewer).parameter_chosen.connect(lambda *what: chosen.append(what))
    shown.click(row.use)
    assert chosen == [("pct_mito", 4.0)]


def test_a_correction_is_in_the_next_figure(shown: Window) -> None:
    dock = draw(shown, "proportions")
    before = dock._shown.drawn.data.set_index(TYPES)["cells"]
    shown.session.relabel(shown.cells(30), TYPES, "Tumor")
    shown.settle()
    shown.bot.waitUntil(lambda: dock.told.text() != "Drawing …", timeout=30_000)
    after = dock._shown.drawn.data.set_index(TYPES)["cells"]
    assert after["Tumor"] > before["Tumor"]
