"""Two people at one ledger: nothing is lost, nothing refused, and where they differ is listed."""

from __future__ import annotations

import multiprocessing
import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from napari_vhd import Session, keys
from napari_vhd.corrections import ledger

if TYPE_CHECKING:
    from pathlib import Path

TYPE = keys.TYPE_DOMAIN
VALUES = ("Tumor", "Fibroblasts", "Unsure", "Unknown")
CELLS = [f"c{number:06d}" for number in range(1, 21)]


@pytest.fixture(scope="module")
def processes() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["napari_vhd.session", "anndata.io", "geopandas", "pytest"])
    return context


def relabel_many(run_dir: Path, author: str, number: int, ready: Any, said: Any) -> None:
    """Relabel cells, seeing the other's work now and then."""
    chance = random.Random(author)
    acknowledged = []
    with Session.open(run_dir, author=author) as session:
        session.labels(keys.PROSEG, TYPE)
        ready.wait()
        for _ in range(number):
            entry = session.relabel(chance.choice(CELLS), TYPE, chance.choice(VALUES))
            acknowledged.append(entry.entry_id)
            if chance.random() < 0.2:
                session.poll()
                time.sleep(0.002)
        said.send(acknowledged)


def ancestors(entries: list[Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for entry in entries:
        own = set(entry.parents)
        for parent in entry.parents:
            own |= found[parent]
        found[entry.entry_id] = own
    return found


def opinions_by_the_rule(entries: list[Any]) -> dict[str, set[str]]:
    """For each cell on which people differ: the entries that nobody has seen and gone over."""
    seen = ancestors(entries)
    found = {}
    for cell in CELLS:
        own = [entry for entry in entries if entry.correction.cell_ids == (cell,)]
        newest = [e for e in own if not any(e.entry_id in seen[o.entry_id] for o in own)]
        if len({entry.correction.after for entry in newest}) > 1:
            found[cell] = {entry.entry_id for entry in newest}
    return found


def two_write(run_dir: Path, processes: Any, number: int) -> None:
    ready = processes.Barrier(2)
    workers, heard = [], []
    for author in ("ab", "cd"):
        hear, said = processes.Pipe(duplex=False)
        worker = processes.Process(target=relabel_many, args=(run_dir, author, number, ready, said))
        worker.start()
        workers.append(worker)
        heard.append(hear)
    acknowledged = [hear.recv() for hear in heard]
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    entries = ledger.read_entries(run_dir / keys.LEDGER)
    ids = [entry.entry_id for entry in entries]
    assert len(ids) == 2 * number
    for mine in acknowledged:
        own = set(mine)
        assert [name for name in ids if name in own] == mine
    seen = ancestors(entries)
    apart = [
        (one, other)
        for one in acknowledged[0]
        for other in acknowledged[1]
        if one not in seen[other] and other not in seen[one]
    ]
    assert apart, "the two were never at work at the same time"
    expected = opinions_by_the_rule(entries)
    with Session.open(run_dir, author="ef") as session:
        conflicts = session.conflicts()
        found = conflicts.groupby("cell_id")["entry_id"].agg(set).to_dict()
        assert found == expected
        assert (conflicts.groupby("cell_id")["shown"].sum() == 1).all()
        for cell in expected:
            assert session.card(keys.PROSEG, cell).conflicts
            shown = conflicts[(conflicts["cell_id"] == cell) & conflicts["shown"]]
            label = session.labels(keys.PROSEG, TYPE)
            row = session.outlines(keys.PROSEG).row_of(cell)
            assert label.names[label.codes[row]] == shown["value"].iloc[0]
            session.relabel(cell, TYPE, "Unsure", note="settled")
        assert session.conflicts().empty


def test_two_writers_lose_nothing_and_every_conflict_is_listed(reviewed_run, processes):
    two_write(reviewed_run, processes, 80)


@pytest.mark.slow
def test_two_writers_of_500_edits_each(reviewed_run, processes):
    two_write(reviewed_run, processes, 500)


def test_two_windows_see_each_other_and_settle_a_conflict(desk_at, book):
    one, two = desk_at(book, "ab"), desk_at(book, "cd")
    [cell] = CELLS[:1]
    for desk in (one, two):
        desk.labels(keys.PROSEG, TYPE)
    one.relabel(cell, TYPE, "Tumor")
    two.relabel(cell, TYPE, "Unsure")
    assert one.editor.poll()
    assert not one.editor.poll()
    change, entries = one.told[-1]
    assert [entry.author for entry in entries] == ["cd"]
    assert change.cells[0].columns == {TYPE}
    for desk in (one, two):
        conflicts = desk.conflicts()
        assert set(conflicts["author"]) == {"ab", "cd"}
        assert list(conflicts.loc[conflicts["shown"], "value"]) == ["Unsure"]
        assert desk.card(keys.PROSEG, cell).conflicts
    one.relabel(cell, TYPE, "Tumor", note="seen both")
    assert one.conflicts().empty
    one.editor.undo()
    assert len(one.conflicts()) == 2
    one.editor.undo()
    assert one.conflicts().empty


def test_the_same_opinion_is_no_conflict(desk_at, book):
    one, two = desk_at(book, "ab"), desk_at(book, "cd")
    for desk in (one, two):
        desk.relabel(CELLS[:3], TYPE, "Unsure")
    assert one.conflicts().empty
    assert two.conflicts().empty


def test_outlines_and_regions_conflict_too(desk_at, book):
    one, two = desk_at(book, "ab"), desk_at(book, "cd")
    for desk in (one, two):
        desk.outlines(keys.PROSEG)
    one.expand(CELLS[0], 1)
    two.delete(CELLS[0])
    one.add_region([(0, 0), (9, 0), (9, 9)], "front")
    two.editor.poll()
    one.edit_region("front", color="#FF0000")
    two.edit_region("front", color="#00FF00")
    conflicts = two.conflicts()
    assert set(conflicts["what"]) == {"outline", "region"}
    assert set(conflicts.loc[conflicts["what"] == "outline", "value"]) == {"redraw", "deleted"}
