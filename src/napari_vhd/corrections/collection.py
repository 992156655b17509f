"""What Python's garbage collector is told of a sample: hundred thousands of objects, none garbage.

Each outline and each entry is an object that the collector would look at again and again: it then
stops the program for a tenth of a second or more, in the midst of a correction. So what is there
when a sample has been read is set aside until the sample is closed or read anew. What no longer has
a reference is freed at once all the same; only rings of references wait.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Aside:
    """Whether something is set aside: Python would count it one by one to tell."""

    is_any = False


@contextmanager
def no_collection() -> Iterator[None]:
    """Let Python not look for garbage while a sample is read, or shown for the first time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextmanager
def set_aside() -> Iterator[None]:
    """Read what stays; from then on the collector passes over all that is there.

    What has become garbage since the last time is looked for first: it would stay, too. The first
    time that is left out, when everything that was ever imported would be looked through.
    """
    if _Aside.is_any:
        gc.collect()
    with all_stays():
        yield


@contextmanager
def all_stays() -> Iterator[None]:
    """Read or import what stays, as `set_aside`, and look for nothing before."""
    with no_collection():
        yield
        gc.freeze()
        _Aside.is_any = True


def pass_over() -> None:
    """Set aside what has come since, too, where something is set aside; takes no time.

    Garbage among it stays until `look_through`.
    """
    if _Aside.is_any:
        gc.freeze()


def take_back() -> None:
    """Have the collector look at everything again."""
    gc.unfreeze()
    _Aside.is_any = False


def look_through() -> None:
    """Find what has become garbage among what is set aside; takes a quarter of a second."""
    if _Aside.is_any:
        gc.unfreeze()
        gc.collect()
        gc.freeze()
