"""Ledgers that leave the run folder: taking in another's, and a CSV for a spreadsheet."""

from __future__ import annotations

import csv
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

from . import schema
from .damage import verify
from .ledger import COLUMNS, Ledger
from .record import HISTORY, history_row

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TextIO

    from .history import History

# A spreadsheet takes cells that begin so for a formula and runs it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def rows_of(path: Path) -> list[tuple[tuple[Any, ...], bytes | None]]:
    """Read every row of another ledger, to be taken in; the file is only read.

    Raises
    ------
    BadInputError
        Where it is not there, no ledger, damaged or of a newer version: nothing is taken in.
    """
    schema.check(path)
    found = verify(path)
    if found.fault:
        schema.raise_damaged(path, found.fault)
    connection = schema.open_read_only(path)
    with closing(connection):
        if schema.check_version(path, connection) < schema.SCHEMA_VERSION:
            return []
        kept = dict(connection.execute("SELECT entry_id, body FROM outline"))
        rows = connection.execute(f"SELECT {COLUMNS} FROM entry ORDER BY seq").fetchall()
    return [(tuple(row), kept.get(row[0])) for row in rows]


def merge_ledgers(path: Path, other: Path) -> int:
    """Take into one ledger the entries of another that it does not hold.

    By the entries' ids: in whichever order ledgers are merged, and however often, the same entries
    are in force in the same order.

    Returns
    -------
    int
        Number of entries that were new.
    """
    rows = rows_of(other)
    with closing(Ledger.open(path)) as ledger:
        ledger.read_new()
        return len(ledger.take_in(rows))


def write_csv(file: TextIO, history: History) -> None:
    """Write the history as CSV: no cell is one that a spreadsheet would run."""
    writer = csv.writer(file)
    writer.writerow(HISTORY)
    for entry in history.entries:
        writer.writerow([guarded(_text(value)) for value in history_row(history, entry)])


def guarded(text: str) -> str:
    """Put ' before a text that a spreadsheet would take for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        if all(isinstance(part, str) for part in value):
            return ";".join(value)
        return json.dumps(list(value), ensure_ascii=False)
    return str(value)
