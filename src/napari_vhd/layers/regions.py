"""Regions of interest as Shapes: drawn, named, coloured, hidden and put in order.

What a person does to the layer goes to the session; the layer shows what the session says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .rings import moved_together, polygon_of, ring_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from geopandas import GeoDataFrame
    from napari.layers import Shapes

    from .frame import Frame

NAME = "regions"
_FACE_ALPHA = "20"
# Screen px. napari's edges are as wide as they are on the slide: far off they would not be seen.
_EDGE = 2.5
_ALIKE = 1.2


class RegionsLayer:
    """The Shapes layer of a sample's regions.

    Parameters
    ----------
    frame
        Of the sample.
    name
        Of the layer.
    drawn
        Called with a polygon (full-resolution px) after one was drawn.
    changed
        Called with a region's name and its new polygon after its vertices were moved.
    removed
        Called with the names of regions that were deleted.

    Attributes
    ----------
    layer
        napari's.
    names
        Region of each shape.
    """

    def __init__(
        self,
        frame: Frame,
        name: str,
        drawn: Callable[[Any], None],
        changed: Callable[[str, Any], None],
        removed: Callable[[tuple[str, ...]], None],
    ) -> None:
        from napari.layers import Shapes as ShapesLayer

        self._drawn, self._changed, self._removed = drawn, changed, removed
        self.names: list[str] = []
        # Of each shape, as it was shown.
        self._rings: list[Any] = []
        self._width = 4.0
        self._writing = False
        self.layer: Shapes = ShapesLayer(
            ndim=2,
            name=name,
            edge_color="#FFD400",
            face_color="#FFD400" + _FACE_ALPHA,
            edge_width=self._width,
            opacity=1.0,  # else names are as pale as what they stand on
            **frame.vertices(),
        )
        self.layer.events.data.connect(self._on_data)

    def show(self, regions: GeoDataFrame) -> None:
        """Show regions: index name; columns color, visible, order; geometry in px."""
        import pandas as pd
        import shapely

        shown = regions[regions["visible"].astype(bool)].sort_values("order")
        rings, names, colors = [], [], []
        for row in shown.itertuples():
            for part in shapely.get_parts(row.geometry):
                rings.append(ring_of(part))
                names.append(str(row.Index))
                colors.append(str(row.color))
        self._writing = True
        try:
            # Names of shapes that go cannot be drawn.
            self.layer.text = {"string": {"constant": ""}}
            self.layer.data = []
            self.layer.features = pd.DataFrame()
            if rings:
                self.layer.add(
                    rings,
                    shape_type="polygon",
                    edge_width=self._width,
                    edge_color=colors,
                    face_color=[color + _FACE_ALPHA for color in colors],
                )
            self.names, self._rings = names, rings
            self.layer.features = pd.DataFrame({"region": names})
            if names:
                # Over tissue, wherever the region lies: napari's background is black or white.
                self.layer.text = {
                    "string": "{region}",
                    "size": 14,
                    "color": "black",
                    "anchor": "center",
                }
        finally:
            self._writing = False

    def fits(self, zoom: float) -> bool:
        """Say whether edges are about as wide on the screen as ever, at a zoom (see `fit`)."""
        width = _EDGE / max(zoom, 1e-6)
        return max(width, self._width) <= _ALIKE * min(width, self._width)

    def fit(self, zoom: float) -> None:
        """Draw edges as wide on the screen as ever, at a zoom (screen px for a px of the slide)."""
        if self.fits(zoom):
            return
        self._width = _EDGE / max(zoom, 1e-6)
        if self.names:
            self.layer.edge_width = self._width
        self.layer.current_edge_width = self._width

    def _on_data(self, event: Any) -> None:
        if self._writing:
            return
        action = str(getattr(event.action, "value", event.action))
        if action == "added" and self.layer.nshapes > len(self.names):
            self._drawn(polygon_of(self.layer.data[-1]))
        elif action == "changed":
            for index in sorted(set(event.data_indices)):
                if 0 <= index < len(self.names):
                    self._changed(self.names[index], self._polygon_of(self.names[index]))
        elif action == "removed":
            gone = {self.names[index] for index in event.data_indices if index < len(self.names)}
            self._removed(tuple(sorted(gone)))

    def _polygon_of(self, name: str) -> Any:
        import shapely

        # One that is not valid is refused, in a sentence, where it would be kept.
        parts = [
            polygon_of(moved_together(before, np.asarray(ring)[:, -2:]))
            for own, ring, before in zip(self.names, self.layer.data, self._rings, strict=False)
            if own == name
        ]
        return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
