"""From any thread to the window's: functions that are called there, soon and in order."""

from __future__ import annotations

import contextlib
from functools import cache
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt, Signal

if TYPE_CHECKING:
    from collections.abc import Callable


class Dispatcher(QObject):
    """Call it with a function, from any thread: the thread that made it calls the function."""

    _sent = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._sent.connect(self._call, Qt.ConnectionType.QueuedConnection)

    def __call__(self, function: Callable[[], None]) -> None:
        """Have a function called soon."""
        # The application may be gone by now.
        with contextlib.suppress(RuntimeError):
            self._sent.emit(function)

    def _call(self, function: Callable[[], None]) -> None:
        function()


@cache
def dispatcher() -> Dispatcher:
    """Give the one `Dispatcher` of the GUI thread, which must be the first to ask.

    It is never deleted: a signal that a thread emits of an object which the window deletes at that
    moment ends the process.
    """
    return Dispatcher()
