"""Who in napari's window listens to a viewer: it has no public way to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def listeners(emitter: Any) -> Iterator[tuple[Any, str]]:
    """Give each object whose method is called when something is emitted, and the method's name.

    Parameters
    ----------
    emitter
        One of napari's events.
    """
    for callback in emitter.callbacks:
        # A method is kept as its object, weakly, and its name.
        if isinstance(callback, tuple) and (owner := callback[0]()) is not None:
            yield owner, callback[1]
