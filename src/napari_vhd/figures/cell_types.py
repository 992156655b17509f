"""Cell types of cells by CellTypist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_vhd import keys

from . import maps
from .colors import sequential

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from .view import View


def after_celltypist(view: View) -> Iterator[tuple[str, Figure]]:
    """Draw the vote over domains, the label of each cell, and how sure each label is."""
    places = view.cells
    if places is None:
        return
    vote, single = keys.TYPE_CELLTYPIST, keys.TYPE_CELLTYPIST_PER_CELL
    for column, title in (
        (vote, f"CellTypist, majority over {view.config.params.clustering_col}"),
        (single, "CellTypist, per cell"),
    ):
        if column in places.table.obs:
            yield f"{column}.png", maps.map_categories(view, places, column, title)
    if single in places.table.obs:
        title = "CellTypist, per cell, on the H&E"
        figure = maps.map_categories(view, places, single, title, over_tissue=True)
        yield f"{single}_on_he.png", figure
    confidence = maps.numbers(places, keys.CONFIDENCE_CELLTYPIST)
    if confidence is not None:
        scale = sequential(confidence, limits=(0.0, 1.0))
        figure = maps.map_values(
            view, places, confidence, "CellTypist, confidence", scale, "probability of the label"
        )
        yield f"{keys.CONFIDENCE_CELLTYPIST}.png", figure
