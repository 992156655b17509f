"""The layer on which a region to run is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Shapes
from psygnal import Signal

from napari_vhd.layers.changing import put

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from shapely.geometry.base import BaseGeometry

    from napari_vhd.layers.scene import Scene

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
        self._mode = ""

    def begin(self, scene: Scene, mode: str) -> None:
        """Let the user draw.

        Parameters
        ----------
        scene
            Of the sample.
        mode
            Of the Shapes layer, for example ``add_rectangle``.
        """
        self._mode = mode
        if self._layer is not None and self._layer in self._viewer.layers:
            self._take_up()
            return
        self.release()
        self._layer = Shapes(
            ndim=2,
            name=NAME,
            edge_color=_COLOR,
            face_color="transparent",
            edge_width=_EDGE_PX,
            **scene.frame(),
        )
        self._layer.events.data.connect(self._on_data)
        put(self._viewer.layers, self._layer, scene.tasks, self._take_up)

    def _take_up(self) -> None:
        if self._layer is not None:
            self._viewer.layers.selection.active = self._layer
            self._layer.mode = self._mode

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
