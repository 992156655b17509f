"""napari-spatialdata's own widgets work on our layers, in a real viewer."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import napari
import numpy as np
import pytest
from napari_app import own_app
from qtpy.QtWidgets import QApplication
from run_copies import copy_run

from napari_vhd import keys
from napari_vhd.layers import Scene, metadata
from napari_vhd.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What napari-spatialdata and the libraries below it warn of among themselves.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]


@pytest.fixture(scope="module")
def shown(
    qapp: QApplication, finished_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """A sample in one window for all tests of this file: napari takes long to start."""
    folder = tmp_path_factory.mktemp("shown")
    run = copy_run(finished_run, folder / finished_run.name)
    with own_app(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAPARI_CONFIG", str(folder / "settings.yaml"))
        viewer = napari.Viewer(show=False)
        session = Session.open(run, author="ab")
        made = Scene(viewer, session)
        yield made
        made.close()
        session.close()
        viewer.close()
        del viewer, made
        QApplication.processEvents()
        gc.collect()


@pytest.fixture
def scene(shown: Scene) -> Iterator[Scene]:
    shown.color_by(keys.TYPE_DOMAIN)
    yield shown
    shown.viewer.layers.selection.clear()
    # What the test put into the window goes with its connections.
    for dock in list(shown.viewer.window.dock_widgets.values()):
        shown.viewer.window.remove_dock_widget(dock)
    shown.show_shapes(keys.PROSEG, False)


def _widget(scene: Scene, kind: str) -> Any:
    """View or Scatter, as napari-spatialdata puts it into the window."""
    from napari_spatialdata import QtAdataScatterWidget, QtAdataViewWidget
    from napari_spatialdata._model import DataModel

    made = {"view": QtAdataViewWidget, "scatter": QtAdataScatterWidget}[kind]
    widget = made(scene.viewer, DataModel())
    scene.viewer.window.add_dock_widget(widget, name=f"{kind} (napari-spatialdata)")
    return widget


def _names(listed: Any) -> set[str]:
    return {listed.item(row).text() for row in range(listed.count())}


def test_layers_say_what_napari_spatialdata_looks_for(scene: Scene) -> None:
    scene.show_shapes(keys.PROSEG, True)
    shapes = scene.cells[keys.PROSEG].shapes.layer
    assert {
        "sdata",
        "adata",
        "region_key",
        "instance_key",
        "table_names",
        "name",
        "indices",
    } <= set(shapes.metadata)
    about = shapes.metadata
    assert about["name"] == keys.PROSEG
    assert about["table_names"] == [keys.CELLS]
    assert about["instance_key"] == keys.CELL_ID
    assert about["indices"] == list(shapes.features["id"])
    assert keys.PROSEG in about["sdata"].shapes
    nuclei = scene.cells[keys.STARDIST].shapes.layer.metadata
    assert nuclei["adata"] is None  # the table does not count nuclei
    image = scene.viewer.layers["H&E"].metadata
    assert image["name"] in image["sdata"].images


def test_the_view_widget_colours_our_shapes(scene: Scene) -> None:
    scene.show_shapes(keys.PROSEG, True)
    layer = scene.cells[keys.PROSEG].shapes.layer
    scene.viewer.layers.selection.active = layer
    view = _widget(scene, "view")
    assert {keys.TYPE_DOMAIN, keys.domains(5), "Tumor_score"} <= _names(view.obs_widget)
    assert set(scene.session.genes()) == _names(view.var_widget)
    labels = scene.session.labels(keys.PROSEG, keys.domains(5))
    view.obs_widget._onAction(("Tumor_score",))
    assert len(np.unique(layer.face_color, axis=0)) > 10
    gene = scene.session.genes()[0]
    view.var_widget._onAction((gene,))
    assert len(np.unique(layer.face_color, axis=0)) > 1
    view.obs_widget._onAction((keys.domains(5),))
    rows = scene.cells[keys.PROSEG].shapes.rows
    for row, color in zip(rows[:60], layer.face_color[:60], strict=True):
        code = labels.codes[row]
        if code >= 0:
            expected = [int(labels.colors[code][at : at + 2], 16) / 255 for at in (1, 3, 5)]
            np.testing.assert_allclose(color[:3], expected, atol=1e-6)


def test_what_the_view_widget_is_asked_for_colours_our_cells(scene: Scene) -> None:
    scene.color_by(keys.TYPE_DOMAIN)
    fills = scene.cells[keys.PROSEG].fills
    scene.viewer.layers.selection.active = fills.layer
    view = _widget(scene, "view")
    view.obs_widget._onAction((keys.domains(5),))
    assert scene.coloring.column == keys.domains(5)
    assert fills.codes.names == scene.session.labels(keys.PROSEG, keys.domains(5)).names
    assert fills.layer.colormap.color_dict[1][3] == 1
    view.obsm_widget._onAction((keys.SPATIAL,))  # cells cannot be coloured by this: as before
    assert scene.coloring.column == keys.domains(5)
    assert fills.layer.colormap.color_dict[1][3] == 1
    view.obs_widget._onAction(("Tumor_score",))
    assert scene.coloring.column == "Tumor_score"
    scene.color_by(keys.domains(5))
    view.var_widget._onAction((scene.session.genes()[1],))
    assert scene.coloring.column == f"gene:{scene.session.genes()[1]}"


@pytest.mark.parametrize("of", ["shapes", "fills"])
def test_the_scatter_widget_plots_our_cells(scene: Scene, of: str) -> None:
    scene.color_by(keys.TYPE_DOMAIN)
    scene.show_shapes(keys.PROSEG, True)
    layer = getattr(scene.cells[keys.PROSEG], of).layer
    scene.viewer.layers.selection.active = layer
    scatter = _widget(scene, "scatter")
    for axis, name in ((scatter.x_widget, "Tumor_score"), (scatter.y_widget, "Fibroblasts_score")):
        axis.selection_widget.setCurrentText("obs")
        assert name in _names(axis.widget)
        axis.widget._onAction((name,))
    scatter.plot_button_widget.click()
    drawn = scatter.plot_widget
    assert len(drawn.x_data) == len(scene.session.outlines(keys.PROSEG).live_ids())
    assert scatter.model.adata.n_obs == len(drawn.x_data)


def test_a_large_sample_is_read_for_them_only_when_they_are_there(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "MOST_CELLS", 10)
    scene.session.reload()
    layer = scene.cells[keys.PROSEG].shapes.layer
    scene.viewer.layers.selection.active = layer
    assert "adata" not in layer.metadata
    scene.viewer.layers.selection.active = scene.viewer.layers["H&E"]
    view = _widget(scene, "view")
    scene.viewer.layers.selection.active = layer
    assert layer.metadata["adata"] is not None
    assert keys.TYPE_DOMAIN in _names(view.obs_widget)
