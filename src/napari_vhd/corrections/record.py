"""The record of corrections, to be read: history, conflicts, what a new segmentation left over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import rematch
from .correction import REGION, SWITCHES, UPDATE
from .regions import regions_after, told_of_region
from .updates import told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from .correction import Correction, Entry
    from .editor import Editor
    from .history import History
    from .reviewed import Reviewed
    from .segmentation import Segmentation

HISTORY = (
    *("entry_id", "time", "author", "kind", "cell_ids", "column"),
    *("before", "after", "note", "undone"),
)
CONFLICTS = ("boundaries", "what", "cell_id", "author", "value", "time", "entry_id", "shown")
OUTLINE = "outline"
"""What people differ on, where it is no column; the other is `REGION`."""
UNMATCHED = ("boundaries", "cell_id", "entry_id", "author", "kind", "column", "after", "x", "y")


def history_frame(history: History) -> pd.DataFrame:
    """List every entry, oldest first.

    `cell_ids`, `before` and `after` are tuples; those of an undo, redo or revert are what it did to
    the entry that it switches.
    """
    import pandas as pd

    rows = [history_row(history, entry) for entry in history.entries]
    return pd.DataFrame(rows, columns=list(HISTORY))


def history_row(history: History, entry: Entry) -> tuple[Any, ...]:
    """Give one line of the history, in the order of `HISTORY`."""
    made = entry.correction
    kind = made.kind
    if kind in SWITCHES and made.target in history:
        made, forwards = _switched(history, entry)
        before, after = _contents(made)
        if not forwards:
            before, after = after, before
    else:
        before, after = _contents(made)
    return (
        entry.entry_id,
        entry.time,
        entry.author,
        kind,
        made.cell_ids,
        made.column,
        before,
        after,
        entry.correction.note,
        not history.active(entry.entry_id),
    )


def later(history: History, entry_id: str) -> list[Entry]:
    """List the later entries in force on the same cells, regions or categories."""
    entry = history[entry_id]
    mine = slots_of(entry.correction)
    found = []
    for other in reversed(history.entries):
        if other.key <= entry.key:
            break
        if history.active(other.entry_id) and not mine.isdisjoint(slots_of(other.correction)):
            found.append(other)
    return found[::-1]


def slots_of(correction: Correction) -> set[tuple[str, ...]]:
    """Name the slots that a correction is a change of."""
    made = correction
    if made.kind == REGION:
        return {(REGION, name) for name in made.outlines_after}
    if made.outlines_after:
        return {(OUTLINE, made.boundaries, cell) for cell in made.outlines_after}
    if made.cell_ids:
        return {("label", made.boundaries, made.column, cell) for cell in made.cell_ids}
    if made.column:
        return {(made.kind, made.boundaries, made.column, str(made.before))}
    return set()


def conflicts_frame(editor: Editor) -> pd.DataFrame:
    """List the opinions on each cell, region or outline on which people differ.

    Two corrections differ where neither author had been shown the other's; a later correction by
    someone who saw both settles it. One row an opinion; ``shown`` marks the one in force.
    """
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    for boundaries, what, cell, opinions in _conflicts(editor.reviewed, editor.history):
        for number, (entry, value) in enumerate(opinions):
            shown = number == len(opinions) - 1
            rows.append(
                (boundaries, what, cell, entry.author, value, entry.time, entry.entry_id, shown)
            )
    return pd.DataFrame(rows, columns=list(CONFLICTS))


def conflicts_on(editor: Editor, boundaries: str, cell: str) -> tuple[str, ...]:
    """Say in words on what people differ about one cell."""
    told = []
    for _, what, _, opinions in _conflicts(editor.reviewed, editor.history, (boundaries, cell)):
        said = " / ".join(f"{value} ({entry.author})" for entry, value in opinions)
        told.append(f"{what}: {said}")
    return tuple(told)


def unmatched_frame(reviewed: Reviewed, history: History) -> pd.DataFrame:
    """List corrections on cells that a new segmentation has no match for; they are kept.

    Those that somebody has settled are left out.
    """
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    settled = reviewed.filing.settled()
    for name in reviewed.source.segmentation_names():
        segmentation = reviewed.segmentation(name)
        entries = [
            entry
            for entry in reviewed.filing.cells(name)
            if entry.epoch not in ("", segmentation.epoch)
        ]
        places = rematch.places_of(entries, reviewed.kept()) if entries else {}
        for entry in entries:
            made = entry.correction
            for place in _waiting(entry, segmentation, history, settled):
                cell = made.cell_ids[place]
                after = made.after[place] if made.after else _shape_word(made, cell)
                there = places.get((entry.epoch, cell), (np.nan, np.nan))
                who = (entry.entry_id, entry.author)
                rows.append((name, cell, *who, made.kind, made.column, after, *there))
    return pd.DataFrame(rows, columns=list(UNMATCHED))


def unmatched_in(reviewed: Reviewed, history: History, entry: Entry) -> dict[str, int]:
    """Give the cells of one entry that wait for a decision, with their place in it."""
    made = entry.correction
    if made.boundaries not in reviewed.source.segmentation_names():
        return {}
    segmentation = reviewed.segmentation(made.boundaries)
    waiting = _waiting(entry, segmentation, history, reviewed.filing.settled())
    return {made.cell_ids[place]: place for place in waiting}


def _waiting(
    entry: Entry, segmentation: Segmentation, history: History, settled: set[tuple[str, str]]
) -> list[int]:
    """Places of the cells of an entry in force that have no match and are not settled."""
    # What was computed again for a cell that is gone is nothing to decide on.
    if not history.active(entry.entry_id) or entry.correction.kind == UPDATE:
        return []
    pairs = zip(entry.correction.cell_ids, segmentation.resolved(entry), strict=True)
    return [
        place
        for place, (cell, now) in enumerate(pairs)
        if now is None and (entry.entry_id, cell) not in settled
    ]


def _conflicts(
    reviewed: Reviewed, history: History, only: tuple[str, str] | None = None
) -> Iterator[tuple[str, str, str, list[tuple[Entry, Any]]]]:
    for boundaries, name, column in reviewed.corrected_columns():
        if only is not None and only[0] != boundaries:
            continue
        cells = [only[1]] if only is not None else column.touched()
        for cell in cells:
            entries = _differing(history, column.entries_on(cell))
            opinions = [(entry, column.given(entry, cell)) for entry in entries]
            if len({value for _, value in opinions}) > 1:
                yield boundaries, name, cell, opinions
    for name in reviewed.filing.reshaped():
        asked = only is None or only[0] == name
        if not asked or name not in reviewed.source.segmentation_names():
            continue
        segmentation = reviewed.segmentation(name)
        for cell in [only[1]] if only is not None else segmentation.touched():
            entries = _differing(history, segmentation.entries_on(cell))
            shapes = {segmentation.given(entry, cell) for entry in entries}
            if len(shapes) > 1:
                said = [(e, _shape_word(e.correction, cell)) for e in entries]
                yield segmentation.name, OUTLINE, cell, said
    if only is None:
        for name in reviewed.regions.touched():
            entries = _differing(history, reviewed.regions.entries_on(name))
            if len({regions_after(e.correction).get(name) for e in entries}) > 1:
                yield "", REGION, name, [(e, told_of_region(e.correction, name)) for e in entries]


def _differing(history: History, entries: Sequence[Entry]) -> list[Entry]:
    return [] if len(entries) < 2 else history.newest(entries)


def _switched(history: History, entry: Entry) -> tuple[Correction, bool]:
    """Find what a switch is about in the end, and whether it brings it back."""
    forwards = entry.correction.kind == "redo"
    made = history[entry.correction.target].correction
    while made.kind in SWITCHES and made.target in history:
        forwards = forwards == (made.kind == "redo")
        made = history[made.target].correction
    return made, forwards


def _contents(made: Correction) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Say what stood before and after, to be read."""
    if made.kind == UPDATE:
        return told(made.before), told(made.after)
    if made.outlines_after and not made.after:
        return (
            tuple(
                None if made.outlines_before.get(c) is None else "outline" for c in made.cell_ids
            ),
            tuple(None if made.outlines_after.get(c) is None else "outline" for c in made.cell_ids),
        )
    return made.before, made.after


def _shape_word(made: Correction, name: str) -> str:
    """Say what a correction did to an outline."""
    return "deleted" if made.outlines_after.get(name) is None else made.kind
