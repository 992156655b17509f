"""Outlines as real napari Shapes: a region whole, of a larger sample the cells in view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys

from .rings import ring_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari.layers import Shapes
    from numpy.typing import NDArray

    from napari_vhd.corrections.outlines import Outlines

    from .frame import Frame

    Rows = NDArray[np.int64]

WHOLE = 15_000
"""So many cells are shown at once; of more, those in view."""
IN_VIEW = 1_000
"""Cells in view that are shown; with more in view there are only the outlines of the raster."""
PARTS = "parts"
"""Feature: number of parts of the cell; of several, the largest is drawn."""


def rings_of(outlines: Outlines, rows: Rows) -> tuple[list[NDArray[np.float64]], list[int]]:
    """Give the ring (see `rings`) of each row's largest part, and its number of parts."""
    import shapely

    rings, parts = [], []
    for geometry in outlines.geometries(rows):
        several = shapely.get_parts(geometry)
        largest = several[int(np.argmax(shapely.area(several)))]
        rings.append(ring_of(largest))
        parts.append(len(several))
    return rings, parts


class BoundariesLayer:
    """A segmentation as Shapes.

    Parameters
    ----------
    outlines
        Live.
    columns
        Reads further columns by row, for the features.
    frame
        Of the sample.
    name, color, metadata
        Of the layer.

    Attributes
    ----------
    layer
        napari's.
    rows
        Row of each shape.
    too_many
        Whether there are more cells in view than are shown.
    """

    def __init__(
        self,
        outlines: Outlines,
        columns: Callable[[], Mapping[str, NDArray[np.float32]]],
        frame: Frame,
        name: str,
        color: str,
        metadata: dict[str, Any],
    ) -> None:
        from napari.layers import Shapes as ShapesLayer

        self._outlines, self._columns, self._frame = outlines, columns, frame
        self.rows: Rows = np.empty(0, dtype=np.int64)
        self.too_many = False
        self.color = color
        self._revision = -1
        self.layer: Shapes = ShapesLayer(
            ndim=2,
            name=name,
            edge_color=color,
            face_color="transparent",
            edge_width=self._edge_width(),
            visible=False,
            metadata=metadata,
            **frame.vertices(),
        )
        self._lock()

    @property
    def whole(self) -> bool:
        """Whether all cells are shown at once."""
        return int(self._outlines.alive.sum()) <= WHOLE

    def show(self, view: tuple[float, float, float, float]) -> bool:
        """Show the cells for a view; False where they are shown already.

        Parameters
        ----------
        view
            xmin, ymin, xmax, ymax, full-resolution px.
        """
        rows = np.flatnonzero(self._outlines.alive) if self.whole else self._outlines.query(*view)
        self.too_many = not self.whole and len(rows) > IN_VIEW
        if self.too_many:
            rows = rows[:0]
        if self._revision == self._outlines.revision and np.array_equal(rows, self.rows):
            return False
        self._put(rows)
        return True

    def set_color(self, color: str) -> None:
        """Draw in another colour."""
        self.color = color
        self.layer.current_edge_color = color
        if len(self.rows):
            self.layer.edge_color = color

    def _put(self, rows: Rows) -> None:
        import pandas as pd

        rings, parts = rings_of(self._outlines, rows)
        self.rows, self._revision = rows, self._outlines.revision
        # With its data, a Shapes layer forgets the features of those before.
        self.layer.data = []
        self.layer.features = pd.DataFrame()
        if len(rows):
            self.layer.add(
                rings,
                shape_type="polygon",
                edge_width=self._edge_width(),
                edge_color=self.color,
                face_color="transparent",
            )
        features: dict[str, Any] = {"id": self._outlines.ids_of(rows), PARTS: parts}
        area = self._outlines.areas[rows] * self._frame.um_per_px**2
        features[keys.AREA_UM2] = area.astype(np.float32)
        for name, values in self._columns().items():
            column = np.full(len(rows), np.nan, dtype=np.float32)
            known = rows < len(values)
            column[known] = values[rows[known]]
            features[name] = column
        self.layer.features = pd.DataFrame(features)
        # By these napari-spatialdata knows which shape is which cell.
        self.layer.metadata.update({"indices": features["id"], "_n_indices": len(rows)})
        self._lock()

    def _lock(self) -> None:
        """Keep hands off: a correction is made in the edit layer, where it is kept."""
        # napari makes a layer editable again whenever it is given data.
        self.layer.editable = False

    def _edge_width(self) -> float:
        # In data units, px: about as wide as the outlines are drawn at full resolution.
        return 1.0
