"""The bins dock, driven by its own controls."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from napari.layers import Image, Labels
from qtpy.QtCore import Qt

from napari_vhd import keys
from napari_vhd.widgets.bins import BinsDock

sys.path.append(str(Path(__file__).parent))
from window import Window, one_window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot
    from qtpy.QtWidgets import QApplication


@pytest.fixture(scope="module")
def window(
    qapp: QApplication, finished_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Window]:
    yield from one_window(BinsDock, finished_run, tmp_path_factory.mktemp("window"))


@pytest.fixture
def shown(window: Window, qtbot: QtBot) -> Iterator[Window]:
    """A sample of about 240 cells and the dock."""
    window.bot = qtbot
    window.settle()
    yield window
    window.clear()


def show(window: Window, size: int) -> None:
    place = window.dock.sizes.findData(size)
    window.dock.sizes.setCurrentIndex(place)
    window.dock.sizes.activated.emit(place)
    window.settle()
    window.bot.waitUntil(lambda: size in window.scene.background.bins, timeout=20_000)
    window.settle()


@pytest.mark.parametrize("size", [2, 8, 16])
def test_total_counts_of_each_size(shown: Window, size: int) -> None:
    show(shown, size)
    _, layer = shown.scene.background.bins[size]
    assert isinstance(layer, Image)
    total = shown.session.source.bins(size).total()
    assert np.nansum(layer.data) == pytest.approx(total.sum())
    assert f"{len(total):,} bins" in shown.dock.numbers.told.text()
    assert "without" not in shown.dock.numbers.told.text()


def test_bins_that_were_shown_when_the_sample_was_left_are_named_and_can_be_changed(
    shown: Window,
) -> None:
    gene = shown.session.source.bins(16).genes[0]
    for what in ("total", f"gene:{gene}"):
        shown.dock._ask_sizes()
        shown.scene.show_bins(16, what)
        shown.bot.waitUntil(lambda: 16 in shown.scene.background.bins, timeout=20_000)
        shown.bot.waitUntil(lambda what=what: shown.dock.what.current() == what, timeout=20_000)
        shown.settle()
        assert shown.dock.sizes.currentData() == 16
        assert keys.FLASHDECONV_DOMINANT not in shown.dock.what.offered()
        assert "total" in shown.dock.what.offered()
        assert shown.dock.what.isEnabled()
    assert shown.dock.gene.text() == gene
    shown.dock.what.choose("total")
    shown.bot.waitUntil(lambda: shown.scene.background.bins[16][0] == "total", timeout=20_000)
    shown.settle()
    assert shown.dock.what.currentText() == "Total counts"
    assert shown.dock.gene.text() == ""


def test_dominant_types_have_a_legend(shown: Window) -> None:
    show(shown, 8)
    field = shown.dock.what.lineEdit()
    field.selectAll()
    shown.bot.keyClicks(field, "dominant")
    shown.bot.keyClick(field, Qt.Key.Key_Return)
    shown.bot.waitUntil(lambda: isinstance(shown.scene.background.bins[8][1], Labels))
    shown.settle()
    column = shown.session.source.bins(8).column(keys.FLASHDECONV_DOMINANT)
    counted = {str(k): int(v) for k, v in column.value_counts().items() if v}
    assert {row.key: row.count for row in shown.dock.table.rows_model.rows} == counted


def test_a_gene_or_a_proportion_and_the_opacity(shown: Window) -> None:
    show(shown, 8)
    gene = shown.session.source.bins(8).genes[0]
    shown.bot.keyClicks(shown.dock.gene, gene)
    shown.bot.keyClick(shown.dock.gene, Qt.Key.Key_Return)
    shown.bot.waitUntil(lambda: shown.scene.background.bins[8][0] == f"gene:{gene}")
    shown.settle()
    shown.dock.opacity.setValue(30)
    layer = shown.scene.background.bins[8][1]
    assert layer.opacity == pytest.approx(0.3)
    shares = [key for key in shown.dock.what.offered() if key == keys.flashdeconv("Tumor")]
    shown.dock.what.choose(shares[-1])
    shown.bot.waitUntil(lambda: shown.scene.background.bins[8][0] == shares[-1])
    shown.settle()
    layer = shown.scene.background.bins[8][1]
    assert layer.opacity == pytest.approx(0.3)
    shown.dock.numbers.colormap.setCurrentText("viridis")
    assert layer.colormap.name == "viridis"


def test_another_size_or_none_takes_the_layer_away(shown: Window) -> None:
    show(shown, 8)
    show(shown, 16)
    assert list(shown.scene.background.bins) == [16]
    place = shown.dock.sizes.findData(0)
    shown.dock.sizes.setCurrentIndex(place)
    shown.dock.sizes.activated.emit(place)
    shown.settle()
    assert not shown.scene.background.bins
    assert "Choose a size" in shown.dock.told.text()
