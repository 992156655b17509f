"""The layer on which a region to run is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

if TYPE_CHECKING:
    from napari.layers import Shapes
    from napari.viewer import Viewer
    from shapely.geometry.base import BaseGeometry

    from napari_vhd.layers.frame import Frame

NAME = "Region to run"
_COLOR = "#FFB000"
_EDGE_PX = 6


class RegionDrawing:
    """One Shapes layer, made when drawing begins.

    Parameters
    ----------
    viewer
        Where it goes.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._layer: Shapes | None = None

    def begin(self, frame: Frame, mode: str) -> None:
        """Let the user draw.

        Parameters
        ----------
        frame
            Of the sample.
        mode
            Of the Shapes layer, for example ``add_rectangle``.
        """
        if self._layer is None or self._layer not in self._viewer.layers:
            self.release()
            self._layer = self._viewer.add_shapes(
                ndim=2,
                name=NAME,
                edge_color=_COLOR,
                face_color="transparent",
                edge_width=_EDGE_PX,
                **frame.vertices(),
            )
            self._layer.events.data.connect(self._on_data)
        self._viewer.layers.selection.active = self._layer
        self._layer.mode = mode

    def shapes(self) -> list[BaseGeometry]:
        """Give what is drawn, in full-resolution px."""
        import shapely

        if self._layer is None or self._layer not in self._viewer.layers:
            return []
        found = []
        for points in self._layer.data:
            if len(points) >= 3:
                shape = shapely.make_valid(shapely.Polygon(points[:, ::-1]))
                if shape.area > 0:
                    found.append(shape)
        return found

    def release(self) -> None:
        """Let go of the layer; it stays in the viewer."""
        if self._layer is not None:
            self._layer.events.data.disconnect(self._on_data)
            self._layer = None

    def _on_data(self, event: Any) -> None:
        action = getattr(event, "action", None)
        if str(getattr(action, "value", action)) in ("added", "changed", "removed"):
            self.changed.emit()
