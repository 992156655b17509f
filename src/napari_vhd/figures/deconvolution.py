"""Cell types of bins: the dominant one, and the proportion of each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_vhd import keys

from . import maps, sheet
from .colors import sequential

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.figure import Figure

    from .view import Places, View

_A_PAGE = 12
_COLUMNS = 4
_SIDE = 2.9


def after_flashdeconv(view: View) -> Iterator[tuple[str, Figure]]:
    """FlashDeconv's dominant type and proportions."""
    yield from _method(
        view, "FlashDeconv", keys.FLASHDECONV_DOMINANT, keys.flashdeconv(""), keys.FLASHDECONV
    )


def after_rctd(view: View) -> Iterator[tuple[str, Figure]]:
    """RCTD's dominant type and proportions."""
    yield from _method(view, "RCTD", keys.RCTD_DOMINANT, keys.proportion(""), "rctd")


def _method(
    view: View, title: str, dominant: str, prefix: str, stem: str
) -> Iterator[tuple[str, Figure]]:
    places = view.bins(view.config.params.deconvolution_bins)
    if places is None:
        return
    if dominant in places.table.obs:
        figure = maps.map_categories(view, places, dominant, f"{title}: dominant cell type")
        yield f"{stem}_dominant.png", figure
    columns = [str(c) for c in places.table.obs if str(c).startswith(prefix) and str(c) != dominant]
    pages = math.ceil(len(columns) / _A_PAGE)
    for page in range(pages):
        of = f" ({page + 1} of {pages})" if pages > 1 else ""
        some = columns[page * _A_PAGE : (page + 1) * _A_PAGE]
        figure = _proportions(view, places, some, prefix, f"{title}: proportions{of}")
        yield f"{stem}_proportions{f'_{page + 1}' if page else ''}.png", figure


def _proportions(
    view: View, places: Places, columns: Sequence[str], prefix: str, title: str
) -> Figure:
    """Draw a small map of each type, all on the scale from 0 to 1."""
    if view.box is None:
        raise ValueError("there is nothing to map")
    size = sheet.map_size(view.box, _SIDE)
    figure, axes = sheet.lay_out(
        len(columns), size, _COLUMNS, f"{title} · {view.name}", gap=(0.3, 0.42)
    )
    scale = sequential(np.zeros(0), "YlGnBu", (0.0, 1.0))
    for one, column in zip(axes, columns, strict=True):
        values = maps.numbers(places, column)
        if values is not None:
            maps.fill(one, view, places, scale.rgba(values), _SIDE)
            mean = np.nanmean(values) if np.isfinite(values).any() else 0.0
            sheet.panel_title(one, f"{column.removeprefix(prefix)}: {100 * mean:.1f} %")
        sheet.dress_map(one, view.box, view.um_per_px, sizes=False)
    last = axes[min(len(axes), _COLUMNS) - 1]
    sheet.color_bar(last, scale, "share of the bin")
    sheet.note(figure, "Per cent: mean over the bins that were fitted. Grey: not fitted.")
    return figure
