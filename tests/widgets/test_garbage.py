"""Python looks for garbage between turns of the window, and nowhere else."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QObject, QTimer

from napari_vhd.widgets.opening import open_path, opening_of
from napari_vhd.widgets.parts import garbage
from napari_vhd.widgets.parts.dispatch import dispatcher
from napari_vhd.widgets.parts.garbage import GarbageTimer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari.viewer import Viewer
    from pytestqt.qtbot import QtBot

LONG = 20_000


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Viewer], monkeypatch: pytest.MonkeyPatch) -> Viewer:
    monkeypatch.setattr(garbage, "_TURN_MS", 50)
    for name in ("_ALL_S", "_REST_S"):
        monkeypatch.setattr(garbage, name, 0.5)
    viewer = make_napari_viewer()
    GarbageTimer.begin(viewer)
    return viewer


class Ring(QObject):
    """Holds itself; notes in which thread it goes."""

    def __init__(self, gone: list[int]) -> None:
        super().__init__()
        self.own, self.gone = self, gone

    def __del__(self) -> None:
        self.gone.append(threading.get_ident())


def make_many(number: int = 300_000) -> list[Any]:
    """Make more objects than Python makes without a search."""
    return [[] for _ in range(number)]


def test_what_belongs_to_qt_is_deleted_by_the_thread_of_the_window(
    viewer: Viewer, qtbot: QtBot
) -> None:
    gone: list[int] = []
    for _ in range(20):
        Ring(gone)
    beside = threading.Thread(target=make_many)
    beside.start()
    beside.join()
    assert gone == []
    kept = make_many(1000)
    qtbot.waitUntil(lambda: len(gone) == 20, timeout=LONG)
    assert set(gone) == {threading.get_ident()}
    assert kept


def test_what_has_become_old_is_found_too(viewer: Viewer, qtbot: QtBot) -> None:
    gone: list[int] = []
    ring = Ring(gone)
    gc.collect()
    del ring
    kept = make_many(1000)
    qtbot.waitUntil(lambda: gone == [threading.get_ident()], timeout=LONG)
    assert kept


def test_a_sample_is_not_among_what_is_passed_over(
    viewer: Viewer, reviewed_run: Path, qtbot: QtBot
) -> None:
    opening = opening_of(viewer)
    open_path(viewer, reviewed_run)
    qtbot.waitUntil(lambda: not opening.is_busy, timeout=LONG)
    aside = gc.get_freeze_count()
    assert aside > 100_000  # napari, and what reading takes
    GarbageTimer.set_aside()
    assert gc.get_freeze_count() <= aside
    scene = weakref.ref(opening._current.scene)
    opening.close()
    qtbot.waitUntil(lambda: scene() is None, timeout=LONG)


def test_layers_that_were_taken_out_go_one_by_one(viewer: Viewer, qtbot: QtBot) -> None:
    layers = [weakref.ref(viewer.add_points(np.zeros((1, 2)))) for _ in range(8)]
    qtbot.wait(100)  # napari has drawn them
    dispatcher()(viewer.layers.clear)
    left = set()

    def all_gone() -> bool:
        left.add(sum(layer() is not None for layer in layers))
        return 0 in left

    qtbot.waitUntil(all_gone, timeout=LONG)
    assert len(left) > 3


def test_new_garbage_is_found_while_a_layer_waits_to_be_deleted(
    viewer: Viewer, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage, "_REST_S", 3600.0)
    layer = viewer.add_points(np.zeros((1, 2)))
    viewer.layers.remove(layer)
    gone: list[int] = []
    Ring(gone)
    kept = make_many(1000)
    qtbot.waitUntil(lambda: gone == [threading.get_ident()], timeout=LONG)
    assert kept


def test_it_is_pythons_again_when_the_window_is_closed(
    make_napari_viewer: Callable[..., Viewer],
) -> None:
    was = gc.isenabled()
    viewer = make_napari_viewer()
    GarbageTimer.begin(viewer)
    GarbageTimer.set_aside()
    assert not gc.isenabled()
    viewer.close()
    assert gc.isenabled() is was
    assert gc.get_freeze_count() == 0


@pytest.fixture
def old_ring(qtbot: QtBot) -> list[int]:
    """Make garbage that only a search of everything finds; gives where it is noted."""
    gone: list[int] = []
    ring = Ring(gone)
    # In a turn, as all that is done: it may take longer than what counts as a rest here.
    searched: list[int] = []
    dispatcher()(lambda: searched.append(gc.collect()))
    qtbot.waitUntil(lambda: bool(searched), timeout=LONG)
    del ring
    return gone


@pytest.fixture
def work() -> Iterator[Callable[[float], None]]:
    """Have the window work for so long, again and again, until the test is over."""
    timer = QTimer()

    def turn(seconds: float) -> None:
        end = time.thread_time() + seconds
        while time.thread_time() < end:
            pass

    def begin(seconds: float) -> None:
        timer.timeout.connect(lambda: dispatcher()(partial(turn, seconds)))
        timer.start(20)

    yield begin
    timer.stop()


@pytest.mark.usefixtures("viewer")
def test_while_something_is_done_in_the_window_nothing_old_is_looked_for(
    old_ring: list[int], work: Callable[[float], None], qtbot: QtBot
) -> None:
    work(0.002)
    qtbot.wait(1500)
    assert old_ring == []


@pytest.mark.usefixtures("viewer")
def test_a_window_that_looks_for_changes_now_and_then_rests(
    old_ring: list[int], work: Callable[[float], None], qtbot: QtBot
) -> None:
    work(0)
    qtbot.waitUntil(lambda: old_ring == [threading.get_ident()], timeout=LONG)
