"""Edit mode: chosen cells and their neighbours as a small Shapes layer of vertices to move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .changing import put, take
from .frame import Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Shapes
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_vhd.corrections.outlines import Outlines

    from .tasks import Tasks

    Vertices = NDArray[np.float64]

MOST_CELLS = 300
"""napari's Shapes stay quick with so many."""
_AROUND_UM = 4.0
_CHOSEN, _NEIGHBOUR = "#FFF200", "#35D0FF"
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
        napari's Shapes; vertices are (y, x) in full-resolution px.
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
        from napari.layers import Shapes

        self.viewer, self._tasks = viewer, tasks
        self._opened: dict[str, _Opened] = {}
        rows = _with_neighbours(outlines, ids, _AROUND_UM / um_per_px)
        names = outlines.ids_of(rows)
        rims = [_rim(geometry) for geometry in outlines.geometries(rows)]
        self.cut = tuple(name for name, (_, whole) in zip(names, rims, strict=True) if not whole)
        chosen = set(ids)
        # Line width is in px of the data, and is to be two points on the screen.
        width = max(2.0 / (viewer.scene.camera.zoom * um_per_px), 0.1)
        self.layer: Shapes = Shapes(
            [vertices for vertices, _ in rims],
            shape_type="polygon",
            name="edit outlines",
            edge_width=width,
            edge_color=[_CHOSEN if name in chosen else _NEIGHBOUR for name in names],
            face_color="transparent",
            features={
                _CELL: names,
                _ROLE: ["chosen" if name in chosen else "neighbour" for name in names],
            },
            **Frame(um_per_px).vertices(),
        )
        for name, (vertices, _), data in zip(names, rims, self.layer.data, strict=True):
            self._opened[name] = _Opened(vertices, np.asarray(data)[:, -2:].copy())
        # A shape that somebody draws here is no cell.
        self.layer.feature_defaults = {_CELL: [""], _ROLE: [""]}
        self._chosen = {n for n, name in enumerate(names) if name in chosen}
        put(viewer.layers, self.layer, tasks, self._begin)

    def _begin(self) -> None:
        self.viewer.layers.selection.active = self.layer
        self.layer.mode = "direct"
        self.layer.selected_data = self._chosen

    def changed(self) -> dict[str, Vertices]:
        """Give the new rims, vertices (x, y) in full-resolution px, of cells that were changed."""
        found: dict[str, Vertices] = {}
        names = self.layer.features[_CELL].astype(str).tolist()
        for name, data in zip(names, self.layer.data, strict=True):
            if name not in self._opened or name in found:
                continue
            now, opened = np.asarray(data)[:, -2:], self._opened[name]
            if not np.array_equal(now, opened.shown):
                found[name] = opened.exact(now)[:, ::-1]
        return found

    def close(self) -> None:
        """Take the layer away."""
        take(self.viewer.layers, self.layer, self._tasks)


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
