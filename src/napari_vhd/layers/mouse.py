"""What the mouse does over the cells while no tool is in hand: tell the cell, and choose cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .scene import Scene

_CHOOSE = "pan_zoom"  # the mode of a layer in which the mouse has no tool


class Mouse:
    """Follows the mouse of a Scene's viewer.

    A click chooses the cell, with Control it is added or taken away; moving tells which cell is
    under the mouse. A layer's own tools are left alone.

    Parameters
    ----------
    scene
        Told by its signals.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = ref(scene)
        self._over: str | None = None
        scene.viewer.mouse_move_callbacks.append(self._on_moved)
        scene.viewer.mouse_drag_callbacks.append(self._on_pressed)

    def close(self, viewer: Any) -> None:
        """Let go of the viewer."""
        viewer.mouse_move_callbacks.remove(self._on_moved)
        viewer.mouse_drag_callbacks.remove(self._on_pressed)

    def _on_moved(self, _viewer: Any, event: Any) -> None:
        scene = self._scene()
        if scene is None:
            return
        cell = scene.pick(*scene.frame_.to_px(event.position))
        if cell != self._over:
            self._over = cell
            scene.hovered.emit(cell)

    def _on_pressed(self, viewer: Any, event: Any) -> Iterator[None]:
        scene = self._scene()
        active = viewer.layers.selection.active
        if scene is None or event.button != 1 or (active and active.mode != _CHOOSE):
            return
        place, control = event.position, "Control" in event.modifiers
        yield
        while event.type == "mouse_move":
            if tuple(event.position) != tuple(place):
                return
            yield
        cell = scene.pick(*scene.frame_.to_px(place))
        if not control:
            scene.select(() if cell is None else (cell,))
        elif cell is not None:
            chosen = [one for one in scene.selection if one != cell]
            scene.select(chosen if cell in scene.selection else [*chosen, cell])
