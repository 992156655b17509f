"""Who in napari's window listens to a viewer: it has no public way to them."""

from __future__ import annotations

from typing import Any


def listeners(emitter: Any) -> list[tuple[Any, str]]:
    """Give each object whose method is called when something is emitted, and the method's name.

    Parameters
    ----------
    emitter
        One of napari's events.
    """
    # A method is kept as its object, weakly, and its name.
    methods = [callback for callback in emitter.callbacks if isinstance(callback, tuple)]
    return [(owner, name) for kept, name in methods if (owner := kept()) is not None]
