"""Where pictures lie in the world of the viewer, and what of them is in view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.layers.camera import Camera
from napari_vhd.layers.frame import Frame

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer


@dataclass(frozen=True)
class PictureFrame:
    """Where a picture lies: world = offset + scale × px of the picture (corner convention).

    All as (y, x). For a picture that is a part of a sample, px are those of the part.
    """

    scale: tuple[float, float]
    offset: tuple[float, float]
    units: Any

    def to_world(self, y: float, x: float) -> tuple[float, float]:
        """Give the world point of a place in the picture."""
        return self.offset[0] + self.scale[0] * y, self.offset[1] + self.scale[1] * x

    def at(self, y: float, x: float) -> dict[str, Any]:
        """Arguments of a new layer of pixels as large as these, its corner at a place."""
        centre = self.to_world(y + 0.5, x + 0.5)
        return {"scale": self.scale, "translate": centre, "units": self.units}

    def vertices(self) -> dict[str, Any]:
        """Arguments of a new layer whose data are points in px of the picture."""
        return {"scale": self.scale, "translate": self.offset, "units": self.units}


def frame_of(layer: Image) -> PictureFrame:
    """Find where a picture lies."""
    scale = np.asarray(layer.scale[-2:], float)
    # The layer's place is that of the first pixel's centre.
    offset = np.asarray(layer.translate[-2:], float) - scale / 2
    return PictureFrame(
        (float(scale[0]), float(scale[1])),
        (float(offset[0]), float(offset[1])),
        tuple(layer.units[-2:]),
    )


def sample_frame(session: Any) -> Frame:
    """Give the frame of full-resolution px of a sample."""
    return Frame(session.um_per_px or 1.0)


def rgb_layers(viewer: Viewer) -> list[Image]:
    """List the RGB pictures that are open, the lowest first."""
    from napari.layers import Image

    return [layer for layer in viewer.layers if isinstance(layer, Image) and layer.rgb]


def is_sample(layer: Image, sample_id: str) -> bool:
    """Whether a picture is the sample's H&E."""
    return layer.metadata.get("name") == keys.full_image(sample_id)


def finest(layer: Image) -> Any:
    """Give the pixels of a picture at full resolution, lazily."""
    return layer.data[0] if layer.multiscale else layer.data


def view_of(viewer: Viewer, layer: Image, most: int) -> tuple[tuple[int, int, int, int], bool]:
    """Find the part of a picture that is in view.

    Of a picture that is not multiscale napari does not say it.

    Parameters
    ----------
    most
        Longest side; of a larger view the middle is taken.

    Returns
    -------
    tuple
        (y0, x0, y1, x1) in px of the picture, and whether the view is larger. Empty where the
        picture is out of view.
    """
    frame = frame_of(layer)
    xmin, ymin, xmax, ymax = Camera(viewer, Frame(1.0)).box()
    corners = (np.array([[ymin, xmin], [ymax, xmax]]) - frame.offset) / frame.scale
    height, width = finest(layer).shape[:2]
    low = np.clip(np.floor(corners[0]), 0, [height, width])
    high = np.clip(np.ceil(corners[1]), 0, [height, width])
    middle, size = (low + high) / 2, np.minimum(high - low, most)
    is_larger = bool(((high - low) > most).any())
    low = np.floor(middle - size / 2)
    y0, x0 = (max(int(v), 0) for v in low)
    y1, x1 = min(y0 + int(size[0]), height), min(x0 + int(size[1]), width)
    return (y0, x0, y1, x1), is_larger
