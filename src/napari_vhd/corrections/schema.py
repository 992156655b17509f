"""The ledger's file: its tables, their version, and opening it.

Version 1 was never written to; version 2 holds entries. A file is opened only when it is a ledger
of a version that is known; anything else is refused in a sentence and left as it is.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import NoReturn

from napari_vhd.exceptions import BadInputError, LedgerError

from . import network

SCHEMA_VERSION = 2
# "vhdL": says that an SQLite file is a ledger of this program.
APPLICATION_ID = 0x7668644C
BUSY_SECONDS = 20.0

# What reading a damaged file can raise; text that is none is a ValueError.
READ_ERRORS = (sqlite3.Error, OSError, ValueError)

# Version 2: one row a correction, chained by the checksum of the row before. JSON that is long is
# deflated (a BLOB in place of TEXT).
SCHEMA = """
CREATE TABLE entry (
    seq             INTEGER PRIMARY KEY,  -- order in this file, from 1
    entry_id        TEXT NOT NULL UNIQUE, -- uuid, the same after merging ledgers
    ord             INTEGER NOT NULL,     -- one more than any that its writer's ledger held
    time            TEXT NOT NULL,        -- UTC, ISO 8601
    author          TEXT NOT NULL,        -- initials or id
    kind            TEXT NOT NULL,        -- relabel, add, delete, merge, split, redraw, undo …
    boundaries      TEXT NOT NULL,        -- segmentation, or ''
    column_name     TEXT NOT NULL,        -- labels: the column that is corrected, or ''
    cell_ids        ANY NOT NULL,         -- JSON list
    before          ANY NOT NULL,         -- JSON
    after           ANY NOT NULL,         -- JSON
    outlines        BLOB,                 -- polygons before and after: WKB, full-resolution px
    note            TEXT NOT NULL,
    parents         ANY NOT NULL,         -- JSON list: newest entries that the author had seen
    epoch           TEXT NOT NULL,        -- fingerprint of the computed outlines, or ''
    program         TEXT NOT NULL,        -- version of napari-vhd
    kept            TEXT NOT NULL,        -- SHA-256 of this entry's row of the table outline, or ''
    checksum        TEXT NOT NULL         -- SHA-256 over this row and the checksum before
) STRICT;
-- What a cell looked like as computed when it was first touched, to know it in a new segmentation.
CREATE TABLE outline (
    entry_id        TEXT PRIMARY KEY,
    body            BLOB NOT NULL
) STRICT;
-- The newest row, so that rows missing at the end are noticed.
CREATE TABLE tip (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    seq             INTEGER NOT NULL,
    checksum        TEXT NOT NULL
) STRICT;
INSERT INTO tip VALUES (1, 0, '');
CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON entry
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entry_is_never_removed BEFORE DELETE ON entry
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER outline_is_never_changed BEFORE UPDATE ON outline
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER outline_is_never_removed BEFORE DELETE ON outline
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER tip_is_never_removed BEFORE DELETE ON tip
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""

# From version 1, which held no entries.
MIGRATE_1 = """
DROP TRIGGER entry_is_never_changed;
DROP TRIGGER entry_is_never_removed;
DROP TABLE entry;
"""


def create(path: Path) -> None:
    """Make an empty ledger; one that is there already is left as it is.

    It appears whole under its name or not at all.

    Raises
    ------
    BadInputError
        If the file is there and is not a ledger that this version reads.
    LedgerError
        Where it cannot be written.
    """
    if path.exists():
        check(path)
        return
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with closing(sqlite3.connect(partial, isolation_level=None)) as connection:
            connection.executescript(
                f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id={APPLICATION_ID};"
                f"PRAGMA user_version={SCHEMA_VERSION}; COMMIT;"
            )
            connection.execute(f"PRAGMA journal_mode={network.journal_mode(path.parent)}")
        _put_in_place(partial, path)
    except FileExistsError:
        check(path)
    except (sqlite3.Error, OSError) as error:
        refuse(path, error)
    finally:
        for name in (partial, *beside(partial)):
            name.unlink(missing_ok=True)


def _put_in_place(partial: Path, path: Path) -> None:
    """Give a finished file its name, unless another process has made it and may write to it."""
    try:
        os.link(partial, path)
    except FileExistsError:
        raise
    except OSError:
        # A disk without hard links.
        if path.exists():
            raise FileExistsError(path) from None
        partial.rename(path)


def check(path: Path) -> None:
    """Raise unless the file is a ledger that this version can read.

    Raises
    ------
    BadInputError
        Naming the file; it is never opened as empty and never written to.
    """
    if not path.is_file():
        raise BadInputError(
            f"{path}: the ledger of corrections is not there; restore it from a copy, or make a "
            f"new one with: napari-vhd corrections {path.parent} recover"
        )
    with closing(open_read_only(path)) as connection:
        check_version(path, connection)


