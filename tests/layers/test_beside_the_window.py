"""What a Scene reads beside the window: late results, edits meanwhile, what is read later."""

from __future__ import annotations

import queue
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from pixels import codes, expected

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError
from napari_vhd.layers import Scene, awaited, color_verbs, view_verbs
from napari_vhd.layers.prepared import Prepared
from napari_vhd.layers.raster import CellRaster

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from napari_vhd.session import Session

TYPE, DOMAINS = keys.TYPE_DOMAIN, keys.domains(5)


class _Window:
    """A GUI thread: does what is handed to it, one by one."""

    def __init__(self) -> None:
        self.waiting: queue.Queue[Callable[[], None]] = queue.Queue()

    def __call__(self, function: Callable[[], None]) -> None:
        self.waiting.put(function)

    def turn(self, until: Callable[[], bool]) -> None:
        while not until():
            self.waiting.get(timeout=20)()

    def rest(self) -> None:
        """Go on until nothing was handed to it for a while."""
        with suppress(queue.Empty):
            while True:
                self.waiting.get(timeout=1.5)()


def held(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str
) -> tuple[threading.Event, threading.Event]:
    """Hold what a function of a module has read; gives: it has read, and it may go on."""
    original, read, go_on = getattr(module, name), threading.Event(), threading.Event()

    def late(*arguments: Any) -> Any:
        found = original(*arguments)
        read.set()
        assert go_on.wait(20)
        return found

    monkeypatch.setattr(module, name, late)
    return read, go_on


def shown(session: Session) -> tuple[_Window, ViewerModel, Scene]:
    """A sample in a viewer, all its segmentations there."""
    window, viewer = _Window(), ViewerModel()
    scene = Scene(viewer, session, dispatch=window)
    window.turn(lambda: not scene.awaited)
    return window, viewer, scene


