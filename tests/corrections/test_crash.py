"""No acknowledged entry is lost, whatever happens to the process or to writes not yet synced."""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import shutil
import time
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_vhd import Session, keys
from napari_vhd.corrections import damage, ledger, schema
from napari_vhd.corrections.opened import Opened
from napari_vhd.corrections.replay import replay
from napari_vhd.corrections.state import state_hash
from napari_vhd.exceptions import BadInputError
from napari_vhd.io.source import open_source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PRELOADED = ["napari_vhd.session", "anndata.io", "geopandas", "pytest", "zarr"]
TYPE = keys.TYPE_DOMAIN
KINDS = ["one", "one", "many", "grow", "delete", "region", "undo", "redo"]
FRAME_BYTES, WAL_HEADER_BYTES, FRAME_HEADER_BYTES = 4096, 32, 24


@pytest.fixture(scope="module")
def processes() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def edit(session: Any, chance: random.Random, kinds: Sequence[str] = KINDS) -> None:
    """Make one correction of any kind."""
    outlines = session.outlines(keys.PROSEG)
    cells = outlines.ids_of(np.flatnonzero(outlines.alive))
    kind = chance.choice(kinds)
    try:
        if kind == "one":
            session.relabel(chance.choice(cells), TYPE, chance.choice(["Tumor", "Unsure"]))
        elif kind == "many":
            session.relabel(chance.sample(cells, 40), TYPE, "Unknown", note="a lasso")
        elif kind == "grow":
            session.expand(chance.choice(cells), chance.uniform(-0.5, 1))
        elif kind == "delete" and len(cells) > 150:
            session.delete(chance.choice(cells))
        elif kind == "region":
            session.add_region([(1, 1), (90, 5), (50, 70)], uuid.uuid4().hex)
        elif kind == "update":
            session.update()
        else:
            (session.editor.undo if kind == "undo" else session.editor.redo)()
    except BadInputError:
        # The cell may have shrunk to nothing: no correction, and none acknowledged.
        return


def edit_until_killed(run_dir: Path, seed: int, said: Any) -> None:
    chance = random.Random(seed)
    with Session.open(run_dir, author="ab") as session:
        session.saved.connect(lambda entry: said.send(entry.entry_id), check_nargs=False)
        session.labels(keys.PROSEG, TYPE)
        session.card(keys.PROSEG, session.outlines(keys.PROSEG).live_ids()[0])
        said.send("begin")
        while True:
            edit(session, chance, [*KINDS, "update"])


def kill_while_editing(run_dir: Path, processes: Any, kills: int, seed: int) -> int:
    """Kill editing processes; gives how many corrections were acknowledged."""
    chance = random.Random(seed)
    acknowledged: list[str] = []
    for kill in range(kills):
        hear, said = processes.Pipe(duplex=False)
        worker = processes.Process(target=edit_until_killed, args=(run_dir, seed + kill, said))
        worker.start()
        said.close()
        assert hear.recv() == "begin"
        time.sleep(chance.uniform(0, 0.3))
        worker.kill()
        worker.join()
        with contextlib.suppress(EOFError):
            while hear.poll(0.05):
                acknowledged.append(hear.recv())
        hear.close()
        there = [entry.entry_id for entry in ledger.read_entries(run_dir / keys.LEDGER)]
        known = set(acknowledged)
        assert known <= set(there)
        # One may have been written whose acknowledgement the kill cut off.
        assert len(there) <= len(acknowledged) + kill + 1
        assert [name for name in there if name in known] == acknowledged
    assert not damage.verify(run_dir / keys.LEDGER).fault
    return len(acknowledged)


def is_replayed(run_dir: Path) -> bool:
    with Session.open(run_dir, author="ab") as session:
        again = replay(Opened(open_source(run_dir)), run_dir / keys.LEDGER)
        return session.state_hash() == state_hash(again)


def test_killed_while_editing_no_acknowledged_correction_is_lost(reviewed_run, processes):
    assert kill_while_editing(reviewed_run, processes, kills=20, seed=1) > 40
    assert is_replayed(reviewed_run)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_killed_1000_times_while_editing(reviewed_run, processes):
    assert kill_while_editing(reviewed_run, processes, kills=1000, seed=1000) > 1000
    assert is_replayed(reviewed_run)


@pytest.fixture
def sitting(desk_at, book):
    """Edits of one sitting: entry ids as acknowledged, with the size of the WAL at that moment."""
    desk = desk_at(book)
    chance = random.Random(3)
    wal = schema.beside(book)[0]
    acknowledged = []
    while len(acknowledged) < 50:
        before = len(desk.entries())
        edit(desk, chance)
        acknowledged += [(entry.entry_id, wal.stat().st_size) for entry in desk.entries()[before:]]
    return acknowledged


def test_unsynced_writes_that_are_lost_leave_every_acknowledged_entry(sitting, book, tmp_path):
    """The WAL is cut at every frame: what was synced at an acknowledgement is a prefix of it."""
    wal = schema.beside(book)[0]
    whole = wal.read_bytes()
    step = FRAME_HEADER_BYTES + FRAME_BYTES
    frames = (len(whole) - WAL_HEADER_BYTES) // step
    assert len(whole) == WAL_HEADER_BYTES + frames * step
    assert frames > 100
    place = tmp_path / "after the crash" / book.name
    place.parent.mkdir()
    ids = [entry_id for entry_id, _ in sitting]
    chance = random.Random(4)
    cuts = [WAL_HEADER_BYTES + frame * step for frame in range(frames + 1)]
    cuts += [0, 10, *(chance.randrange(len(whole)) for _ in range(30))]
    for cut in cuts:
        for name in (place, *schema.beside(place)):
            name.unlink(missing_ok=True)
        shutil.copyfile(book, place)
        schema.beside(place)[0].write_bytes(whole[:cut])
        with closing(ledger.Ledger.open(place)) as opened:
            there = [entry.entry_id for entry in opened.read_new()]
        assert there == ids[: len(there)]
        synced = [entry_id for entry_id, size in sitting if size <= cut]
        assert len(there) >= len(synced)
    assert there != ids or cuts[-1] == len(whole)


def test_garbled_ends_of_the_wal_leave_a_clean_prefix(sitting, book, tmp_path):
    wal = schema.beside(book)[0]
    whole = wal.read_bytes()
    ids = [entry_id for entry_id, _ in sitting]
    place = tmp_path / "after the crash" / book.name
    place.parent.mkdir()
    chance = random.Random(5)
    for _ in range(40):
        for name in (place, *schema.beside(place)):
            name.unlink(missing_ok=True)
        shutil.copyfile(book, place)
        start = chance.randrange(len(whole))
        data = whole[:start] + chance.randbytes(min(4096, len(whole) - start))
        schema.beside(place)[0].write_bytes(data)
        there = [entry.entry_id for entry in ledger.read_entries(place)]
        synced = [entry_id for entry_id, size in sitting if size <= start]
        assert there == ids[: len(there)]
        assert len(there) >= len(synced)
