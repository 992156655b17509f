"""Counts and mitochondrial share of cells before and after filtering, islands, neighbours."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.patheffects import withStroke
from matplotlib.ticker import NullFormatter

from napari_vhd import keys

from . import maps, sheet
from .colors import FILTERED, sequential

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from napari_vhd.parameters import Params

    from .view import Places, View

_MITO = "pct_counts_mt"
_COUNTS = ("total_counts", "n_counts")
_GENES = ("n_genes_by_counts", "n_genes")
_BAR, LIMIT_COLOR = "#4477aa", "#d55e00"
MEASURED = (*_COUNTS, _MITO, *_GENES)
"""Columns that the histograms show, as far as they are there."""
_MOST_NUMBERED = 150
_MOST_LINES = 20_000
_WINDOW_UM = 250.0
_SIDE = 5.2
_CYCLE = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")


def after_qc(view: View) -> Iterator[tuple[str, Figure]]:
    """Draw maps before and after filtering, histograms with the limits, islands."""
    places = view.cells
    if places is None:
        return
    counts, mito = _first(places, _COUNTS), maps.numbers(places, _MITO)
    for values, before, after, title, label in (
        (counts, "n_counts", "counts_after_filtering", "UMIs per cell", "UMIs per cell"),
        (mito, _MITO, "mt_after_filtering", "Mitochondrial share", "% mitochondrial UMIs"),
    ):
        if values is None:
            continue
        scale = sequential(values)
        yield (
            f"{before}_{view.sample_id}.png",
            maps.map_values(view, places, values, f"{title} before filtering", scale, label),
        )
        left = np.where(places.kept, values, np.nan)
        figure = maps.map_values(
            view, places, left, f"{title} after filtering", sequential(left), label
        )
        yield f"{after}_{view.sample_id}.png", figure
    yield "qc_histograms.png", histograms(view, places).figure
    if keys.ISLAND in places.table.obs:
        yield "islands.png", _islands(view, places)


def after_neighbors(view: View) -> Iterator[tuple[str, Figure]]:
    """Draw the graph of neighbours."""
    for places in (view.cells, view.bins(view.config.params.deconvolution_bins)):
        if places is not None and "spatial_connectivities" in places.table.obsp:
            yield "connectivities.png", _connectivities(view, places)
            return


def _first(places: Places, columns: tuple[str, ...]) -> NDArray[np.float64] | None:
    """Read the first of several columns that is there."""
    found = (maps.numbers(places, column) for column in columns)
    return next((values for values in found if values is not None), None)


@dataclass(frozen=True)
class Limit:
    """A filter's line in a histogram.

    Attributes
    ----------
    parameter
        Its name in the config file.
    sentence
        What it keeps, to be formatted with a value.
    value
        Where it stands.
    least
        Whether it keeps what is at least the value; else what is below.
    values
        Of the cells in the histogram.
    axes
        Where it is drawn.
    """

    parameter: str
    sentence: str
    value: float
    least: bool
    values: NDArray[np.float64]
    axes: Axes

    def keeps(self, value: float) -> int:
        """Count the cells that it would keep at another value."""
        there = self.values[np.isfinite(self.values)]
        return int((there >= value).sum() if self.least else (there < value).sum())


_Panel = tuple["NDArray[np.float64] | None", str, tuple[str, str, float, bool] | None]


@dataclass(frozen=True)
class Histograms:
    """The figure, and the filters' lines in it."""

    figure: Figure
    limits: tuple[Limit, ...]


