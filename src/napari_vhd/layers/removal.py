"""Taking layers out of a viewer without making a person wait."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def quickly(layers: Any) -> Iterator[None]:
    """Remove layers inside; the canvas is put in order once, at the end.

    napari looks through every object of the process for garbage whenever a layer goes (0.25 s in a
    session that has imported what we need), to be sure that some Windows drivers are rid of it. A
    lasso ends with such a removal. Elsewhere that search is spared: what there is is set aside
    while layers go, and is found by Python's own collector later.

    Parameters
    ----------
    layers
        The viewer's list.
    """
    spared = sys.platform != "win32"
    if spared:
        gc.freeze()
    try:
        with layers.batched_update():
            yield
    finally:
        if spared:
            gc.unfreeze()


def remove(layers: Any, layer: Any) -> None:
    """Take a layer out, if it is still there."""
    if layer in layers:
        with quickly(layers):
            layers.remove(layer)
