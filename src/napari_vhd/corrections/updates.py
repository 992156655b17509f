"""What was computed again for single cells, after an edit had changed their counts.

An update holds labels as the stages would give them, for the counts that it names by their hash:
whether it is still true of a cell is seen by comparing contents, not by what came when. It stands
in place of what was computed, so that a label which a person gave goes before it, whichever of the
two was first.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .correction import Entry
    from .history import History

# Enough of a SHA-256 to tell the counts of one cell from others.
DIGEST_LETTERS = 16


@dataclass(frozen=True)
class Content:
    """What an update says of its cells; the lists have one entry a cell.

    Attributes
    ----------
    labels, numbers
        Column -> values.
    counts
        Hashes of the counts that they were computed from.
    recipes
        Column -> hash of the settings that it was computed with.
    """

    labels: Mapping[str, Sequence[str | None]]
    counts: Sequence[str]
    numbers: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    recipes: Mapping[str, str] = field(default_factory=dict)

    def packed(self) -> tuple[dict[str, Any]]:
        """Give it as a correction's `after`."""
        return (asdict(self),)

    @classmethod
    def of(cls, entry: Entry) -> Content:
        """Read it back."""
        return cls(**entry.correction.after[0])


class OneUpdate(NamedTuple):
    """One update of one cell."""

    entry: Entry
    content: Content
    place: int

    @property
    def counts(self) -> str:
        """Hash of the counts that it is true of."""
        return self.content.counts[self.place]


class Updates:
    """Updates of the cells of one segmentation, in force or not.

    Parameters
    ----------
    history
        Knows which are in force.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._stacks: dict[str, list[OneUpdate]] = {}

    def __contains__(self, cell: str) -> bool:
        return cell in self._stacks

    def add(self, entry: Entry, ids: Sequence[str | None]) -> None:
        """Take in an entry; `ids` are its cells as they are called now, None: has no match."""
        content = Content.of(entry)
        for place, cell in enumerate(ids):
            if cell is not None:
                stack = self._stacks.setdefault(cell, [])
                insort(stack, OneUpdate(entry, content, place), key=_key)

    def cells(self) -> list[str]:
        """Cells that were ever brought up to date."""
        return list(self._stacks)

    def of(self, cell: str, column: str) -> OneUpdate | None:
        """Give the last update in force of a column of a cell, None where there is none."""
        for one in reversed(self._stacks.get(cell, ())):
            named = column in one.content.labels or column in one.content.numbers
            if named and self._history.active(one.entry.entry_id):
                return one
        return None


def told(side: Sequence[Any]) -> tuple[str | None, ...]:
    """Say what stood before or after an update, in words, one a cell."""
    columns = list(side[0]["labels"].values()) if side else []
    said = (", ".join(value for value in values if value) for values in zip(*columns, strict=True))
    return tuple(words or None for words in said)


def _key(updated: OneUpdate) -> tuple[int, str, str]:
    return updated.entry.key
