"""A ledger that may be damaged: verifying every row, and keeping the part that can be read."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from napari_vhd.exceptions import BadInputError

from . import correction as parts
from . import schema
from .ledger import COLUMNS, entry_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Verified:
    """What verifying a ledger found.

    Attributes
    ----------
    entries
        Rows that are whole, from the first on.
    fault
        What is wrong behind them, in words; "" where all is whole.
    """

    entries: int
    fault: str


@dataclass(frozen=True)
class Recovered:
    """What was kept of a damaged ledger.

    Attributes
    ----------
    entries
        Corrections that the new ledger holds.
    copy
        The damaged file, kept; None where there was none.
    fault
        What was wrong, in words; "" where nothing was.
    """

    entries: int
    copy: Path | None
    fault: str


def verify(path: Path) -> Verified:
    """Check every row of a ledger against its checksum and the chain; the file is only read.

    A row that was changed, removed or put in between is found, also the last; and outlines that an
    entry kept.

    Raises
    ------
    BadInputError
        Where the file is not there, or of a newer version.
    """
    if not path.is_file():
        raise BadInputError(f"{path}: there is no ledger of corrections; check the path.")
    whole, fault = _readable(path)
    return Verified(len(whole), fault)


def recover(path: Path) -> Recovered:
    """Make a ledger of what can be read of a damaged one, up to the first fault.

    The damaged file is copied beside it first, under a name with the time. A ledger that is whole
    is left as it is; where there is none, an empty one is made.

    Raises
    ------
    BadInputError
        Where the file is of a newer version: nothing is wrong with it.
    LedgerError
        Where it cannot be written.
    """
    if not path.exists():
        schema.create(path)
        return Recovered(0, None, "")
    whole, fault = _readable(path)
    if not fault:
        return Recovered(len(whole), None, "")
    try:
        copy = _copied(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}.recovered")
        for name in (partial, *schema.beside(partial)):
            name.unlink(missing_ok=True)
        schema.create(partial)
        with closing(sqlite3.connect(partial, isolation_level=None)) as connection:
            _write(connection, whole)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        # A WAL of the damaged file must not be taken for the new one's.
        for name in schema.beside(path):
            name.unlink(missing_ok=True)
        for name in schema.beside(partial):
            name.unlink(missing_ok=True)
        partial.replace(path)
    except (sqlite3.Error, OSError) as error:
        schema.refuse(path, error)
    return Recovered(len(whole), copy, fault)


Row = tuple[int, str, tuple[Any, ...], bytes | None]


def _readable(path: Path) -> tuple[list[Row], str]:
    """Read rows up to the first fault; gives them and what the fault is."""
    found: list[Row] = []
    try:
        connection = schema.open_read_only(path)
    except BadInputError as error:
        return found, str(error.__cause__ or error)
    with closing(connection):
        try:
            if schema.check_version(path, connection) < schema.SCHEMA_VERSION:
                return found, ""
        except BadInputError as error:
            if "newer" in str(error):
                raise
            return found, "it is no ledger"
        try:
            for row in _rows(connection, found):
                found.append(row)
            tip = connection.execute("SELECT seq, checksum FROM tip").fetchone()
        except (*schema.READ_ERRORS, _FaultError) as error:
            return found, str(error)
    last = (found[-1][0], found[-1][1]) if found else (0, "")
    if tip != last:
        return found, f"rows are missing behind row {len(found)}"
    return found, ""


class _FaultError(Exception):
    """A row is not what it was when it was written."""


def _rows(connection: sqlite3.Connection, before: list[Row]) -> Iterator[Row]:
    """Give rows in order, each checked."""
    checksum = ""
    order = f"SELECT seq, checksum, {COLUMNS} FROM entry ORDER BY seq"
    for seq, own, *rest in connection.execute(order):
        row = tuple(rest)
        number = len(before) + 1
        if seq != number:
            raise _FaultError(f"row {number} is missing")
        if own != parts.chained(checksum, parts.digest(row)):
            raise _FaultError(f"row {number} was changed after it was written")
        try:
            entry_of(seq, own, row)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise _FaultError(f"row {number} makes no sense") from error
        yield seq, own, row, _kept(connection, row)
        checksum = own


def _kept(connection: sqlite3.Connection, row: tuple[Any, ...]) -> bytes | None:
    """Outlines that an entry kept, checked."""
    if not row[15]:
        return None
    found = connection.execute("SELECT body FROM outline WHERE entry_id = ?", row[:1]).fetchone()
    if found is None or hashlib.sha256(found[0]).hexdigest() != row[15]:
        raise _FaultError(f"the outlines of entry {row[0]} were changed or removed")
    body: bytes = found[0]
    return body


def _write(connection: sqlite3.Connection, rows: list[Row]) -> None:
    """Write rows as they stood."""
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("BEGIN IMMEDIATE")
    places = ", ".join("?" * 18)
    for seq, checksum, row, kept in rows:
        connection.execute(
            f"INSERT INTO entry (seq, checksum, {COLUMNS}) VALUES ({places})", (seq, checksum, *row)
        )
        if kept is not None:
            connection.execute("INSERT INTO outline VALUES (?, ?)", (row[0], kept))
    if rows:
        connection.execute("UPDATE tip SET seq = ?, checksum = ?", rows[-1][:2])
    connection.execute("COMMIT")


def _copied(path: Path) -> Path:
    """Copy a damaged ledger and the files beside it, under a name with the time."""
    time = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    number, copy = 1, path.with_name(f"{path.stem}.damaged-{time}{path.suffix}")
    while copy.exists():
        number += 1
        copy = path.with_name(f"{path.stem}.damaged-{time}-{number}{path.suffix}")
    for source, target in zip(
        (path, *schema.beside(path)), (copy, *schema.beside(copy)), strict=True
    ):
        if source.exists():
            shutil.copy2(source, target)
            with target.open("rb") as file:
                os.fsync(file.fileno())
    return copy
