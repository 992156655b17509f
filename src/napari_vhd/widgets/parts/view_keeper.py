"""Keeps how a run is looked at, so that it opens again as it was left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer

from napari_vhd.io.view_file import write_view

from .ears import Ears

if TYPE_CHECKING:
    from pathlib import Path

    from napari_vhd.layers.scene import Scene

    from .background import Background

# Long enough to pan about without writing, short enough to lose little to a crash.
_WAIT_MS = 2000


class ViewKeeper(QObject):
    """Writes the view of one Scene beside its run, some time after it changed, and at the end.

    Parameters
    ----------
    scene
        That is looked at.
    run_dir
        Its run folder.
    background
        Where files are written.
    """

    def __init__(self, scene: Scene, run_dir: Path, background: Background) -> None:
        super().__init__()
        self._scene: Scene | None = scene
        self._run_dir = run_dir
        self._background = background
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self._on_time)
        self._ears = Ears()
        for signal in (
            scene.coloring_changed,
            scene.layers_changed,
            scene.camera.changed.center,
            scene.camera.changed.zoom,
        ):
            self._ears.listen(signal, self._on_change)

    def close(self, *, write: bool = True) -> None:
        """Write the view a last time, and let go of the Scene."""
        self._ears.let_go()
        self._timer.stop()
        scene, self._scene = self._scene, None
        if scene is not None and write:
            write_view(self._run_dir, scene.view_state())

    def _on_change(self, _event: Any = None) -> None:
        self._timer.start()

    def _on_time(self) -> None:
        if self._scene is not None:
            state = self._scene.view_state()
            self._background.ask("view", write_view, self._run_dir, state, then=lambda _: None)
