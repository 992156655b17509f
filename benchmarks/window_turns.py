"""How long a window works without a pause while a sample opens in it, and while one corrects."""

from __future__ import annotations

import itertools
import statistics
import time
from typing import TYPE_CHECKING, Any

from measuring import NUMBER, TYPES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WINDOW = (1280, 800)
OPENINGS = 3
SETTLE_S = 3.0
# So long after nobody does anything, a window looks for garbage; then until most is found.
REST_S = 15.0


def from_nothing(run: Path) -> dict[str, Any]:
    """Measure as `while_opening`, where nothing of ours was imported before a sample is opened."""
    import napari
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer(show=False)
    main: Any = viewer.window._qt_window  # noqa: SLF001  (napari has no other way to it)
    main.centralWidget().hide()
    viewer.window.resize(*WINDOW)
    viewer.show()
    _turns_for(SETTLE_S)
    with Turns() as turns:
        viewer.open(str(run), plugin="napari-vhd")
        while not viewer.layers:
            QApplication.processEvents()
        _turns_for(2 * SETTLE_S)
    _close(viewer)
    return {"first_open_longest_turn_ms": round(turns.longest_ms, 1)}


def while_opening(run: Path) -> dict[str, Any]:
    """Measure how long the thread of a window works without a pause while a sample opens in it.

    With the docks that come with a sample; before, while these come. The canvas is hidden: what a
    graphics card draws is not counted. Of openings after the first, which loads and compiles what a
    process needs once.
    """
    import napari
    from qtpy.QtWidgets import QApplication

    from napari_vhd.widgets.docks import show_docks
    from napari_vhd.widgets.opening import open_path, opening_of

    viewer = napari.Viewer(show=False)
    main: Any = viewer.window._qt_window  # noqa: SLF001  (napari has no other way to it)
    main.centralWidget().hide()
    viewer.window.resize(*WINDOW)
    viewer.show()
    with Turns() as turns:
        show_docks(viewer)
        _turns_for(SETTLE_S)
    docks = {"those that come with a sample": round(turns.longest_ms, 1)}
    opening = opening_of(viewer)
    longest, waits, scene = [], [], None
    # The last one beside a sample that is open, in whose place it comes.
    for number in range(OPENINGS + 2):
        if number <= OPENINGS:
            opening.close()
        _turns_for(SETTLE_S)
        shown: list[Any] = []
        opening.opened.connect(shown.append)
        with Turns() as turns:
            open_path(viewer, run)
            while not shown:
                QApplication.processEvents()
            _turns_for(SETTLE_S)
        opening.opened.disconnect(shown.append)
        longest.append(turns.longest_ms)
        waits.append(turns.longest_wait_ms)
        scene = shown[0]
    beside = longest.pop()
    with Turns() as turns:
        _turns_for(REST_S)
    working = while_working(scene)
    docks |= while_docks_come(viewer)
    _close(viewer)
    return {
        "open_longest_turn_ms": round(statistics.median(longest[1:]), 1),
        "open_beside_longest_turn_ms": round(beside, 1),
        "at_rest_longest_turn_ms": round(turns.longest_ms, 1),
        "open_longest_wait_ms": round(statistics.median(waits[1:-1]), 1),
        "open_longest_turns_ms": [round(one, 1) for one in longest],
        "working_longest_turns_ms": working,
        "docks_longest_turn_ms": docks,
    }


def while_docks_come(viewer: Any) -> dict[str, float]:
    """Measure the longest turn while each of the other docks comes from the menu."""
    from npe2 import PluginManager

    from napari_vhd.keys import PLUGIN

    found = {}
    for widget in PluginManager.instance().get_manifest(PLUGIN).contributions.widgets or ():
        if f"{widget.display_name} ({PLUGIN})" in viewer.window.dock_widgets:
            continue
        with Turns() as turns:
            viewer.window.add_plugin_dock_widget(PLUGIN, widget.display_name, tabify=True)
            _turns_for(1.0)
        found[widget.display_name] = round(turns.longest_ms, 1)
    return found


