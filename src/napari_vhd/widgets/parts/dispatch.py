"""From any thread to the window's: functions that are called there, soon and in order."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from functools import cache
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt, QTimer, Signal

if TYPE_CHECKING:
    from collections.abc import Callable

# So long functions are called one after the other before the window draws and answers.
_TURN_S = 0.004
_A_WHILE_S = 0.001


class Dispatcher(QObject):
    """Call it with a function, from any thread: the thread that made it calls the function.

    Of many functions some are called in each turn of the event loop: those that would make a turn
    long wait for the next one, so that the mouse and the keyboard are heard in between.

    Attributes
    ----------
    worked
        When it last called some that took a while, s of the monotonic clock: what looks every two
        seconds whether a file has changed does not.
    """

    _sent = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.worked = time.monotonic()
        self._waiting: deque[Callable[[], None]] = deque()
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._turn)
        self._sent.connect(self._wake, Qt.ConnectionType.QueuedConnection)

    def __call__(self, function: Callable[[], None]) -> None:
        """Have a function called soon."""
        self._waiting.append(function)
        # The application may be gone by now.
        with contextlib.suppress(RuntimeError):
            self._sent.emit()

    def _wake(self) -> None:
        if self._waiting and not self._timer.isActive():
            self._timer.start()

    def _turn(self) -> None:
        begin, worked = time.perf_counter(), time.thread_time()
        while self._waiting:
            self._waiting.popleft()()
            if time.perf_counter() > begin + _TURN_S:
                break
        # Not by the clock: this thread may have waited for others.
        if time.thread_time() > worked + _A_WHILE_S:
            self.worked = time.monotonic()
        if not self._waiting:
            self._timer.stop()


@cache
def dispatcher() -> Dispatcher:
    """Give the one `Dispatcher` of the GUI thread, which must be the first to ask.

    It is never deleted: a signal that a thread emits of an object which the window deletes at that
    moment ends the process.
    """
    return Dispatcher()
