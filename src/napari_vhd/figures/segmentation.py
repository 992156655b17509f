"""Outlines of nuclei and cells on the H&E: the whole region, and a window at full resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from napari_vhd import keys

from . import sheet
from .raster import Raster

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from .geometry import Box, Rings
    from .view import View

_SIDE = 6.2
_WINDOW_UM = 90.0
_UM_PER_PX = 0.25  # where nothing says it
# More rings than this are drawn from a raster: vectors would take seconds.
_MOST_VECTORS = 20_000
_TINT = 0.35


@dataclass(frozen=True)
class Outlined:
    """One set of boundaries as it is drawn."""

    element: str
    title: str
    noun: str
    color: str


# Yellow-green and cyan: both far from pink and purple, and from each other for colour-blind eyes.
_NUCLEI = Outlined(keys.STARDIST, "StarDist nuclei", "nuclei", "#00d43c")
_CELLS = Outlined(keys.PROSEG, "ProSeg cells", "cells", "#ffd400")


def after_stardist(view: View) -> Iterator[tuple[str, Figure]]:
    """StarDist's nuclei."""
    yield from _outlines(view, [_NUCLEI], "stardist_outlines.png")


def after_proseg(view: View) -> Iterator[tuple[str, Figure]]:
    """ProSeg's cells, and both segmentations together."""
    yield from _outlines(view, [_CELLS], "proseg_outlines.png")
    yield from _outlines(view, [_CELLS, _NUCLEI], "both_outlines.png")


def after_boundaries(view: View) -> Iterator[tuple[str, Figure]]:
    """Boundaries that were taken from a file."""
    yield from _outlines(view, [_NUCLEI], "stardist_outlines.png")
    yield from _outlines(view, [_CELLS], "proseg_outlines.png")


def _outlines(view: View, wanted: Sequence[Outlined], name: str) -> Iterator[tuple[str, Figure]]:
    """Make one figure with all the wanted boundaries, if all are there."""
    found = [(one, view.rings(one.element)) for one in wanted]
    sets = [(one, rings) for one, rings in found if rings is not None]
    if len(sets) < len(wanted) or view.box is None:
        return
    title = " and ".join(one.title for one, _ in sets)
    size = sheet.map_size(view.box, _SIDE)
    figure, (whole, detail) = sheet.lay_out(2, size, 2, f"{title} · {view.name}")
    window = view.box.densest(sets[0][1].starts(), _WINDOW_UM / (view.um_per_px or _UM_PER_PX))
    for axes, box in ((whole, view.box), (detail, window)):
        _draw(axes, view, box, sets)
    corner = (window.x0, window.y0)
    whole.add_patch(
        Rectangle(corner, window.width, window.height, fill=False, linewidth=2, edgecolor="black")
    )
    sheet.panel_title(whole, "; ".join(_described(view, *one) for one in sets))
    sheet.panel_title(detail, "the framed window at full resolution")
    handles = [Line2D([], [], color=one.color, linewidth=3, label=one.title) for one, _ in sets]
    sheet.legend_of(detail, handles, "")
    yield name, figure


def _draw(axes: Axes, view: View, box: Box, sets: Sequence[tuple[Outlined, Rings]]) -> None:
    """H&E with outlines in one box."""
    longest = sheet.pixels(_SIDE)
    picture = view.picture(box, longest)
    for one, rings in sets:
        near = rings.touching(box)
        if len(near) <= _MOST_VECTORS:
            width = 1.8 if len(near) < 400 else 0.8
            lines = LineCollection(near, colors=one.color, linewidths=width)
            axes.add_collection(lines, autolim=False)
        elif picture is not None:
            picture = _with_outlines(picture, rings, box, longest, one.color)
    if picture is not None:
        sheet.show(axes, picture, box)
    sheet.dress_map(axes, box, view.um_per_px)


def _with_outlines(
    picture: NDArray[np.uint8], rings: Rings, box: Box, longest: int, color: str
) -> NDArray[np.uint8]:
    """Blend outlines into a picture of the box."""
    raster = Raster.of(rings, box, longest)
    # Where outlines are all one would see, they only tint the tissue.
    strength = 1.0 if raster.has_room_for_rims(len(rings)) else _TINT
    share = strength * raster.outline_share()[..., None]
    ink = 255 * np.array(to_rgb(color))
    return np.rint(picture * (1 - share) + ink * share).astype(np.uint8)


def _described(view: View, one: Outlined, rings: Rings) -> str:
    """Say number and median area of the objects."""
    shapes = view.sdata.shapes[one.element]
    text = f"{len(shapes):,} {one.noun}"
    if keys.AREA_UM2 in shapes:
        return f"{text}, median {shapes[keys.AREA_UM2].median():,.0f} µm²"
    if view.um_per_px:
        return f"{text}, median {np.median(rings.areas()) * view.um_per_px**2:,.0f} µm²"
    return text
