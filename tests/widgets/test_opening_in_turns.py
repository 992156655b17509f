"""A window answers while a sample opens: layers are made one in each turn, others dropped."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtWidgets import QApplication

from napari_vhd import keys
from napari_vhd.layers.scene import Scene, scene_of
from napari_vhd.widgets.current import current_of
from napari_vhd.widgets.opening import opening_of, read_sample

sys.path.append(str(Path(__file__).parent))
from bench import LONG, GuiWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.viewer import Viewer
    from pytestqt.qtbot import QtBot

# A generous guard: all layers in one turn take more than twice as long. What the longest turn
# takes, benchmarks/display.py measures.
MOST_MS = 400


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Viewer]) -> Iterator[Viewer]:
    made = make_napari_viewer()
    yield made
    opening_of(made).end()


def told(viewer: Viewer) -> list[Scene]:
    """Give a list that is told each Scene that was opened."""
    found: list[Scene] = []
    opening_of(viewer).opened.connect(found.append)
    return found


def turn_until(qtbot: QtBot, condition: Callable[[], bool]) -> None:
    qtbot.waitUntil(condition, timeout=LONG)


def test_layers_come_one_by_one_the_tissue_first_and_docks_see_them_whole(
    viewer: Viewer, reviewed_run: Path, qtbot: QtBot
) -> None:
    opening, current = opening_of(viewer), current_of(viewer)
    came: list[tuple[str, Any, Any]] = []
    there: list[str] = []
    found = told(viewer)
    opening.opened.connect(lambda _: there.extend(layer.name for layer in viewer.layers))

    def note(event: Any) -> None:
        # What is not looked at first follows, perhaps before this test has a turn again.
        if not found:
            came.append((event.value.name, current.scene, scene_of(viewer)))

    viewer.layers.events.inserted.connect(note)
    opening.show(read_sample(reviewed_run))
    assert came == []
    assert opening.is_busy
    with GuiWatch() as watch:
        turn_until(qtbot, lambda: bool(found))
    assert not opening.is_busy
    names = [name for name, *_ in came]
    assert names[0] == "H&E"
    assert names[1] == "ProSeg cells"
    assert sorted(names) == sorted(there)
    # Until all are there nobody has it.
    assert {(shown, known) for _, shown, known in came} == {(None, None)}
    assert current.scene is scene_of(viewer) is found[0]
    assert found[0].coloring.column == keys.TYPE_CELLTYPIST_PER_CELL
    assert watch.longest_ms < MOST_MS


def test_the_sample_before_stays_until_the_next_is_there(
    viewer: Viewer, reviewed_run: Path, qtbot: QtBot
) -> None:
    found = told(viewer)
    opening_of(viewer).show(read_sample(reviewed_run))
    turn_until(qtbot, lambda: bool(found) and not found[0].awaited)
    names = sorted(layer.name for layer in viewer.layers)
    viewer.layers["H&E"].visible = False
    fewest: list[bool] = []
    viewer.layers.events.removed.connect(
        lambda _: fewest.append(any("H&E" in layer.name for layer in viewer.layers))
    )
    opening_of(viewer).show(read_sample(reviewed_run))
    assert current_of(viewer).scene is found[0]
    turn_until(qtbot, lambda: len(found) == 2 and not found[1].awaited)
    assert all(fewest), "the tissue was gone for a while"
    assert sorted(layer.name for layer in viewer.layers) == names
    assert not viewer.layers["H&E"].visible
    assert not found[0].layers


@pytest.mark.parametrize("layers", [0, 1, 3, 5])
@pytest.mark.parametrize("how", ["close", "open another"])
def test_what_is_half_made_is_dropped_whole(
    viewer: Viewer, reviewed_run: Path, qtbot: QtBot, layers: int, how: str
) -> None:
    opening, found = opening_of(viewer), told(viewer)
    opened = read_sample(reviewed_run)
    opening.show(opened)
    while len(viewer.layers) < layers:
        QApplication.processEvents()
    assert opening.is_busy
    if how == "close":
        opening.close()
        assert len(viewer.layers) == 0
        qtbot.wait(200)
        assert len(viewer.layers) == 0
        assert found == []
    else:
        opening.show(read_sample(reviewed_run))
        turn_until(qtbot, lambda: bool(found))
        qtbot.wait(100)
        assert len(found) == 1
        assert found[0].session is not opened.session
        assert set(viewer.layers) == set(found[0].layers)
    assert opened.session._source is None, "its files are open still"


def test_results_that_are_computed_anew_come_in_turns_too(
    viewer: Viewer, reviewed_run: Path, qtbot: QtBot
) -> None:
    found = told(viewer)
    opening_of(viewer).show(read_sample(reviewed_run))
    turn_until(qtbot, lambda: bool(found))
    scene = found[0]
    turn_until(qtbot, lambda: scene.coloring.column is not None and not scene.awaited)
    scene.set_category_visible(scene.coloring.categories[0].name, visible=False)
    before, names = scene.view_state(), sorted(layer.name for layer in viewer.layers)
    cells, heard = scene.cells, []
    scene.layers_changed.connect(lambda: heard.append(scene.cells))
    with GuiWatch() as watch:
        scene.session.reload()
        turn_until(qtbot, lambda: scene.cells is not cells)
        qtbot.waitUntil(lambda: not scene.awaited and scene.view_state() == before, timeout=LONG)
    assert sorted(layer.name for layer in viewer.layers) == names
    assert set(viewer.layers) == set(scene.layers)
    assert watch.longest_ms < MOST_MS
