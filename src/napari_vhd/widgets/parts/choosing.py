"""Which cells a region, a category or a filter means; called beside the GUI thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd.exceptions import BadInputError
from napari_vhd.layers.categories import DROPPED, NOT_ASSIGNED

if TYPE_CHECKING:
    from napari_vhd.layers.coloring import Coloring
    from napari_vhd.session import Session

Chosen = tuple[str, ...]


def in_region(session: Session, boundaries: str, name: str) -> Chosen:
    """Give the cells whose middle lies in a region."""
    outlines = session.outlines(boundaries)
    return tuple(outlines.ids_of(outlines.within(session.regions().geometry[name])))


def of_category(session: Session, boundaries: str, column: str, name: str) -> Chosen:
    """Give the cells that have a label."""
    labels, outlines = session.labels(boundaries, column), session.outlines(boundaries)
    if name not in labels.names:
        return ()
    has: Any = labels.codes == labels.names.index(name)
    return tuple(outlines.ids_of(np.flatnonzero(has & outlines.alive[: len(has)])))


def shown_by_filter(session: Session, coloring: Coloring) -> Chosen:
    """Give the cells that the legend's filter leaves to be seen.

    Raises
    ------
    BadInputError
        Where nothing is filtered: that would be every cell.
    """
    mask = _shown(session, coloring)
    if mask is None:
        raise BadInputError(
            "Nothing is filtered, so all cells are shown; hide categories or narrow the range of "
            "values in the legend first."
        )
    outlines = session.outlines(coloring.boundaries)
    return tuple(outlines.ids_of(np.flatnonzero(mask & outlines.alive[: len(mask)])))


def _shown(session: Session, coloring: Coloring) -> Any:
    if coloring.kind == "number" and coloring.only is not None and coloring.column:
        values = session.numbers(coloring.boundaries, coloring.column).values
        low, high = coloring.only
        return (values >= low) & (values <= high)
    if coloring.kind == "categorical" and coloring.column:
        hidden = {one.name for one in coloring.categories if not one.visible}
        if not hidden:
            return None
        labels = session.labels(coloring.boundaries, coloring.column, computed=coloring.computed)
        shown = np.array([name not in hidden for name in labels.names] + [True])
        if {NOT_ASSIGNED, DROPPED} & hidden:
            shown[-1] = False
        return shown[labels.codes]
    return None
