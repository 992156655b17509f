"""Looking at the H&E alone for a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Image

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_vhd.layers.scene import Scene


class Peek:
    """Hides what lies over the picture, and shows it again as it was."""

    def __init__(self) -> None:
        self._hidden: list[Layer] = []

    def start(self, scene: Scene) -> None:
        """Hide all of ours but the picture."""
        if self._hidden:
            return
        layers = [layer for layer in scene.layers if not _is_picture(layer)]
        self._hidden = [layer for layer in layers if layer.visible]
        for layer in self._hidden:
            layer.visible = False

    def end(self) -> None:
        """Show again what was hidden."""
        for layer in self._hidden:
            layer.visible = True
        self._hidden = []


def _is_picture(layer: Layer) -> bool:
    return isinstance(layer, Image) and layer.rgb
