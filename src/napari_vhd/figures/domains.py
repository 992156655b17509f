"""Spatial domains: where each lies, and how much of the sample it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from napari_vhd import keys

from . import maps, sheet
from .colors import categories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from .view import Places, View

_COLUMN = re.compile(re.escape(keys.domains(0)[:-1]) + r"(\d+)")


def after_domains(view: View) -> Iterator[tuple[str, Figure]]:
    """Map and proportions of every number of domains, and the chosen one over the H&E."""
    for number, places, column in _columns(view):
        title = f"Domains (level {number})"
        yield f"domains_{number}.png", maps.map_categories(view, places, column, title)
        yield f"domains_proportions_{number}.png", proportions(view, places, column, title)
    column = view.config.params.clustering_col
    chosen = view.holding(column)
    if chosen is not None:
        figure = maps.map_categories(view, chosen, column, "Domains on the H&E", over_tissue=True)
        yield "domains_on_he.png", figure


def _columns(view: View) -> Iterator[tuple[int, Places, str]]:
    """Every column of domains, fewest first."""
    found: dict[int, tuple[Places, str]] = {}
    for places in (view.bins(view.config.params.deconvolution_bins), view.cells):
        for column in () if places is None else places.table.obs.columns:
            match = _COLUMN.fullmatch(str(column))
            if match and places is not None:
                found[int(match[1])] = (places, str(column))
    for number in sorted(found):
        yield number, *found[number]


def proportions(
    view: View, places: Places, column: str, title: str, what: str = "domain", wide: float = 6.0
) -> Figure:
    """One bar a category, in per cent of the rows that have one; `wide` in inches."""
    shown = categories(places, column)
    names, counts = shown.names[: shown.named], shown.counts[: shown.named]
    total = max(int(counts.sum()), 1)
    size = (wide, max(1.6, 0.36 * max(len(names), 1)))
    title = f"{title}, proportions · {view.name}"
    figure, (axes,) = sheet.lay_out(1, size, 1, title, headroom=sheet.BARE)
    axes.barh(names, 100 * counts / total, color=shown.colors[: shown.named], edgecolor="#555555",
              linewidth=0.5)  # fmt: skip
    for place, count in enumerate(counts):
        text = f" {100 * count / total:.1f} % ({count:,})"
        axes.text(100 * count / total, place, text, va="center", fontsize=sheet.SMALL)
    axes.invert_yaxis()
    axes.margins(x=0.3, y=0.02)
    sheet.dress_plot(axes, f"% of the {total:,} {places.noun} with a {what}", "")
    return figure