def histograms(
    view: View,
    places: Places,
    size: tuple[float, float] = (4.3, 3.0),
    columns: int = 2,
    lines: bool = True,
) -> Histograms:
    """Draw distributions over all cells with the filters' limits, and why cells were left out.

    Parameters
    ----------
    view, places
        The cells.
    size
        Of a panel, inches.
    columns
        Panels in a row.
    lines
        Whether to draw the limits, and not only to tell them.
    """
    params = view.config.params
    counts, mito = _first(places, _COUNTS), maps.numbers(places, _MITO)
    limit = _mito_limit(params, counts, mito)
    least = float(params.filter_cells_counts)
    panels: list[_Panel] = [
        (counts, "UMIs per cell", ("filter_cells_counts", "kept: at least {:,g}", least, True)),
        (mito, "% mitochondrial UMIs", ("pct_mito", "kept: below {:.3g} %", limit, False)),
        (_first(places, _GENES), "genes per cell", None),
    ]
    present = [
        (values, label, told)
        for values, label, told in panels
        if values is not None and np.isfinite(values).any()
    ]
    figure, axes = sheet.lay_out(
        len(present) + 1, size, columns, f"Quality control · {view.name}", gap=(1.4, 1.0)
    )
    limits = []
    for one, (values, label, told) in zip(axes, present, strict=False):
        _histogram(one, values, label)
        if told is not None:
            limits.append(Limit(*told, values, one))
            sheet.panel_title(one, limits[-1].sentence.format(limits[-1].value))
            if lines:
                one.axvline(limits[-1].value, color=LIMIT_COLOR, linewidth=1.6)
    _reasons(axes[-1], places)
    return Histograms(figure, tuple(limits))


def _mito_limit(
    params: Params, counts: NDArray[np.float64] | None, mito: NDArray[np.float64] | None
) -> float:
    """Limit of the mt %: a quantile is of the cells that have enough counts, as in the stage."""
    if params.percentile_pct_mito is None or mito is None:
        return params.pct_mito
    judged = np.isfinite(mito)
    if counts is not None:
        judged &= counts >= params.filter_cells_counts
    return float(np.quantile(mito[judged], params.percentile_pct_mito)) if judged.any() else 0.0


def _histogram(axes: Axes, values: NDArray[np.float64], label: str) -> None:
    """Draw a distribution, on a logarithmic axis where it spans more than a decade or so."""
    values = values[np.isfinite(values)]
    positive = values[values > 0]
    bins: list[float] | int = 50
    if len(positive) and label.endswith("per cell") and values.max() > 30 * positive.min():
        low = max(0.8, float(positive.min()) * 0.8)
        values = np.maximum(values, low)
        bins = np.geomspace(low, values.max(), 51).tolist()
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:,g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.hist(values, bins=bins, color=_BAR)
    sheet.dress_plot(axes, label, "cells")


def _reasons(axes: Axes, places: Places) -> None:
    """How many cells are kept, and why the others are not."""
    kept = int(places.kept.sum())
    rows = {"kept": kept}
    left_out = places.table.obs[~places.kept]
    if keys.KEPT_REASON in left_out:
        reasons = left_out[keys.KEPT_REASON].astype("string").fillna("left out")
        rows |= {str(k): int(v) for k, v in reasons.value_counts().items()}
    elif len(left_out):
        rows["left out"] = len(left_out)
    names, numbers = list(rows), list(rows.values())
    axes.barh(range(len(rows)), numbers, color=[_BAR, *[LIMIT_COLOR] * (len(rows) - 1)])
    axes.set_yticks(range(len(rows)), [textwrap.fill(name, 20) for name in names])
    for place, number in enumerate(numbers):
        axes.text(number, place, f" {number:,}", va="center", fontsize=sheet.SMALL)
    axes.set_ylim(max(len(rows) - 0.3, 3.3), -0.7)
    sheet.dress_plot(axes, "cells", "")
    axes.margins(x=0.18)
    sheet.panel_title(axes, f"{kept:,} of {places.table.n_obs:,} cells kept")


