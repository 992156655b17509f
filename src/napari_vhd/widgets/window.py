"""A napari window on one sample, from the command line."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import napari
from qtpy.QtWidgets import QApplication

from napari_vhd.exceptions import StageError

from .docks import show_docks
from .opening import open_path, opening_of

if TYPE_CHECKING:
    from pathlib import Path

    from napari.viewer import Viewer

    from napari_vhd.layers.scene import Scene

SIZE = (1280, 800)
_PATIENCE_S = 300.0
# Layers and docks fill in what they read beside the window.
_SETTLE_S = 3.0


def show(path: Path, author: str = "", screenshot: Path | None = None) -> None:
    """Open a sample in a new window and stay until that is closed.

    Parameters
    ----------
    path
        Run folder, Space Ranger folder or SpatialData store.
    author
        Who corrects; "": as set.
    screenshot
        Save a picture of the window there and end.

    Raises
    ------
    StageError
        Where a picture was asked for and the sample could not be shown.
    """
    viewer = napari.Viewer(title="napari-vhd", show=True)
    viewer.window.resize(*SIZE)
    show_docks(viewer)
    opening = opening_of(viewer)
    opening.opened.connect(_name)
    open_path(viewer, path, author)
    if screenshot is None:
        napari.run()
    else:
        _save(viewer, screenshot)


def _name(scene: Scene) -> None:
    scene.viewer.title = f"napari-vhd: {scene.session.sample_id}"


def _save(viewer: Viewer, screenshot: Path) -> None:
    opening = opening_of(viewer)
    refusals: list[str] = []
    opening.failed.connect(refusals.append)
    end = time.monotonic() + _PATIENCE_S
    while opening.is_busy and not refusals and time.monotonic() < end:
        wait(0.05)
    if not refusals and not opening.is_busy:
        wait(_SETTLE_S)
        viewer.screenshot(str(screenshot), canvas_only=False, flash=False)
    viewer.close()
    if refusals:
        raise StageError(refusals[0])


def wait(seconds: float) -> None:
    """Let the window work for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)
