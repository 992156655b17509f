"""Scores and marker genes by domain and by cell type: matrix, dots, and single cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D

from napari_vhd import keys

from . import maps, sheet
from .colors import Categories, categories, diverging, sequential

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from .colors import Scale
    from .view import Places, View

_CELL, _SMALL_CELL = 0.42, 0.31
_DOT = 0.75
_MOST_GENES = 40
_MOST_ROWS = 1500


def by_group(
    view: View, places: Places, signatures: Sequence[str], column: str
) -> Iterator[tuple[str, Figure]]:
    """Matrix and dots of scores by domain, single cells by domain, marker genes by type."""
    scores = scores_of(places, signatures)
    if column in places.table.obs and scores.size:
        groups = categories(places, column)
        if groups.named:
            yield "matrixplot.png", _matrix(view, groups, scores, signatures, column)
            yield "dotplot_scores.png", dots_of_scores(view, groups, scores, signatures, column)
            yield "enrichmap_heatmap.png", _cells(view, groups, scores, signatures)
    if keys.TYPE_DOMAIN in places.table.obs:
        types = categories(places, keys.TYPE_DOMAIN)
        genes = markers_of(view, places, signatures)
        if types.named and genes:
            yield "dotplot_markers.png", dots_of_markers(view, places, types, genes)


def scores_of(places: Places, signatures: Sequence[str]) -> NDArray[np.float64]:
    """Cells × signatures."""
    found = [maps.numbers(places, keys.score(name)) for name in signatures]
    columns = [values for values in found if values is not None]
    return np.column_stack(columns) if columns else np.empty((places.table.n_obs, 0))


def means_of(groups: Categories, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each column in each named group, over what is there; groups × columns."""
    there = np.isfinite(values)
    filled = np.where(there, values, 0.0)
    result = np.full((groups.named, values.shape[1]), np.nan)
    for group in range(groups.named):
        own = groups.codes == group
        number = there[own].sum(0)
        result[group] = np.where(number, filled[own].sum(0) / np.maximum(number, 1), np.nan)
    return result


def _grid(
    view: View,
    groups: Categories,
    columns: Sequence[str],
    title: str,
    cell: float = _CELL,
    headroom: float = sheet.BARE,
) -> tuple[Figure, Axes]:
    """Make a figure with a row a group and a column for each name, cells of `cell` inches."""
    rows = groups.named
    size = (cell * len(columns), cell * rows)
    figure, (axes,) = sheet.lay_out(1, size, 1, f"{title} · {view.name}", headroom=headroom)
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(rows - 0.5, -0.5))
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right", rotation_mode="anchor")
    labels = [f"{n} ({c:,})" for n, c in zip(groups.names[:rows], groups.counts, strict=False)]
    axes.set_yticks(range(rows), labels)
    axes.tick_params(labelsize=sheet.TEXT, length=0, colors=sheet.INK)
    # A swatch of the group's colour before each row, as on the maps.
    axes.scatter(
        np.full(rows, -0.5 - 0.11 / cell), range(rows), c=groups.colors[:rows], marker="s", s=90,
        clip_on=False, zorder=5, edgecolors="#555555", linewidths=0.5,
    )  # fmt: skip
    axes.tick_params(axis="y", pad=16)
    return figure, axes


def _matrix(
    view: View, groups: Categories, scores: NDArray[np.float64], names: Sequence[str], column: str
) -> Figure:
    means = means_of(groups, scores)
    figure, axes = _grid(view, groups, names, f"Mean score by domain ({column})")
    scale = diverging(means)
    axes.imshow(means, cmap=scale.cmap, norm=scale.norm, aspect="auto", zorder=0)
    most = float(scale.norm.vmax or 1)
    digits = int(np.clip(1 - np.floor(np.log10(most)), 0, 4))
    for (row, col), value in np.ndenumerate(means):
        dark = abs(value) > 0.6 * most
        text = f"{round(float(value), digits) + 0.0:.{digits}f}" if np.isfinite(value) else "–"
        ink = "white" if dark else sheet.INK
        axes.text(col, row, text, ha="center", va="center", fontsize=7.5, color=ink)
    sheet.color_bar(axes, scale, "mean score")
    return figure


def _dots(
    axes: Axes,
    share: NDArray[np.float64],
    values: NDArray[np.float64],
    scale: Scale,
    meaning: tuple[str, str],
    cell: float = _CELL,
) -> None:
    """Draw dots: area is a share, colour a value, `meaning` explains both."""
    whole = (_DOT * 72 * cell) ** 2
    rows, columns = np.indices(share.shape)
    axes.set_axisbelow(True)
    axes.scatter(
        columns.ravel(), rows.ravel(), s=whole * np.nan_to_num(share).ravel(),
        c=scale.rgba(values.ravel()) / 255, edgecolors="#666666", linewidths=0.5,
    )  # fmt: skip
    sheet.color_bar(axes, scale, meaning[1])
    handles = [
        Line2D([], [], linestyle="", marker="o", markersize=np.sqrt(whole * part),
               markerfacecolor="#bbbbbb", markeredgecolor="#666666", label=f"{part:.0%}")
        for part in (0.25, 0.5, 0.75, 1.0)
    ]  # fmt: skip
    sheet.legend_of(axes, handles, meaning[0], gap=1.25, spacing=1.2)