def test_with_a_window_slow_reading_happens_beside_it_and_late_results_are_dropped(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, viewer = _Window(), ViewerModel()
    scene = Scene(viewer, session, prepared=Prepared.of(session), dispatch=window)
    here, go_on, begun = threading.get_ident(), threading.Event(), threading.Event()
    there: list[int] = []
    numbers = session.numbers

    def slow(boundaries: str, column: str) -> Any:
        there.append(threading.get_ident())
        if column == "Tumor_score":
            begun.set()
            assert go_on.wait(20)
        return numbers(boundaries, column)

    monkeypatch.setattr(session, "numbers", slow)
    scene.color_by("Tumor_score")
    assert begun.wait(20)
    scene.color_by("Fibroblasts_score")
    window.turn(lambda: scene.coloring.column == "Fibroblasts_score")
    told: list[str | None] = []
    scene.coloring_changed.connect(lambda: told.append(scene.coloring.column))
    go_on.set()
    scene.color_by(DOMAINS)
    window.turn(lambda: scene.coloring.column == DOMAINS)
    assert "Tumor_score" not in told
    assert here not in there
    failed: list[Exception] = []
    scene.failed.connect(failed.append)
    scene.color_by("nonsense")
    window.turn(lambda: bool(failed))
    assert isinstance(failed[0], BadInputError)
    scene.close()


def test_an_edit_while_a_column_is_read_is_not_lost(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, viewer = _Window(), ViewerModel()
    scene = Scene(viewer, session, prepared=Prepared.of(session), dispatch=window)
    scene.color_by(DOMAINS)
    window.turn(lambda: scene.coloring.column == DOMAINS)
    read, go_on = held(monkeypatch, color_verbs, "read")
    scene.color_by(TYPE)
    assert read.wait(20)
    session.relabel(session.outlines(keys.PROSEG).live_ids()[:40], TYPE, "Tumor")
    go_on.set()
    window.turn(lambda: scene.coloring.column == TYPE)
    np.testing.assert_array_equal(codes(scene), expected(scene, TYPE))
    scene.close()


def test_an_edit_while_a_paint_window_is_read_is_in_it(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, viewer = _Window(), ViewerModel()
    scene = Scene(viewer, session, prepared=Prepared.of(session), dispatch=window)
    scene.color_by(TYPE)
    window.turn(lambda: scene.coloring.column == TYPE and not scene.awaited)
    read, go_on = held(monkeypatch, view_verbs, "PaintWindow")
    scene.show_box(0, 0, 600, 600)
    opened: list[Any] = []
    scene.paint_window(opened.append)
    assert read.wait(20)
    session.relabel(session.outlines(keys.PROSEG).live_ids()[:40], TYPE, "Tumor")
    go_on.set()
    window.turn(lambda: bool(opened))
    assert scene.painting is not None
    left, top, right, bottom = (round(edge) for edge in scene.painting.box)
    raster = scene.raster(keys.PROSEG)
    x, y = round(raster.left), round(raster.top)
    whole = expected(scene, TYPE)[top - y : bottom - y, left - x : right - x]
    np.testing.assert_array_equal(opened[0].data, whole)
    # One that is closed before it is read is never there.
    scene.paint_window(opened.append)
    scene.end_paint()
    window.rest()
    assert len(opened) == 1
    assert scene.painting is None
    scene.close()


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Nuclei are read when this is set, and not before."""
    return held(monkeypatch, awaited, "raster_of")[1]


def test_what_is_not_looked_at_first_comes_later_and_takes_in_edits(
    session: Session, late: threading.Event
) -> None:
    window, viewer = _Window(), ViewerModel()
    scene = Scene(viewer, session, dispatch=window)
    assert list(scene.cells) == [keys.PROSEG]
    assert scene.coloring.column is not None
    assert not any("StarDist" in layer.name for layer in viewer.layers)
    told: list[tuple[str, ...]] = []
    scene.layers_changed.connect(lambda: told.append(tuple(scene.cells)))
    outlines = session.outlines(keys.STARDIST)
    gone = outlines.live_ids()[7]
    row = int(outlines.row_of(gone))
    x, y = outlines.centroids[row].tolist()
    session.delete([gone])
    late.set()
    window.turn(lambda: not scene.awaited)
    assert (keys.PROSEG, keys.STARDIST) in told
    assert list(scene.cells) == [keys.PROSEG, keys.STARDIST]
    assert {"StarDist nuclei outlines", "StarDist nuclei shapes"} <= {x.name for x in viewer.layers}
    assert not scene.outline_style(keys.STARDIST).visible
    raster = scene.raster(keys.STARDIST)
    level = len(raster.steps) - 1
    ids = raster.read(level, 0, raster.shape(level)[0], 0, raster.shape(level)[1])
    assert row + 1 not in ids
    assert outlines.pick(x, y) == -1
    scene.close()


def test_what_is_asked_of_cells_that_are_still_read_is_done_when_they_are_there(
    session: Session, late: threading.Event
) -> None:
    window, viewer = _Window(), ViewerModel()
    scene = Scene(viewer, session, dispatch=window)
    first = scene.coloring
    scene.color_by(keys.PROBABILITY, keys.STARDIST)
    assert scene.coloring == first
    late.set()
    window.turn(lambda: scene.coloring.boundaries == keys.STARDIST)
    assert scene.coloring.column == keys.PROBABILITY
    scene.close()

    late.clear()
    scene = Scene(viewer, session, dispatch=window)
    nucleus = session.outlines(keys.STARDIST).live_ids()[3]
    scene.go_to_cell(nucleus)
    assert scene.selection == ()
    scene.compare("outlines")
    assert scene.comparison.mode == "off"
    late.set()
    window.turn(lambda: scene.comparison.mode == "outlines")
    assert scene.outline_style(keys.STARDIST).visible
    scene.go_to_cell(nucleus)
    assert scene.selection == (nucleus,)
    with pytest.raises(BadInputError, match="no cell"):
        scene.go_to_cell("nobody")
    scene.close()


def test_a_segmentation_that_cannot_be_read_is_told_and_the_first_is_shown(
    session: Session, late: threading.Event
) -> None:
    late.set()
    path = session.source.path / "sample.zarr/shapes" / keys.STARDIST / "shapes.parquet"
    path.unlink()
    path.write_bytes(b"PAR1 and nothing that follows")
    window, viewer = _Window(), ViewerModel()
    scene = Scene(viewer, session, dispatch=window)
    failed: list[Exception] = []
    scene.failed.connect(failed.append)
    window.turn(lambda: bool(failed))
    assert isinstance(failed[0], BadInputError)
    assert "sample.zarr" in str(failed[0])
    assert not scene.awaited
    assert list(scene.cells) == [keys.PROSEG]
    assert scene.coloring.column is not None
    scene.close()


def test_the_layer_that_was_chosen_is_chosen_when_new_results_are_shown(session: Session) -> None:
    window, viewer, scene = shown(session)
    selection = viewer.layers.selection
    for layer_of in (
        lambda: scene.cells[keys.PROSEG].lines.layer,
        lambda: scene.background.regions.layer,
    ):
        layer, cells = layer_of(), scene.cells
        selection.active = layer
        session.reload()
        window.turn(lambda cells=cells: scene.cells is not cells)
        window.turn(lambda: not scene.awaited)
        window.rest()
        assert selection.active.name == layer.name
        assert selection.active is not layer
        assert selection.active in scene.layers
    scene.close()


@pytest.mark.parametrize("left", [0, 1, 3])
def test_a_version_that_is_overtaken_leaves_no_layer(
    session: Session, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, viewer, scene = shown(session)
    names = sorted(layer.name for layer in viewer.layers)
    cells, before = scene.cells, list(viewer.layers)
    session.reload()
    if left:
        # Layers of the next are all made, those of the version before are leaving.
        window.turn(lambda: len(set(before) - set(viewer.layers)) == left)
    else:
        window.turn(lambda: len(viewer.layers) > len(before) + 2)
    assert scene.cells is cells
    ask, asked, read = scene.tasks.ask, [], threading.Event()

    def ask_and_tell(topic: str, function: Callable[[], Any], then: Callable[[Any], None]) -> None:
        asked.append(topic)
        ask(topic, lambda: (function(), read.set())[0], then)

    monkeypatch.setattr(scene.tasks, "ask", ask_and_tell)
    session.reload()
    window.turn(lambda: "reload" in asked)
    assert read.wait(20)
    time.sleep(0.2)  # what was read is handed over, and nothing moved in the window meanwhile
    assert scene.cells is cells
    there: list[int] = []
    window.turn(lambda: there.append(len(viewer.layers)) or scene.cells is not cells)
    window.rest()
    # They came and went one by one.
    assert max(abs(np.diff(there))) <= 2
    assert sorted(layer.name for layer in viewer.layers) == names
    assert set(viewer.layers) == set(scene.layers)
    scene.close()
    assert len(viewer.layers) == 0


@pytest.mark.parametrize("turns", [2, 3])
def test_a_column_that_is_asked_for_when_new_results_are_shown_is_shown_and_nothing_left_behind(
    session: Session, turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, viewer, scene = shown(session)
    before, cells = list(viewer.layers), scene.cells
    read, go_on = held(monkeypatch, color_verbs, "read")
    session.reload()
    window.turn(lambda: len(set(before) - set(viewer.layers)) == len(before) - 2)
    scene.color_by("Tumor_score")
    assert read.wait(20)
    for _ in range(turns):
        window.waiting.get(timeout=20)()
    go_on.set()
    time.sleep(0.2)  # the column is handed over, its layer not begun
    window.turn(lambda: scene.cells is not cells)
    window.rest()
    assert set(viewer.layers) == set(scene.layers)
    assert not set(before) & set(viewer.layers)
    # What was asked for is what is shown.
    assert scene.coloring.column == "Tumor_score"
    scene.close()
    assert len(viewer.layers) == 0


def test_cells_that_are_drawn_late_are_dropped_where_others_are_shown(
    session: Session, late: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    late.set()
    prepare, go_on = CellRaster.prepare, threading.Event()

    def slow(raster: CellRaster, first_view: bool = False) -> None:
        prepare(raster, first_view=first_view)
        assert first_view or go_on.wait(20)

    monkeypatch.setattr(CellRaster, "prepare", slow)
    window, _viewer, scene = shown(session)
    cells = scene.cells
    late.clear()
    session.reload()
    window.turn(lambda: scene.cells is not cells)
    assert keys.STARDIST not in scene.cells
    go_on.set()
    window.rest()
    late.set()
    window.turn(lambda: not scene.awaited)
    assert list(scene.cells) == [keys.PROSEG, keys.STARDIST]
    scene.close()


def test_what_was_looked_at_is_there_at_once_and_a_style_waits_for_its_cells(
    session: Session, late: threading.Event
) -> None:
    late.set()
    window, viewer, scene = shown(session)
    scene.set_outline_style(keys.STARDIST, "#FF0000", 0.4)
    hidden = scene.view_state()
    scene.show_outlines(keys.STARDIST, True)
    looked_at = scene.view_state()
    scene.close()

    late.clear()
    scene = Scene(viewer, session, dispatch=window, view=looked_at)
    assert list(scene.cells) == [keys.PROSEG, keys.STARDIST]
    assert scene.view_state()["outlines"] == looked_at["outlines"]
    scene.close()
    scene = Scene(viewer, session, dispatch=window, view=hidden)
    assert list(scene.cells) == [keys.PROSEG]
    assert scene.view_state()["outlines"] == hidden["outlines"], "a style would be lost"
    late.set()
    window.turn(lambda: not scene.awaited)
    assert scene.view_state()["outlines"] == hidden["outlines"]
    scene.close()
