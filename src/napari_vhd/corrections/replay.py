"""Replay: computed values + ledger → reviewed values, from nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .history import History
from .ledger import read_entries
from .reviewed import Reviewed
from .schema import open_read_only

if TYPE_CHECKING:
    from pathlib import Path

    from .opened import Opened


def replay(source: Opened, ledger: Path) -> Reviewed:
    """Build the reviewed sample from what was computed and a ledger, which is only read.

    Raises
    ------
    BadInputError
        Where the ledger is damaged.
    """
    history = History()
    for entry in read_entries(ledger):
        history.add(entry)

    def kept() -> dict[str, bytes]:
        connection = open_read_only(ledger)
        try:
            return dict(connection.execute("SELECT entry_id, body FROM outline"))
        finally:
            connection.close()

    return Reviewed(source, history, kept)
