"""Where things lie: from full-resolution px of a picture to the world of the viewer and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Frame:
    """World = offset + scale × full-resolution px (corner convention); all as (y, x)."""

    scale: tuple[float, float]
    offset: tuple[float, float]

    def to_px(self, world: ArrayLike) -> NDArray[np.float64]:
        """Move points (n, 2) of the world, y before x, to full-resolution px, y before x."""
        found: NDArray[np.float64] = (np.asarray(world, float) - self.offset) / self.scale
        return found

    def at(self, y: float, x: float, step: float = 1.0) -> dict[str, Any]:
        """Place a new layer whose first pixel has its corner at a point, `step` px wide."""
        corner = np.array([y, x], float) + step / 2
        return {
            "scale": tuple(step * one for one in self.scale),
            "translate": tuple(np.array(self.offset) + np.array(self.scale) * corner),
        }

    def of_px(self) -> dict[str, Any]:
        """Place a new layer whose coordinates are full-resolution px."""
        return {"scale": self.scale, "translate": self.offset}


def frame_of(layer: Image, origin: tuple[float, float] = (0.0, 0.0)) -> Frame:
    """Find the frame of a picture.

    Parameters
    ----------
    layer
        The picture; its first pixel's corner is at `origin`.
    origin
        x, y in full-resolution px; (0, 0) for a picture that is no part of another.
    """
    scale = np.asarray(layer.scale[-2:], float)
    centre = np.asarray(layer.translate[-2:], float)
    # The layer's place is that of the first pixel's centre.
    offset = centre - scale * (0.5 + np.array(origin[::-1], float))
    return Frame((float(scale[0]), float(scale[1])), (float(offset[0]), float(offset[1])))


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


def view_of(layer: Image, most: int) -> tuple[tuple[int, int, int, int], bool]:
    """Find the part of a picture that is in view.

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
    corners = np.asarray(layer.corner_pixels, float)[:, -2:]
    if layer.multiscale:
        corners = corners * np.asarray(layer.downsample_factors[layer.data_level])[-2:]
    height, width = finest(layer).shape[:2]
    low = np.clip(np.floor(corners[0]), 0, [height, width])
    high = np.clip(np.ceil(corners[1]), 0, [height, width])
    middle, size = (low + high) / 2, np.minimum(high - low, most)
    is_larger = bool(((high - low) > most).any())
    low = np.floor(middle - size / 2)
    y0, x0 = (max(int(v), 0) for v in low)
    y1, x1 = min(y0 + int(size[0]), height), min(x0 + int(size[1]), width)
    return (y0, x0, y1, x1), is_larger
