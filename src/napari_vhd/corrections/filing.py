"""Entries by what they are about: each piece of a sample is built when it is asked for."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from .correction import (
    COLOR,
    LABEL_SET,
    OUTLINE_KINDS,
    REGION,
    RELABELLING,
    RENAME_CATEGORY,
    SETTLE,
    UPDATE,
)
from .updates import Content

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .correction import Entry
    from .history import History

LABELLING = RELABELLING | {RENAME_CATEGORY, LABEL_SET, COLOR}


class Filing:
    """Every entry, in force or not, filed.

    Parameters
    ----------
    history
        Its entries are filed; knows which are in force.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._labels: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        self._sets: dict[str, list[Entry]] = defaultdict(list)
        self._outlines: dict[str, list[Entry]] = defaultdict(list)
        self._cells: dict[str, list[Entry]] = defaultdict(list)
        self._settlements: list[Entry] = []
        self.regions: list[Entry] = []
        for entry in history.entries:
            self.file(entry)

    def file(self, entry: Entry) -> None:
        """File an entry."""
        made = entry.correction
        if made.kind in LABELLING and made.column:
            self._labels[made.boundaries, made.column].append(entry)
        if made.kind == UPDATE:
            for column in Content.of(entry).labels:
                self._labels[made.boundaries, column].append(entry)
        if made.kind == LABEL_SET:
            self._sets[made.boundaries].append(entry)
        if made.kind in OUTLINE_KINDS:
            self._outlines[made.boundaries].append(entry)
        if made.kind == REGION:
            self.regions.append(entry)
        if made.kind == SETTLE:
            self._settlements.append(entry)
        if made.cell_ids:
            self._cells[made.boundaries].append(entry)

    def labels(self, boundaries: str, column: str) -> list[Entry]:
        """Entries on a label column."""
        return self._labels.get((boundaries, column), [])

    def outlines(self, boundaries: str) -> list[Entry]:
        """Entries on the outlines of a segmentation."""
        return self._outlines.get(boundaries, [])

    def cells(self, boundaries: str) -> list[Entry]:
        """Entries that name cells of a segmentation."""
        return self._cells.get(boundaries, [])

    def settled(self) -> set[tuple[str, str]]:
        """Entry and cell of what was settled: it waits for no decision any more."""
        return {
            (entry.correction.before[0], cell)
            for entry in self._settlements
            if self._history.active(entry.entry_id)
            for cell in entry.correction.before[1:]
        }

    def label_columns(self) -> Iterable[tuple[str, str]]:
        """Segmentation and name of each label column with entries, sorted."""
        return sorted(self._labels)

    def reshaped(self) -> Iterable[str]:
        """Segmentations with entries on outlines."""
        return sorted(self._outlines)

    def label_set(self, boundaries: str, column: str) -> dict[str, Any] | None:
        """Names and colours of a label set in force, None where there is none."""
        return self.label_sets(boundaries).get(column)

    def label_sets(self, boundaries: str) -> dict[str, dict[str, Any]]:
        """All label sets in force of a segmentation, by column."""
        entries = sorted(self._sets.get(boundaries, []), key=lambda entry: entry.key)
        return {
            entry.correction.column: dict(entry.correction.after[0])
            for entry in entries
            if self._history.active(entry.entry_id)
        }

    def all_label_sets(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Segmentation, column and content of each label set in force, sorted."""
        return [
            (boundaries, column, content)
            for boundaries in sorted(self._sets)
            for column, content in sorted(self.label_sets(boundaries).items())
        ]
