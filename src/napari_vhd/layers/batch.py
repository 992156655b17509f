"""Changes of a viewer's layers after which what is drawn is put in order once, not each time."""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from napari.layers import Layer

_CANVAS = "napari._vispy.canvas"


class _Later:
    """Stands in for `gc` where napari takes layers out: Python finds them in its own time."""

    @staticmethod
    def collect() -> int:
        """Look for nothing."""
        return 0


@contextmanager
def quickly(layers: Any) -> Iterator[None]:
    """Remove, show or hide layers inside; the canvas is put in order once, at the end.

    At that end napari looks through every object of the process for garbage (0.25 s in a session
    that has imported what we need), to be sure that some Windows drivers are rid of a layer that
    is gone. Elsewhere that search is spared.

    Parameters
    ----------
    layers
        The viewer's list.
    """
    canvas = None if sys.platform == "win32" else sys.modules.get(_CANVAS)
    own = getattr(canvas, "gc", None)
    if own is _Later:
        # Within another: that one puts the canvas in order.
        yield
        return
    if own is not None:
        canvas.gc = _Later  # type: ignore[union-attr]
    try:
        with layers.batched_update():
            yield
    finally:
        if own is not None:
            canvas.gc = own  # type: ignore[union-attr]


def show(layers: Any, wanted: Iterable[tuple[Layer, bool]]) -> None:
    """Show some layers and hide others; where all is so already, nothing is drawn anew.

    Parameters
    ----------
    layers
        The viewer's list.
    wanted
        Layers and whether each is to be seen.
    """
    changed = [(layer, seen) for layer, seen in wanted if layer.visible != seen]
    with quickly(layers) if len(changed) > 1 else nullcontext():
        for layer, seen in changed:
            layer.visible = seen
