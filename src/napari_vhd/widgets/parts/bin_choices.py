"""What bins of one size can show; called beside the GUI thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from napari_vhd import keys
from napari_vhd.layers.bins import TOTAL

from .column_choice import Choice

if TYPE_CHECKING:
    from napari_vhd.session import Session

_DOMINANT_GROUP = "Dominant type"
_DOMINANT = {
    keys.FLASHDECONV_DOMINANT: "Dominant type (FlashDeconv)",
    keys.RCTD_DOMINANT: "Dominant type (RCTD)",
}
_PREFIXES = {
    keys.flashdeconv(""): "Proportions (FlashDeconv)",
    keys.proportion(""): "Proportions (RCTD)",
}
# Places and ids are no measurements.
_LEFT_OUT = {keys.ARRAY_ROW, keys.ARRAY_COL, keys.LOCATION_ID, keys.REGION_KEY}


def bin_choices(session: Session, size_um: int) -> tuple[list[Choice], tuple[str, ...]] | None:
    """List what can be shown, and the genes; None where there are no bins of the size."""
    bins = session.source.bins(size_um)
    if bins is None:
        return None
    groups: dict[str, list[Choice]] = {
        "": [Choice(TOTAL, "Total counts")],
        _DOMINANT_GROUP: [],
        **{group: [] for group in _PREFIXES.values()},
    }
    for name, values in bins.obs.items():
        choice = _choice(str(name), values)
        if choice is not None:
            groups.setdefault(choice.group, []).append(choice)
    choices = [choice for group in groups.values() for choice in group]
    return choices, tuple(bins.genes)


def _choice(name: str, values: pd.Series) -> Choice | None:
    if name in _LEFT_OUT:
        return None
    if name in _DOMINANT:
        return Choice(name, _DOMINANT[name], _DOMINANT_GROUP)
    for prefix, group in _PREFIXES.items():
        if name.startswith(prefix):
            return Choice(name, name.removeprefix(prefix).replace("_", " "), group)
    numeric = pd.api.types.is_numeric_dtype(values.dtype)
    named = isinstance(values.dtype, pd.CategoricalDtype)
    return Choice(name, name.replace("_", " "), "Other") if numeric or named else None
