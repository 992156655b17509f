"""Scores of signatures, the cell types taken from them, and how they were taken."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from napari_vhd import keys

from . import elbow, maps, sheet, tables
from .colors import diverging

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from .view import Places, View

_SIDE = 5.2


def after_enrichment(view: View) -> Iterator[tuple[str, Figure]]:
    """Scores, elbow plot, cell types, and scores and marker genes by group."""
    places = view.cells
    if places is None:
        return
    names = signatures(places)
    for name in names:
        yield f"score_{file_name(name)}.png", _score(view, places, name)
    column = view.config.params.clustering_col
    yield from elbow.elbow_plots(view, column)
    for label, stem, title in (
        (keys.TYPE_DOMAIN, "cell_types_spatial", "Cell types of domains (elbow gap)"),
        (keys.TYPE_ENRICHMAP, "cell_type_enrichmap", "Cell types, highest score of each cell"),
    ):
        if label in places.table.obs:
            yield f"{stem}.png", maps.map_categories(view, places, label, title)
    if keys.TYPE_DOMAIN in places.table.obs:
        title = "Cell types of domains on the H&E"
        figure = maps.map_categories(view, places, keys.TYPE_DOMAIN, title, over_tissue=True)
        yield "cell_types_on_he.png", figure
    yield from tables.by_group(view, places, names, column)


def signatures(places: Places) -> list[str]:
    """Signatures that the cells were scored for: those with a score and an unsmoothed one."""
    columns = [str(c) for c in places.table.obs]
    ending = keys.raw_score("")
    found = [c.removesuffix(ending) for c in columns if c.endswith(ending)]
    return [name for name in found if keys.score(name) in columns]


def file_name(name: str) -> str:
    """Write a name as part of a file name: odd characters become ``_``."""
    return re.sub(r"[^\w.+-]+", "_", name)


def _score(view: View, places: Places, name: str) -> Figure:
    """Draw a signature's score as configured, and the unsmoothed one beside it."""
    if view.box is None:
        raise ValueError("there is nothing to map")
    smoothing = "smoothed" if view.config.params.smoothing else "as configured: not smoothed"
    size = sheet.map_size(view.box, _SIDE)
    figure, axes = sheet.lay_out(2, size, 2, f"Score of {name} · {view.name}", gap=(1.5, 0.5))
    for one, column, title in (
        (axes[0], keys.score(name), smoothing),
        (axes[1], keys.raw_score(name), "not smoothed"),
    ):
        values = maps.numbers(places, column)
        if values is not None:
            scale = diverging(values)
            maps.fill(one, view, places, scale.rgba(values), _SIDE)
            sheet.color_bar(one, scale, "score")
        sheet.panel_title(one, title)
        sheet.dress_map(one, view.box, view.um_per_px)
    genes = view.marker_genes.get(name, ())
    sentences = [f"Genes: {', '.join(genes)}."] if genes else []
    if not places.kept.all():
        sentences.append(f"Grey: {int((~places.kept).sum()):,} {places.noun} that were filtered.")
    sheet.note(figure, " ".join(sentences))
    return figure
