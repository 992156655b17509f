"""How a thread beside the window answers a question of the thread that asked."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from weakref import WeakMethod

    Dispatch = Callable[[Callable[[], None]], None]


def answer(
    topic: str,
    number: int,
    function: Callable[[], Any],
    newest: Mapping[str, int],
    dispatch: Dispatch,
    hand_over: WeakMethod[Callable[..., None]],
) -> None:
    """Answer one question beside the window, in a thread that keeps nothing of the window alive.

    What a thread is the last to let go of is deleted in that thread, and where that is a part of
    Qt the process may end: so whom to tell is remembered by who asked, and not here.

    Parameters
    ----------
    topic, number
        What is asked about, and which of the questions about it this is.
    function
        Finds the answer; not called where the question was asked again meanwhile.
    newest
        The number of the newest question about each topic.
    dispatch
        Calls a function soon in the thread that asked.
    hand_over
        Called there with topic, number, result and what was raised, if who asked is still there.
    """
    result = error = None
    if newest.get(topic) == number:
        try:
            result = function()
        except Exception as raised:
            # Whatever it is, the thread that asked is where it can be shown.
            error = raised
    dispatch(partial(_deliver, hand_over, topic, number, result, error))
    del function, result, error


def _deliver(hand_over: WeakMethod[Callable[..., None]], *found: Any) -> None:
    if (told := hand_over()) is not None:
        told(*found)