def dots_of_scores(
    view: View, groups: Categories, scores: NDArray[np.float64], names: Sequence[str], column: str
) -> Figure:
    """Draw mean scores of signatures by group as dots."""
    figure, axes = _grid(view, groups, names, f"Scores by domain ({column})")
    means = means_of(groups, scores)
    positive = np.where(np.isfinite(scores), scores > 0, np.nan)
    meaning = "cells with a\nscore above 0", "mean score"
    _dots(axes, means_of(groups, positive), means, diverging(means), meaning)
    return figure


def markers_of(
    view: View, places: Places, signatures: Sequence[str]
) -> list[tuple[str, list[str]]]:
    """Find the first marker genes of each signature that were measured; few enough to read."""
    most = max(1, _MOST_GENES // max(len(signatures), 1))
    known = set(places.table.var_names)
    of_each = {n: [g for g in view.marker_genes.get(n, ()) if g in known] for n in signatures}
    return [(name, genes[:most]) for name, genes in of_each.items() if genes]


def dots_of_markers(
    view: View, places: Places, types: Categories, markers: list[tuple[str, list[str]]]
) -> Figure:
    """Mean log-normalised expression of marker genes in each cell type."""
    genes = [gene for _, some in markers for gene in some]
    table = places.table
    layer = table.layers.get(keys.LOGNORM, table.X)
    chosen = layer[:, table.var_names.get_indexer(genes)]
    values = np.asarray(chosen.todense() if hasattr(chosen, "todense") else chosen, float)
    # Signatures' names are slanted where they are longer than their genes are wide.
    slanted = any(0.075 * len(name) > _SMALL_CELL * len(some) for name, some in markers)
    headroom = 0.4 + (0.04 * max(len(name) for name, _ in markers) if slanted else 0.15)
    figure, axes = _grid(view, types, genes, "Marker genes by cell type", _SMALL_CELL, headroom)
    means = means_of(types, values)
    meaning = "cells that\nexpress it", "mean log-normalised\nexpression"
    shares = means_of(types, (values > 0).astype(float))
    _dots(axes, shares, means, _expression(means), meaning, _SMALL_CELL)
    start = 0
    for name, some in markers:
        end = start + len(some)
        axes.plot([start - 0.35, end - 0.65], [-0.75, -0.75], color=sheet.INK, linewidth=1.2,
                  clip_on=False)  # fmt: skip
        axes.text((start + end - 1) / 2, -0.95, name, rotation=35 if slanted else 0,
                  ha="left" if slanted else "center", va="bottom", rotation_mode="anchor",
                  fontsize=sheet.SMALL, color=sheet.INK)  # fmt: skip
        start = end
    return figure


def _expression(means: NDArray[np.float64]) -> Scale:
    """From nothing to the highest mean."""
    high = float(np.nanmax(means)) if np.isfinite(means).any() else 1.0
    return sequential(means, "YlOrRd", (0.0, high or 1.0))


def _cells(
    view: View, groups: Categories, scores: NDArray[np.float64], names: Sequence[str]
) -> Figure:
    """Every cell's scores, cells ordered by domain."""
    order = np.argsort(groups.codes, kind="stable")
    order = order[groups.codes[order] < groups.named]
    # More rows than the figure has pixels would only be averaged away.
    order = order[np.linspace(0, len(order) - 1, min(len(order), _MOST_ROWS)).astype(int)]
    size = (_CELL * (len(names) + 1), 5.5)
    title = f"Scores of each cell, by domain · {view.name}"
    figure, (axes,) = sheet.lay_out(1, size, 1, title, headroom=sheet.BARE)
    scale = diverging(scores)
    colors = scale.rgba(scores[order].ravel()).reshape(len(order), len(names), 4)
    of_group = groups.rgba()[order][:, None]
    axes.imshow(np.hstack([of_group, colors]), aspect="auto", interpolation="nearest")
    codes = groups.codes[order]
    starts = np.searchsorted(codes, np.arange(groups.named + 1))
    for start in starts[1:-1]:
        axes.axhline(start - 0.5, color="white", linewidth=1.2)
    middles, labels = (starts[:-1] + starts[1:]) / 2 - 0.5, groups.names[: groups.named]
    axes.set_yticks(middles, labels)
    axes.set_xticks(
        range(1, len(names) + 1), names, rotation=45, ha="right", rotation_mode="anchor"
    )
    axes.tick_params(labelsize=sheet.TEXT, length=0, colors=sheet.INK)
    sheet.color_bar(axes, scale, "score")
    return figure
