"""Label columns: codes by row of the outlines, patched in place as corrections come and go."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .category_colors import chosen_in, free_colors
from .correction import COLOR, LABEL_SET, RELABELLING, RENAME_CATEGORY, UPDATE
from .updates import Content

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from .as_computed import Computed
    from .correction import Entry
    from .history import History
    from .segmentation import Segmentation
    from .updates import Updates

    Codes = NDArray[np.int32]
    Rows = NDArray[np.int64]

NOTHING = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Labels:
    """A column of labels, by row of the outlines.

    Attributes
    ----------
    codes
        int32; -1: none. Live: patched in place, never to be written to; replaced by a longer one
        when cells are added.
    names
        By code; what nobody has any longer keeps its code.
    colors
        ``#RRGGBB`` by code.
    """

    codes: Codes
    names: tuple[str, ...]
    colors: tuple[str, ...]


class LabelColumn:
    """One label column of one segmentation, with corrections.

    The label of a cell is that of the last relabel in force on it, then the renamings in force that
    come after; where nobody relabelled it, that of the last update, or the computed one, and all
    renamings. What changes with an entry is found from the few entries on
    the same cells, so an edit or undo costs as much as the cells it touches. Only a renaming goes
    through all cells.
    """

    def __init__(
        self, name: str, computed: Computed, segmentation: Segmentation, history: History
    ) -> None:
        self.name = name
        self.revision = 0
        self._segmentation = segmentation
        self._history = history
        self._computed = computed
        self._buffer = np.full(segmentation.n_rows, -1, dtype=np.int32)
        self._buffer[: len(computed.codes)] = computed.codes
        self._size = segmentation.n_rows
        self._names = list(computed.names)
        self._code = {name: code for code, name in enumerate(self._names)}
        self._stacks: dict[str, list[tuple[Entry, int]]] = {}
        self._renames: list[Entry] = []
        self._styles: list[Entry] = []
        self._own_colors = dict(zip(computed.names, computed.colors, strict=True))
        self._colors: tuple[str, ...] | None = None

    @property
    def codes(self) -> Codes:
        """Live codes by row."""
        return self._buffer[: self._size]

    @property
    def n_names(self) -> int:
        """Number of categories."""
        return len(self._names)

    @property
    def labels(self) -> Labels:
        """The reviewed labels."""
        if self._colors is None or len(self._colors) != len(self._names):
            self._colors = self._find_colors()
        return Labels(self.codes, tuple(self._names), self._colors)

    @property
    def computed_labels(self) -> Labels:
        """The labels as computed; cells that a person made have none."""
        codes = np.full(self._size, -1, dtype=np.int32)
        codes[: len(self._computed.codes)] = self._computed.codes
        number = len(self._computed.names)
        return Labels(codes, self._computed.names, self.labels.colors[:number])

    @property
    def corrected(self) -> bool:
        """Whether any correction of labels is in force."""
        stacks = self._stacks.values()
        return (
            any(self._on(entry) for entry in self._renames)
            or any(self._on(entry) for stack in stacks for entry, _ in stack)
            or any(self._updates.of(cell, self.name) for cell in self._updates.cells())
        )

    def load(self, entries: Iterable[Entry]) -> None:
        """Take in many entries at once."""
        for entry in sorted(entries, key=_key):
            kind = entry.correction.kind
            if kind in RELABELLING:
                self._push(entry, is_last=True)
            elif kind in {COLOR, LABEL_SET}:
                self._styles.append(entry)
                # In turn, so that names have the order that they had while they were given.
                if kind == LABEL_SET and self._on(entry):
                    self._register(entry.correction.after[0]["names"])
            elif kind == RENAME_CATEGORY:
                self._renames.append(entry)
                self._register(entry.correction.after)
            elif kind == UPDATE:
                self._register(Content.of(entry).labels.get(self.name, ()))
        self._refold()

    def add(self, entry: Entry) -> Rows:
        """Take in an entry on this column; gives the rows whose label may have changed."""
        self.revision += 1
        kind = entry.correction.kind
        if kind in {COLOR, LABEL_SET}:
            insort(self._styles, entry, key=_key)
            self._restyle()
            return NOTHING
        if kind == RENAME_CATEGORY:
            insort(self._renames, entry, key=_key)
            self._register(entry.correction.after)
            return self._rename(entry) if self._is_newest(entry) else self._refold()
        if kind == UPDATE:
            self._register(Content.of(entry).labels.get(self.name, ()))
            return self.switch(entry)
        if kind not in RELABELLING:
            return NOTHING
        ids = self._push(entry)
        if self._on(entry) and self._is_newest(entry):
            return self._set(ids, entry.correction.after)
        return self.refresh(cell for cell in ids if cell is not None)

    def switch(self, entry: Entry) -> Rows:
        """Follow an entry that was switched on or off; gives the rows that may have changed."""
        self.revision += 1
        kind = entry.correction.kind
        if kind in {COLOR, LABEL_SET}:
            self._restyle()
            return NOTHING
        if kind == RENAME_CATEGORY:
            return self._refold()
        if kind not in RELABELLING | {UPDATE}:
            return NOTHING
        return self.refresh(c for c in self._segmentation.resolved(entry) if c is not None)

    def refresh(self, ids: Iterable[str]) -> Rows:
        """Work out the labels of cells anew; gives their rows."""
        cells = list(ids)
        rows = self._segmentation.outlines.rows_of(cells)
        codes = self.codes
        for row, cell in zip(rows.tolist(), cells, strict=True):
            if row >= 0:
                codes[row] = self._fold(cell, row)[0]
        return rows[rows >= 0]

    def grow(self, n_rows: int) -> None:
        """Make room for cells that were added; the array handed out before stays as it is."""
        if n_rows > len(self._buffer):
            buffer = np.full(n_rows + n_rows // 8 + 64, -1, dtype=np.int32)
            buffer[: self._size] = self._buffer[: self._size]
            self._buffer = buffer
        self._size = max(self._size, n_rows)

    def value(self, cell: str, *, computed: bool = False) -> str | None:
        """Label of a cell, None where it has none."""
        row = self._segmentation.outlines.row_of(cell)
        if row < 0:
            return None
        code = self._computed_code(row) if computed else int(self.codes[row])
        return None if code < 0 else self._names[code]

    def values(self, ids: Sequence[str]) -> tuple[str | None, ...]:
        """Labels of cells, None where one has none or is not there."""
        rows = self._segmentation.outlines.rows_of(list(ids))
        codes = np.where(rows >= 0, self.codes[rows], -1)
        names: list[str | None] = [*self._names, None]
        return tuple(names[code] for code in codes.tolist())

    def author_of(self, cell: str) -> str:
        """Who gave a cell its label by hand; "" where it is as computed."""
        row = self._segmentation.outlines.row_of(cell)
        return "" if row < 0 else self._fold(cell, row)[1]

    def is_given(self, cell: str) -> bool:
        """Say whether a person labelled a cell."""
        return any(self._on(entry) for entry, _ in self._stacks.get(cell, ()))

    def entries_on(self, cell: str) -> list[Entry]:
        """Every relabel of a cell, in force or not, in order."""
        return [entry for entry, _ in self._stacks.get(cell, [])]

    def given(self, entry: Entry, cell: str) -> Any:
        """Label that an entry gave a cell."""
        for own, place in self._stacks.get(cell, []):
            if own is entry:
                return own.correction.after[place]
        return None

    def touched(self) -> list[str]:
        """Cells that were ever relabelled one by one; some may be gone."""
        return list(self._stacks)

    def authors(self) -> dict[int, str]:
        """Who gave the label by hand, by row, where somebody did."""
        found: dict[int, str] = {}
        renames = [entry for entry in self._renames if self._on(entry)]
        if renames:
            _, who = self._renamed(renames)
            alive = self._segmentation.outlines.alive[: len(who)]
            for row in np.flatnonzero((who >= 0) & alive).tolist():
                found[row] = renames[int(who[row])].author
        for cell in self._all_touched():
            row = self._segmentation.outlines.row_of(cell)
            if row >= 0:
                author = self._fold(cell, row)[1]
                if author:
                    found[row] = author
                else:
                    found.pop(row, None)
        return found

    def chosen_colors(self) -> dict[str, str]:
        """Colours that people chose, by category."""
        chosen: dict[str, str] = {}
        for entry in self._styles:
            if self._on(entry):
                chosen.update(chosen_in(entry))
        return chosen

    def color_of(self, name: str) -> str | None:
        """Colour of a category, None where it is not one."""
        code = self._code.get(name)
        return None if code is None else self.labels.colors[code]

    def knows(self, name: str) -> bool:
        """Say whether a name is a category."""
        return name in self._code

    # How labels come about

    @property
    def _updates(self) -> Updates:
        return self._segmentation.updates

    def _all_touched(self) -> dict[str, None]:
        """Cells whose label may not be as computed, renamings apart."""
        return dict.fromkeys((*self._stacks, *self._updates.cells()))

    def _on(self, entry: Entry) -> bool:
        return self._history.active(entry.entry_id)

    def _push(self, entry: Entry, *, is_last: bool = False) -> tuple[str | None, ...]:
        """Put a relabel on its cells, on top where it is the last; gives their ids now."""
        after = entry.correction.after
        if len(after) != 1 or after[0] not in self._code:
            self._register(dict.fromkeys(after))
        ids = self._segmentation.resolved(entry)
        for place, cell in enumerate(ids):
            if cell is not None:
                stack = self._stacks.setdefault(cell, [])
                if stack and not is_last and stack[-1][0].key > entry.key:
                    insort(stack, (entry, place), key=_pair_key)
                else:
                    stack.append((entry, place))
        return ids

    def _is_newest(self, entry: Entry) -> bool:
        return self._history.is_last(entry)

    def _register(self, names: Iterable[Any]) -> None:
        for name in names:
            if name is not None and name not in self._code:
                self._code[name] = len(self._names)
                self._names.append(name)

    def _set(self, ids: Sequence[str | None], values: Sequence[Any]) -> Rows:
        """Give cells new labels: the quick way, for an entry that comes last."""
        rows = self._segmentation.outlines.rows_of([cell or "" for cell in ids])
        there = rows >= 0
        distinct = set(values)
        if len(distinct) == 1:
            self.codes[rows[there]] = self._code_of(next(iter(distinct)))
        else:
            codes = np.array([self._code_of(value) for value in values], dtype=np.int32)
            self.codes[rows[there]] = codes[there]
        return rows[there]

    def _code_of(self, value: Any) -> int:
        return -1 if value is None else self._code[value]

    def _computed_code(self, row: int) -> int:
        codes = self._computed.codes
        return int(codes[row]) if row < len(codes) else -1

    def _fold(self, cell: str, row: int) -> tuple[int, str]:
        """Code of a cell, and who gave it by hand ("": nobody)."""
        code, author, since = *self._unlabelled(cell, row), None
        for entry, place in reversed(self._stacks.get(cell, [])):
            if self._on(entry):
                code, author = self._code_of(entry.correction.after[place]), entry.author
                since = entry.key
                break
        for rename in self._renames:
            if self._on(rename) and (since is None or rename.key > since):
                old, new = rename.correction.before[0], rename.correction.after[0]
                if code >= 0 and self._names[code] == old:
                    code, author = self._code_of(new), rename.author
        return code, author

    def _unlabelled(self, cell: str, row: int) -> tuple[int, str]:
        """Code of a cell that nobody labelled, and who had it brought up to date."""
        computed = self._computed_code(row)
        updated = self._updates.of(cell, self.name)
        if updated is None:
            return computed, ""
        code = self._code_of(updated.content.labels[self.name][updated.place])
        return code, "" if code == computed else updated.entry.author

    def _rename(self, entry: Entry) -> Rows:
        """Rename a category in all cells: for an entry that comes last."""
        old = self._code.get(entry.correction.before[0], -2)
        rows = np.flatnonzero(self.codes == old)
        self.codes[rows] = self._code_of(entry.correction.after[0])
        return rows

    def _refold(self) -> Rows:
        """Work out all labels anew; gives the rows that changed."""
        before = self.codes.copy()
        codes, _ = self._renamed([entry for entry in self._renames if self._on(entry)])
        self.codes[:] = codes
        self.refresh(self._all_touched())
        return np.flatnonzero(self.codes != before)

    def _renamed(self, renames: Sequence[Entry]) -> tuple[Codes, Codes]:
        """Give computed codes after renamings, and by row which was last, -1: none."""
        goes_to = np.arange(len(self._names) + 1, dtype=np.int32)
        last = np.full(len(self._names) + 1, -1, dtype=np.int32)
        for number, rename in enumerate(renames):
            old = self._code.get(rename.correction.before[0], -2)
            hit = goes_to[:-1] == old
            goes_to[:-1][hit] = self._code_of(rename.correction.after[0])
            last[:-1][hit] = number
        goes_to[-1], last[-1] = -1, -1
        codes = np.full(self._size, -1, dtype=np.int32)
        codes[: len(self._computed.codes)] = self._computed.codes
        return goes_to[codes], last[codes]

    # Colours

    def _restyle(self) -> None:
        """Take over names and colours that people chose."""
        self._colors = None
        for entry in self._styles:
            if entry.correction.kind == LABEL_SET and self._on(entry):
                self._register(entry.correction.after[0]["names"])

    def _find_colors(self) -> tuple[str, ...]:
        """Chosen colours, else recorded ones, else the palette's."""
        chosen = {name: color for name, color in self._own_colors.items() if color}
        chosen |= self.chosen_colors()
        missing = [name for name in self._names if name not in chosen]
        taken = {color.upper() for color in chosen.values()}
        free = iter(free_colors(missing, taken))
        return tuple(chosen[name] if name in chosen else next(free) for name in self._names)


def _key(entry: Entry) -> tuple[int, str, str]:
    return entry.key


def _pair_key(pair: tuple[Entry, int]) -> tuple[int, str, str]:
    return pair[0].key
