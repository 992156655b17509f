"""Editor: takes corrections of one open sample, writes them down and keeps what is shown in step.

The way of every correction: what is asked for is checked, written to the ledger, and only after
COMMIT brought into force in memory and told. What fails on the way leaves all as it was.
"""

from __future__ import annotations

import unicodedata
import uuid
from threading import RLock
from typing import TYPE_CHECKING, Any

from napari_vhd.exceptions import BadInputError

from .correction import REDO, REVERT, SWITCHES, UNDO, Correction
from .history import History
from .reviewed import Change, Reviewed, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .correction import Entry
    from .ledger import Ledger
    from .opened import Opened

LONGEST_NAME = 200


def _nobody(_change: Change, _entries: Sequence[Entry]) -> None:
    """Tell nobody."""


class Editor:
    """Corrections of one open sample. Safe to be called from several threads.

    Parameters
    ----------
    source
        What was computed.
    ledger
        Where corrections are written down; None: nothing can be corrected.
    refusal
        Why not, in a sentence, where there is no ledger.
    tell
        Called after each change with what changed and the new entries, by the thread that made it.
    """

    def __init__(
        self,
        source: Opened,
        ledger: Ledger | None,
        refusal: str = "",
        tell: Callable[[Change, Sequence[Entry]], None] = _nobody,
    ) -> None:
        self.lock = RLock()
        self.author = ""
        self.ledger = ledger
        self.history = History()
        self._refusal = refusal
        self._tell = tell
        if ledger is not None:
            for entry in ledger.read_new():
                self.history.add(entry)
        self.reviewed = Reviewed(source, self.history, self._kept)

    def reload(self, source: Opened) -> None:
        """Take over newly computed data; corrections stay."""
        with self.lock:
            self.reviewed = Reviewed(source, self.history, self._kept)

    def new_id(self) -> str:
        """Make the id of an entry to come."""
        return uuid.uuid4().hex

    def commit(self, correction: Correction, entry_id: str | None = None) -> Entry:
        """Write a correction down and bring it into force.

        Raises
        ------
        BadInputError
            Where nothing can be corrected, or nobody said who corrects.
        LedgerError
            Where it could not be written; nothing changed.
        """
        with self.lock:
            ledger = self.required_ledger()
            author = checked_author(self.author)
            checked_note(correction.note)
            epoch, kept = "", None
            if correction.cell_ids:
                segmentation = self.reviewed.segmentation(correction.boundaries)
                epoch = segmentation.epoch
                kept = segmentation.first_touched(correction.cell_ids)
            others, entry = ledger.append(
                correction,
                author=author,
                entry_id=entry_id or self.new_id(),
                parents=self.history.heads,
                epoch=epoch,
                kept=kept,
            )
            entries = [*others, entry]
            change = self._take(entries)
        self._tell(change, entries)
        return entry

    def poll(self) -> bool:
        """Take in what another window or person has written; says whether there was anything.

        Costs microseconds where there was nothing; for a timer, off the window's own thread.
        """
        with self.lock:
            if self.ledger is None or not self.ledger.changed():
                return False
            entries = self.ledger.read_new()
            change = self._take(entries)
        if entries:
            self._tell(change, entries)
        return bool(entries)

    def merge(self, rows: Iterable[Any]) -> int:
        """Take in rows of another ledger; gives how many were new."""
        with self.lock:
            entries = self.required_ledger().take_in(rows)
            change = self._take(entries)
        if entries:
            self._tell(change, entries)
        return len(entries)

    def undo(self) -> Entry | None:
        """Take back this author's last correction in force; None where there is none."""
        with self.lock:
            target = self.history.undoable(checked_author(self.author))
            return None if target is None else self._switch(UNDO, target)

    def redo(self) -> Entry | None:
        """Bring back what this author undid last; None where there is nothing."""
        with self.lock:
            target = self.history.redoable(checked_author(self.author))
            return None if target is None else self._switch(REDO, target)

    def revert(self, entry_id: str, note: str = "") -> Entry:
        """Take back any one correction, whoever made it; later ones on the same cells stay.

        Raises
        ------
        BadInputError
            Where there is no such correction, or it is not in force.
        """
        with self.lock:
            if entry_id not in self.history:
                raise BadInputError(f"{entry_id}: there is no such correction; see history().")
            target = self.history[entry_id]
            if target.correction.kind in {UNDO, REDO}:
                raise BadInputError(
                    f"{entry_id}: is an {target.correction.kind}; name the correction itself."
                )
            if not self.history.active(entry_id):
                raise BadInputError(f"{entry_id}: was taken back already; redo brings it back.")
            return self._switch(REVERT, target, note)

    def required_ledger(self) -> Ledger:
        """Give the ledger.

        Raises
        ------
        BadInputError
            Where there is none: says why.
        """
        if self.ledger is None:
            raise BadInputError(self._refusal)
        return self.ledger

    def found(self, ids: Iterable[str], boundaries: str | None = None) -> dict[str, list[str]]:
        """Find the segmentation of each cell.

        Parameters
        ----------
        ids
            Cell ids of any segmentation, one or many.
        boundaries
            Look only there.

        Raises
        ------
        BadInputError
            For an unknown or deleted cell; names it.
        """
        cells = list(dict.fromkeys([ids] if isinstance(ids, str) else map(str, ids)))
        if not cells:
            raise BadInputError("No cell is chosen; choose one or more.")
        found: dict[str, list[str]] = {}
        names = [boundaries] if boundaries else self.segmentation_names()
        for name in names:
            outlines = self.reviewed.outlines(name)
            rows = outlines.rows_of(cells)
            if (rows >= 0).all():
                found[name] = cells
                return found
            here = [cell for cell, row in zip(cells, rows.tolist(), strict=True) if row >= 0]
            if here:
                found[name] = here
                known = set(here)
                cells = [cell for cell in cells if cell not in known]
        listed = ", ".join(cells[:3]) + (" …" if len(cells) > 3 else "")
        raise BadInputError(
            f"{listed}: there is no such cell in {' or '.join(names) or 'the sample'}; "
            "it may have been deleted or merged, see history()."
        )

    def found_in_one(self, ids: Iterable[str]) -> tuple[str, list[str]]:
        """Find the one segmentation of cells.

        Raises
        ------
        BadInputError
            For an unknown cell, or where they are of several segmentations.
        """
        found = self.found(ids)
        if len(found) > 1:
            raise BadInputError(
                f"The cells are of {' and '.join(found)}; choose cells of one of them."
            )
        return next(iter(found.items()))

    def segmentation_names(self) -> list[str]:
        """Name the segmentations, the one that is typed first."""
        source = self.reviewed.source
        names = list(source.segmentation_names())
        return sorted(names, key=lambda name: name != source.typed)

    def close(self) -> None:
        """Let go of the ledger."""
        with self.lock:
            if self.ledger is not None:
                self.ledger.close()

    def _switch(self, kind: str, target: Entry, note: str = "") -> Entry:
        made = target.correction
        return self.commit(
            Correction(kind, made.boundaries, made.column, after=(target.entry_id,), note=note)
        )

    def _take(self, entries: Iterable[Entry]) -> Change:
        """Bring entries into force."""
        changes = []
        for entry in entries:
            if entry.entry_id not in self.history:
                switched = self.history.add(entry)
                changes.append(self.reviewed.add(entry, switched))
        return joined(changes)

    def _kept(self) -> Mapping[str, bytes]:
        return {} if self.ledger is None else self.ledger.kept_outlines()


