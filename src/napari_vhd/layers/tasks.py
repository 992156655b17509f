"""Slow reading beside the window, on its own threads; results nobody waits for are dropped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Timer
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

from napari_vhd.answering import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari_vhd.answering import Dispatch

# One for what a person waits for, two for what is made ready meanwhile: levels, segmentations.
_THREADS = 3


class Tasks:
    """Runs what is slow, and says what it found where layers may be touched.

    Parameters
    ----------
    dispatch
        Calls a function soon in the thread that owns the layers, from whatever thread it is asked.
        None: everything is done at once, in the calling thread.
    failed
        Called there with what was raised.
    """

    def __init__(self, dispatch: Dispatch | None, failed: Callable[[Exception], None]) -> None:
        self._dispatch, self._failed = dispatch, failed
        self._pool = None if dispatch is None else ThreadPoolExecutor(_THREADS, "napari-vhd-layers")
        self._number: dict[str, int] = {}
        self._told: dict[str, Callable[[Any], None]] = {}
        self._timers: dict[str, Timer] = {}
        self._steps: list[Generator[None, None, None]] = []
        self._closed = False

    @property
    def is_direct(self) -> bool:
        """Whether everything is done at once, in the calling thread."""
        return self._dispatch is None

    def ask(self, topic: str, function: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Call a function; `then` is given its result, unless the topic was asked about again."""
        if self._closed:
            return
        number = self.forget(topic)
        if self._pool is None or self._dispatch is None:
            then(function())
            return
        self._told[topic] = then
        hand_over = WeakMethod(self._hand_over)
        self._pool.submit(answer, topic, number, function, self._number, self._dispatch, hand_over)

    def _hand_over(self, topic: str, number: int, found: Any, error: Exception | None) -> None:
        if not self._waits(topic, number):
            return
        then = self._told.pop(topic)
        if error is None:
            then(found)
        else:
            self._failed(error)

    def forget(self, topic: str) -> int:
        """Wait no longer for what was asked about a topic."""
        number = self._number.get(topic, 0) + 1
        self._number[topic] = number
        self._told.pop(topic, None)
        return number

    def soon(self, function: Callable[[], None]) -> None:
        """Call a function where layers may be touched."""
        if self._closed:
            return
        if self._dispatch is None:
            function()
        else:
            self._dispatch(partial(self._unless_closed, function))

    def in_turns(
        self,
        topic: str,
        steps: Generator[None, None, None],
        then: Callable[[], None] = lambda: None,
    ) -> None:
        """Do what touches layers in steps, so that a window answers between them.

        Parameters
        ----------
        topic
            When it is asked about again, the steps that are left are dropped.
        steps
            Yields after each step; closed where the rest is dropped.
        then
            Called after the last.
        """
        if self._dispatch is None:
            for _ in steps:
                pass
            then()
            return
        number = self.forget(topic)

        def turn() -> None:
            self._steps.remove(steps)
            if not self._waits(topic, number):
                steps.close()
                return
            try:
                next(steps)
            except StopIteration:
                then()
            except Exception as error:
                # Whatever it is, there is somebody who can show it.
                self._failed(error)
            else:
                wait()

        def wait() -> None:
            if self._closed:
                steps.close()
                return
            self._steps.append(steps)
            self.soon(turn)

        wait()

    def later(self, topic: str, seconds: float, function: Callable[[], None]) -> None:
        """Call a function once nothing was asked about the topic for a while."""
        if self._dispatch is None:
            function()
            return
        number = self.forget(topic)
        if topic in self._timers:
            self._timers[topic].cancel()

        def call() -> None:
            if self._waits(topic, number):
                function()

        timer = Timer(seconds, lambda: self.soon(call))
        timer.daemon = True
        self._timers[topic] = timer
        timer.start()

    def close(self) -> None:
        """Wait for nothing any longer; steps that have begun are closed."""
        self._closed = True
        self._number.clear()
        self._told.clear()
        while self._steps:
            self._steps.pop().close()
        for timer in self._timers.values():
            timer.cancel()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _unless_closed(self, function: Callable[[], None]) -> None:
        if not self._closed:
            function()

    def _waits(self, topic: str, number: int) -> bool:
        return not self._closed and self._number.get(topic) == number
