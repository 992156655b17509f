"""Layers that come and go in a real window, which follows in turns."""

from __future__ import annotations

import gc
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.layers import Image, Labels, Shapes
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication, QFrame

from napari_vhd.layers.changing import Change, put, take
from napari_vhd.layers.controls import make_controls
from napari_vhd.layers.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer

    Waiting = deque[Callable[[], None]]


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Viewer]) -> Viewer:
    made = make_napari_viewer()
    made.add_image(np.zeros((8, 8)), name="tissue")
    return made


@pytest.fixture
def waiting() -> Waiting:
    return deque()


@pytest.fixture
def tasks(waiting: Waiting) -> Tasks:
    """Tasks whose turns a test takes itself."""

    def fail(error: Exception) -> None:
        raise error

    return Tasks(waiting.append, fail)


def take_turns(waiting: Waiting) -> int:
    """Take all turns; how many there were."""
    number = 0
    while waiting:
        waiting.popleft()()
        number += 1
    return number


def drawn(viewer: Viewer) -> set[str]:
    """The names of the layers that the canvas draws."""
    return {layer.name for layer in viewer.window._qt_viewer.canvas.layer_to_visual}


def controlled(viewer: Viewer) -> set[str]:
    """The names of the layers that have controls."""
    return {layer.name for layer in viewer.window._qt_viewer.controls.widgets}


def frames_without_parent() -> int:
    gc.collect()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    return sum(type(one) is QFrame for one in QApplication.topLevelWidgets())


def names(viewer: Viewer) -> set[str]:
    return {layer.name for layer in viewer.layers}


def is_followed(viewer: Viewer) -> bool:
    """Whether the window has all layers, in order, and no other, and still draws anew.

    The controls are those of the layer that is chosen.
    """
    canvas, controls = viewer.window._qt_viewer.canvas, viewer.window._qt_viewer.controls
    order = [canvas.layer_to_visual[layer].order for layer in viewer.layers]
    active = viewer.layers.selection.active
    shown = controls.empty_widget if active is None else controls.widgets.get(active)
    return (
        drawn(viewer) == names(viewer)
        and controlled(viewer) <= names(viewer)
        and controls.currentWidget() is shown
        and order == list(range(len(viewer.layers)))
        and not canvas._pause_scene_graph
    )


def test_a_layer_is_drawn_in_turns(viewer: Viewer, tasks: Tasks, waiting: Waiting) -> None:
    told: list[bool] = []
    layer = Image(np.ones((8, 8)), name="new")
    put(viewer.layers, layer, tasks, lambda: told.append(True))
    assert "new" in names(viewer)
    assert "new" not in drawn(viewer)
    waiting.popleft()()
    assert "new" in drawn(viewer)
    assert take_turns(waiting) == 2
    assert is_followed(viewer)
    assert told == [True]
    take(viewer.layers, layer, tasks)
    assert "new" not in names(viewer)
    take_turns(waiting)
    assert is_followed(viewer)


def test_a_layer_has_controls_once_it_is_chosen(
    viewer: Viewer, tasks: Tasks, waiting: Waiting
) -> None:
    layer, other = Image(np.ones((8, 8)), name="new"), Labels(np.ones((8, 8), int), name="other")
    for one in (layer, other):
        put(viewer.layers, one, tasks)
    take_turns(waiting)
    controls = viewer.window._qt_viewer.controls
    assert controlled(viewer) == {"tissue"}
    pages, frames = controls.count(), frames_without_parent()
    viewer.layers.selection = {layer, other}
    assert controlled(viewer) == {"tissue"}
    for _ in range(2):
        viewer.layers.selection.active = layer
        assert controlled(viewer) == {"tissue", "new"}
        assert controls.currentWidget() is controls.widgets[layer]
        viewer.layers.selection.active = viewer.layers["tissue"]
        assert controls.count() == pages + 1
    for one in (layer, other):
        take(viewer.layers, one, tasks)
    take_turns(waiting)
    assert is_followed(viewer)
    assert controls.count() == pages
    assert frames_without_parent() == frames


def test_nothing_is_made_for_a_layer_that_is_gone(
    viewer: Viewer, tasks: Tasks, waiting: Waiting
) -> None:
    layer = Image(np.ones((8, 8)), name="new")
    put(viewer.layers, layer, tasks)
    take(viewer.layers, layer, tasks)
    take_turns(waiting)
    make_controls(viewer.layers, layer)
    assert controlled(viewer) == {"tissue"}


