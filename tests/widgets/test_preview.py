"""Trying segmentation on what is in view, by the dock's controls and with the real engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shapely
import tifffile
from napari.layers import Labels, Shapes
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QSlider
from scipy import ndimage
from window import one_window

from napari_vhd import keys
from napari_vhd.io.geojson import read_features
from napari_vhd.widgets.parts import preview_layers, previewing
from napari_vhd.widgets.parts.preview_layers import CELLS, NUCLEI
from napari_vhd.widgets.run_control import control_of
from napari_vhd.widgets.segmentation import SegmentationDock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari.viewer import Viewer
    from pytestqt.qtbot import QtBot
    from qtpy.QtWidgets import QApplication
    from window import Window

    from napari_vhd.widgets.parts.preview_panel import PreviewPanel

pytestmark = pytest.mark.tools

LONG = 120_000
PLACE = (300.0, 300.0)


def notices() -> list[str]:
    return [one.message for one in notification_manager.records]


@pytest.mark.parametrize("channels_first", [True, False])
@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_a_part_of_a_picture_is_written_strip_by_strip_as_8_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: Any, top: float, channels_first: bool
) -> None:
    monkeypatch.setattr(previewing, "_STRIP", 7)
    shown = np.random.default_rng(0).integers(0, 256, (40, 30, 4)).astype(np.uint8)
    pixels = (shown / 255 * top).astype(dtype)
    path = previewing.write_picture(pixels, (3, 5, 38, 25), tmp_path / "a.npy", channels_first)
    written = np.load(path)
    written = np.moveaxis(written, 0, 2) if channels_first else written
    assert written.dtype == np.uint8
    assert np.abs(written.astype(int) - shown[3:38, 5:25, :3]).max() <= (dtype != np.uint8)


# First: a viewer of its own cannot be made while the window of the other tests is open.
def test_any_picture_is_segmented_whole_and_its_nuclei_are_saved(
    make_napari_viewer: Callable[..., Viewer],
    simulated: Path,
    tmp_path: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer = make_napari_viewer(show=True)
    dock = SegmentationDock(viewer)
    viewer.window.add_dock_widget(dock, name="Segmentation")
    panel: PreviewPanel = dock.panel.preview
    assert panel.said.text() == "Open a sample, or any RGB picture of an H&E, to try it on."
    assert not panel.nuclei_button.isEnabled()

    picture = tifffile.imread(simulated / "tissue_image.tif")[100:400, 50:450]
    viewer.add_image(picture, name="scan.tif", rgb=True, scale=(0.5, 0.5), translate=(10, 20))
    assert panel.pictures.currentText() == "scan.tif"
    assert not panel.cells_button.isVisibleTo(panel)
    assert not panel.save_button.isVisibleTo(panel)
    monkeypatch.setattr(preview_layers, "WHOLE", 20)
    qtbot.mouseClick(panel.whole_button, Qt.MouseButton.LeftButton)
    name = "StarDist nuclei of scan.tif"
    qtbot.waitUntil(lambda: name in viewer.layers, timeout=LONG)
    shapes = viewer.layers[name]
    assert isinstance(shapes, Shapes)
    # Of many, those in the middle of the view; all are saved.
    assert len(shapes.data) == 20
    assert "The 20 around the view are shown; saving keeps all." in panel.said.text()

    def save_to(path: Path) -> None:
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
        qtbot.mouseClick(panel.save_button, Qt.MouseButton.LeftButton)

    path = tmp_path / "nuclei.geojson"
    save_to(path)
    qtbot.waitUntil(lambda: panel.said.text() == f"Saved: {path}.", timeout=LONG)
    saved = {one.properties["cell_id"]: one.geometry for one in read_features(path)}
    assert len(saved) > 40
    for cell, ring in zip(shapes.features["id"], shapes.data, strict=True):
        assert shapely.Polygon(ring[:, ::-1]).symmetric_difference(saved[cell]).area < 1e-2
    middle = np.array([shapely.get_coordinates(one.centroid)[0] for one in saved.values()])
    away = np.linalg.norm(middle - (200, 150), axis=1)
    shown = np.isin(list(saved), shapes.features["id"])
    assert away[shown].mean() < away[~shown].mean()

    save_to(tmp_path / "gone" / "nuclei.geojson")
    qtbot.waitUntil(lambda: any("choose another place" in one for one in notices()), timeout=LONG)
    panel.previewing.close()


@pytest.fixture(scope="module")
def window(
    qapp: QApplication, finished_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Window]:
    folder = tmp_path_factory.mktemp("preview")
    for shown in one_window(SegmentationDock, finished_run, folder):
        yield shown
        control_of(shown.viewer).abandon()
        control_of(shown.viewer).background.close()
        shown.dock.panel.preview.previewing.close()


@pytest.fixture
def panel(window: Window, qtbot: QtBot) -> Iterator[PreviewPanel]:
    """The controls; the sample in view, nothing tried yet."""
    window.bot = qtbot
    made: PreviewPanel = window.dock.panel.preview
    look_at(window, 1.6)
    qtbot.waitUntil(made.nuclei_button.isEnabled, timeout=LONG)
    yield made
    made.previewing.cancel()
    for name in (NUCLEI, CELLS):
        if name in window.viewer.layers:
            window.viewer.layers.remove(name)


def look_at(window: Window, zoom: float, place: tuple[float, float] = PLACE) -> None:
    """Look somewhere, and wait until napari has drawn it."""
    window.scene.go_to(*place, zoom)
    window.bot.wait(300)


def of_run(window: Window, boundaries: str) -> tuple[Any, Any]:
    """Centroids (x, y) of a segmentation in the middle of the view, and their outlines."""
    outlines = window.session.outlines(boundaries)
    places = outlines.centroids
    rows = np.flatnonzero((np.abs(places - PLACE) < 120).all(axis=1))
    assert len(rows) > 10
    return places[rows], outlines.geometries(rows)


def insides(layer: Labels) -> np.ndarray:
    """What lies within each closed outline, numbered; 0 for the rest."""
    parts, _ = ndimage.label(np.asarray(layer.data) == 0)
    parts[parts == np.bincount(parts[parts > 0]).argmax()] = 0
    return np.unique(parts, return_inverse=True)[1].reshape(parts.shape)


def drawn_at(window: Window, layer: Labels, places: Any) -> np.ndarray:
    """Insides that places (x, y) in full-resolution px lie in."""
    world = [window.scene.frame_.to_world(*place) for place in places.tolist()]
    rows = np.round([layer.world_to_data(one) for one in world]).astype(int)
    return insides(layer)[tuple(rows.T)]


def press(bot: QtBot, slider: Any, key: Qt.Key) -> None:
    (handle,) = slider.native.findChildren(QSlider)
    bot.keyClick(handle, key)


def test_nuclei_in_view_lie_on_the_tissue_and_follow_the_sliders(
    window: Window, panel: PreviewPanel, qtbot: QtBot
) -> None:
    layers = window.viewer.layers
    assert not panel.take_button.isEnabled()
    window.click(panel.nuclei_button)
    assert not panel.nuclei_button.isEnabled()
    assert panel.progress.isVisibleTo(panel)
    qtbot.waitUntil(lambda: NUCLEI in layers, timeout=LONG)
    assert not panel.progress.isVisibleTo(panel)
    layer = layers[NUCLEI]
    assert isinstance(layer, Labels)
    assert not layer.editable
    places, _ = of_run(window, keys.STARDIST)
    found = drawn_at(window, layer, places)
    assert (found > 0).mean() > 0.7
    # Each its own, one for a nucleus.
    assert len(np.unique(found[found > 0])) > 0.9 * (found > 0).sum()
    assert panel.said.text().startswith("<b>Preview</b>")
    assert window.viewer.layers.selection.active is not layer

    many = insides(layer).max()
    shown = panel.probability.value
    press(qtbot, panel.probability, Qt.Key.Key_End)
    qtbot.waitUntil(lambda: insides(layer).max() < many / 2, timeout=LONG)
    press(qtbot, panel.probability, Qt.Key.Key_Home)
    qtbot.waitUntil(lambda: insides(layer).max() >= many, timeout=LONG)
    assert shown > panel.probability.value == 0.05

    control = control_of(window.viewer)
    window.click(panel.take_button)
    assert control.config is not None
    assert control.config.params.prob_thresh == 0.05
    assert control.config.params.nms_thresh == round(panel.overlap.value, 3)


def test_cells_in_view_are_marked_as_a_preview_and_nothing_is_kept(
    window: Window, panel: PreviewPanel, qtbot: QtBot
) -> None:
    before = sorted(path.name for path in window.run.iterdir())
    look_at(window, 2.0)
    qtbot.waitUntil(panel.cells_button.isEnabled, timeout=LONG)
    window.click(panel.cells_button)
    qtbot.waitUntil(lambda: CELLS in window.viewer.layers, timeout=LONG)
    assert "few iterations" in CELLS
    assert panel.said.text().startswith("<b>Preview, not a result</b>: cells ")
    # In view alone.
    assert max(window.viewer.layers[CELLS].data.shape) < 400
    places, _ = of_run(window, keys.STARDIST)
    near = places[(np.abs(places - PLACE) < 80).all(axis=1)]
    # A cell of its own grows around nuclei; which and how many differs between runs of ProSeg.
    there = drawn_at(window, window.viewer.layers[CELLS], near)
    there = there[there > 0]
    assert len(there) >= len(near) / 2
    # Each its own, but where two lie so close that a pixel has no room between them.
    assert len(np.unique(there)) > 0.8 * len(there)
    assert sorted(path.name for path in window.run.iterdir()) == before


def test_what_is_tried_can_be_ended(window: Window, panel: PreviewPanel, qtbot: QtBot) -> None:
    window.click(panel.nuclei_button)
    assert panel.progress.isVisibleTo(panel)
    window.click(panel.progress.cancel)
    assert not panel.progress.isVisibleTo(panel)
    assert panel.nuclei_button.isEnabled()
    qtbot.wait(500)
    assert NUCLEI not in window.viewer.layers


def test_a_picture_out_of_view_is_said_to_be(
    window: Window, panel: PreviewPanel, qtbot: QtBot
) -> None:
    look_at(window, 3.0, (50_000.0, 50_000.0))
    window.click(panel.nuclei_button)
    assert "out of view" in panel.said.text()
    assert panel.nuclei_button.isEnabled()
