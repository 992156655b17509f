"""Painting labels with napari's own brush, fill and picker on a window over the view."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_vhd.exceptions import BadInputError
from napari_vhd.layers.strokes import Strokes

from .ears import Ears
from .palette import UNSURE_COLOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Labels

    from napari_vhd.layers.scene import Scene
    from napari_vhd.layers.strokes import Stroke

_BRUSH_PX = 12


class Painting(QObject):
    """The paint window, from opening to leaving.

    Attributes
    ----------
    stroke_made
        The touched cells' ids, the label's name ("" takes the label away), and what is called with
        no argument where it is refused.
    picked
        The label that napari's picker, or a key of napari's, chose.
    opened
        The layer that is painted on; the brush is in hand.
    ended
        It was left.
    refused
        Why a stroke cannot be taken.
    """

    stroke_made = Signal(tuple, str, object)
    picked = Signal(str)
    opened = Signal(object)
    ended = Signal()
    refused = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._scene: Scene | None = None
        self._layer: Labels | None = None
        self._strokes: Strokes | None = None
        self._before: Any = None
        self._names: dict[int, str] = {}
        self._wanted: tuple[str, str] | None = None
        self._label = ""
        self._ears = Ears()
        self._waiting = Ears()
        self.destroyed.connect(self._ears.let_go)
        self.destroyed.connect(self._waiting.let_go)

    @property
    def layer(self) -> Labels | None:
        """The layer that is painted on, None while nobody paints."""
        return self._layer

    @property
    def is_on(self) -> bool:
        """Whether one paints, or waits for the column to be read."""
        return self._wanted is not None

    def start(self, scene: Scene, boundaries: str, column: str, label: str) -> None:
        """Open the window over the view, colouring the cells by the column first."""
        self.leave()
        self._scene, self._wanted, self._label = scene, (boundaries, column), label
        self._waiting.listen(scene.coloring_changed, self._on_coloring)
        if not self._is_colored():
            scene.color_by(column, boundaries)
        elif self._layer is None:
            self._open()

    def leave(self) -> None:
        """Close the window; what was painted is kept already."""
        if self._wanted is None:
            return
        scene = self._scene
        self._wanted = None
        self._waiting.let_go()
        before, self._before = self._before, None
        self._forget()
        self._scene = None
        if scene is not None:
            scene.end_paint(before)
        self.ended.emit()

    def set_label(self, name: str, color: str = UNSURE_COLOR) -> None:
        """Paint with a label from now on."""
        self._label = name
        if self._layer is None:
            return
        value = next((v for v, known in self._names.items() if known == name), 0)
        if not value and name:
            value = self._new_value(name, color)
        if value:
            self._layer.selected_label = value

    def _is_colored(self) -> bool:
        if self._scene is None or self._wanted is None:
            return False
        coloring = self._scene.coloring
        shown = (coloring.boundaries, coloring.column)
        return shown == self._wanted and coloring.kind == "categorical" and not coloring.computed

    def _on_coloring(self) -> None:
        if self._layer is not None:
            return
        if self._is_colored():
            self._open()

    def _open(self) -> None:
        scene, wanted = self._scene, self._wanted
        if scene is None or wanted is None:
            return
        try:
            scene.paint_window(self._on_opened)
        except BadInputError as error:
            self.refused.emit(str(error))
            self.leave()

    def _on_opened(self, layer: Labels) -> None:
        scene, wanted = self._scene, self._wanted
        if scene is None or wanted is None:
            return
        names = _codes_of(scene, wanted[0]).names
        self._names = dict(enumerate(names, 1))
        self._names |= {0: "", len(names) + 1: ""}
        self._layer = layer
        self._strokes = Strokes(
            layer,
            scene.raster(wanted[0]),
            scene.session.um_per_px,
            _lut_of(scene, wanted[0]),
        )
        layer.brush_size = _BRUSH_PX
        self._ears.listen(layer.events.paint, self._on_paint)
        self._ears.listen(layer.events.selected_label, self._on_selected)
        self._ears.listen(scene.viewer.layers.events.removed, self._on_removed)
        selection = scene.viewer.layers.selection
        self._before, selection.active = selection.active, layer
        layer.bind_key("Escape", self._on_escape, overwrite=True)
        if self._label:
            self.set_label(self._label)
        else:
            self._on_selected()
        # Choosing it has made its controls; what the brush draws is for another turn.
        scene.tasks.soon(partial(self._take_brush, layer))

    def _take_brush(self, layer: Labels) -> None:
        if self._layer is layer:
            layer.mode = "paint"
            self.opened.emit(layer)

    def _forget(self) -> None:
        self._ears.let_go()
        self._layer = self._strokes = None

    def _on_paint(self, event: Any) -> None:
        if self._strokes is None:
            return
        strokes, stroke = self._strokes, self._strokes.read(event.value)
        if stroke is None or not stroke.cell_ids:
            return
        name = self._names.get(stroke.value)
        if name is None:
            strokes.put_back(stroke)
            self.refused.emit(
                f"Label {stroke.value} has no name; choose a label in the palette and paint again."
            )
            return
        self.stroke_made.emit(stroke.cell_ids, name, _putter(strokes, stroke))

    def _on_selected(self, _event: Any = None) -> None:
        if self._layer is None:
            return
        name = self._names.get(int(self._layer.selected_label), "")
        if name and name != self._label:
            self._label = name
            self.picked.emit(name)

    def _on_escape(self, layer: Labels) -> None:
        if layer.mode == "polygon":
            layer.mode = "paint"  # forgets the polygon that was begun
        else:
            # napari is still inside the key press: take the layer away after it.
            QTimer.singleShot(0, self.leave)

    def _on_removed(self, event: Any) -> None:
        if event.value is not self._layer:
            return
        self._forget()
        # The Scene closes the window where categories were added; a person who still paints
        # goes on in a new one.
        QTimer.singleShot(0, self._go_on)

    def _go_on(self) -> None:
        if self._wanted is None or self._layer is not None:
            return
        if self._scene is not None and self._is_colored() and self._scene.viewer.layers:
            self._open()
        else:
            self.leave()

    def _new_value(self, name: str, color: str) -> int:
        """Make room for a label that no cell has yet."""
        from napari.utils import DirectLabelColormap

        layer = self._layer
        if layer is None:
            return 0
        value = max(self._names) + 2
        self._names[value] = name
        table = dict(layer.colormap.color_dict)
        table[value] = color
        layer.colormap = DirectLabelColormap(color_dict=table)
        return value


def _codes_of(scene: Scene, boundaries: str) -> Any:
    return scene.cells[boundaries].fills.codes


def _lut_of(scene: Scene, boundaries: str) -> Callable[[], Any]:
    fills = scene.cells[boundaries].fills
    return lambda: fills.codes.lut


def _putter(strokes: Strokes, stroke: Stroke) -> Callable[[], None]:
    return lambda: strokes.put_back(stroke)
