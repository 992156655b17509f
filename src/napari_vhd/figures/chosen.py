"""Figures of some cells: a selection, a region, or all; small enough for a dock."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.patches import Patch

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError
from napari_vhd.io.whole_file import whole

from . import domains, elbow, qc, scores, screen, sheet, tables
from .colors import categories
from .geometry import NOTHING, Box
from .view import Places, View

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from .colors import Categories

_PANEL = (3.3, 2.3)
_WIDE = 3.2
_LEGEND_GAP = 0.5


class _Nowhere:
    """Cells of which nobody asks where they lie."""

    def numbers(self, box: Box, width: int, height: int) -> NDArray[np.int32]:
        return np.full((height, width), NOTHING, np.int32)


@dataclass(frozen=True)
class ChosenView(View):
    """Some cells of a sample, without their places.

    Attributes
    ----------
    chosen
        Their table, with reviewed labels; counts of the marker genes alone, or of none.
    where
        What they are: "all cells", a region's name, "312 selected cells".
    genes
        Genes of each signature.
    """

    chosen: AnnData | None = None
    where: str = ""
    genes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def name(self) -> str:
        """The sample's name and which of its cells, for titles."""
        names = {s.id: s.name for s in self.config.samples}
        return f"{names.get(self.sample_id) or self.sample_id}, {self.where}"

    @cached_property
    def cells(self) -> Places | None:
        """The chosen cells."""
        if self.chosen is None or self.chosen.n_obs == 0:
            return None
        return Places(self.chosen, "cells", _Nowhere(), Box(0, 0, 1, 1))

    def bins(self, size: int) -> Places | None:
        """Give no bins: these are cells."""
        return None

    @cached_property
    def marker_genes(self) -> dict[str, tuple[str, ...]]:
        """Genes of each signature."""
        return dict(self.genes)


@dataclass(frozen=True)
class Drawn:
    """A figure, the numbers that it shows, and the lines that can be moved in it."""

    figure: Figure
    data: pd.DataFrame
    limits: tuple[qc.Limit, ...] = ()


def _cells(view: View) -> Places:
    if view.cells is None:
        raise BadInputError("There are no cells here; choose another region or select some cells.")
    return view.cells


def draw_qc(view: View, column: str, by: str) -> Drawn:
    """Histograms of counts, mitochondrial share and genes; the filters' lines are not drawn."""
    places = _cells(view)
    found = qc.histograms(view, places, _PANEL, 1, lines=False)
    wanted = [*qc.MEASURED, keys.KEPT, keys.KEPT_REASON]
    data = places.table.obs[[name for name in wanted if name in places.table.obs]]
    return Drawn(found.figure, data.rename_axis(keys.CELL_ID).reset_index(), found.limits)


def draw_proportions(view: View, column: str, by: str) -> Drawn:
    """One bar a category."""
    places = _cells(view)
    _need(places, column)
    shown = categories(places, column)
    counts = shown.counts
    data = pd.DataFrame({column: shown.names, "cells": counts, "share": counts / counts.sum()})
    figure = domains.proportions(view, places, column, column, "label", _WIDE)
    return Drawn(figure, data)


def draw_composition(view: View, column: str, by: str) -> Drawn:
    """How much of each group every category is, as stacked bars."""
    places = _cells(view)
    _need(places, column, by)
    parts, groups = categories(places, column), categories(places, by)
    both = groups.codes * parts.named + parts.codes
    used = (groups.codes < groups.named) & (parts.codes < parts.named)
    counts = np.bincount(both[used], minlength=groups.named * parts.named)
    counts = counts.reshape(groups.named, parts.named)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    names = groups.names[: groups.named]
    size = (_WIDE, max(1.4, 0.34 * len(names)))
    title = f"{column} in each {by} · {view.name}"
    figure, (axes,) = sheet.lay_out(1, size, 1, title, headroom=sheet.BARE)
    left = np.zeros(len(names))
    for part in range(parts.named):
        axes.barh(
            range(len(names)), 100 * share[:, part], left=left, color=parts.colors[part],
            edgecolor="#555555", linewidth=0.4,
        )  # fmt: skip
        left += 100 * share[:, part]
    totals = counts.sum(1)
    axes.set_yticks(range(len(names)), [f"{n} ({t:,})" for n, t in zip(names, totals, strict=True)])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    sheet.dress_plot(axes, "% of the cells with a label", "")
    _legend_below(axes, parts, size[1])
    table = pd.DataFrame(counts, index=list(names), columns=list(parts.names[: parts.named]))
    data = table.rename_axis(by).reset_index().melt(by, var_name=column, value_name="cells")
    return Drawn(figure, data)


def _legend_below(axes: Axes, shown: Categories, height: float) -> None:
    """List the categories under a plot, `height` inches high: a dock is narrow."""
    entries = [
        Patch(facecolor=color, edgecolor="#555555", linewidth=0.5, label=name)
        for name, color in zip(shown.names[: shown.named], shown.colors, strict=False)
    ]
    axes.legend(
        handles=entries, loc="upper left", bbox_to_anchor=(-0.3, -_LEGEND_GAP / height),
        ncols=2, frameon=False, fontsize=sheet.SMALL, handlelength=1.1, columnspacing=1.0,
    )  # fmt: skip


