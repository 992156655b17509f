"""A sheet of paper: maps and plots of known size, with titles, legends and scale bars beside them.

Sizes are in inches and text in points, so a figure is as readable for 12 cells as for 100,000.
Nothing here touches pyplot or its global state.
"""

from __future__ import annotations

import math
import os
import textwrap
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.axes_grid1.anchored_artists import (
    AnchoredSizeBar,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from .colors import Categories, Scale
    from .geometry import Box

DPI = 160
MAP_INCHES = 7.5
TEXT, SMALL, TITLE = 10.5, 9.0, 13.0
INK = "#222222"
BARE = 0.14
"""Inches between a panel that has no title of its own and the title above."""
_LEGEND_ROWS = 26
_EDGE = 0.2
_BAR_INCHES = (1.5, 3.5)


def pixels(inches: float) -> int:
    """Pixels of a length on paper."""
    return round(inches * DPI)


def map_size(box: Box, longest: float) -> tuple[float, float]:
    """Width and height (inches) of a map of a box, in true proportions."""
    scale = longest / box.longest
    return max(box.width * scale, 0.3), max(box.height * scale, 0.3)


def lay_out(
    number: int,
    size: tuple[float, float],
    columns: int,
    title: str,
    gap: tuple[float, float] = (0.3, 0.5),
    headroom: float = 0.42,
) -> tuple[Figure, list[Axes]]:
    """Make a figure with panels of one size, row by row.

    Parameters
    ----------
    number
        Panels.
    size
        Width and height of a panel, inches.
    columns
        Panels in a row, at most.
    title
        Above everything.
    gap
        Between panels across and down, inches.
    headroom
        Between the panels and the title, inches: enough for titles of panels, or `BARE`.
    """
    columns = max(1, min(columns, number))
    rows = math.ceil(number / columns)
    width = columns * size[0] + (columns - 1) * gap[0]
    height = rows * size[1] + (rows - 1) * gap[1]
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    axes = []
    for index in range(number):
        row, column = divmod(index, columns)
        left = column * (size[0] + gap[0])
        bottom = height - (row + 1) * size[1] - row * gap[1]
        axes.append(
            figure.add_axes((left / width, bottom / height, size[0] / width, size[1] / height))
        )
    figure.text(
        0, 1 + headroom / height, title, fontsize=TITLE, fontweight="bold", color=INK, va="bottom"
    )
    return figure, axes


def note(figure: Figure, sentence: str, below: float = 0.42) -> None:
    """Write a sentence, `below` inches under the panels."""
    width, height = figure.get_size_inches()
    text = textwrap.fill(sentence, max(40, int(width * 12)))
    figure.text(0, -below / height, text, fontsize=TEXT, color=INK, va="top")


def dress_map(axes: Axes, box: Box, um_per_px: float | None, sizes: bool = True) -> None:
    """Give a map its frame, its size in µm and a scale bar; y downwards, in px."""
    axes.set(xlim=(box.x0, box.x1), ylim=(box.y1, box.y0), aspect="auto", xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color="#555555", linewidth=0.8)
    unit, factor = ("µm", um_per_px) if um_per_px else ("px", 1.0)
    if sizes:
        axes.set_xlabel(f"{box.width * factor:,.0f} {unit}", fontsize=SMALL, color=INK)
        axes.set_ylabel(f"{box.height * factor:,.0f} {unit}", fontsize=SMALL, color=INK)
    length = _round_length(box.width * factor / 4)
    bar = AnchoredSizeBar(
        axes.transData,
        length / factor,
        f"{length:,g} {unit}",
        "lower right",
        pad=0.35,
        borderpad=0.5,
        sep=3,
        color=INK,
        fill_bar=True,
        size_vertical=box.height * 0.006,
        fontproperties=FontProperties(size=SMALL),
    )
    bar.patch.set(facecolor="white", edgecolor="none", alpha=0.9)
    bar.set_zorder(20)
    axes.add_artist(bar)


def show(axes: Axes, rgb: NDArray[np.uint8], box: Box) -> None:
    """Lay a picture over a box of full-resolution px."""
    axes.imshow(
        rgb, extent=(box.x0, box.x1, box.y1, box.y0), interpolation="nearest", aspect="auto"
    )


def panel_title(axes: Axes, text: str, size: float = TEXT) -> None:
    """Title of one of several panels."""
    axes.set_title(text, fontsize=size, loc="left", color=INK, pad=5)


def legend(axes: Axes, shown: Categories, title: str) -> None:
    """List every category with its colour and count, right of the axes."""
    entries = [
        Patch(facecolor=color, edgecolor="#555555", linewidth=0.5, label=_entry(name, count))
        for name, color, count in zip(shown.names, shown.colors, shown.counts, strict=True)
    ]
    legend_of(axes, entries, title)


def legend_of(
    axes: Axes, entries: Sequence[Artist], title: str, gap: float = 0.2, spacing: float = 0.45
) -> None:
    """Put a legend right of the axes (`gap` inches), in as many columns as it needs.

    `spacing` between the lines is in lines.
    """
    # The gap is on paper, not a share of the axes: the same for wide and for narrow maps.
    start = 1 + gap * axes.figure.dpi / axes.get_window_extent().width
    drawn = axes.legend(
        handles=list(entries),
        title=title,
        loc="upper left",
        bbox_to_anchor=(start, 1.0),
        bbox_transform=axes.transAxes,
        borderaxespad=0,
        borderpad=0.0,
        handlelength=1.1,
        handleheight=1.1,
        columnspacing=1.2,
        labelspacing=spacing,
        fontsize=TEXT,
        title_fontsize=TEXT,
        alignment="left",
        frameon=False,
        ncols=math.ceil(len(entries) / _LEGEND_ROWS),
    )
    for text in [*drawn.get_texts(), drawn.get_title()]:
        text.set_color(INK)


def color_bar(axes: Axes, scale: Scale, label: str, whole: bool = False) -> None:
    """Put a colour bar right of the axes.

    Parameters
    ----------
    axes
        Its height (at most 3.5 inches) and top are the bar's.
    scale
        What it explains.
    label
        The quantity and its unit.
    whole
        Only whole numbers make sense.
    """
    figure, place = axes.figure, axes.get_position()
    width, height = figure.bbox.width / figure.dpi, figure.bbox.height / figure.dpi
    tall = float(np.clip(place.height * height, *_BAR_INCHES)) / height
    bar_axes = figure.add_axes((place.x1 + 0.18 / width, place.y1 - tall, 0.2 / width, tall))
    bar = figure.colorbar(ScalarMappable(scale.norm, scale.cmap), cax=bar_axes, extend=scale.extend)
    bar.set_label(label, fontsize=TEXT, color=INK)
    bar_axes.tick_params(labelsize=SMALL, colors=INK)
    if whole:
        bar.locator = MaxNLocator(integer=True)
        bar.update_ticks()
    bar.outline.set(edgecolor="#555555", linewidth=0.6)


def dress_plot(axes: Axes, x: str, y: str) -> None:
    """Give a plot its axis labels and a light look."""
    axes.set_xlabel(x, fontsize=TEXT, color=INK)
    axes.set_ylabel(y, fontsize=TEXT, color=INK)
    axes.tick_params(labelsize=SMALL, colors=INK)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG whole or not at all; nothing is clipped."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # As bbox_inches="tight" does, but without drawing everything once more to measure it.
        needed = figure.get_tightbbox(FigureCanvasAgg(figure).get_renderer()).padded(_EDGE)
        figure.savefig(beside, format="png", bbox_inches=needed, pil_kwargs={"compress_level": 1})
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def _entry(name: str, count: int) -> str:
    """Legend line of a category."""
    if name in {"filtered", "not assigned"}:
        return f"{name}: {count:,}"
    return f"{textwrap.shorten(name, 34, placeholder='…')} ({count:,})"


def _round_length(longest: float) -> float:
    """Give the largest of 1, 2, 5, 10, 20, … that is not longer."""
    decade = 10 ** math.floor(math.log10(longest))
    return float(max(step * decade for step in (1, 2, 5) if step * decade <= longest))
