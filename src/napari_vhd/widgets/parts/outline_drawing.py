"""Drawing one outline on the sample: rectangle, polygon or lasso; or a line across it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import shapely
from napari.layers import Shapes
from qtpy.QtCore import QObject, QTimer, Signal

from napari_vhd.layers.changing import lay_down, put

from .ears import Ears

if TYPE_CHECKING:
    from napari_vhd.layers.scene import Scene

LINE = "line"
MODES = {
    "rectangle": "add_rectangle",
    "polygon": "add_polygon",
    "lasso": "add_polygon_lasso",
    LINE: "add_path",
}
HOW = {
    "rectangle": "Drag a rectangle; Esc leaves.",
    "polygon": "Click the corners, double-click the last one; Esc leaves.",
    "lasso": "Drag around what you want; Esc leaves.",
    LINE: "Drag a line across; Esc leaves.",
}
AREAS = ("rectangle", "polygon", "lasso")
"""Those that give an area."""
_COLOR = "#FFD400"
_LINE = 2.0  # screen pixels


class OutlineDrawing(QObject):
    """Lets a person draw one outline, on a layer that is there for just as long.

    Attributes
    ----------
    drawn
        The outline: a shapely polygon in full-resolution px; of a line, a LineString.
    ended
        Drawing is over, whether something was drawn or not.
    """

    drawn = Signal(object)
    ended = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._scene: Scene | None = None
        self._layer: Shapes | None = None
        self._is_line = False
        self._wanted = ""
        self._before: Any = None
        self._ears = Ears()
        self.destroyed.connect(self._ears.let_go)

    @property
    def layer(self) -> Shapes | None:
        """The layer that is drawn on, None while nobody draws."""
        return self._layer

    def start(self, scene: Scene, how: str) -> None:
        """Ask for one outline.

        Parameters
        ----------
        scene
            Where to draw.
        how
            One of `MODES`.
        """
        began = self._layer is not None
        self.cancel()
        self._wanted = how
        if began:
            # To lay the other down is as much as the window does in one turn.
            scene.tasks.soon(partial(self._start, scene, how))
        else:
            self._start(scene, how)

    def _start(self, scene: Scene, how: str) -> None:
        if self._wanted != how or self._layer is not None:
            return
        viewer, place = scene.viewer, scene.frame()
        layer = Shapes(
            name=f"draw a {how}",
            ndim=2,
            edge_color=_COLOR,
            face_color=f"{_COLOR}33",
            edge_width=max(_LINE / (viewer.scene.camera.zoom * place["scale"][0]), 0.1),
            **place,
        )
        self._before = viewer.layers.selection.active
        self._scene, self._layer, self._is_line = scene, layer, how == LINE
        layer.bind_key("Escape", self._on_escape, overwrite=True)
        self._ears.listen(layer.events.data, self._on_data)
        self._ears.listen(viewer.layers.events.removed, self._on_removed)

        def begin() -> None:
            viewer.layers.selection.active = layer
            layer.mode = MODES[how]

        put(viewer.layers, layer, scene.tasks, begin)

    def cancel(self) -> None:
        """Take the layer away; nothing is drawn."""
        self._wanted = ""
        layer, scene = self._layer, self._scene
        if layer is None or scene is None:
            return
        self._ears.let_go()
        self._layer = self._scene = None
        lay_down(scene.viewer.layers, layer, self._before, scene.tasks)
        self._before = None
        self.ended.emit()

    def _on_escape(self, _layer: Shapes) -> None:
        QTimer.singleShot(0, self.cancel)

    def _on_data(self, event: Any) -> None:
        if event.action == "added":
            # napari is still inside the stroke: take the layer away after it.
            QTimer.singleShot(0, self._finish)

    def _on_removed(self, event: Any) -> None:
        if event.value is self._layer:
            self.cancel()

    def _finish(self) -> None:
        layer, scene = self._layer, self._scene
        if layer is None or scene is None or not layer.nshapes:
            return  # a click that was no polygon: still drawing
        corners, shape = scene.to_px(layer, layer.data[-1]), layer.shape_type[-1]
        if (shape == "path") != self._is_line or len(corners) < (2 if self._is_line else 3):
            return  # the next one has been begun already: a path until it is closed
        if self._is_line:
            self.cancel()
            self.drawn.emit(shapely.LineString(corners))
            return
        outline = shapely.make_valid(shapely.Polygon(corners))
        parts = [p for p in shapely.get_parts(outline) if p.geom_type == "Polygon" and p.area > 0]
        self.cancel()
        if parts:
            self.drawn.emit(max(parts, key=lambda part: part.area))
