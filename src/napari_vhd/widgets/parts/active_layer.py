"""Which layer napari's tools and keys work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_vhd.layers.scene import Scene


def activate(scene: Scene, ours: bool = False) -> None:
    """See to it that a layer is active, and where asked for that it is one of ours.

    Without an active layer napari shows no controls and takes no keys.
    """
    selection, layers = scene.viewer.layers.selection, scene.layers
    active = selection.active
    if active in layers or (active is not None and not ours):
        return
    shown = [layer for layer in layers if layer.visible]
    if shown:
        selection.active = shown[-1]
