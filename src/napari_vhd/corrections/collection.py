"""What Python's garbage collector is told of a sample: hundred thousands of objects, none garbage.

Each outline and each entry is an object that the collector would look at again and again: it then
stops the program for a tenth of a second or more, in the midst of a correction. So what is there
when a sample has been read is set aside until the sample is closed. What no longer has a reference
is freed at once all the same; only rings of references wait for the closing.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def no_collection() -> Iterator[None]:
    """Let Python not look for garbage while a sample is read."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def set_aside() -> None:
    """Have the collector pass over all that is there; costs microseconds."""
    gc.freeze()


def take_back() -> None:
    """Have the collector look at everything again."""
    gc.unfreeze()