def test_a_layer_that_is_chosen_before_it_is_drawn(
    viewer: Viewer, tasks: Tasks, waiting: Waiting
) -> None:
    layer = Labels(np.ones((8, 8), dtype=int), name="new")
    viewer.layers.selection.active = None
    put(viewer.layers, layer, tasks)
    viewer.layers.selection.active = layer
    assert "new" in controlled(viewer)
    take_turns(waiting)
    assert is_followed(viewer)


def test_a_layer_that_is_taken_out_before_it_was_drawn(
    viewer: Viewer, tasks: Tasks, waiting: Waiting
) -> None:
    told: list[bool] = []
    layer = Shapes(name="new")
    put(viewer.layers, layer, tasks, lambda: told.append(True))
    viewer.layers.remove(layer)
    take_turns(waiting)
    assert is_followed(viewer)
    assert not told


def test_layers_of_others_come_go_and_move_meanwhile(
    viewer: Viewer, tasks: Tasks, waiting: Waiting
) -> None:
    put(viewer.layers, Image(np.ones((8, 8)), name="first"), tasks)
    waiting.popleft()()
    viewer.add_points([[1, 1]], name="theirs")
    put(viewer.layers, Labels(np.ones((8, 8), dtype=int), name="second"), tasks)
    viewer.layers.move(0, 3)
    waiting.popleft()()
    viewer.layers.remove("tissue")
    take_turns(waiting)
    assert names(viewer) == {"first", "theirs", "second"}
    assert is_followed(viewer)


def test_what_has_begun_is_finished_where_nobody_waits_any_more(
    viewer: Viewer, tasks: Tasks, waiting: Waiting
) -> None:
    put(viewer.layers, Image(np.ones((8, 8)), name="new"), tasks)
    tasks.close()
    take_turns(waiting)
    assert is_followed(viewer)


def test_a_layer_that_somebody_adds_when_one_comes_is_drawn(
    viewer: Viewer, tasks: Tasks, waiting: Waiting
) -> None:
    def add_another(event: Any) -> None:
        if event.value.name == "new":
            viewer.add_image(np.zeros((8, 8)), name="another")

    viewer.layers.events.inserted.connect(add_another)
    put(viewer.layers, Image(np.ones((8, 8)), name="new"), tasks)
    take_turns(waiting)
    assert names(viewer) == {"tissue", "new", "another"}
    assert is_followed(viewer)


def test_the_tool_and_the_chosen_layer_stay(viewer: Viewer, tasks: Tasks, waiting: Waiting) -> None:
    tissue = viewer.layers["tissue"]
    viewer.layers.selection.active = tissue
    tissue.mode = "transform"
    put(viewer.layers, Image(np.ones((8, 8)), name="new"), tasks)
    take_turns(waiting)
    assert viewer.layers.selection.active is tissue
    assert tissue.mode == "transform"


def test_tools_of_a_labels_layer_draw_when_they_are_taken(
    viewer: Viewer, tasks: Tasks, waiting: Waiting
) -> None:
    layer = Labels(np.zeros((32, 32), dtype=int), name="new")
    put(viewer.layers, layer, tasks)
    take_turns(waiting)
    over = viewer.window._qt_viewer.canvas._layer_overlay_to_visual[layer]
    assert not over
    layer.mode = "polygon"
    polygon = layer._overlays["polygon"]
    polygon.points = [(2.0, 2.0), (2.0, 20.0), (20.0, 20.0)]
    assert over[polygon].node.visible
    polygon.add_polygon_to_labels(layer)
    assert (np.asarray(layer.data) == layer.selected_label).sum() > 100
    layer.mode = "pan_zoom"
    assert not over[polygon].node.visible


def test_a_viewer_without_a_window(waiting: Waiting) -> None:
    from napari.components import ViewerModel

    viewer, direct = ViewerModel(), Tasks(None, print)
    told: list[bool] = []
    layer = Image(np.ones((8, 8)), name="new")
    put(viewer.layers, layer, direct, lambda: told.append(True))
    assert told == [True]
    assert list(viewer.layers) == [layer]
    for _ in Change.removing(viewer.layers, layer, direct).steps():
        pass
    assert not viewer.layers
