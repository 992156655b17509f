"""The ledger: what people did, append-only, in one SQLite file a run folder.

The ledger is the place of record; the SpatialData store holds only what was computed. Rows are
added and never changed or removed: undo appends an entry of its own. `Ledger.append` returns only
after COMMIT with ``synchronous=FULL``, so what it returned outlives the process and the power.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from napari_vhd.exceptions import BadInputError, LedgerError

from . import correction as parts
from . import network, schema
from .correction import Correction, Entry
from .schema import APPLICATION_ID, SCHEMA_VERSION, check, create

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = ["APPLICATION_ID", "SCHEMA_VERSION", "Ledger", "check", "create"]

Row = tuple[Any, ...]
KeptRow = tuple[Row, bytes | None]

COLUMNS = (
    "entry_id, ord, time, author, kind, boundaries, column_name, cell_ids, before, after, "
    "outlines, note, parents, epoch, program, kept"
)
_ONE_PARENT = len('["0123456789abcdef0123456789abcdef"]')
_INSERT = f"INSERT INTO entry (seq, checksum, {COLUMNS}) VALUES ({', '.join('?' * 18)})"
_SELECT = f"SELECT seq, checksum, {COLUMNS} FROM entry WHERE seq > ? ORDER BY seq"


class Ledger:
    """One open ledger. Make one with `open`.

    Not to be used by two threads at once: its `Editor` holds a lock.

    Attributes
    ----------
    path
        The file.
    notice
        What a user should know about where it lies, or "".
    read_only
        Whether its folder cannot be written to.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, mode: str) -> None:
        self.path = path
        self.read_only = mode == ""
        self.notice = _notice(path, mode)
        self._connection = connection
        self._seq = 0
        self._order = 0
        self._checksum = ""
        self._file = _identity(path)
        self._data_version = -1

    @classmethod
    def open(cls, path: Path) -> Ledger:
        """Open a ledger that is there; migrates it, and opens it only to read where it must.

        Raises
        ------
        BadInputError
            Where it is damaged or of a newer version; it is kept as it is.
        """
        try:
            connection, mode = schema.open_to_write(path)
        except LedgerError:
            connection, mode = schema.open_read_only(path), ""
            schema.check_version(path, connection)
        return cls(path, connection, mode)

    def changed(self) -> bool:
        """Say whether another window or person has written since `read_new`; costs microseconds."""
        return self._data_version != self._read_data_version()

    def read_new(self) -> list[Entry]:
        """Read what stands in the file and was not read yet, oldest first.

        Raises
        ------
        BadInputError
            Where a row was changed or removed after it was written, or cannot be read.
        """
        try:
            version = self._read_data_version()
            # Rows and tip as of one moment.
            self._connection.execute("BEGIN")
            try:
                entries = self._read_new()
            finally:
                self._roll_back()
        except schema.READ_ERRORS as error:
            schema.refuse(self.path, error)
        self._data_version = version
        return entries

    def append(
        self,
        correction: Correction,
        *,
        author: str,
        entry_id: str,
        parents: Sequence[str],
        epoch: str,
        kept: bytes | None = None,
    ) -> tuple[list[Entry], Entry]:
        """Write a correction down. It is durable when this returns.

        Parameters
        ----------
        correction
            What was asked for.
        author
            Who asked.
        entry_id
            A new hexadecimal uuid.
        parents
            The newest entries that the author had been shown.
        epoch
            Fingerprint of the computed outlines that the cell ids belong to.
        kept
            The outlines of cells that are touched for the first time, packed.

        Returns
        -------
        tuple
            What others have written meanwhile, and the new entry, which comes after it.

        Raises
        ------
        LedgerError
            Where it could not be written; nothing has changed.
        """
        row = row_of(correction, author, entry_id, parents, epoch, kept=kept)
        others, (entry,) = self._write([(row, kept)])
        return others, entry

    def take_in(self, rows: Iterable[KeptRow]) -> list[Entry]:
        """Append rows of another ledger whose entries are not here; in one transaction.

        Returns
        -------
        list of Entry
            All that was not read before, the rows of others included.
        """
        others, own = self._write(list(rows), skip_known=True)
        return [*others, *own]

    def rows(self) -> Iterator[KeptRow]:
        """Give every row as it would stand in another ledger, with its kept outlines."""
        kept = dict(self._connection.execute("SELECT entry_id, body FROM outline"))
        for row in self._connection.execute(f"SELECT {COLUMNS} FROM entry ORDER BY seq"):
            yield row, kept.get(row[0])

    def kept_outlines(self) -> dict[str, bytes]:
        """Read the outlines that entries kept of the cells they touched first; by entry."""
        try:
            return dict(self._connection.execute("SELECT entry_id, body FROM outline"))
        except schema.READ_ERRORS as error:
            schema.refuse(self.path, error)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _write(
        self, rows: list[KeptRow], *, skip_known: bool = False
    ) -> tuple[list[Entry], list[Entry]]:
        """Append rows in one transaction, after taking in what others wrote."""
        if self.read_only:
            raise LedgerError(
                f"{self.path}: cannot be written to, so nothing can be corrected here; change the "
                "permissions of its folder, or copy the run folder and open the copy."
            )
        self._check_place()
        before = (self._seq, self._order, self._checksum)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            others = self._read_new()
            if skip_known:
                rows = self._unknown(rows)
            own = [self._insert(row, kept, renumber=not skip_known) for row, kept in rows]
            self._connection.execute("UPDATE tip SET seq = ?, checksum = ?", self._tip)
            self._connection.execute("COMMIT")
            self._check_place()
        except BaseException as error:
            self._seq, self._order, self._checksum = before
            self._roll_back()
            if isinstance(error, schema.READ_ERRORS):
                schema.refuse(self.path, error)
            raise
        return others, own

    @property
    def _tip(self) -> tuple[int, str]:
        return self._seq, self._checksum

    def _unknown(self, rows: list[KeptRow]) -> list[KeptRow]:
        """Leave out rows that are here already.

        Raises
        ------
        BadInputError
            Where an entry is not the same in both ledgers.
        """
        own = {row[0]: row for row in self._connection.execute(f"SELECT {COLUMNS} FROM entry")}
        for row, _ in rows:
            if own.get(row[0], row) != row:
                raise BadInputError(
                    f"{self.path}: entry {row[0]} is another in the ledger to take in, so one of "
                    "them was changed after it was written; verify both."
                )
        return [(row, kept) for row, kept in rows if row[0] not in own]

    def _insert(self, row: Row, kept: bytes | None, *, renumber: bool) -> Entry:
        """Insert one row behind the newest."""
        if renumber:
            row = (row[0], self._order + 1, *row[2:])
        checksum = parts.chained(self._checksum, parts.digest(row))
        if kept is not None:
            self._connection.execute("INSERT OR IGNORE INTO outline VALUES (?, ?)", (row[0], kept))
        self._connection.execute(_INSERT, (self._seq + 1, checksum, *row))
        self._take_note(self._seq + 1, row[1], checksum)
        return entry_of(self._seq, checksum, row)

    def _read_new(self) -> list[Entry]:
        """Read rows behind the last one that was read, checking the chain."""
        entries = []
        for whole in self._connection.execute(_SELECT, (self._seq,)):
            seq, checksum, row = whole[0], whole[1], whole[2:]
            expected = parts.chained(self._checksum, parts.digest(row))
            if seq != self._seq + 1 or checksum != expected:
                schema.raise_damaged(
                    self.path,
                    f"row {self._seq + 1} was changed or removed after it was written; "
                    f"{self._seq} before it are whole",
                )
            try:
                entries.append(entry_of(seq, checksum, row))
            except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
                schema.raise_damaged(self.path, f"row {seq} makes no sense", error)
            self._take_note(seq, row[1], checksum)
        tip = self._connection.execute("SELECT seq, checksum FROM tip").fetchone()
        if tip != self._tip:
            schema.raise_damaged(self.path, f"rows are missing behind row {self._seq}")
        return entries

    def _take_note(self, seq: int, order: int, checksum: str) -> None:
        self._seq, self._checksum = seq, checksum
        self._order = max(self._order, order)

    def _roll_back(self) -> None:
        """End a transaction that failed, if SQLite has not ended it."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            # The file is gone: there is nothing left to undo it in.
            return

    def _check_place(self) -> None:
        """Raise where the file was moved away or replaced: SQLite would write to the old one."""
        if _identity(self.path) != self._file:
            raise LedgerError(
                f"{self.path}: was moved, removed or replaced while it was open; nothing was "
                "changed. Put the folder back where it was, or open the sample again."
            )

    def _read_data_version(self) -> int:
        try:
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error as error:
            schema.refuse(self.path, error)


def read_entries(path: Path) -> list[Entry]:
    """Read every entry of a ledger, checking the chain; the file is only read.

    Raises
    ------
    BadInputError
        As `Ledger.read_new`.
    """
    check(path)
    connection = schema.open_read_only(path)
    with closing(connection):
        if schema.check_version(path, connection) < SCHEMA_VERSION:
            return []
        return Ledger(path, connection, "").read_new()


def entry_of(seq: int, checksum: str, row: Row) -> Entry:
    """Make an entry from the fields of its row."""
    before, after = parts.unpack_outlines(row[10])
    made = Correction(
        row[4],
        row[5],
        row[6],
        parts.unpack_names(row[7]),
        parts.unpack_values(row[8]),
        parts.unpack_values(row[9]),
        before,
        after,
        row[11],
    )
    seen = row[12]
    # Nearly always one id, and another each time.
    plain = len(seen) == _ONE_PARENT and isinstance(seen, str)
    parents = (seen[2:-2],) if plain else tuple(parts.unpack(seen))
    return Entry(row[0], seq, row[1], row[2], row[3], made, parents, row[13], row[14], checksum)


def row_of(
    correction: Correction,
    author: str,
    entry_id: str,
    parents: Sequence[str],
    epoch: str,
    order: int = 0,
    kept: bytes | None = None,
) -> Row:
    """Give the fields of a row, in the order of `COLUMNS`, with the time that it is now."""
    from napari_vhd import __version__

    return (
        entry_id,
        order,
        datetime.now(UTC).isoformat(timespec="milliseconds"),
        author,
        correction.kind,
        correction.boundaries,
        correction.column,
        parts.pack(list(correction.cell_ids)),
        parts.pack_values(correction.before),
        parts.pack_values(correction.after),
        parts.pack_outlines(correction.outlines_before, correction.outlines_after),
        correction.note,
        parts.pack(list(parents)),
        epoch,
        __version__,
        "" if kept is None else hashlib.sha256(kept).hexdigest(),
    )


def _identity(path: Path) -> tuple[int, int] | None:
    """Tell one file from another that has its name."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _notice(path: Path, mode: str) -> str:
    if mode == "":
        return f"{path.parent} cannot be written to: it can be looked at, not corrected."
    if mode != network.WAL:
        return (
            f"{path.parent} is on a network folder: corrections are kept in a slower, safe way; "
            "one person at a time writes, the others wait a moment."
        )
    return ""
