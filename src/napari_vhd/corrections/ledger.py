"""The ledger: what people did, append-only, in one SQLite file a run folder.

The ledger is the place of record; the SpatialData store holds only what was computed. Rows are
added and never changed or removed: undo appends the inverse.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from napari_vhd.exceptions import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION = 1
# "vhdL": says that an SQLite file is a ledger of this program.
APPLICATION_ID = 0x7668644C

# Version 1: one row a correction, chained by the checksum of the row before.
SCHEMA = """
CREATE TABLE entry (
    entry_id        TEXT PRIMARY KEY,     -- uuid, the same after merging ledgers
    seq             INTEGER NOT NULL UNIQUE,  -- order in this file, from 1
    time            TEXT NOT NULL,        -- UTC, ISO 8601
    author          TEXT NOT NULL,        -- initials or id
    kind            TEXT NOT NULL,        -- relabel, add, delete, merge, split, redraw, undo …
    column_name     TEXT,                 -- labels: the column that is corrected
    cell_ids        TEXT NOT NULL,        -- JSON list
    before          TEXT,                 -- JSON
    after           TEXT,                 -- JSON
    geometry        BLOB,                 -- WKB, full-resolution px
    base            TEXT,                 -- entry that the author had seen last
    note            TEXT NOT NULL DEFAULT '',
    program         TEXT NOT NULL,        -- version of napari-vhd
    checksum        TEXT NOT NULL         -- SHA-256 over this row and the checksum before
) STRICT;
CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON entry
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entry_is_never_removed BEFORE DELETE ON entry
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""


def create(path: Path) -> None:
    """Make an empty ledger; one that is there already is left as it is.

    Raises
    ------
    BadInputError
        If the file is there and is not a ledger that this version reads.
    """
    if path.exists():
        check(path)
        return
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.executescript(
            f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id={APPLICATION_ID};"
            f"PRAGMA user_version={SCHEMA_VERSION}; COMMIT;"
        )


def check(path: Path) -> None:
    """Raise unless the file is a ledger that this version can read.

    Raises
    ------
    BadInputError
        Naming the file; it is never opened as empty and never written to.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        raise BadInputError(
            f"{path}: the ledger of corrections cannot be read ({error}); it is kept as it is, "
            "restore it from a copy."
        ) from error
    if application != APPLICATION_ID:
        raise BadInputError(f"{path}: not a ledger of corrections; move it away.")
    if version > SCHEMA_VERSION:
        raise BadInputError(
            f"{path}: written by a newer napari-vhd (ledger version {version}, this one reads "
            f"{SCHEMA_VERSION}); update napari-vhd."
        )
