"""Nothing is left behind: not by a hundred docks and samples in one window, nor by windows."""

from __future__ import annotations

import gc
import resource
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import ref

import pytest
from bench import LONG, copied
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QApplication

from napari_vhd.layers.corrector import Corrector
from napari_vhd.layers.scene import Scene
from napari_vhd.session import Session
from napari_vhd.widgets import docked
from napari_vhd.widgets.current import current_of
from napari_vhd.widgets.opening import open_path, opening_of
from napari_vhd.widgets.parts.dispatch import dispatcher
from napari_vhd.widgets.parts.garbage import GarbageTimer
from napari_vhd.widgets.run_control import control_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer
    from pytestqt.qtbot import QtBot

DOCKS = (
    docked.Workflow, docked.Legend, docked.Cell, docked.Corrections, docked.Regions, docked.Bins,
    docked.Compare, docked.Plots, docked.Log,
)  # fmt: skip
_PLACES = [kind.holds.split(":") for kind in DOCKS]
HELD = [getattr(import_module(f"napari_vhd.widgets.{file}"), name) for file, name in _PLACES]
KINDS = (Scene, Session, Corrector, *DOCKS, *HELD)
# After the tenth each dock was there once, and the first of them again, as after the hundredth.
SETTLED, TIMES = len(DOCKS) + 1, 100
FILES = Path("/proc/self/fd")


def settle() -> None:
    """Have what is to be deleted deleted."""
    for _ in range(3):
        QApplication.processEvents()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()


def listeners(viewer: Viewer) -> int:
    """Count who listens to a viewer and its list of layers."""
    emitters = (viewer.events, viewer.layers.events, viewer.layers.selection.events)
    return sum(len(one.callbacks) for group in emitters for one in group.emitters.values())


def counts(viewer: Viewer) -> dict[str, int]:
    """Count what must not grow, after everything has settled."""
    settle()
    found = dict.fromkeys((kind.__name__ for kind in KINDS), 0)
    for one in gc.get_objects():
        if type(one) in KINDS:
            found[type(one).__name__] += 1
    application: Any = QApplication.instance()
    found |= {
        "widgets": len(application.allWidgets()),
        "Qt objects of the window": len(viewer.window._qt_window.findChildren(QObject)),
        "listeners": listeners(viewer),
        "layers": len(viewer.layers),
        "threads": threading.active_count(),
    }
    if FILES.is_dir():
        found["files"] = len(list(FILES.iterdir()))
    return found


def wait_for_rest(viewer: Viewer, qtbot: QtBot) -> None:
    """Wait until layers that were taken out are let go, and threads have ended what they are at."""
    timer = viewer.window._qt_window.findChild(GarbageTimer)
    qtbot.waitUntil(lambda: not timer.has_layers, timeout=2 * LONG)
    qtbot.wait(500)


def top_level() -> list[str]:
    application: Any = QApplication.instance()
    return sorted(
        f"{type(one).__name__} {one.objectName()}" for one in application.topLevelWidgets()
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_hundred_samples_and_docks_in_one_window_leave_nothing(
    make_napari_viewer: Callable[..., Viewer], reviewed_run: Path, qtbot: QtBot
) -> None:
    viewer = make_napari_viewer()
    before: dict[str, int] = {}
    # Threads of a viewer that are started when they are first needed.
    for work in (control_of(viewer).background, control_of(viewer).session_work):
        work.ask("begin", int, then=lambda _: None)
    settle()
    windows = top_level()
    for number in range(TIMES):
        session = Session.open(reviewed_run, author="ab")
        scene = Scene(viewer, session, dispatch=dispatcher())
        current_of(viewer).scene = scene
        dock = DOCKS[number % len(DOCKS)](viewer)
        viewer.window.add_dock_widget(dock, name=f"dock {number}")
        if number % 2:
            # The others go while they are still being loaded or made.
            qtbot.waitUntil(lambda dock=dock: dock.dock is not None, timeout=LONG)
        scene.select(["c000001"])
        QApplication.processEvents()
        viewer.window.remove_dock_widget(dock)
        current_of(viewer).scene = None
        scene.close()
        session.close()
        del session, scene, dock
        if number % SETTLED == SETTLED - 1:
            settle()
        if number == SETTLED - 1:
            wait_for_rest(viewer, qtbot)
            before = counts(viewer)
    # As many as when it was counted first.
    assert TIMES % len(DOCKS) == SETTLED % len(DOCKS)
    wait_for_rest(viewer, qtbot)
    after = counts(viewer)
    control_of(viewer).background.close()
    control_of(viewer).session_work.close()
    more = {name: after[name] - count for name, count in before.items()}
    assert {name: count for name, count in more.items() if count > 0} == {}
    assert {kind.__name__: after[kind.__name__] for kind in KINDS if after[kind.__name__]} == {}
    assert top_level() == windows


def left(gone: list[ref[Any]]) -> list[Any]:
    return [type(one()) for one in gone if one() is not None]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_five_windows_leave_nothing(
    make_napari_viewer: Callable[..., Viewer], finished_run: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    def once(number: int) -> list[ref[Any]]:
        folder = tmp_path / f"{number}"
        folder.mkdir()
        run = copied(finished_run, folder)
        viewer = make_napari_viewer()
        docks = [kind(viewer) for kind in DOCKS]
        for dock in docks:
            viewer.window.add_dock_widget(dock, name=type(dock).__name__)
        open_path(viewer, run)
        qtbot.waitUntil(lambda: current_of(viewer).scene is not None, timeout=LONG)
        qtbot.waitUntil(lambda: all(dock.dock is not None for dock in docks), timeout=LONG)
        qtbot.wait(300)
        docks += [dock.dock for dock in docks]
        scene = current_of(viewer).scene
        opening_of(viewer).end()
        control_of(viewer).background.close()
        control_of(viewer).session_work.close()
        viewer.close()
        return [ref(one) for one in (scene, scene.session, viewer, *docks)]

    gone: list[ref[Any]] = []
    windows, memory = [], []
    for number in range(5):
        gone += once(number)
        settle()
        windows.append(len(top_level()))
        memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    # What was being read when a window went is given up when it is read.
    qtbot.waitUntil(lambda: gc.collect() >= 0 and not left(gone), timeout=LONG)
    assert windows[-1] <= windows[1]
    # Not the first, which brings what a process loads once; a window is about 200 MB.
    assert memory[-1] - memory[1] < 400
