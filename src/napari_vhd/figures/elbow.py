"""The elbow plot: why a domain was given its cell type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_vhd import keys

from . import sheet
from .colors import column_colors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .view import View

_SIGNIFICANT = 0.05
_CUT = "#d55e00"
_MOST_SHOWN = 12


def elbow_plots(view: View, column: str) -> Iterator[tuple[str, Figure]]:
    """Mean change against ranked signatures for each domain, with the cut."""
    ranking = read_ranking(view, column)
    if ranking is not None:
        yield f"elbow_plot_{column}.png", elbow_plot(view, column, ranking)


def read_ranking(view: View, column: str) -> pd.DataFrame | None:
    """Read the ranking of signatures in each domain; None where there is none."""
    path = view.run_dir / keys.ranking_csv(column)
    if not path.is_file():
        return None
    ranking = pd.read_csv(path, dtype={"group": str, "name": str})
    return None if ranking.empty else ranking


def elbow_plot(view: View, column: str, ranking: pd.DataFrame, columns: int = 3) -> Figure:
    """Draw a ranking, `columns` domains in a row."""
    from napari_vhd.stages.enrichment import assign_elbow_gap

    labels = assign_elbow_gap(ranking)
    domains = sorted(ranking["group"].unique(), key=lambda g: (len(g), g))
    places = view.holding(column)
    color = {} if places is None else column_colors(places.table, column, domains)
    names_below = 0.3 + 0.052 * ranking["name"].str.len().max()
    shown = min(_MOST_SHOWN, ranking["name"].nunique())
    figure, axes = sheet.lay_out(
        len(domains),
        (max(2.6, 0.3 * shown), 2.2),
        columns,
        f"Signatures ranked in each domain ({column}) · {view.name}",
        gap=(0.95, names_below + 0.45),
    )
    for one, domain in zip(axes, domains, strict=True):
        label = labels.get(domain, keys.UNKNOWN)
        _elbow(one, ranking[ranking["group"] == domain], label)
        sheet.panel_title(one, f"{domain} → {label}")
        one.spines["bottom"].set(color=color.get(domain, "black"), linewidth=4)
    sheet.note(
        figure,
        "Filled: more than elsewhere, adjusted p < 0.05 (Wilcoxon). Orange line: the widest gap "
        "among these; those left of it name the domain. The bar under each plot has the "
        "domain's colour.",
        below=names_below + 0.15,
    )
    return figure


def _elbow(axes: Axes, ranking: pd.DataFrame, label: str) -> None:
    """Draw one domain, with a line after the last of the signatures that make up its label."""
    ranked = ranking.sort_values("meanchange", ascending=False).head(_MOST_SHOWN)
    change = ranked["meanchange"].to_numpy(float)
    candidate = (change > 0) & (ranked["padj"].to_numpy(float) < _SIGNIFICANT)
    place = np.arange(len(change))
    axes.axhline(0, color="#999999", linewidth=0.8)
    axes.plot(place, change, color="#999999", linewidth=1, zorder=1)
    axes.scatter(
        place, change, s=34, zorder=2, edgecolors="#0072b2",
        facecolors=np.where(candidate, "#0072b2", "#ffffff"),
    )  # fmt: skip
    # Not simply after so many: one that is not significant may stand between or before them.
    places = np.flatnonzero(candidate)
    names = ranked["name"].to_numpy()[places]
    for number in range(1, len(places) + 1):
        if "/".join(names[:number]) == label:
            axes.axvline(places[number - 1] + 0.5, color=_CUT, linewidth=1.8)
    axes.set_xticks(place, ranked["name"], rotation=45, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.6, len(change) - 0.4)
    sheet.dress_plot(axes, "", "mean change of score")
