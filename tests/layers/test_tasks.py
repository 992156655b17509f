"""What is read beside the window: handed over there, dropped when nobody waits for it."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from napari_vhd.layers.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class Window:
    """A thread that does what is handed to it when asked."""

    def __init__(self) -> None:
        self.waiting: queue.Queue[Callable[[], None]] = queue.Queue()
        self.errors: list[Exception] = []
        self.tasks = Tasks(self.waiting.put, self.errors.append)

    def turn(self, seconds: float = 5.0) -> None:
        self.waiting.get(timeout=seconds)()


def test_without_a_window_all_is_done_at_once() -> None:
    found: list[int] = []
    tasks = Tasks(None, lambda error: None)
    tasks.ask("a", lambda: 1, found.append)
    tasks.later("b", 10.0, lambda: found.append(2))
    assert found == [1, 2]
    assert tasks.is_direct


def test_results_come_in_the_thread_of_the_window() -> None:
    window, here = Window(), threading.get_ident()
    found: list[tuple[int, int]] = []
    window.tasks.ask("a", threading.get_ident, lambda there: found.append((there, here)))
    window.turn()
    assert found[0][0] != here
    window.tasks.close()


def test_late_results_are_dropped() -> None:
    window = Window()
    found: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        go_on.wait(5)
        return "slow"

    window.tasks.ask("a", slow, found.append)
    begun.wait(5)
    window.tasks.ask("a", lambda: "quick", found.append)
    window.tasks.ask("other", lambda: "other", found.append)
    go_on.set()
    for _ in range(3):
        window.turn()
    assert found == ["quick", "other"]
    window.tasks.close()


class Told:
    """Notes in which thread it is deleted."""

    def __init__(self, gone: list[int]) -> None:
        self._gone = gone

    def __del__(self) -> None:
        self._gone.append(threading.get_ident())

    def show(self, found: object) -> None:
        raise AssertionError


def test_no_thread_is_the_last_to_know_whom_an_answer_is_for() -> None:
    window, gone = Window(), list[int]()
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        go_on.wait(5)

    window.tasks.ask("a", slow, Told(gone).show)
    begun.wait(5)
    assert gone == []
    window.tasks.forget("a")
    assert gone == [threading.get_ident()]
    go_on.set()
    window.turn()
    window.tasks.close()


def test_errors_are_told_in_the_window() -> None:
    window = Window()

    def fails() -> None:
        raise ValueError("broken")

    window.tasks.ask("a", fails, lambda _: None)
    window.turn()
    assert str(window.errors[0]) == "broken"
    window.tasks.close()


def test_what_is_asked_for_again_and_again_is_done_once_at_rest() -> None:
    window = Window()
    calls: list[int] = []
    for number in range(5):
        window.tasks.later("rest", 0.05, lambda number=number: calls.append(number))
    window.turn()
    assert calls == [4]
    assert window.waiting.empty()
    window.tasks.later("rest", 0.01, lambda: calls.append(9))
    window.tasks.close()
    assert calls == [4]


def test_steps_that_have_begun_are_closed_when_nobody_waits_any_more() -> None:
    window = Window()
    closed: list[str] = []
    ended: list[str] = []

    def steps(name: str, end: Callable[[], None]) -> Generator[None, None, None]:
        try:
            while True:
                yield
                end()
        finally:
            closed.append(name)

    for name, end in (("waits", list), ("ends it", window.tasks.close), ("not begun", list)):
        window.tasks.in_turns(name, steps(name, end), lambda: ended.append("went on to its end"))
    for _ in range(2):
        window.turn()
    assert not closed
    while not window.waiting.empty():
        window.turn()
    assert sorted(closed) == ["ends it", "not begun", "waits"]
    assert not ended
    assert not window.errors
