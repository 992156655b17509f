"""What the command line says of corrections."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError, LedgerError
from napari_vhd.io.source import open_source
from napari_vhd.io.store import RunStore

from . import damage, exchange
from .history import History
from .ledger import read_entries
from .opened import Opened
from .record import history_row
from .replay import replay
from .state import state_hash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .reviewed import Reviewed

_SHOWN_IDS = 3


def listed(run_dir: Path, csv: Path | None = None) -> Iterator[str]:
    """Give a line a correction, oldest first; with `csv`, write them to that file as well."""
    history = History()
    for entry in read_entries(ledger_of(run_dir)):
        history.add(entry)
    for entry in history.entries:
        row = history_row(history, entry)
        _, time, author, kind, ids, column, before, after, note, undone = row
        what = ",".join(ids[:_SHOWN_IDS]) + (f" … ({len(ids)} cells)" if ids[_SHOWN_IDS:] else "")
        change = f"{_short(before)} -> {_short(after)}"
        words = (time, author, kind, what, column, change, note, "(undone)" if undone else "")
        yield "  ".join(word for word in words if word)
    if csv is not None:
        try:
            with csv.open("w", encoding="utf-8", newline="") as file:
                exchange.write_csv(file, history)
        except OSError as error:
            raise BadInputError(
                f"{csv}: cannot be written ({error.strerror}); choose another place."
            ) from error
        yield str(csv)


def verified(run_dir: Path) -> Iterator[str]:
    """Say whether every row of the ledger is as it was written.

    Raises
    ------
    LedgerError
        Where it is not: names the first row, and what can be kept.
    """
    path = ledger_of(run_dir)
    found = damage.verify(path)
    if found.fault:
        raise LedgerError(
            f"{path}: {found.fault}; the {found.entries} corrections before are whole and can be "
            f"kept with: napari-vhd corrections {run_dir} recover"
        )
    yield f"{found.entries} corrections, every one as it was written"


def replayed(run_dir: Path) -> Iterator[str]:
    """Rebuild the reviewed sample from what was computed and the ledger; give its hash."""
    with replayed_from(run_dir) as reviewed:
        yield f"{len(read_entries(ledger_of(run_dir)))} corrections replayed"
        yield state_hash(reviewed)


@contextlib.contextmanager
def replayed_from(run_dir: Path) -> Iterator[Reviewed]:
    """Rebuild the reviewed sample of a run folder; it is open within the ``with`` block."""
    path = ledger_of(run_dir)
    source = open_source(run_dir)
    try:
        yield replay(Opened.of(source), path)
    finally:
        source.close()


def merged(run_dir: Path, other: Path) -> Iterator[str]:
    """Take in the corrections of another run folder of the sample, or of its ledger."""
    path = other / keys.LEDGER if other.is_dir() else other
    if (other / keys.RUN_FILE).is_file():
        theirs, ours = RunStore.open(other).sample_id, RunStore.open(run_dir).sample_id
        if theirs != ours:
            raise BadInputError(f"{other}: holds sample {theirs!r}, {run_dir} {ours!r}.")
    number = exchange.merge_ledgers(ledger_of(run_dir), path)
    yield f"{number} corrections taken in"


def recovered(run_dir: Path) -> Iterator[str]:
    """Make a ledger of what can be read of a damaged one."""
    RunStore.open(run_dir)
    found = damage.recover(run_dir / keys.LEDGER)
    if found.copy is not None:
        yield f"{found.fault}; {found.entries} corrections were kept, the damaged file is"
        yield str(found.copy)
    else:
        yield f"{found.entries} corrections, every one as it was written; nothing was changed"


def ledger_of(run_dir: Path) -> Path:
    """Find the ledger of a run folder.

    Raises
    ------
    BadInputError
        If it is no run folder.
    """
    RunStore.open(run_dir)
    return run_dir / keys.LEDGER


def _short(values: tuple[object, ...]) -> str:
    """Write values in few words: each once."""
    names = list(dict.fromkeys("none" if value is None else str(value) for value in values))
    return ", ".join(names[:_SHOWN_IDS]) + (" …" if names[_SHOWN_IDS:] else "")
