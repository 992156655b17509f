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


def while_opening(run: Path) -> dict[str, Any]:
    """Measure how long the thread of a window works without a pause while a sample opens in it.

    With the docks that come with a sample. The canvas is hidden: what a graphics card draws is not
    counted. Of openings after the first, which loads and compiles what a process needs once.
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
    show_docks(viewer)
    opening = opening_of(viewer)
    longest = []
    for _ in range(OPENINGS + 1):
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
    working = while_working(shown[0])
    opening.end()
    return {
        "open_longest_turn_ms": round(statistics.median(longest[1:]), 1),
        "open_longest_turns_ms": [round(one, 1) for one in longest],
        "working_longest_turns_ms": working,
    }


def while_working(scene: Any) -> dict[str, list[float]]:
    """Measure the longest turn of what a person does, at the first time and again."""
    from qtpy.QtCore import QObject

    from napari_vhd.widgets.parts.outline_drawing import OutlineDrawing

    session, owner = scene.session, QObject()
    drawing = OutlineDrawing(owner)
    selection, number = scene.viewer.layers.selection, itertools.count(1)
    boundaries = session.segmentations()[0]
    cells = session.outlines(boundaries).live_ids()
    deeds: dict[str, Callable[[], Any]] = {
        "choose a cell": lambda: scene.select(cells[:1]),
        "choose a layer": lambda: setattr(selection, "active", scene.layers[next(number)]),
        "colour by a number": lambda: scene.color_by(NUMBER),
        "colour by types": lambda: scene.color_by(TYPES),
        "begin to paint": scene.paint_window,
        "end painting": scene.end_paint,
        "side by side": lambda: scene.compare("side"),
        "no longer": lambda: scene.compare("off"),
        "take a lasso": lambda: drawing.start(scene, "lasso"),
        "lay it down": drawing.cancel,
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


class Turns:
    """Measures the longest work between two turns of the event loop, CPU time of this thread.

    Attributes
    ----------
    longest_ms
        So far.
    """

    def __init__(self) -> None:
        from qtpy.QtCore import QTimer

        self.longest_ms = 0.0
        self._last = 0.0
        self._timer = QTimer()
        self._timer.timeout.connect(self._turn)

    def __enter__(self) -> Turns:
        self._last = time.thread_time()
        self._timer.start(0)
        return self

    def __exit__(self, *_: object) -> None:
        self._turn()
        self._timer.stop()

    def _turn(self) -> None:
        now = time.thread_time()
        self.longest_ms = max(self.longest_ms, 1e3 * (now - self._last))
        self._last = now


def _turns_for(seconds: float) -> None:
    """Have the window do what it has to do for a while."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.005)
