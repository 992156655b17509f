"""Corrections are written beside the window, one after the other, as they were asked for."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from psygnal import Signal

from napari_vhd.exceptions import VhdError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

# How long closing waits for what is under way; a write takes milliseconds.
_CLOSE_S = 10.0


@dataclass(frozen=True)
class _Answer:
    """What a verb gave, on its way to the GUI thread."""

    result: Any
    error: Exception | None
    then: Callable[[Any], None] | None
    refused: Callable[[VhdError], None] | None


class Corrector:
    """Calls the verbs of a Session on one thread of its own.

    Parameters
    ----------
    scene
        Whose `failed` is told of what is refused while nobody listens to `refused`.

    Attributes
    ----------
    busy_changed
        Whether something waits or is being written. Emitted on whichever thread it became so:
        connect with ``thread="main"``.
    refused
        The error of a verb that was refused, on the GUI thread; the sample is as it was before.
    """

    busy_changed = Signal(bool)
    refused = Signal(object)
    _answered = Signal(object)

    def __init__(self, scene: Any) -> None:
        self._scene = ref(scene)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="corrections")
        self._lock = Lock()
        self._waiting = 0
        self._last: Future[None] | None = None
        self._answered.connect(self._hand_over, thread="main")

    @property
    def is_busy(self) -> bool:
        """Whether something waits or is being written."""
        return self._waiting > 0

    def do(
        self,
        verb: Callable[..., Any],
        *arguments: Any,
        then: Callable[[Any], None] | None = None,
        refused: Callable[[VhdError], None] | None = None,
        **named: Any,
    ) -> None:
        """Call a verb; returns at once.

        Parameters
        ----------
        verb, arguments, named
            A method of a Session, or a function that calls some, and what it is given. Must not
            touch napari.
        then
            Given the result, on the GUI thread.
        refused
            Given the error of a user, on the GUI thread, before the signal of that name.
        """
        self._count(1)
        self._last = self._thread.submit(self._work, verb, arguments, named, then, refused)

    def close(self) -> None:
        """Let everything that was asked for be written, then end the thread."""
        self._answered.disconnect()
        if self._last is not None:
            with contextlib.suppress(TimeoutError):
                self._last.result(_CLOSE_S)
        self._thread.shutdown(wait=False)

    def _work(
        self,
        verb: Callable[..., Any],
        arguments: tuple[Any, ...],
        named: dict[str, Any],
        then: Callable[[Any], None] | None,
        refused: Callable[[VhdError], None] | None,
    ) -> None:
        try:
            answer = _Answer(verb(*arguments, **named), None, then, refused)
        except Exception as error:
            answer = _Answer(None, error, then, refused)
        self._answered.emit(answer)
        self._count(-1)

    def _count(self, step: int) -> None:
        with self._lock:
            self._waiting += step
            changed = self._waiting == (1 if step > 0 else 0)
        if changed:
            self.busy_changed.emit(step > 0)

    def _hand_over(self, answer: _Answer) -> None:
        if isinstance(answer.error, VhdError):
            if answer.refused is not None:
                answer.refused(answer.error)
            scene = self._scene()
            if len(self.refused) or scene is None:
                self.refused.emit(answer.error)
            else:
                scene.failed.emit(answer.error)
        elif answer.error is not None:
            raise answer.error
        elif answer.then is not None:
            answer.then(answer.result)


# One a Scene: whoever corrects the same sample waits in the same line.
_KNOWN: WeakKeyDictionary[Any, Corrector] = WeakKeyDictionary()


def corrector_of(scene: Any) -> Corrector:
    """Give the one `Corrector` of a Scene, made when first asked for."""
    if scene not in _KNOWN:
        _KNOWN[scene] = Corrector(scene)
    return _KNOWN[scene]


def close_corrector(scene: Any) -> None:
    """Let what is under way be written, and forget the Scene's `Corrector`."""
    corrector = _KNOWN.pop(scene, None)
    if corrector is not None:
        corrector.close()