def check_version(path: Path, connection: sqlite3.Connection) -> int:
    """Read the version of the schema, raising where it is no ledger or a newer one.

    Raises
    ------
    BadInputError
        As `check` does.
    """
    try:
        application = int(connection.execute("PRAGMA application_id").fetchone()[0])
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    except READ_ERRORS as error:
        raise_damaged(path, str(error), error)
    if application != APPLICATION_ID:
        raise BadInputError(
            f"{path}: not a ledger of corrections; move it away, or if it was one, see what can be "
            f"read with: napari-vhd corrections {path.parent} recover"
        )
    if version > SCHEMA_VERSION:
        raise BadInputError(
            f"{path}: written by a newer napari-vhd (ledger version {version}, this one reads "
            f"{SCHEMA_VERSION}); update napari-vhd."
        )
    return version


def open_to_write(path: Path) -> tuple[sqlite3.Connection, str]:
    """Open a ledger that is there, migrated, to read and append.

    Returns
    -------
    tuple
        The connection, and the journal mode it uses.

    Raises
    ------
    BadInputError, LedgerError
        In a sentence.
    """
    check(path)
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            isolation_level=None,
            timeout=BUSY_SECONDS,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        refuse(path, error)
    try:
        wanted = network.journal_mode(path.parent)
        mode = str(connection.execute(f"PRAGMA journal_mode={wanted}").fetchone()[0])
        connection.execute("PRAGMA synchronous=FULL")
        # macOS: fsync alone leaves data in the disk's own cache.
        connection.execute("PRAGMA fullfsync=1")
        _migrate(path, connection)
    except READ_ERRORS as error:
        connection.close()
        refuse(path, error)
    except BaseException:
        connection.close()
        raise
    return connection, mode


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open a ledger only to read; on a disk that cannot be written to, a copy of it.

    Raises
    ------
    BadInputError
        Where it cannot be read.
    """
    try:
        connection = _connect_read_only(path)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            connection.close()
            if not _needs_copy(error):
                raise
            # In WAL mode reading takes a file beside it, which cannot be made here.
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder) / path.name
                for source in (path, beside(path)[0]):
                    if source.exists():
                        shutil.copyfile(source, copy.with_name(source.name))
                copied = _connect_read_only(copy)
                connection = sqlite3.connect(":memory:", check_same_thread=False)
                with closing(copied):
                    copied.backup(connection)
        except BaseException:
            connection.close()
            raise
    except READ_ERRORS as error:
        raise_damaged(path, str(error), error)
    return connection


def beside(path: Path) -> tuple[Path, Path, Path]:
    """Name the files that SQLite keeps beside a database: WAL, its index, rollback journal."""
    return tuple(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))  # type: ignore[return-value]


def refuse(path: Path, error: BaseException) -> NoReturn:
    """Say in a sentence why a correction was not taken; nothing has changed.

    Raises
    ------
    LedgerError
        Always; `BadInputError` where the file is damaged.
    """
    name = getattr(error, "sqlite_errorname", "") or ""
    number = getattr(error, "errno", None)
    kept = "nothing was changed, and what was corrected before is kept"
    # Text that is none comes as a ValueError, or as an error of the module itself.
    own = isinstance(error, sqlite3.Error) and not name
    damaged = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR")
    if name.startswith(damaged) or own or isinstance(error, ValueError):
        raise_damaged(path, str(error), error)
    if name.startswith("SQLITE_FULL") or number in {28, 122, 27}:
        why = f"the disk is full; {kept}. Free some space and correct again."
    elif name.startswith("SQLITE_BUSY"):
        why = f"another program holds it locked; {kept}. Close that program and correct again."
    elif name.startswith("SQLITE_READONLY") or number in {1, 13, 30}:
        why = f"it cannot be written to; {kept}. Change the permissions of its folder."
    elif not path.exists():
        why = f"it is gone; {kept} in the copy that was moved. Put the folder back and open again."
    else:
        why = f"the disk did not take the correction ({error}); {kept}. Check the disk."
    raise LedgerError(f"{path}: {why}") from error


def raise_damaged(path: Path, why: str, error: BaseException | None = None) -> NoReturn:
    """Say that the ledger is damaged, that it is kept, and how to get at what can be read.

    Raises
    ------
    BadInputError
        Always.
    """
    raise BadInputError(
        f"{path}: the ledger of corrections cannot be read ({why}); it is kept as it is. Restore "
        "it from a copy, or keep what can be read with: napari-vhd corrections "
        f"{path.parent} recover"
    ) from error


def _migrate(path: Path, connection: sqlite3.Connection) -> None:
    """Bring the tables to this version, whole or not at all."""
    if check_version(path, connection) == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while this one waited.
        if check_version(path, connection) == 1:
            if connection.execute("SELECT count(*) FROM entry").fetchone()[0]:
                raise BadInputError(
                    f"{path}: has entries of ledger version 1, which no napari-vhd has written; it "
                    "is kept as it is, restore the ledger from a copy."
                )
            for statement in _statements(MIGRATE_1 + SCHEMA):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    """Cut a script into statements; `executescript` would commit first."""
    found: list[str] = []
    current = ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            found.append(current)
            current = ""
    return found


def _connect_read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        isolation_level=None,
        timeout=BUSY_SECONDS,
        check_same_thread=False,
    )


def _needs_copy(error: sqlite3.OperationalError) -> bool:
    name = error.sqlite_errorname
    return name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY"))
