"""Counts and mitochondrial share of cells before and after filtering, islands, neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.patheffects import withStroke

from napari_vhd import keys

from . import maps, sheet
from .colors import FILTERED, sequential

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from .view import Places, View

_MITO = "pct_counts_mt"
_COUNTS = ("total_counts", "n_counts")
_GENES = ("n_genes_by_counts", "n_genes")
_BAR, _LINE = "#4477aa", "#d55e00"
_MOST_NUMBERED = 150
_CYCLE = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")


def after_qc(view: View) -> Iterator[tuple[str, Figure]]:
    """Maps before and after filtering, histograms with the limits, islands."""
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
    yield "qc_histograms.png", _histograms(view, places, counts, mito)
    if keys.ISLAND in places.table.obs:
        yield "islands.png", _islands(view, places)


def after_neighbors(view: View) -> Iterator[tuple[str, Figure]]:
    """The graph of neighbours."""
    for places in (view.cells, view.bins(view.config.params.deconvolution_bins)):
        if places is not None and "spatial_connectivities" in places.table.obsp:
            yield "connectivities.png", _connectivities(view, places)
            return


def _first(places: Places, columns: tuple[str, ...]) -> NDArray[np.float64] | None:
    """The first of several columns that is there."""
    found = (maps.numbers(places, column) for column in columns)
    return next((values for values in found if values is not None), None)


def _histograms(
    view: View,
    places: Places,
    counts: NDArray[np.float64] | None,
    mito: NDArray[np.float64] | None,
) -> Figure:
    """Distributions over all cells with the filters' limits, and why cells were left out."""
    params = view.config.params
    limit = params.pct_mito
    if params.percentile_pct_mito is not None and mito is not None and np.isfinite(mito).any():
        limit = float(np.nanquantile(mito, params.percentile_pct_mito))
    panels = [
        (counts, "UMIs per cell", float(params.filter_cells_counts), "fewest", True),
        (mito, "% mitochondrial UMIs", limit, "limit", False),
        (_first(places, _GENES), "genes per cell", None, "", True),
    ]
    present = [p for p in panels if p[0] is not None and np.isfinite(p[0]).any()]
    figure, axes = sheet.lay_out(
        len(present) + 1, (4.3, 3.0), 2, f"Quality control · {view.name}", gap=(1.1, 1.0)
    )
    for one, (values, label, at, word, log) in zip(axes, present, strict=False):
        if values is not None:
            _histogram(one, values, label, log)
        if at is not None:
            one.axvline(max(at, 0.8) if log else at, color=_LINE, linewidth=1.6)
            sheet.panel_title(one, f"{word}: {at:,.4g}")
    _reasons(axes[-1], places)
    return figure


def _histogram(axes: Axes, values: NDArray[np.float64], label: str, log: bool) -> None:
    values = values[np.isfinite(values)]
    bins: NDArray[np.float64] | int = 50
    if log:
        values = np.maximum(values, 0.8)
        bins = np.geomspace(values.min(), max(values.max(), values.min() * 2), 51)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:,.0f}")
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
    names = list(rows)[::-1]
    axes.barh(names, [rows[n] for n in names], color=[_BAR if n == "kept" else _LINE for n in names])
    for place, name in enumerate(names):
        axes.text(rows[name], place, f" {rows[name]:,}", va="center", fontsize=sheet.SMALL)
    axes.set_ylim(-0.7, max(len(names) - 0.3, 3.3))
    sheet.dress_plot(axes, "cells", "")
    axes.margins(x=0.18)
    sheet.panel_title(axes, f"{kept:,} of {places.table.n_obs:,} cells kept")


def _islands(view: View, places: Places) -> Figure:
    """Cells by island, with the number that `islands_keep` and `islands_drop` understand."""
    from matplotlib.colors import to_rgba_array

    values = maps.numbers(places, keys.ISLAND)
    if values is None or view.box is None:
        raise ValueError("there are no islands to draw")
    found, codes = np.unique(values[np.isfinite(values)].astype(int), return_inverse=True)
    sizes = np.bincount(codes, minlength=len(found))
    colors = np.tile(to_rgba_array(FILTERED), (len(values), 1))
    cycle = to_rgba_array(_CYCLE)
    colors[np.isfinite(values)] = cycle[codes % len(cycle)]
    colors[~places.kept] = colors[~places.kept] * 0.35 + 0.65
    figure, axes = maps.one_map(view, "Islands of cells")
    maps.fill(axes, view, places, np.asarray(255 * colors, np.uint8), sheet.MAP_INCHES)
    xy = np.asarray(places.table.obsm[keys.SPATIAL], float)[np.isfinite(values)]
    for index in np.argsort(-sizes)[:_MOST_NUMBERED]:
        own = xy[codes == index]
        # The member nearest to the middle: the number stands on the island even if it is a ring.
        middle = own[np.argmin(np.hypot(*(own - own.mean(0)).T))]
        axes.text(
            *middle,
            f"{found[index]}",
            ha="center",
            va="center",
            fontsize=sheet.TEXT if sizes[index] > 20 else sheet.SMALL,
            fontweight="bold",
            color=sheet.INK,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )
    listed = ", ".join(
        f"{found[i]} ({sizes[i]:,})" for i in np.argsort(-sizes, kind="stable")[:12]
    )
    more = " …" if len(found) > 12 else ""
    pale = " Pale: left out." if not places.kept.all() else ""
    sheet.note(figure, f"Island number (cells): {listed}{more}.{pale}")
    return figure


def _connectivities(view: View, places: Places) -> Figure:
    """Every pair of neighbours as a line, every cell as a dot coloured by its neighbours."""
    graph = places.table.obsp["spatial_connectivities"].tocsr()
    xy = np.asarray(places.table.obsm[keys.SPATIAL], float)
    pairs = graph.tocoo()
    once = pairs.row < pairs.col
    degree = np.diff(graph.indptr)
    figure, axes = maps.one_map(view, f"Neighbours within {view.config.params.radius:g} µm")
    lines = np.stack([xy[pairs.row[once]], xy[pairs.col[once]]], axis=1)
    dense = len(lines) > 20_000
    axes.add_collection(
        LineCollection(
            lines, colors="#777777", linewidths=0.25 if dense else 0.8, antialiased=not dense
        ),
        autolim=False,
    )
    scale = sequential(degree.astype(float), "viridis")
    shown = places.kept
    axes.scatter(
        *xy[shown].T,
        c=scale.rgba(degree[shown].astype(float)) / 255,
        s=float(np.clip(30_000 / max(len(xy), 1), 0.3, 22)),
        linewidths=0,
        zorder=3,
    )
    sheet.color_bar(axes, scale, f"neighbours of each of the {places.noun}")
    alone = int((degree[shown] == 0).sum())
    sheet.note(
        figure,
        f"{len(lines):,} pairs; {degree[shown].mean() if shown.any() else 0:.1f} neighbours on "
        f"average; {alone:,} of {int(shown.sum()):,} {places.noun} without a neighbour.",
    )
    return figure