def _islands(view: View, places: Places) -> Figure:
    """Colour cells by island, with the number that `islands_keep` and `islands_drop` understand."""
    from matplotlib.colors import to_rgba_array

    values = maps.numbers(places, keys.ISLAND)
    if values is None or view.box is None:
        raise ValueError("there are no islands to draw")
    found, codes = np.unique(values[np.isfinite(values)].astype(int), return_inverse=True)
    sizes = np.bincount(codes, minlength=len(found))
    colors = np.tile(to_rgba_array(FILTERED), (len(values), 1))
    cycle, numbered = to_rgba_array(_CYCLE), np.isfinite(values)
    colors[numbered] = cycle[codes % len(cycle)]
    pale = numbered & ~places.kept
    colors[pale] = colors[pale] * 0.35 + 0.65
    figure, axes = maps.one_map(view, "Islands of cells")
    maps.fill(axes, view, places, np.asarray(255 * colors, np.uint8), sheet.MAP_INCHES)
    xy = np.asarray(places.table.obsm[keys.SPATIAL], float)[numbered]
    for index in np.argsort(-sizes)[:_MOST_NUMBERED]:
        own = xy[codes == index]
        # The member nearest to the middle: the number stands on the island even if it is a ring.
        middle = own[np.argmin(np.hypot(*(own - own.mean(0)).T))]
        axes.text(
            middle[0],
            middle[1],
            f"{found[index]}",
            ha="center",
            va="center",
            fontsize=sheet.TEXT if sizes[index] > 20 else sheet.SMALL,
            fontweight="bold",
            color=sheet.INK,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )
    listed = ", ".join(f"{found[i]} ({sizes[i]:,})" for i in np.argsort(-sizes, kind="stable")[:12])
    more = " …" if len(found) > 12 else ""
    sentences = [f"Island number (cells): {listed}{more}."]
    if pale.any():
        sentences.append(f"Pale: {int(pale.sum()):,} left out with their island.")
    if not numbered.all():
        sentences.append(f"Grey: {int((~numbered).sum()):,} filtered before.")
    sheet.note(figure, " ".join(sentences))
    return figure


def _connectivities(view: View, places: Places) -> Figure:
    """Draw pairs of neighbours as lines, and cells as dots coloured by their neighbours.

    Where there are too many pairs to tell apart, lines are drawn in a window beside the map.
    """
    if view.box is None:
        raise ValueError("there is nothing to map")
    graph, shown = places.table.obsp["spatial_connectivities"].tocsr(), places.kept
    xy = np.asarray(places.table.obsm[keys.SPATIAL], float)
    pairs = graph.tocoo()
    once = pairs.row < pairs.col
    lines = np.stack([xy[pairs.row[once]], xy[pairs.col[once]]], axis=1)
    degree = np.diff(graph.indptr).astype(float)[shown]
    boxes = [view.box]
    if len(lines) > _MOST_LINES:
        boxes.append(view.box.densest(xy[shown], _WINDOW_UM / (view.um_per_px or 0.25)))
    side = sheet.MAP_INCHES if len(boxes) == 1 else _SIDE
    how = f"within {view.config.params.radius:g} µm" if places.noun == "cells" else "on the grid"
    figure, panels = sheet.lay_out(
        len(boxes), sheet.map_size(view.box, side), 2, f"Neighbours {how} · {view.name}"
    )
    scale = sequential(degree)
    for axes, box in zip(panels, boxes, strict=True):
        sheet.dress_map(axes, box, view.um_per_px)
        near = box.holds(xy[shown])
        colors = scale.rgba(degree[near]) / 255
        size = float(np.clip(30_000 / max(near.sum(), 1), 0.5, 22))
        axes.scatter(
            xy[shown][near, 0], xy[shown][near, 1], c=colors, s=size, linewidths=0, zorder=3
        )
    drawn = lines[boxes[-1].holds(lines[:, 0]) | boxes[-1].holds(lines[:, 1])]
    panels[-1].add_collection(
        LineCollection(list(drawn), colors="#777777", linewidths=0.8), autolim=False
    )
    sheet.color_bar(panels[-1], scale, "neighbours", whole=True)
    alone = int((degree == 0).sum())
    sheet.note(
        figure,
        f"{len(lines):,} pairs; {degree.mean() if len(degree) else 0:.1f} neighbours on average; "
        f"{alone:,} of {len(degree):,} {places.noun} without a neighbour.",
    )
    return figure
