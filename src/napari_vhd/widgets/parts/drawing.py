"""The layer on which a region to run is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

from .frame import Frame, frame_of, is_sample, rgb_layers

if TYPE_CHECKING:
    from napari.layers import Shapes
    from napari.viewer import Viewer
    from shapely.geometry.base import BaseGeometry

NAME = "Region to run"
_COLOR = "#FFB000"


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
        self._frame: Frame | None = None

    def sample_frame(self, scene: Any) -> Frame | None:
        """Find the frame of the sample's picture."""
        if scene is None:
            return None
        session = scene.session
        for layer in rgb_layers(self._viewer):
            if is_sample(layer, session.sample_id):
                pyramid = session.source.image() if hasattr(session, "source") else None
                return frame_of(layer, (0, 0) if pyramid is None else pyramid.origin)
        return None

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
            self._frame = frame
            self._layer = self._viewer.add_shapes(
                ndim=2,
                name=NAME,
                edge_color=_COLOR,
                face_color="transparent",
                edge_width=6,
                **frame.of_px(),
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
