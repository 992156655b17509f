"""What a widget listens to outside Qt, and how it lets go of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

if TYPE_CHECKING:
    from collections.abc import Callable

    from psygnal import SignalInstance


class Ears:
    """Connections of one widget to psygnal signals and napari events.

    Qt cuts its own connections when a widget is destroyed; these others it does not know. The
    widget is held weakly, so that listening never keeps it alive.
    """

    def __init__(self) -> None:
        self._heard: list[tuple[Any, WeakMethod[Callable[..., Any]]]] = []

    def listen(
        self, signal: SignalInstance | Any, slot: Callable[..., Any], thread: bool = False
    ) -> None:
        """Call a bound method at each signal.

        Parameters
        ----------
        signal
            A psygnal signal or a napari event.
        slot
            A method of the widget.
        thread
            The signal may come from another thread than the GUI's (all of a Session's do).
        """
        if thread:
            signal.connect(slot, thread="main")
        else:
            signal.connect(slot)
        self._heard.append((signal, WeakMethod(slot)))

    def let_go(self, *_ignored: Any) -> None:
        """Hear nothing any more."""
        for signal, weak in self._heard:
            slot = weak()
            if slot is not None:
                signal.disconnect(slot)
        self._heard.clear()