def draw_elbow(view: View, column: str, by: str) -> Drawn:
    """Ranked signatures of the domains that occur among the cells."""
    places = _cells(view)
    clustering = view.config.params.clustering_col
    ranking = elbow.read_ranking(view, clustering)
    if ranking is None:
        raise BadInputError(
            f"There is no ranking of signatures for {clustering}; run the step Cell types."
        )
    if clustering in places.table.obs:
        occurring = set(places.table.obs[clustering].dropna().astype(str))
        ranking = ranking[ranking["group"].isin(occurring)]
    if ranking.empty:
        raise BadInputError("None of these cells is in a domain whose signatures were ranked.")
    return Drawn(elbow.elbow_plot(view, clustering, ranking, columns=1), ranking)


def draw_score_dots(view: View, column: str, by: str) -> Drawn:
    """Mean score of each signature in each group, and in how many cells it is above 0."""
    places = _cells(view)
    _need(places, column)
    names = scores.signatures(places)
    if not names:
        raise BadInputError("No signatures were scored; run the step Cell types.")
    groups, values = categories(places, column), tables.scores_of(places, names)
    figure = tables.dots_of_scores(view, groups, values, names, column)
    positive = np.where(np.isfinite(values), values > 0, np.nan)
    return Drawn(figure, _long(groups.names, names, column, values, groups, positive, "score"))


def draw_marker_dots(view: View, column: str, by: str) -> Drawn:
    """Mean expression of marker genes in each group, and in how many cells they occur."""
    places = _cells(view)
    _need(places, column)
    markers = tables.markers_of(view, places, list(view.marker_genes))
    if not markers:
        raise BadInputError("No marker genes to show; name some under marker_genes in the config.")
    groups = categories(places, column)
    figure = tables.dots_of_markers(view, places, groups, markers)
    genes = [gene for _, some in markers for gene in some]
    values = np.asarray(places.table[:, genes].X, float)
    there = (values > 0).astype(float)
    return Drawn(figure, _long(groups.names, genes, column, values, groups, there, "expression"))


def _need(places: Places, *columns: str) -> None:
    for column in columns:
        if column not in places.table.obs:
            raise BadInputError(f"These cells have no column {column!r}; choose another.")
        if not places.table.obs[column].notna().any():
            raise BadInputError(f"None of these cells has a label in {column!r}.")


def _long(
    groups: tuple[str, ...],
    names: list[str],
    column: str,
    values: NDArray[np.float64],
    shown: Categories,
    share_of: NDArray[np.float64],
    what: str,
) -> pd.DataFrame:
    """Mean and share of each group and name, a row each."""
    means, shares = tables.means_of(shown, values), tables.means_of(shown, share_of)
    index = pd.MultiIndex.from_product([groups[: shown.named], names], names=[column, "name"])
    data = {f"mean_{what}": means.ravel(), "share_above_0": shares.ravel()}
    return pd.DataFrame(data, index=index).reset_index()


@dataclass(frozen=True)
class Kind:
    """A figure that can be drawn of chosen cells.

    Attributes
    ----------
    title
        What it is called.
    draw
        From the cells, a categorical column and a second one.
    columns
        How many of the two columns it needs.
    genes
        Whether it needs counts of the marker genes.
    """

    title: str
    draw: Callable[[View, str, str], Drawn]
    columns: int
    genes: bool = False


KINDS = {
    "qc": Kind("Quality control", draw_qc, 0),
    "proportions": Kind("Proportions", draw_proportions, 1),
    "composition": Kind("Composition of groups", draw_composition, 2),
    "elbow": Kind("Elbow plot", draw_elbow, 0),
    "scores": Kind("Scores (dots)", draw_score_dots, 1),
    "markers": Kind("Marker genes (dots)", draw_marker_dots, 1, genes=True),
}


def save(drawn: Drawn, path: Path, moved: Mapping[str, float] | None = None) -> Path:
    """Write a figure as PNG or SVG, or its numbers as CSV, by the file's ending.

    Parameters
    ----------
    drawn
        What is written.
    path
        Replaced whole if it is there.
    moved
        Where the lines of filters stand now, by parameter.

    Raises
    ------
    BadInputError
        For another ending, or where it cannot be written there.
    """
    if path.suffix.lower() == ".csv":
        with whole(path) as beside:
            drawn.data.to_csv(beside, index=False)
        return path
    if path.suffix.lower() not in {".png", ".svg"}:
        raise BadInputError(f"{path}: figures are saved as .png, .svg or .csv; change the ending.")
    lines = []
    for limit in drawn.limits:
        value = (moved or {}).get(limit.parameter, limit.value)
        lines.append(limit.axes.axvline(value, color=qc.LIMIT_COLOR, linewidth=1.6))
        sheet.panel_title(limit.axes, limit.sentence.format(value))
    try:
        return screen.write(drawn.figure, path)
    finally:
        # The figure stays on the screen, where the lines are drawn apart.
        for line in lines:
            line.remove()
