"""Distances on maps too large for a distance transform of the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Nothing in a section looks farther than this (um).
FARTHEST = 96
_BLOCK = 1024


def distance_inside(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance of each place within a mask to the nearest place outside, at most `FARTHEST`."""
    out = np.zeros(mask.shape, np.float32)
    for y in range(0, mask.shape[0], _BLOCK):
        for x in range(0, mask.shape[1], _BLOCK):
            top, left = max(0, y - FARTHEST), max(0, x - FARTHEST)
            part = mask[top : y + _BLOCK + FARTHEST, left : x + _BLOCK + FARTHEST]
            if not part.any():
                continue
            # Without a place outside there is nothing to measure from.
            far = np.full(part.shape, FARTHEST) if part.all() else ndi.distance_transform_edt(part)
            own = far[y - top : y - top + _BLOCK, x - left : x - left + _BLOCK]
            out[y : y + _BLOCK, x : x + _BLOCK] = np.minimum(own, FARTHEST)
    return out


def signed_distance(inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance to the border of a mask, negative outside, at most `FARTHEST`."""
    return distance_inside(inside) - distance_inside(~inside)
