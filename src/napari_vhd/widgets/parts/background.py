"""Work beside the window: a question goes out, the newest answer comes back.

A function runs in a thread of its own; what it gives is handed over on the GUI thread. Answers to a
question that was asked again meanwhile are dropped, and so are those that come after `close`.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Signal

from napari_vhd.exceptions import VhdError

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)


class Background(QObject):
    """One thread, started when first needed.

    Parameters
    ----------
    parent
        Qt parent; when it is gone, nothing is handed over any more.
    """

    _answered = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._questions: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._newest: dict[str, int] = {}
        self._thread: threading.Thread | None = None
        self._answered.connect(self._hand_over)

    def ask(
        self,
        name: str,
        function: Callable[..., Any],
        *arguments: Any,
        then: Callable[[Any], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Call a function beside the window.

        Parameters
        ----------
        name
            Of the question; a newer one of the same name makes older ones void.
        function, arguments
            What is called; must not touch Qt or napari.
        then
            Given the result, on the GUI thread.
        failed
            Given the exception, on the GUI thread; without it a sentence is shown.
        """
        self._newest[name] = self._newest.get(name, 0) + 1
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="background", daemon=True)
            self._thread.start()
        self._questions.put((name, self._newest[name], function, arguments, then, failed))

    def forget(self, name: str) -> None:
        """Make all questions of a name void."""
        self._newest[name] = self._newest.get(name, 0) + 1

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being worked on or waits."""
        return self._questions.empty() and not self._at_work

    _at_work = False

    def close(self) -> None:
        """Hand nothing over any more; the thread ends after what it is at."""
        for name in self._newest:
            self.forget(name)
        if self._thread is not None:
            self._questions.put(None)
            self._thread = None

    def _work(self) -> None:
        questions, newest = self._questions, self._newest
        while (question := questions.get()) is not None:
            name, number, function, arguments, then, failed = question
            if newest.get(name) != number:
                continue
            self._at_work = True
            try:
                answer = (name, number, then, function(*arguments))
            except Exception as error:
                answer = (name, number, failed or _tell, error)
            # The object may be gone by now, and the window with it.
            with contextlib.suppress(RuntimeError):
                self._answered.emit(answer)
            self._at_work = False

    def _hand_over(self, answer: tuple[str, int, Callable[[Any], None], Any]) -> None:
        name, number, then, result = answer
        if self._newest.get(name) == number:
            then(result)


def _tell(error: Exception) -> None:
    """Show what went wrong as one sentence; the whole of it goes to the log."""
    if not isinstance(error, VhdError):
        _log.error("work beside the window failed", exc_info=error)
    first = str(error).strip().split("\n")[0]
    show_error(first if isinstance(error, VhdError) else f"This could not be done: {first}")
