"""Edit mode: chosen cells and their neighbours as a small Shapes layer of vertices to move."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .changing import lay_down, put
from .frame import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.layers import Layer, Shapes
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_vhd.corrections.outlines import Outlines

    from .tasks import Tasks

    Vertices = NDArray[np.float64]

MOST_CELLS = 300
"""napari's Shapes stay quick with so many."""
_AROUND_UM = 4.0
_TOPIC = "edit outlines"
_COLORS = {"chosen": "#FFF200", "neighbour": "#35D0FF"}
_CELL, _ROLE = "cell_id", "role"


@dataclass(frozen=True)
class _Opened:
    """One cell as it was opened: its vertices, and the same as napari holds them (float32)."""

    vertices: Vertices
    shown: NDArray[np.float32]

    def exact(self, shown: NDArray[np.float32]) -> Vertices:
        """Give vertices that napari holds, those that were not moved to the last bit."""
        known = dict(zip(map(tuple, self.shown.tolist()), self.vertices.tolist(), strict=True))
        return np.array([known.get(tuple(place), place) for place in shown.tolist()], dtype=float)


class EditLayer:
    """The layer, there for as long as one edits.

    Parameters
    ----------
    viewer
        Where to edit.
    outlines
        Cells of one segmentation.
    ids
        Cells to edit; what lies within 4 µm is opened with them, at most `MOST_CELLS` in all.
    um_per_px
        Side of a full-resolution pixel.
    tasks
        Where what is not done at once is done.

    Attributes
    ----------
    layer
        napari's Shapes, None until `open` has made it; vertices are (y, x) in full-resolution px.
    cut
        Cells of several parts or with holes, of which only the rim of the largest part is shown.
    """

    def __init__(
        self,
        viewer: Viewer,
        outlines: Outlines,
        ids: Sequence[str],
        um_per_px: float,
        tasks: Tasks,
    ) -> None:
        self.viewer, self._tasks = viewer, tasks
        self._frame = Frame(um_per_px)
        self.layer: Shapes | None = None
        self._opened: dict[str, _Opened] = {}
        rows = _with_neighbours(outlines, ids, _AROUND_UM / um_per_px)
        self._names = outlines.ids_of(rows)
        rims = [_rim(geometry) for geometry in outlines.geometries(rows)]
        self._rims = [vertices for vertices, _ in rims]
        self.cut = tuple(
            name for name, (_, whole) in zip(self._names, rims, strict=True) if not whole
        )
        chosen = set(ids)
        self._chosen = {n for n, name in enumerate(self._names) if name in chosen}

    def open(self, made: Callable[[Shapes], None]) -> None:
        """Make the layer, which takes it long for many cells, and show it.

        Parameters
        ----------
        made
            Told the layer before it is shown.
        """
        # Line width is in px of the data, and is to be two points on the screen.
        width = max(2.0 / (self.viewer.scene.camera.zoom * self._frame.um_per_px), 0.1)

        def show(layer: Shapes) -> None:
            self.layer = layer
            for name, vertices, data in zip(self._names, self._rims, layer.data, strict=True):
                self._opened[name] = _Opened(vertices, np.asarray(data)[:, -2:].copy())
            made(layer)
            put(self.viewer.layers, layer, self._tasks, self._begin)

        self._tasks.ask(_TOPIC, partial(self._make, width), show)

    def _make(self, width: float) -> Shapes:
        from napari.layers import Shapes

        roles = ["chosen" if n in self._chosen else "neighbour" for n in range(len(self._names))]
        layer = Shapes(
            self._rims,
            shape_type="polygon",
            name=_TOPIC,
            edge_width=width,
            edge_color=[_COLORS[role] for role in roles],
            face_color="transparent",
            features={_CELL: self._names, _ROLE: roles},
            **self._frame.vertices(),
        )
        # A shape that somebody draws here is no cell.
        layer.feature_defaults = {_CELL: [""], _ROLE: [""]}
        return layer

    def _begin(self) -> None:
        layer = self.layer
        if layer is not None:
            self.viewer.layers.selection.active = layer
            layer.mode = "direct"
            layer.selected_data = self._chosen

    def changed(self) -> dict[str, Vertices]:
        """Give the new rims, vertices (x, y) in full-resolution px, of cells that were changed."""
        found: dict[str, Vertices] = {}
        if self.layer is None:
            return found
        names = self.layer.features[_CELL].astype(str).tolist()
        for name, data in zip(names, self.layer.data, strict=True):
            if name not in self._opened or name in found:
                continue
            now, opened = np.asarray(data)[:, -2:], self._opened[name]
            if not np.array_equal(now, opened.shown):
                found[name] = opened.exact(now)[:, ::-1]
        return found

    def close(self, before: Layer | None) -> None:
        """Take the layer away, also one that is still being made, and choose another."""
        self._tasks.forget(_TOPIC)
        if self.layer is not None:
            lay_down(self.viewer.layers, self.layer, before, self._tasks)


def _with_neighbours(outlines: Outlines, ids: Sequence[str], around: float) -> NDArray[np.int64]:
    """Give rows of the cells, and before them those of the nearest neighbours."""
    own = outlines.rows_of(ids)
    own = own[own >= 0][:MOST_CELLS]
    boxes = outlines.bounds[own]
    near = [
        outlines.query(x0 - around, y0 - around, x1 + around, y1 + around)
        for x0, y0, x1, y1 in boxes
    ]
    others = np.setdiff1d(np.concatenate(near), own) if near else own
    room = MOST_CELLS - len(own)
    if len(others) > room:
        middle = outlines.centroids[own].mean(axis=0)
        away = np.linalg.norm(outlines.centroids[others] - middle, axis=1)
        others = others[np.argsort(away)[:room]]
    return np.concatenate([others, own])


def _rim(geometry: Any) -> tuple[Vertices, bool]:
    """Take the rim of the largest part: vertices (y, x), the first not repeated at the end.

    Also says whether that is all there is of it.
    """
    import shapely

    parts = shapely.get_parts(geometry)
    largest = max(parts, key=lambda part: part.area)
    whole = len(parts) == 1 and not largest.interiors
    return shapely.get_coordinates(largest.exterior)[:-1, ::-1].copy(), whole
