"""Edit mode: chosen cells open as vertices until they are taken over or left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_vhd.layers.edit_layer import MOST_CELLS, EditLayer

from .ears import Ears

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_vhd.layers.scene import Scene

_DELETING = ("Delete", "Backspace", "3")


class VertexMode(QObject):
    """The edit layer, from opening to leaving.

    Attributes
    ----------
    moved
        Cell id -> vertices (x, y) in full-resolution px, of all cells that were changed.
    ended
        It was left.
    told
        What a person should know.
    """

    moved = Signal(dict)
    ended = Signal()
    told = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._scene: Scene | None = None
        self._edit: EditLayer | None = None
        self._before: Any = None
        self._ears = Ears()
        self.destroyed.connect(self._ears.let_go)

    @property
    def is_on(self) -> bool:
        """Whether cells are open."""
        return self._edit is not None

    @property
    def layer(self) -> Layer | None:
        """The Shapes layer, None while none is open or it is still being made."""
        return None if self._edit is None else self._edit.layer

    def start(self, scene: Scene) -> None:
        """Open the selected cells."""
        self.leave()
        session, ids = scene.session, scene.selection
        boundaries = next(
            (b for b in session.segmentations() if session.outlines(b).row_of(ids[0]) >= 0), ""
        )
        if not boundaries:
            self.told.emit("The selected cell is gone.")
            self.ended.emit()
            return
        outlines = session.outlines(boundaries)
        self._before = scene.viewer.layers.selection.active
        self._scene = scene
        self._edit = EditLayer(scene.viewer, outlines, ids, session.um_per_px, scene.tasks)
        self._tell(len(ids))
        self._edit.open(self._on_made)

    def _on_made(self, layer: Layer) -> None:
        layer.bind_key("Enter", self._on_enter, overwrite=True)
        layer.bind_key("Escape", self._on_escape, overwrite=True)
        for key in _DELETING:
            layer.bind_key(key, self._on_delete, overwrite=True)
        if self._scene is not None:
            self._ears.listen(self._scene.viewer.layers.events.removed, self._on_removed)

    def commit(self) -> None:
        """Ask for what was changed to be taken over; whoever does that leaves."""
        if self._edit is None:
            return
        moved = self._edit.changed()
        if moved:
            self.moved.emit(moved)
        else:
            self.leave()

    def refused(self) -> None:
        """Stay where an outline was refused: it can be mended, or left."""
        if self._edit is not None:
            self.told.emit("All cells are as they were; mend it and press Enter, or Esc leaves.")

    def leave(self, opened: Layer | None = None) -> None:
        """Close what is open, or only that layer; what was not taken over is forgotten."""
        edit = self._edit
        if edit is None or opened not in (None, edit.layer):
            return
        self._ears.let_go()
        self._edit = self._scene = None
        edit.close(self._before)
        self._before = None
        self.ended.emit()

    def _tell(self, number: int) -> None:
        if self._edit is None:
            return
        if number > MOST_CELLS:
            self.told.emit(f"Only the first {MOST_CELLS} cells are opened; Esc leaves.")
        elif self._edit.cut:
            cut = ", ".join(self._edit.cut[:3]) + (" …" if len(self._edit.cut) > 3 else "")
            self.told.emit(
                f"{cut}: of several parts or with holes; the rim of the largest part is open, the "
                "rest stays as it is."
            )

    # napari is still inside the key press: layers come and go after it.
    def _on_enter(self, _layer: Layer) -> None:
        QTimer.singleShot(0, self.commit)

    def _on_escape(self, _layer: Layer) -> None:
        QTimer.singleShot(0, self.leave)

    def _on_delete(self, _layer: Layer) -> None:
        self.told.emit("To delete cells, leave with Esc, select them and take the Delete tool.")

    def _on_removed(self, event: Any) -> None:
        if event.value is self.layer:
            self.leave()
