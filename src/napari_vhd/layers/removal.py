"""Taking layers out of a viewer without making a person wait."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_CANVAS = "napari._vispy.canvas"


class _Later:
    """Stands in for `gc` where napari takes layers out: Python finds them in its own time."""

    @staticmethod
    def collect() -> int:
        """Look for nothing."""
        return 0


@contextmanager
def quickly(layers: Any) -> Iterator[None]:
    """Remove layers inside; the canvas is put in order once, at the end.

    napari looks through every object of the process for garbage whenever a layer goes (0.25 s in a
    session that has imported what we need), to be sure that some Windows drivers are rid of it. A
    lasso ends with such a removal. Elsewhere that search is spared. To hide all objects from it by
    `gc.freeze`, and then take them back, would undo `napari_vhd.corrections.collection`.

    Parameters
    ----------
    layers
        The viewer's list.
    """
    canvas = None if sys.platform == "win32" else sys.modules.get(_CANVAS)
    own = getattr(canvas, "gc", None)
    if own is not None:
        canvas.gc = _Later  # type: ignore[union-attr]
    try:
        with layers.batched_update():
            yield
    finally:
        if own is not None:
            canvas.gc = own  # type: ignore[union-attr]


def remove(layers: Any, layer: Any) -> None:
    """Take a layer out, if it is still there."""
    if layer in layers:
        with quickly(layers):
            layers.remove(layer)
