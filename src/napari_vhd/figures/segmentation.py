"""Outlines of nuclei and cells on the H&E: the whole region, and a window at full resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from napari_vhd import keys

from . import sheet
from .raster import NOTHING, Box, raster_of_rings, rims

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from .raster import Rings
    from .view import View

_SIDE = 6.2
_WINDOW_UM = 90.0
_WINDOW_PX = 330.0
# More rings than this are drawn from a raster: vectors would take seconds.
_MOST_VECTORS = 20_000
_FEWEST_PX = 5


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


def _outlines(
    view: View, wanted: Sequence[Outlined], name: str
) -> Iterator[tuple[str, Figure]]:
    drawn = [(one, view.rings(one.element)) for one in wanted]
    sets = [(one, rings) for one, rings in drawn if rings is not None]
    if len(sets) < len(wanted) or view.box is None:
        return
    size = sheet.map_size(view.box, _SIDE)
    title = " and ".join(one.title for one, _ in sets)
    figure, axes = sheet.lay_out(1, size, 1, f"{title} · {view.name}")
    whole = axes[0]
    _draw(figure, view, view.box, whole, sets)
    window = _window(view.box, view.um_per_px, sets[0][1])
    width, height = figure.get_size_inches()
    side = min(_SIDE, size[1]) if size[1] > _SIDE / 2 else _SIDE
    inset = figure.add_axes(
        (1 + 0.45 / width, 1 - side / height, side / width, side / height)
    )
    _draw(figure, view, window, inset, sets)
    sheet.panel_title(inset, "the framed window at full resolution")
    whole.add_patch(
        Rectangle(
            (window.x0, window.y0), window.width, window.height, fill=False, linewidth=1.8,
            edgecolor="black",
        )
    )  # fmt: skip
    sheet.panel_title(whole, _counted(sets, view.um_per_px))
    handles = [
        Line2D([], [], color=one.color, linewidth=3, label=one.title) for one, _ in sets
    ]
    sheet.legend_of(inset, handles, "")
    yield name, figure


def _draw(
    figure: Figure,
    view: View,
    box: Box,
    axes: object,
    sets: Sequence[tuple[Outlined, Rings]],
) -> None:
    """H&E with outlines in one box."""
    from matplotlib.axes import Axes

    if not isinstance(axes, Axes):
        raise TypeError("axes of matplotlib are needed")
    place = axes.get_position()
    inches = max(place.width * figure.get_figwidth(), place.height * figure.get_figheight())
    longest = sheet.pixels(inches)
    picture = view.picture(box, longest)
    for one, rings in sets:
        near = rings.touching(box)
        if len(near) <= _MOST_VECTORS:
            line = 1.6 if len(near) < 400 else 0.7
            axes.add_collection(
                LineCollection(near, colors=one.color, linewidths=line), autolim=False
            )
        elif picture is not None:
            picture = _burnt_in(picture, rings, box, longest, one.color)
    if picture is not None:
        sheet.show(axes, picture, box)
    sheet.dress_map(axes, box, view.um_per_px)
