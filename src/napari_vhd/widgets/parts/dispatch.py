"""From any thread to the window's: functions that are called there, soon and in order."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt, Signal

if TYPE_CHECKING:
    from collections.abc import Callable


class Dispatcher(QObject):
    """Call it with a function, from any thread: the thread that made it calls the function."""

    _sent = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._sent.connect(self._call, Qt.ConnectionType.QueuedConnection)

    def __call__(self, function: Callable[[], None]) -> None:
        """Have a function called soon."""
        # The window may be gone by now.
        with contextlib.suppress(RuntimeError):
            self._sent.emit(function)

    def _call(self, function: Callable[[], None]) -> None:
        function()
