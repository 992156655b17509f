"""When Python looks for garbage while a window of ours is there: in turns of that window.

By itself it looks when enough objects were made, in whatever thread makes the last: in the midst of
a correction, or beside the window, where to delete a part of Qt may end the process. And it looks
at all that was ever imported, which is never garbage.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

from qtpy.QtCore import QTimer
from qtpy.QtGui import QCursor

from .dispatch import dispatcher
from .window_end import WindowEnd, main_window

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from qtpy.QtWidgets import QMainWindow

_TURN_MS = 1000
# How many new objects are looked at in one turn, if nothing was done in the window for so long.
_MOST, _PAUSE_S = 20_000, 0.2
# More or less objects than a turn before: something is at work beside the window.
_MANY = 1000
# All are looked at, once in so many seconds, when for so long nobody has moved the mouse and
# nothing was done in the window; and if it never rests, after so many.
_ALL_S, _REST_S, _AT_LAST_S = 30.0, 10.0, 1800.0
# Layers that were taken out go one after the other when it rests: each is some thousand objects. So
# many at most are waiting; those before are found at once.
_NEXT_MS, _WAITING = 50, 30


class GarbageTimer(QTimer):
    """Looks for garbage each second, and no other thread does, until its window is closed.

    Parameters
    ----------
    window, viewer
        The main window and whose it is; `begin` sees to it that there is one.
    """

    _running: ClassVar[set[GarbageTimer]] = set()
    _sample_was_read: ClassVar[bool] = False
    _was_enabled: ClassVar[bool] = True

    def __init__(self, window: QMainWindow, viewer: Viewer) -> None:
        super().__init__(window)
        self._leaving: deque[Any] = deque(maxlen=_WAITING)
        # Not public, but there is no other way to what draws a layer.
        self._list, self._canvas = viewer.layers, window._qt_viewer.canvas  # noqa: SLF001
        self._list.events.removing.connect(self._on_removing)
        self._last = self._moved = time.monotonic()
        self._place, self._made = QCursor.pos(), 0
        if not self._running:
            GarbageTimer._was_enabled = gc.isenabled()
        self._running.add(self)
        gc.disable()
        WindowEnd(window, self.end)
        self.timeout.connect(self._look)
        self.start(_TURN_MS)

    @classmethod
    def begin(cls, viewer: Viewer) -> None:
        """Look for garbage in turns of a viewer's window, if it has one and this is not done."""
        window = main_window(viewer)
        if window is not None and window.findChild(cls) is None:
            cls(window, viewer)

    @property
    def has_layers(self) -> bool:
        """Whether layers that were taken out are there yet."""
        return bool(self._leaving)

    def _on_removing(self, event: Any) -> None:
        layer = self._list[event.index]
        # What draws it is as many objects again, and lives in a ring of its own.
        self._leaving.append((layer, self._canvas.layer_to_visual.get(layer)))

    def _look(self) -> None:
        now, place = time.monotonic(), QCursor.pos()
        if place != self._place:
            self._place, self._moved = place, now
        paused = now - dispatcher().worked
        rests = min(paused, now - self._moved) > _REST_S
        made, before = gc.get_count()[0], self._made
        self._made = made
        can_wait = not rests or abs(made - before) > _MANY
        if self._leaving and rests:
            self._leaving.popleft()
            gc.collect()
        elif now - self._last > (_AT_LAST_S if can_wait else _ALL_S):
            gc.collect()
            self._last = time.monotonic()
        elif gc.get_threshold()[0] < made < _MOST and paused > _PAUSE_S:
            gc.collect(1)
        self.setInterval(_NEXT_MS if self._leaving and rests else _TURN_MS)

    def end(self) -> None:
        """Leave it to Python again, where no other window is there."""
        self.stop()
        self._list.events.removing.disconnect(self._on_removing)
        self._leaving.clear()
        self._running.discard(self)
        if not self._running:
            GarbageTimer._sample_was_read = False
            gc.unfreeze()
            if self._was_enabled:
                gc.enable()

    @classmethod
    def set_aside(cls, *, before_sample: bool = False) -> None:
        """Have searches pass over all that is there: what was imported; takes no time.

        Not once a sample is open: of what is set aside, rings of references stay until the window
        is closed.

        Parameters
        ----------
        before_sample
            A sample is about to be read.
        """
        if cls._running and not cls._sample_was_read:
            gc.freeze()
            cls._sample_was_read = before_sample
