"""A proposal of other outlines, shown over the cells as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .changing import put, take
from .frame import Frame
from .rings import ring_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.layers import Shapes
    from napari.viewer import Viewer

    from napari_vhd.corrections.refine import Proposal

    from .tasks import Tasks

OLD_COLOR, NEW_COLOR = "#FFF200", "#FF2BD6"
_LINE = 2.0  # screen pixels


class ProposalLayer:
    """Two Shapes layers: outlines that would go, and those that would come.

    Parameters
    ----------
    viewer
        Where they are shown.
    proposal
        What is proposed; outlines in full-resolution px.
    um_per_px
        Side of a full-resolution pixel.
    tasks
        Where what is not done at once is done.

    Attributes
    ----------
    old, new
        napari's.
    """

    def __init__(self, viewer: Viewer, proposal: Proposal, um_per_px: float, tasks: Tasks) -> None:
        self._layers, self._tasks = viewer.layers, tasks
        frame = Frame(um_per_px)
        width = max(_LINE / (viewer.scene.camera.zoom * um_per_px), 0.1)
        come = [shape for shape in proposal.outlines.values() if shape is not None]
        self.old = _shapes("outlines now", proposal.before.values(), OLD_COLOR, width, frame)
        self.new = _shapes("outlines proposed", [*come, *proposal.made], NEW_COLOR, width, frame)
        for layer in (self.old, self.new):
            put(self._layers, layer, tasks)

    def close(self) -> None:
        """Take the layers away."""
        for layer in (self.old, self.new):
            take(self._layers, layer, self._tasks)


def _shapes(name: str, geometries: Iterable[Any], color: str, width: float, frame: Frame) -> Shapes:
    import shapely
    from napari.layers import Shapes

    parts = shapely.get_parts(np.array(list(geometries), dtype=object))
    return Shapes(
        [ring_of(part) for part in parts] or None,
        ndim=2,
        shape_type="polygon",
        name=name,
        edge_width=width,
        edge_color=color,
        face_color="transparent",
        **frame.vertices(),
    )
