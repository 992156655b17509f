"""Colours of categories: the same name, the same colour, wherever a list of categories is shown."""

from __future__ import annotations

import colorsys
import re
from typing import TYPE_CHECKING

from . import keys

if TYPE_CHECKING:
    from collections.abc import Iterable

CELL_TYPES = {
    "Tumor": "#E64B35",
    "Fibroblasts": "#4DBBD5",
    "Macrophages": "#3C5488",
    "Neutrophils": "#F39B7F",
    "Goblet_cells": "#00599F",
    "Macrophages/Neutrophils": "#FFD700",
    keys.UNKNOWN: "#B09C85",
    keys.UNASSIGNED: "#D3D3D3",
    keys.NOT_FITTED: "#D3D3D3",
}
"""Fixed colours: the tutorial's cell types, and greys for what is not known."""

DISTINCT = (
    *("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#6900FF"),
    *("#961E1E", "#C3F096", "#003CB4", "#693C5A", "#2D87FF", "#87B45A", "#781E78", "#87E1FF"),
    *("#5A5AFF", "#96F0B4", "#D2E169", "#B42D00", "#872D3C", "#A55A4B", "#A54B87", "#C300A5"),
    *("#4B1ED2", "#7887E1", "#695AD2", "#B4C387", "#96B4D2", "#875A69", "#C35A3C", "#FF784B"),
)
"""The seven colours of Okabe and Ito (2008), then each the farthest in CIELAB from those before.

The distance is the least of four: as seen with normal vision, and with protanopia, deuteranopia
and tritanopia (simulated after Machado et al. 2009).
"""

_GOLDEN = 0.618033988749895
_ALIKE = 95
"""Of colours that are nearer than this, `_distance` apart, one is easily taken for the other."""


_HEX = re.compile("#[0-9A-Fa-f]{6}")


def is_hex(color: object) -> bool:
    """Say whether a colour is written ``#RRGGBB``, as all colours of ours are."""
    return isinstance(color, str) and _HEX.fullmatch(color) is not None


def colors_for(categories: Iterable[str]) -> list[str]:
    """Choose a colour for each category.

    Parameters
    ----------
    categories
        Names, each once, in the order in which they are shown.

    Returns
    -------
    list of str
        ``#RRGGBB`` in the same order. Known cell types have their fixed colour; the others take
        the colours of `DISTINCT` in turn, leaving out what looks like a fixed one that is shown.
        All differ, but for the greys.
    """
    names = [str(name) for name in categories]
    taken = {CELL_TYPES[name] for name in names if name in CELL_TYPES}
    free = (color for color in _endless() if all(_distance(color, one) > _ALIKE for one in taken))
    return [CELL_TYPES[name] if name in CELL_TYPES else next(free) for name in names]


def _distance(one: str, other: str) -> float:
    """How different two colours look: a weighted distance in RGB, 0 to 765."""
    (r1, g1, b1), (r2, g2, b2) = (
        [int(color[at : at + 2], 16) for at in (1, 3, 5)] for color in (one, other)
    )
    red = (r1 + r2) / 512
    weighted = (2 + red) * (r1 - r2) ** 2 + 4 * (g1 - g2) ** 2 + (3 - red) * (b1 - b2) ** 2
    return float(weighted**0.5)


def _endless() -> Iterable[str]:
    """Give `DISTINCT`, then hues a golden angle apart for more categories than eyes can part."""
    yield from DISTINCT
    step = 0
    while True:
        step += 1
        value = 0.55 + 0.4 * ((step * 3) % 7) / 6
        red, green, blue = colorsys.hsv_to_rgb((step * _GOLDEN) % 1, 0.75, value)
        yield f"#{round(red * 255):02X}{round(green * 255):02X}{round(blue * 255):02X}"
