"""Which sample a viewer shows: docks learn here that one was opened or closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from psygnal import Signal

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_vhd.layers.scene import Scene


class Current:
    """The open sample of one viewer. Get it with `current_of`.

    Attributes
    ----------
    scene_changed
        Emitted on the GUI thread after another sample was opened, or the open one closed.
    region_run_requested
        Names of the regions inside which a person wants the pipeline to be run.
    parameter_chosen
        Parameter of the config file and the value that a person chose for the next run.
    """

    scene_changed = Signal()
    region_run_requested = Signal(tuple)
    parameter_chosen = Signal(str, object)

    def __init__(self) -> None:
        self._scene: Scene | None = None

    @property
    def scene(self) -> Scene | None:
        """The open sample's Scene, None while nothing is open."""
        return self._scene

    @scene.setter
    def scene(self, scene: Scene | None) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.scene_changed.emit()


# Kept with the unwrapped viewer: napari hands docks a proxy that dies with the dock.
_KNOWN: WeakKeyDictionary[Any, Current] = WeakKeyDictionary()


def current_of(viewer: Viewer) -> Current:
    """Give the one `Current` of a viewer, made when first asked for."""
    unwrapped = getattr(viewer, "__wrapped__", viewer)
    if unwrapped not in _KNOWN:
        _KNOWN[unwrapped] = Current()
    return _KNOWN[unwrapped]
