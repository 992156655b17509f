"""Bringing edited cells up to date, by the correction dock's real controls."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_vhd.stages import boundaries

sys.path.append(str(Path(__file__).parent))
from sitting import CELLS, LONG, Sitting

if TYPE_CHECKING:
    import pytest

    from napari_vhd.widgets.parts.update_panel import UpdatePanel


def shown(sat: Sitting) -> UpdatePanel:
    """The panel, with somebody looking at it, when it has looked."""
    panel = sat.dock.parts.update
    sat.dock.parts.tabs.setCurrentWidget(sat.dock.parts.history)
    sat.dock.parts.tabs.setCurrentWidget(panel)
    quiet(sat, panel)
    return panel


def quiet(sat: Sitting, panel: UpdatePanel) -> None:
    sat.settle()
    sat.bot.waitUntil(lambda: panel.background.is_idle, timeout=LONG)


def test_the_button_updates_what_it_can_and_says_what_is_left(sat: Sitting) -> None:
    panel = shown(sat)
    assert not panel.update_button.isEnabled()
    assert panel.state.text().startswith("Nothing is out of date")
    cell = sat.cells(1, "Enterocytes")[0]
    sat.session.expand(cell, 1.5)
    sat.bot.waitUntil(panel.update_button.isEnabled, timeout=LONG)
    assert "qc and own type of 1 cell" in panel.state.text()
    sat.click(panel.update_button)
    assert not panel.update_button.isEnabled()
    assert not panel.told.isHidden()
    quiet(sat, panel)
    assert sat.history["kind"].tolist() == ["redraw", "update"]
    assert sat.history["author"].iloc[-1] == "AB"
    assert panel.told.text().startswith("Qc of 1 cell brought up to date.")
    assert "celltypist_model.pkl is not in the run folder" in panel.told.text()
    assert "qc" not in sat.session.card(CELLS, cell).stale
    assert "qc" not in panel.state.text()
    model = sat.dock.parts.history.table.rows_model
    sat.bot.waitUntil(lambda: "Brought cell" in model.data(model.index(0, 2)), timeout=LONG)
    sat.click(sat.dock.head.undo)
    sat.bot.waitUntil(lambda: "qc and own type of 1 cell" in panel.state.text(), timeout=LONG)
    assert panel.update_button.isEnabled()


def test_corrected_outlines_are_saved_for_a_new_run(
    sat: Sitting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = shown(sat)
    assert panel.save_button.isHidden()
    sat.session.delete(sat.cells(1))
    sat.bot.waitUntil(lambda: not panel.save_button.isHidden(), timeout=LONG)
    target = tmp_path / "corrected.zarr"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    sat.click(panel.save_button)
    quiet(sat, panel)
    assert "corrected.zarr" in panel.told.text()
    found = boundaries.segmented.read_boundaries(target, sat.session.sample_id)
    assert set(found.index) == set(sat.session.outlines(CELLS).live_ids())


def test_all_of_it_fits_a_narrow_dock(sat: Sitting) -> None:
    panel = shown(sat)
    sat.session.expand(sat.cells(3), 1.5)
    sat.bot.waitUntil(lambda: not panel.save_button.isHidden(), timeout=LONG)
    panel.told.setText(f"Saved {'c' * 24}.zarr")
    for button in panel.findChildren(QPushButton):
        assert button.sizeHint().width() <= 320 - 20
    assert panel.minimumSizeHint().width() <= 320 - 20
