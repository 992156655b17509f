"""Where a viewer looks, in full-resolution px."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .frame import Frame

    Box = tuple[float, float, float, float]

_ROOM = 0.92  # of the canvas that a box fills


class Camera:
    """The camera of a viewer.

    Parameters
    ----------
    viewer
        napari's.
    frame
        Of the sample.
    """

    def __init__(self, viewer: Any, frame: Frame) -> None:
        self._canvas, self._dims = viewer.canvas, viewer.dims
        self._camera = viewer.scene.camera
        self._frame = frame

    @property
    def changed(self) -> Any:
        """The events of napari's camera, with `center` and `zoom`."""
        return self._camera.events

    @property
    def center(self) -> tuple[float, float]:
        """The place (x, y) in the middle, full-resolution px."""
        return self._frame.to_px(self._camera.center)

    @property
    def zoom(self) -> float:
        """Pixels of the screen for one full-resolution px."""
        return float(self._camera.zoom * self._frame.um_per_px)

    def box(self) -> Box:
        """Give what is in view: xmin, ymin, xmax, ymax, full-resolution px."""
        height, width = self._canvas.size
        (x, y), zoom = self.center, max(self.zoom, 1e-9)
        half_width, half_height = width / zoom / 2, height / zoom / 2
        return x - half_width, y - half_height, x + half_width, y + half_height

    def flatten(self) -> bool:
        """See two dimensions; whether there were three.

        napari cannot take in a hidden picture, or shapes where there were none, while it shows
        three.
        """
        was = self._dims.ndisplay
        self._dims.ndisplay = 2
        return bool(was != 2)

    def go_to(self, x: float, y: float, zoom: float | None = None) -> None:
        """Look at a place, closer or farther if asked to."""
        self._camera.center = (0.0, *self._frame.to_world(x, y))
        if zoom is not None:
            self._camera.zoom = zoom / self._frame.um_per_px

    def show(self, xmin: float, ymin: float, xmax: float, ymax: float) -> None:
        """Look at a box as a whole."""
        height, width = self._canvas.size
        zoom = min(width / max(xmax - xmin, 1.0), height / max(ymax - ymin, 1.0)) * _ROOM
        self.go_to((xmin + xmax) / 2, (ymin + ymax) / 2, zoom)