def checked_author(author: str) -> str:
    """Check a name before the first correction.

    Raises
    ------
    BadInputError
        Where nobody is named, or the name cannot be written down.
    """
    if not author.strip():
        raise BadInputError(
            "Nobody is named as the author; give initials or an id first (in the settings, or "
            "author= when the sample is opened): each correction says who made it."
        )
    return checked_name(author.strip(), "The author's name")


def checked_name(name: Any, what: str) -> str:
    """Check a name that is kept and shown: text of one line, not too long.

    Raises
    ------
    BadInputError
        Saying what is wrong with it.
    """
    if not isinstance(name, str) or not name.strip():
        raise BadInputError(f"{what} is empty; write one.")
    if len(name) > LONGEST_NAME:
        raise BadInputError(f"{what} has {len(name)} letters; use at most {LONGEST_NAME}.")
    if any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in name):
        raise BadInputError(f"{what} has letters that cannot be shown; write it on one line.")
    return name.strip()


def checked_note(note: str) -> None:
    """Check a note: it may be of several lines.

    Raises
    ------
    BadInputError
        Where it cannot be written down.
    """
    if not isinstance(note, str) or any(unicodedata.category(c) == "Cs" for c in note):
        raise BadInputError("The note has letters that cannot be written down; write it anew.")


def is_switch(entry: Entry) -> bool:
    """Say whether an entry only switches another off or on."""
    return entry.correction.kind in SWITCHES
