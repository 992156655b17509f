"""Maps: cells or bins coloured by a category or a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from . import sheet
from .colors import categories

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from .colors import Scale
    from .view import Places, View

# How much of the H&E the colours over it hide.
_OVER_TISSUE = 0.45


def fill(
    axes: Axes,
    view: View,
    places: Places,
    colors: NDArray[np.uint8],
    inches: float,
    over_tissue: bool = False,
) -> None:
    """Draw every row in its colour into axes that are `inches` long."""
    if view.box is None:
        return
    longest = sheet.pixels(inches)
    raster = places.raster(longest)
    background = view.picture(view.box, longest) if over_tissue else None
    rim = places.noun == "cells" and raster.has_room_for_rims(places.table.n_obs)
    sheet.show(axes, raster.paint(colors, background, rim), view.box)


def one_map(view: View, title: str) -> tuple[Figure, Axes]:
    """Make a figure with one empty map."""
    if view.box is None:
        raise ValueError("there is nothing to map")
    size = sheet.map_size(view.box, sheet.MAP_INCHES)
    figure, (axes,) = sheet.lay_out(1, size, 1, f"{title} · {view.name}", headroom=sheet.BARE)
    sheet.dress_map(axes, view.box, view.um_per_px)
    return figure, axes


def map_categories(
    view: View, places: Places, column: str, title: str, over_tissue: bool = False
) -> Figure:
    """Colour by a categorical column, with every category and its number in the legend."""
    shown = categories(places, column)
    figure, axes = one_map(view, title)
    alpha = _OVER_TISSUE if over_tissue else 1.0
    fill(axes, view, places, shown.rgba(alpha), sheet.MAP_INCHES, over_tissue)
    sheet.legend(axes, shown, f"{column}\n({places.noun})")
    if not places.kept.any():
        sheet.note(figure, f"The filters of quality control kept none of the {places.noun}.")
    return figure


def map_values(
    view: View, places: Places, values: NDArray[np.float64], title: str, scale: Scale, label: str
) -> Figure:
    """Colour by a number; missing ones are light grey, and counted."""
    figure, axes = one_map(view, title)
    fill(axes, view, places, scale.rgba(values), sheet.MAP_INCHES)
    sheet.color_bar(axes, scale, label)
    missing = ~np.isfinite(values)
    if missing.any():
        why = "have no value" if (missing & places.kept).any() else "were filtered"
        number = f"{int(missing.sum()):,} of {len(values):,} {places.noun}"
        sheet.note(figure, f"Light grey: {number} {why}.")
    return figure


def numbers(places: Places, column: str) -> NDArray[np.float64] | None:
    """Read a numeric column as floats, or None where there is none."""
    if column not in places.table.obs:
        return None
    values = pd.to_numeric(places.table.obs[column], errors="coerce")
    return values.to_numpy(np.float64, na_value=np.nan)