def while_working(scene: Any) -> dict[str, list[float]]:
    """Measure the longest turn of what a person does, at the first time and again."""
    from qtpy.QtCore import QObject

    from napari_vhd.layers.corrector import corrector_of
    from napari_vhd.widgets.parts.drawing import RegionDrawing
    from napari_vhd.widgets.parts.outline_drawing import OutlineDrawing
    from napari_vhd.widgets.parts.painting import Painting
    from napari_vhd.widgets.parts.vertex_mode import VertexMode

    session, owner = scene.session, QObject()
    drawing, painting, vertices = OutlineDrawing(owner), Painting(owner), VertexMode(owner)
    to_run = RegionDrawing(scene.viewer)
    selection, number = scene.viewer.layers.selection, itertools.count(1)
    boundaries = session.segmentations()[0]
    cells = session.outlines(boundaries).live_ids()
    deeds: dict[str, Callable[[], Any]] = {
        "choose a cell": lambda: scene.select(cells[:1]),
        "choose a layer": lambda: setattr(selection, "active", scene.layers[next(number)]),
        "colour by a number": lambda: scene.color_by(NUMBER),
        "colour by types": lambda: scene.color_by(TYPES),
        "take the brush": lambda: painting.start(scene, boundaries, TYPES, ""),
        "lay it down": painting.leave,
        "side by side": lambda: scene.compare("side"),
        "no longer": lambda: scene.compare("off"),
        "take a lasso": lambda: drawing.start(scene, "lasso"),
        "another tool": lambda: drawing.start(scene, "polygon"),
        "lay that down": drawing.cancel,
        "choose 200 cells": lambda: scene.select(cells[:200]),
        "open their vertices": lambda: vertices.start(scene),
        "close them": vertices.leave,
        "draw a region to run": lambda: to_run.begin(scene, "add_rectangle"),
        "add a region": lambda: corrector_of(scene).do(
            session.add_region, _middle(session), f"region {next(number)}"
        ),
        "grow a cell": lambda: session.expand(cells[:1], 0.5),
        "show new results": session.reloaded.emit,
    }
    # When these are shown for the first time Qt makes the hidden canvas ready, in one of the turns.
    session.reloaded.emit()
    _turns_for(SETTLE_S)
    found: dict[str, list[float]] = {name: [] for name in deeds}
    for _ in range(2):
        for name, deed in deeds.items():
            with Turns() as turns:
                deed()
                _turns_for(SETTLE_S)
            found[name].append(round(turns.longest_ms, 1))
    return found


def _close(viewer: Any) -> None:
    """Close a window, so that it is gone before the process ends: PyQt may fall over one then."""
    viewer.close()
    _turns_for(0.5)


def _middle(session: Any) -> Any:
    """Give a box in the middle of a sample, full-resolution px."""
    import shapely

    x, y = session.outlines(session.segmentations()[0]).centroids.mean(axis=0)
    return shapely.box(x - 200, y - 200, x + 200, y + 200)


class Turns:
    """Measures the longest work between two turns of the event loop.

    Attributes
    ----------
    longest_ms
        So far, CPU time of this thread.
    longest_wait_ms
        The same by the clock: threads that read a sample share Python with the window.
    """

    def __init__(self) -> None:
        from qtpy.QtCore import QTimer

        self.longest_ms = self.longest_wait_ms = 0.0
        self._last = self._seen = 0.0
        self._timer = QTimer()
        self._timer.timeout.connect(self._turn)

    def __enter__(self) -> Turns:
        self._last, self._seen = time.thread_time(), time.perf_counter()
        self._timer.start(0)
        return self

    def __exit__(self, *_: object) -> None:
        self._turn()
        self._timer.stop()

    def _turn(self) -> None:
        now, seen = time.thread_time(), time.perf_counter()
        self.longest_ms = max(self.longest_ms, 1e3 * (now - self._last))
        self.longest_wait_ms = max(self.longest_wait_ms, 1e3 * (seen - self._seen))
        self._last, self._seen = now, seen


def _turns_for(seconds: float) -> None:
    """Have the window do what it has to do for a while, and delete what it has to delete."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()
