"""The outlines of one segmentation with corrections: which entry gives a cell its outline."""

from __future__ import annotations

import hashlib
from bisect import insort
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import rematch
from .correction import UPDATE
from .outlines import Outlines
from .updates import Updates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from .correction import Entry
    from .history import History


@dataclass(frozen=True)
class Moved:
    """Cells whose outline changed.

    Attributes
    ----------
    rows
        Their rows, those of cells that are gone included.
    before
        The geometry of each before, None where there was none.
    """

    rows: tuple[int, ...]
    before: tuple[Any, ...]


class Segmentation:
    """One segmentation: live outlines, the computed ones behind them, and entries on each cell.

    Parameters
    ----------
    name
        Name of the boundaries.
    ids, geometries
        As computed, full-resolution px; see `Outlines`.
    history
        Knows which entries are in force.

    Attributes
    ----------
    epoch
        Fingerprint of the computed outlines.
    known
        Cells that an entry of this epoch has touched.
    matches
        For each earlier epoch: id in it -> id now, or None where it has no match.
    updates
        What was computed again for single cells.
    """

    def __init__(
        self,
        name: str,
        ids: Sequence[str],
        geometries: Any,
        history: History,
    ) -> None:
        self.name = name
        self.outlines = Outlines(name, ids, geometries)
        self.n_computed = self.outlines.n_rows
        self.epoch = fingerprint(ids, self.outlines)
        self.known: set[str] = set()
        self.matches: Mapping[str, Mapping[str, str | None]] = {}
        self.updates = Updates(history)
        self._history = history
        self._base: dict[str, Any] = {}
        self._edited: dict[str, Any] = {}
        # Of edited cells: where they are and where they were computed.
        self._places: dict[str, list[tuple[float, float]]] = {}
        self._stacks: dict[str, list[tuple[Entry, bytes | None]]] = {}
        # Rows of cells that were edited, also while they are gone.
        self._rows: dict[str, int] = {}

    @property
    def n_rows(self) -> int:
        """Number of rows, those of cells that are gone included."""
        return int(self.outlines.n_rows)

    def resolved(self, entry: Entry) -> tuple[str | None, ...]:
        """Ids that an entry's cells have now; None where a new segmentation has no match."""
        ids = entry.correction.cell_ids
        if entry.epoch in ("", self.epoch):
            return ids
        matches = self.matches.get(entry.epoch, {})
        return tuple(matches.get(cell, cell) for cell in ids)

    def note(self, entry: Entry) -> None:
        """Remember which cells were touched in this epoch: their outlines are kept already."""
        if entry.epoch == self.epoch:
            self.known.update(entry.correction.cell_ids)
        if entry.correction.kind == UPDATE:
            self.updates.add(entry, self.resolved(entry))

    def first_touched(self, ids: Iterable[str]) -> bytes | None:
        """Pack the computed outlines of those cells that no entry of this epoch has touched."""
        fresh = [cell for cell in ids if cell not in self.known]
        plain = [cell for cell in fresh if cell not in self._base]
        rows = self.outlines.rows_of(plain)
        # Rows behind the computed ones are cells that a person made.
        there = (rows >= 0) & (rows < self.n_computed)
        rings = rematch.rings_of(self.outlines, rows[there])
        for cell in fresh:
            if self._base.get(cell) is not None:
                rings.append(cell, self._base[cell])
        return rings.packed()

    def row_for_life(self, cell: str) -> int:
        """Row of a cell, also of one that was deleted; -1 where there never was one."""
        row = int(self.outlines.row_of(cell))
        return row if row >= 0 else self._rows.get(cell, -1)

    def computed(self, cell: str) -> Any:
        """Outline of a cell as computed, None where a person made it."""
        if cell in self._base:
            return self._base[cell]
        row = self.outlines.row_of(cell)
        return self.outlines.geometry(cell) if 0 <= row < self.n_computed else None

    def load(self, entries: Iterable[Entry]) -> None:
        """Take in many entries at once."""
        for entry in entries:
            self._push(entry)
        self._refresh(list(self._stacks))

    def add(self, entry: Entry) -> Moved:
        """Take in an entry; gives the cells whose outline changed."""
        return self._refresh(self._push(entry))

    def switch(self, entry: Entry) -> Moved:
        """Follow an entry that was switched on or off."""
        return self._refresh([cell for cell, _ in self._deltas(entry)])

    def entries_on(self, cell: str) -> list[Entry]:
        """Every entry on the outline of a cell, in force or not, in order."""
        return [entry for entry, _ in self._stacks.get(cell, [])]

    def given(self, entry: Entry, cell: str) -> bytes | None:
        """Outline that an entry gave a cell (WKB)."""
        return next((wkb for own, wkb in self._stacks.get(cell, []) if own is entry), None)

    def now(self, cell: str) -> bytes | None:
        """Outline of a cell (WKB), None where it is gone."""
        import shapely

        there = self.outlines.row_of(cell) >= 0
        return shapely.to_wkb(self.outlines.geometry(cell)) if there else None

    def touched(self) -> list[str]:
        """Cells whose outline was ever edited."""
        return list(self._stacks)

    def edited(self) -> dict[str, Any]:
        """Cells whose outline is not as computed -> the outline now, None: gone."""
        return {cell: self._edited[cell] for cell in self._stacks if cell in self._edited}

    def is_edited(self, cell: str) -> bool:
        """Say whether the outline of a cell is not as computed."""
        return cell in self._edited

    def edited_places(self) -> NDArray[np.float64]:
        """Centroids (n, 2; px) of edited cells, as they are and as they were computed."""
        places = [place for both in self._places.values() for place in both]
        return np.array(places, dtype=np.float64).reshape(-1, 2)

    def author_of(self, cell: str) -> str:
        """Who gave a cell its outline; "" where it is as computed."""
        for entry, _ in reversed(self._stacks.get(cell, [])):
            if self._history.active(entry.entry_id):
                return entry.author
        return ""

    def _push(self, entry: Entry) -> list[str]:
        """Put an entry on its cells; gives them."""
        deltas = self._deltas(entry)
        for cell, outline in deltas:
            insort(self._stacks.setdefault(cell, []), (entry, outline), key=_pair_key)
        return [cell for cell, _ in deltas]

    def _deltas(self, entry: Entry) -> list[tuple[str, bytes | None]]:
        """Cells of an entry, by the id they have now, with the outline it gives them."""
        now = dict(zip(entry.correction.cell_ids, self.resolved(entry), strict=True))
        found = []
        for cell, outline in entry.correction.outlines_after.items():
            here = now.get(cell, cell)
            if here is not None:
                found.append((here, outline))
        return found

    def _refresh(self, cells: Sequence[str]) -> Moved:
        """Give cells the outline of the last entry in force."""
        import shapely

        cells = list(dict.fromkeys(cells))
        old = self._now(cells)
        for cell, shape in zip(cells, old, strict=True):
            self._base.setdefault(cell, shape)
        base = _shapes([self._base[cell] for cell in cells])
        new = self._decided(cells, base)
        was, wanted, computed = (shapely.to_wkb(shapes).tolist() for shapes in (old, new, base))
        self._compare(cells, new, base, [a != b for a, b in zip(wanted, computed, strict=True)])
        # Vertex by vertex: an outline that only looks the same is another.
        changed = [place for place in range(len(cells)) if was[place] != wanted[place]]
        there = [place for place in changed if new[place] is not None]
        if there:
            rows = self.outlines.put_all([cells[place] for place in there], new[there])
            self._rows.update(zip([cells[place] for place in there], rows.tolist(), strict=True))
        for place in changed:
            if new[place] is None:
                self._rows[cells[place]] = int(self.outlines.remove(cells[place]))
        return Moved(
            tuple(self._rows[cells[place]] for place in changed),
            tuple(old[place] for place in changed),
        )

    def _decided(self, cells: Sequence[str], base: NDArray[Any]) -> NDArray[Any]:
        """Outlines of cells by the last entry in force, as computed where there is none."""
        import shapely

        new, drawn = base.copy(), {}
        for place, cell in enumerate(cells):
            for entry, wkb in reversed(self._stacks.get(cell, [])):
                if self._history.active(entry.entry_id):
                    new[place] = None
                    if wkb is not None:
                        drawn[place] = wkb
                    break
        if drawn:
            new[list(drawn)] = shapely.from_wkb(list(drawn.values()))
        return new

    def _compare(
        self, cells: Sequence[str], new: NDArray[Any], base: NDArray[Any], differs: Sequence[bool]
    ) -> None:
        """Note which cells are as computed."""
        import shapely

        centres = [shapely.get_coordinates(shapely.centroid(_or_nowhere(x))) for x in (new, base)]
        for place, cell in enumerate(cells):
            self._edited.pop(cell, None)
            self._places.pop(cell, None)
            if differs[place]:
                self._edited[cell] = new[place]
                both = [tuple(centre[place].tolist()) for centre in centres]
                self._places[cell] = [(x, y) for x, y in both if x == x]

    def _now(self, cells: Sequence[str]) -> NDArray[Any]:
        """Outlines as they are, None where a cell is gone."""
        rows = self.outlines.rows_of(cells)
        found = np.full(len(cells), None, dtype=object)
        found[rows >= 0] = self.outlines.geometries(rows[rows >= 0])
        return found


def fingerprint(ids: Sequence[str], outlines: Outlines) -> str:
    """Tell one computed segmentation from another, wherever it was computed: from ids and shapes.

    The epoch of entries: a stage that runs again and gives the same cells leaves it as it is.
    """
    made = hashlib.blake2b(digest_size=12)
    made.update("\0".join(ids).encode())
    # Bounds are vertices, bit by bit the same everywhere; areas and centroids need not be.
    made.update(np.ascontiguousarray(outlines.bounds, dtype=np.float64).tobytes())
    return made.hexdigest()


def _shapes(shapes: Sequence[Any]) -> NDArray[Any]:
    """Make an array of outlines, None where there is none."""
    found = np.full(len(shapes), None, dtype=object)
    found[:] = shapes
    return found


def _or_nowhere(shapes: NDArray[Any]) -> NDArray[Any]:
    """Put a point nowhere in the place of missing outlines, so that each has a centroid."""
    import shapely

    missing = shapely.is_missing(shapes)
    return np.where(missing, shapely.Point(np.nan, np.nan), shapes) if missing.any() else shapes


def _pair_key(pair: tuple[Entry, bytes | None]) -> tuple[int, str, str]:
    return pair[0].key
