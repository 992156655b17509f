"""Work beside the window: a question goes out, the newest answer comes back.

A function runs in a thread of its own; what it gives is handed over on the GUI thread. Answers to a
question that was asked again meanwhile are dropped, and so are those that come after `close`, or
when the widget is gone whose method would be given them.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod, finalize

from napari.utils.notifications import show_error
from qtpy.compat import isalive
from qtpy.QtCore import QObject

from napari_vhd.answering import answer
from napari_vhd.exceptions import VhdError

from .dispatch import dispatcher

if TYPE_CHECKING:
    from collections.abc import Callable

    Then = Callable[[Any], None]
    Failed = Callable[[Exception], None]

_log = logging.getLogger(__name__)


class Background:
    """One thread, started when first needed; make it on the GUI thread.

    Whom to tell is remembered here, not by the thread: a widget whose last reference a thread lets
    go of would be deleted in that thread, and the process would end with it.
    """

    def __init__(self) -> None:
        self._dispatch = dispatcher()
        self._numbers = itertools.count(1)
        self._pending: set[int] = set()
        self._newest: dict[str, int] = {}
        self._told: dict[str, tuple[Then, Failed]] = {}
        self._questions: queue.SimpleQueue[Any] | None = None

    def ask(
        self,
        name: str,
        function: Callable[..., Any],
        *arguments: Any,
        then: Then,
        failed: Failed | None = None,
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
        number = next(self._numbers)
        self._newest[name] = number
        self._told[name] = (then, failed or _tell)
        self._pending.add(number)
        if self._questions is None:
            self._start()
        self._questions.put((name, number, partial(function, *arguments)))

    def forget(self, name: str) -> None:
        """Make all questions of a name void."""
        self._newest.pop(name, None)
        self._told.pop(name, None)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being worked on or waits, and all answers were handed over."""
        return not self._pending

    def close(self) -> None:
        """Hand nothing over any more; the thread ends after what it is at."""
        self._newest.clear()
        self._told.clear()
        self._pending.clear()
        if self._questions is not None:
            self._questions.put(None)
            self._questions = None

    def _start(self) -> None:
        self._questions = queue.SimpleQueue()
        hand_over = WeakMethod(self._hand_over)
        threading.Thread(
            target=_work,
            args=(self._questions, self._newest, self._dispatch, hand_over),
            name="background",
            daemon=True,
        ).start()
        finalize(self, self._questions.put, None).atexit = False

    def _hand_over(self, name: str, number: int, result: Any, error: Exception | None) -> None:
        self._pending.discard(number)
        if self._newest.get(name) != number:
            return
        then, failed = self._told.pop(name)
        asker = getattr(then, "__self__", None)
        if isinstance(asker, QObject) and not isalive(asker):
            return
        if error is None:
            then(result)
        else:
            failed(error)


def _work(questions: queue.SimpleQueue[Any], *answering: Any) -> None:
    """Answer questions until there is None; knows nothing of the window."""
    while (question := questions.get()) is not None:
        answer(*question, *answering)
        del question


def _tell(error: Exception) -> None:
    """Show what went wrong as one sentence; the whole of it goes to the log."""
    if not isinstance(error, VhdError):
        _log.error("work beside the window failed", exc_info=error)
    first = str(error).strip().split("\n")[0]
    show_error(first if isinstance(error, VhdError) else f"This could not be done: {first}")
