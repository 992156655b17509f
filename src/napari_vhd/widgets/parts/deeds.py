"""What a person does with the tools, turned into verbs of the session."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_vhd.corrections.geometry import OutlineError
from napari_vhd.layers.corrector import corrector_of

from .active_layer import activate
from .outline_drawing import HOW, LINE, OutlineDrawing
from .painting import Painting
from .tools import BRUSH, BY_NAME, DELETE, DRAW, GROW, LASSO, MERGE, PICK, REDRAW, SPLIT, VERTICES
from .vertex_mode import VertexMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_vhd.exceptions import VhdError
    from napari_vhd.layers.corrector import Corrector
    from napari_vhd.layers.scene import Scene

_SHAPES = {LASSO: "lasso", DRAW: "polygon", REDRAW: "polygon", SPLIT: LINE}
_PAINTING = (
    "Paint over cells to label them; choose another label in the palette. napari's fill and picker "
    "work too; Esc leaves."
)
_NO_COLUMN = "There is no column of labels; make a set of your own labels first."
_VERTICES = "Move vertices; Enter takes the outlines over, Esc leaves."


@dataclass(frozen=True)
class Asked:
    """What the dock's fields say.

    Attributes
    ----------
    boundaries, column
        Segmentation and column that are corrected.
    label, color
        Current label of the palette, "" for none, and its colour.
    note
        Kept with the correction.
    overlap
        ``"keep"`` or ``"clip"``.
    distance
        Of growing, µm.
    """

    boundaries: str
    column: str
    label: str
    color: str
    note: str
    overlap: str
    distance: float


class Deeds(QObject):
    """Starts and ends tools, and asks for corrections.

    Parameters
    ----------
    parent
        Of Qt.
    asked
        Gives what the dock's fields say now.

    Attributes
    ----------
    tool_changed
        Name of the tool at work.
    told
        What to do next, "" for nothing.
    refused
        A sentence.
    mendable
        What takes the mended outline when it is called.
    done
        A correction was taken.
    """

    tool_changed = Signal(str)
    told = Signal(str)
    refused = Signal(str)
    mendable = Signal(object)
    done = Signal()

    def __init__(self, parent: QObject, asked: Callable[[], Asked]) -> None:
        super().__init__(parent)
        self._asked = asked
        self._scene: Scene | None = None
        self._tool = PICK
        self._drawn_for = PICK
        self.drawing = OutlineDrawing(self)
        self.painting = Painting(self)
        self.vertices = VertexMode(self)
        self.drawing.drawn.connect(self._on_drawn)
        self.drawing.ended.connect(self._on_ended)
        self.painting.ended.connect(self._on_ended)
        self.painting.stroke_made.connect(self._on_stroke)
        self.painting.refused.connect(self.refused)
        self.vertices.ended.connect(self._on_ended)
        self.vertices.moved.connect(self._on_moved)
        self.vertices.told.connect(self.told)

    @property
    def tool(self) -> str:
        """Name of the tool at work."""
        return self._tool

    @property
    def corrector(self) -> Corrector | None:
        """What calls the verbs."""
        return None if self._scene is None else corrector_of(self._scene)

    def set_scene(self, scene: Scene | None) -> None:
        """Work on another sample."""
        self.leave()
        self._scene = scene

    def start(self, name: str) -> None:
        """Take a tool in hand, or do what is done at once."""
        scene = self._scene
        if scene is None:
            return
        in_hand, tool = self._tool, BY_NAME[name]
        again = name == in_hand and name != PICK
        self.leave()
        if again and tool.stays:
            return
        number = len(scene.selection)
        if number < tool.least or (tool.most is not None and number > tool.most):
            self.refused.emit(_too_few(tool.least, tool.most, number))
            self.tool_changed.emit(PICK)
            return
        if name == BRUSH and not self._asked().column:
            self.refused.emit(_NO_COLUMN)
            self.tool_changed.emit(PICK)
            return
        if not tool.stays:
            self._do_at_once(name)
            return
        self._set_tool(name)
        if in_hand == PICK:
            self._begin(scene, name)
        else:
            # To lay the other down is as much as the window does in one turn.
            scene.tasks.soon(partial(self._begin, scene, name))

    def _begin(self, scene: Scene, name: str) -> None:
        if scene is not self._scene or name != self._tool:
            return
        asked = self._asked()
        if name in _SHAPES:
            self._drawn_for = name
            self.drawing.start(scene, _SHAPES[name])
            self.told.emit(HOW[_SHAPES[name]])
        elif name == BRUSH:
            self.told.emit(_PAINTING)
            self.painting.start(scene, asked.boundaries, asked.column, asked.label)
        elif name == VERTICES:
            self.told.emit(_VERTICES)
            self.vertices.start(scene)

    def leave(self) -> None:
        """Put the tool out of hand; what was not taken over is forgotten."""
        self.drawing.cancel()
        self.painting.leave()
        self.vertices.leave()
        self._set_tool(PICK)

    def commit(self) -> None:
        """Take over what was edited."""
        self.vertices.commit()

    def give(self, label: str | None, add: bool = False) -> None:
        """Give a label to the selected cells, or paint with it while the brush is in hand."""
        scene, asked = self._scene, self._asked()
        if scene is None:
            return
        if self.painting.is_on:
            self.painting.set_label(label or "", asked.color)
        elif not scene.selection:
            self.refused.emit("No cell is selected; click one, draw a lasso, or take the brush.")
        elif not asked.column:
            self.refused.emit(_NO_COLUMN)
        else:
            self.relabel(scene.selection, label, add)

    def relabel(
        self,
        ids: tuple[str, ...],
        label: str | None,
        add: bool = False,
        refused: Callable[[VhdError], None] | None = None,
    ) -> None:
        """Give cells a label."""
        scene, asked = self._scene, self._asked()
        if scene is not None:
            verb = scene.session.relabel
            self.do(verb, ids, asked.column, label, asked.note, add, refused=refused)

    def do(
        self,
        verb: Callable[..., Any],
        *arguments: Any,
        then: Callable[[Any], None] | None = None,
        refused: Callable[[VhdError], None] | None = None,
        **named: Any,
    ) -> None:
        """Call a verb beside the window."""
        corrector = self.corrector
        if corrector is not None:
            corrector.do(verb, *arguments, then=self._then(then), refused=refused, **named)

    def _then(self, then: Callable[[Any], None] | None) -> Callable[[Any], None]:
        def call(result: Any) -> None:
            if then is not None:
                then(result)
            self.done.emit()

        return call

    def _do_at_once(self, name: str) -> None:
        scene, asked = self._scene, self._asked()
        if scene is None:
            return
        ids, session = scene.selection, scene.session
        if name == DELETE:
            self.do(session.delete, ids, asked.note, then=lambda _: self._select(()))
        elif name == MERGE:
            self.do(session.merge, ids, asked.note, then=self._select)
        elif name == GROW:
            self.do(session.expand, ids, asked.distance, asked.note)

    def _select(self, ids: Any) -> None:
        if self._scene is not None:
            self._scene.select(tuple(ids))

    def _on_drawn(self, drawn: Any) -> None:
        scene, tool, asked = self._scene, self._drawn_for, self._asked()
        if scene is None:
            return
        if tool == LASSO:
            scene.select_within(drawn)
        elif tool == DRAW:
            self._draw(drawn, asked)
        elif tool == REDRAW and scene.selection:
            self._redraw(scene.selection[0], drawn, asked)
        elif tool == SPLIT and scene.selection:
            cell, line = scene.selection[0], drawn
            self.do(scene.session.split, cell, line, asked.note, then=self._select)

    def _draw(self, outline: Any, asked: Asked) -> None:
        if self._scene is not None:
            self.do(
                self._scene.session.add,
                outline,
                asked.boundaries,
                asked.overlap,
                asked.note,
                then=self._select,
                refused=lambda error: self._offer(error, lambda mend: self._draw(mend, asked)),
            )

    def _redraw(self, cell: str, outline: Any, asked: Asked) -> None:
        if self._scene is not None:
            self.do(
                self._scene.session.redraw,
                cell,
                outline,
                asked.overlap,
                asked.note,
                refused=lambda error: self._offer(
                    error, lambda mend: self._redraw(cell, mend, asked)
                ),
            )

    def _offer(self, error: VhdError, take: Callable[[Any], None]) -> None:
        """Offer the mended outline, where there is one."""
        mend = error.mend if isinstance(error, OutlineError) else None
        if mend is not None:
            self.mendable.emit(lambda: take(mend))

    def _on_moved(self, moved: dict[str, Any]) -> None:
        """Take over outlines that were edited by vertex, as one correction."""
        scene, asked, opened = self._scene, self._asked(), self.vertices.layer
        if scene is not None:
            self.do(
                partial(scene.session.redraw_together, rims=True),
                moved,
                asked.overlap,
                asked.note,
                then=lambda _: self.vertices.leave(opened),
                refused=lambda error: self._on_not_moved(error, moved),
            )

    def _on_not_moved(self, error: VhdError, moved: dict[str, Any]) -> None:
        """Leave the cells open, and offer the outline that could be taken."""
        self.vertices.refused()
        cell = getattr(error, "cell_id", "") or next(iter(moved))
        self._offer(error, lambda mend: self._on_moved(moved | {cell: mend}))

    def _on_stroke(self, ids: tuple[str, ...], label: str, put_back: Callable[[], None]) -> None:
        self.relabel(ids, label or None, add=bool(label), refused=lambda _: put_back())

    def _on_ended(self) -> None:
        # Of the tool in hand alone: another may have been taken meanwhile.
        if not (self.drawing.layer or self.painting.is_on or self.vertices.is_on):
            self._set_tool(PICK)

    def _set_tool(self, name: str) -> None:
        if name != self._tool:
            self._tool = name
            self.told.emit("")
            if name == PICK and self._scene is not None:
                activate(self._scene)
        self.tool_changed.emit(name)


def _too_few(least: int, most: int | None, number: int) -> str:
    wanted = "one cell" if most == 1 else f"{'two' if least == 2 else 'one'} or more cells"
    there = "One cell is" if number == 1 else f"{number or 'No'} cells are"
    return f"{there} selected; select {wanted} first."
