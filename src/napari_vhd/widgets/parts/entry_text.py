"""Entries of the ledger in words: when, who, what."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from napari_vhd.corrections.correction import (
    ADD,
    COLOR,
    DELETE,
    LABEL_SET,
    MERGE,
    REDO,
    REDRAW,
    REFINE,
    REGION,
    RELABEL,
    RENAME_CATEGORY,
    REVERT,
    SETTLE,
    SPLIT,
    SWITCHES,
    UNDO,
    UPDATE,
)
from napari_vhd.corrections.regions import told_of_region

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_vhd.corrections.correction import Correction, Entry

_NOTHING = "no label"
_SWITCHED = {UNDO: "Undid", REDO: "Redid", REVERT: "Took back"}


def local_time(utc: str) -> datetime:
    """Read the time of an entry (UTC, ISO 8601) as local time."""
    return datetime.fromisoformat(utc).astimezone()


def when(utc: str, now: datetime | None = None) -> str:
    """Write a time: of today as 14:02:07, of other days with the date."""
    time = local_time(utc)
    today = (now or datetime.now(time.tzinfo)).date()
    return f"{time:%H:%M:%S}" if time.date() == today else f"{time:%d %b %Y %H:%M}"


def what(entry: Entry, title_of_column: Mapping[str, str], target: Correction | None = None) -> str:
    """Say what an entry did.

    Parameters
    ----------
    entry
        The entry.
    title_of_column
        Names of columns as people read them.
    target
        For an undo, redo or revert: what is switched in the end.
    """
    made = entry.correction
    if made.kind in SWITCHES:
        rest = "a correction" if target is None else _lower(_what(target, title_of_column))
        return f"{_SWITCHED[made.kind]}: {rest}"
    return _what(made, title_of_column)


def _what(made: Correction, titles: Mapping[str, str]) -> str:
    write = _WORDS.get(made.kind)
    return made.kind if write is None else write(made, titles.get(made.column, made.column))


def _relabel(made: Correction, title: str) -> str:
    values = list(dict.fromkeys(value or _NOTHING for value in made.after))
    given = values[0] if len(values) == 1 else f"{len(values)} labels"
    return f"{_cells(made.cell_ids)} → {given} ({title})"


def _rename(made: Correction, title: str) -> str:
    return f"All {made.before[0]} → {made.after[0]} ({title})"


def _add(made: Correction, _title: str) -> str:
    return f"Drew {_cells(made.cell_ids)}"


def _delete(made: Correction, _title: str) -> str:
    return f"Deleted {_cells(made.cell_ids)}"


def _merge(made: Correction, _title: str) -> str:
    return f"Merged {_cells(made.cell_ids)}"


def _split(made: Correction, _title: str) -> str:
    return f"Split {made.cell_ids[0]} into {len(made.cell_ids)}"


def _redraw(made: Correction, _title: str) -> str:
    return f"Changed the outline of {_cells(made.cell_ids)}"


def _refine(made: Correction, _title: str) -> str:
    return f"Refined {_cells(made.cell_ids)}"


def _region(made: Correction, _title: str) -> str:
    told = {name: told_of_region(made, name) for name in made.outlines_after}
    # One that is renamed is another that is added, too.
    changed = {name: what for name, what in told.items() if what != "added"} or told
    if len(changed) > 1:
        return f"Changed regions {', '.join(changed)}"
    ((name, what),) = changed.items()
    plain = {"added": f"Drew region {name}", "deleted": f"Deleted region {name}"}
    return plain.get(what, f"Region {name}: {what}")


def _label_set(made: Correction, title: str) -> str:
    return f"{'Changed' if made.before else 'Made'} the label set {title}"


def _settle(made: Correction, title: str) -> str:
    _, *lost = made.before
    cells = f"lost cell {lost[0]}" if len(lost) == 1 else f"{len(lost):,} lost cells"
    if made.cell_ids:
        return f"{made.after[0] or _NOTHING} of {cells} → cell {made.cell_ids[0]} ({title})"
    return f"Gave up {f'the label of {cells} ({title})' if title else f'the outline of {cells}'}"


def _update(made: Correction, _title: str) -> str:
    return f"Brought {_cells(made.cell_ids)} up to date"


def _color(made: Correction, title: str) -> str:
    return f"Coloured {', '.join(made.after[0])} ({title})"


_WORDS: dict[str, Callable[[Correction, str], str]] = {
    RELABEL: _relabel,
    RENAME_CATEGORY: _rename,
    ADD: _add,
    DELETE: _delete,
    MERGE: _merge,
    SPLIT: _split,
    REDRAW: _redraw,
    REFINE: _refine,
    REGION: _region,
    LABEL_SET: _label_set,
    COLOR: _color,
    SETTLE: _settle,
    UPDATE: _update,
}


def _cells(ids: tuple[str, ...]) -> str:
    return f"cell {ids[0]}" if len(ids) == 1 else f"{len(ids):,} cells"


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
