"""A new sample, from its folder to cell types, by the controls alone and with the real engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from bench import space_ranger_folder
from mouse import drag
from napari.layers import Labels, Shapes
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_vhd import Session, keys
from napari_vhd.layers.coloring import first_column
from napari_vhd.layers.scene import scene_of
from napari_vhd.runner.run import status_of
from napari_vhd.widgets.legend import LegendDock
from napari_vhd.widgets.parts.place import PlaceDialog
from napari_vhd.widgets.workflow import WorkflowDock

if TYPE_CHECKING:
    from pathlib import Path

    from napari.viewer import Viewer
    from pytestqt.qtbot import QtBot

    from napari_vhd.layers.scene import Scene

pytestmark = pytest.mark.tools

SOON, LONG = 30_000, 300_000
SAMPLE, REGION, SEGMENTATION, DOMAINS, _, CELL_TYPES = range(6)
QUICK = {
    "proseg": {"samples": 2, "burnin_samples": 2, "hillclimb": 1},
    "novae_max_epochs": 3,
    "domain_range": [4, 4],
    "clustering_col": "novae_domains_4",
}


class Hands:
    """What a person does at the workflow dock."""

    def __init__(self, dock: WorkflowDock, bot: QtBot) -> None:
        self.dock, self.bot = dock, bot

    def click(self, button: Any) -> None:
        self.bot.mouseClick(button, Qt.MouseButton.LeftButton)

    def open_step(self, number: int) -> Any:
        self.click(self.dock.headers[number])
        assert self.dock.step == number
        return self.dock.panel(number)

    def run(self, number: int) -> Scene:
        """Run a step; gives what is shown of its result."""
        panel = self.open_step(number)
        self.bot.waitUntil(lambda: panel.run_button.isEnabled(), timeout=LONG)
        errors: list[Any] = []
        self.dock.control.ended.connect(errors.append)
        self.click(panel.run_button)
        self.bot.waitUntil(lambda: bool(errors), timeout=LONG)
        self.dock.control.ended.disconnect(errors.append)
        assert errors == [None]
        self.bot.waitUntil(lambda: "done" in self.dock.headers[number].text(), timeout=LONG)
        scene = scene_of(self.dock.viewer)
        assert scene is not None
        return scene

    def draw(self, low: tuple[float, float], high: tuple[float, float]) -> None:
        """Draw a rectangle with the mouse, from corner to corner (x, y in full-resolution px)."""
        viewer, session = self.dock.viewer, self.dock.control.session
        assert session is not None
        selection = viewer.layers.selection
        self.bot.waitUntil(lambda: getattr(selection.active, "mode", "") == "add_rectangle")
        layer = selection.active
        middle = ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2)
        drag(layer, [low, middle, high], session.um_per_px)


def shapes_ids(viewer: Viewer, title: str) -> list[str] | None:
    """Ids in the Shapes layer of a segmentation, None where there is none to be seen."""
    name = f"{title} shapes"
    if name not in viewer.layers or not viewer.layers[name].visible:
        return None
    layer = viewer.layers[name]
    assert isinstance(layer, Shapes)
    return list(layer.features["id"])


@pytest.fixture
def hands(viewer: Viewer, qtbot: QtBot) -> Hands:
    dock = WorkflowDock(viewer)
    viewer.window.add_dock_widget(dock, name="Workflow")
    return Hands(dock, qtbot)


def segment(
    hands: Hands, simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> LegendDock:
    """Open a folder, draw a region, run StarDist and ProSeg, and look at both; gives the legend."""
    folder = space_ranger_folder(simulated, tmp_path)
    settings = tmp_path / "settings.yaml"
    data = yaml.safe_load((simulated / "config.yaml").read_text())
    data["params"] |= QUICK
    data["paths"]["reference"] = str(simulated / "reference.h5ad")
    settings.write_text(yaml.safe_dump(data))
    viewer, qtbot, dock = hands.dock.viewer, hands.bot, hands.dock
    legend = LegendDock(viewer)
    viewer.window.add_dock_widget(legend, name="Legend")

    sample = hands.open_step(SAMPLE)
    qtbot.keyClicks(sample.path.line, str(folder))
    hands.click(sample.open_button)
    qtbot.waitUntil(lambda: dock.control.sample is not None, timeout=SOON)
    qtbot.waitUntil(lambda: "H&E" in viewer.layers, timeout=SOON)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(settings), ""))
    hands.click(sample.settings_button)
    assert sample.reference.value == str(simulated / "reference.h5ad")

    region = hands.open_step(REGION)
    hands.click(region.drawn)
    hands.click(region.rectangle)
    hands.draw((60, 40), (460, 440))
    qtbot.waitUntil(lambda: dock.control.sample.region == (60, 40, 460, 440), timeout=SOON)
    asked: list[str] = []

    def keep_there(self: PlaceDialog) -> int:
        asked.append(self.place)
        self.line.setText(str(tmp_path / "kept"))
        return int(PlaceDialog.DialogCode.Accepted)

    monkeypatch.setattr(PlaceDialog, "exec", keep_there)
    scene = hands.run(SEGMENTATION)
    assert len(asked) == 1
    for name, title in ((keys.STARDIST, "StarDist nuclei"), (keys.PROSEG, "ProSeg cells")):
        outlines = scene.session.outlines(name)
        assert len(outlines.live_ids()) > 50
        assert (outlines.bounds[:, :2] > (50, 30)).all()
        assert (outlines.bounds[:, 2:] < (470, 450)).all()
        qtbot.waitUntil(lambda name=name: name in legend.outlines.rows, timeout=SOON)
        box = legend.outlines.rows[name].shapes
        qtbot.keyClick(box, Qt.Key.Key_Space)
        assert box.isChecked()
        ids = outlines.live_ids()
        qtbot.waitUntil(lambda t=title, ids=ids: shapes_ids(viewer, t) == ids, timeout=SOON)
    return legend


def test_stardist_and_proseg_are_run_from_the_button_and_shown_as_shapes(
    hands: Hands, simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment(hands, simulated, tmp_path, monkeypatch)


@pytest.mark.slow
def test_from_a_folder_to_cell_types_by_clicking(
    hands: Hands, simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    legend = segment(hands, simulated, tmp_path, monkeypatch)
    qtbot, dock = hands.bot, hands.dock
    scene = hands.run(DOMAINS)
    qtbot.waitUntil(lambda: scene.coloring.column == keys.domains(4), timeout=SOON)
    scene = hands.run(CELL_TYPES)
    column = first_column(scene.session, keys.PROSEG)
    assert column is not None
    assert column.startswith("cell_type_")
    qtbot.waitUntil(lambda: scene.coloring.column == column, timeout=SOON)
    fills = scene.cells[keys.PROSEG].fills.layer
    assert isinstance(fills, Labels)
    assert fills.visible
    shown = {row.key for row in legend.table.rows_model.rows if row.named}
    labels = scene.session.labels(keys.PROSEG, column)
    assert shown == set(labels.names)
    assert (np.asarray(labels.codes) >= 0).mean() > 0.5

    run_dir = dock.control.run_dir
    assert run_dir is not None
    assert run_dir.parent == tmp_path / "kept"
    status = {step.stage: step.status for step in status_of(run_dir).steps}
    assert {status[name] for name in ("stardist", "proseg", "domains", "enrichment")} == {"done"}
    with Session.open(run_dir) as session:
        assert keys.TYPE_CELLTYPIST in session.cells.obs
