"""Deciding what waits for it; called beside the GUI thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import shapely

from napari_vhd.exceptions import BadInputError

if TYPE_CHECKING:
    from napari_vhd.session import Session

    from .conflicts import Lost, Opinion


def take(session: Session, opinion: Opinion) -> Any:
    """Make a correction that has seen all opinions and says what this one says."""
    note = f"settled: as {opinion.author} said"
    if opinion.is_label:
        value = None if opinion.value == str(None) else opinion.value
        return session.relabel([opinion.cell_id], opinion.what, value, note=note, add=True)
    wkb = _entry_of(session, opinion).correction.outlines_after.get(opinion.cell_id)
    if opinion.what == "region":
        if wkb is None:
            return session.delete_region(opinion.cell_id)
        return session.edit_region(opinion.cell_id, shapely.from_wkb(wkb))
    there = session.outlines(opinion.boundaries).row_of(opinion.cell_id) >= 0
    if wkb is None:
        return session.delete([opinion.cell_id], note=note) if there else None
    if there:
        # As it was drawn, which was checked then: `redraw` would refuse one of several parts.
        return session.refine(
            opinion.boundaries, {opinion.cell_id: shapely.from_wkb(wkb)}, note=note
        )
    return session.revert(_newest_absence(session, opinion))


def move(session: Session, lost: Lost, selection: tuple[str, ...]) -> Any:
    """Give the label of a lost cell to the selected one."""
    if len(selection) != 1:
        raise BadInputError("Select the one cell that this label is to go to.")
    return session.settle(lost.entry_id, lost.cell_id, to=selection[0])


def _entry_of(session: Session, opinion: Opinion) -> Any:
    return next(entry for entry in session.entries() if entry.entry_id == opinion.entry_id)


def _newest_absence(session: Session, opinion: Opinion) -> str:
    """Find the entry in force that took the cell away."""
    active = session.editor.history.active
    for entry in reversed(session.entries()):
        after = entry.correction.outlines_after
        if active(entry.entry_id) and after.get(opinion.cell_id, b"") is None:
            return entry.entry_id
    return opinion.entry_id
