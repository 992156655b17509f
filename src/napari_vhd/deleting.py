"""Deleting what takes long, half a million ids or a GB of pixels, beside the window."""

from __future__ import annotations

from threading import Timer
from typing import Any
from weakref import finalize

# So many cells take a window longer than it may.
_MANY = 50_000
# Until then the owner has been deleted itself, and is not the last who holds the rest.
_GONE_S = 1.0


def delete_beside(owner: object, cells: int, *held: Any) -> None:
    """Have what an object holds deleted by a thread, once the object is deleted.

    Parameters
    ----------
    owner
        Any that can be referred to weakly.
    cells
        Of how many cells it is; of few, nothing is done.
    held
        What only the owner holds besides; nothing of Qt.
    """
    if cells > _MANY:
        finalize(owner, _delete_soon, list(held)).atexit = False


def _delete_soon(held: list[Any]) -> None:
    def delete() -> None:
        while held:
            held.pop()

    timer = Timer(_GONE_S, delete)
    timer.daemon = True
    timer.start()
