"""What goes wrong leaves everything as it was; threads and signals."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import shapely

from napari_vhd import Session, keys
from napari_vhd.corrections import ledger, schema
from napari_vhd.exceptions import BadInputError, LedgerError

TYPE = keys.TYPE_DOMAIN


def test_a_refused_edit_changes_nothing(desk, book):
    cells = desk.outlines(keys.PROSEG).live_ids()
    desk.relabel(cells[0], TYPE, "Unsure")
    before, told = desk.state_hash(), len(desk.told)
    connection = desk.editor.ledger._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(LedgerError, match="disk is full"):
        desk.relabel(cells, TYPE, "Tumor", note="x" * 20_000)
    with pytest.raises(LedgerError, match="disk is full"):
        desk.expand(cells, 1)
    assert desk.state_hash() == before
    assert len(desk.told) == told
    connection.execute("PRAGMA max_page_count=100000")
    desk.relabel(cells[1], TYPE, "Tumor")
    assert [entry.seq for entry in ledger.read_entries(book)] == [1, 2]


def test_a_folder_that_goes_away_refuses_and_what_is_shown_stays(desk, book, tmp_path):
    cells = desk.outlines(keys.PROSEG).live_ids()
    desk.relabel(cells[0], TYPE, "Unsure")
    before = desk.state_hash()
    for path in (book, *schema.beside(book)):
        if path.exists():
            shutil.move(path, tmp_path / f"moved-{path.name}")
    for act in (lambda: desk.delete(cells[2]), lambda: desk.editor.undo()):
        with pytest.raises(LedgerError, match="moved, removed or replaced"):
            act()
    assert desk.state_hash() == before


def test_several_threads_may_correct_at_once(desk, book):
    cells = desk.outlines(keys.PROSEG).live_ids()[:40]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda cell: desk.relabel(cell, TYPE, "Unsure"), cells))
    entries = ledger.read_entries(book)
    assert [entry.order for entry in entries] == list(range(1, 41))
    assert desk.conflicts().empty


def test_signals_say_what_changed(reviewed_run):
    heard = []
    with Session.open(reviewed_run, author="ab") as session:
        session.cells_changed.connect(lambda news: heard.append(("cells", news)))
        session.regions_changed.connect(lambda: heard.append(("regions", None)))
        session.columns_changed.connect(lambda: heard.append(("columns", None)))
        session.saved.connect(lambda entry: heard.append(("saved", entry)))
        session.labels(keys.PROSEG, TYPE)
        cell = session.outlines(keys.PROSEG).live_ids()[0]
        entry = session.relabel(cell, TYPE, "brand new", add=True)
        assert [name for name, _ in heard] == ["cells", "columns", "saved"]
        assert heard[0][1].columns == {TYPE}
        assert heard[2][1] == entry
        heard.clear()
        session.add_region(shapely.box(0, 0, 9, 9), "a")
        assert [name for name, _ in heard] == ["regions", "saved"]
        heard.clear()
        [new] = session.add(shapely.box(5, 5, 25, 25))
        assert heard[0][1].outlines
        assert session.outlines(keys.PROSEG).id_of(int(heard[0][1].rows[-1])) == new


def test_what_is_only_looked_at_gets_no_files_and_says_how_to_correct(reviewed_run, tmp_path):
    store = tmp_path / "plain.zarr"
    shutil.copytree((reviewed_run / "sample.zarr").resolve(), store)
    with Session.open(store, author="ab") as session:
        cell = session.cells.obs_names[0]
        assert session.card(keys.PROSEG, cell).umis
        for act in (
            lambda: session.relabel(cell, TYPE, "Unsure"),
            lambda: session.delete(cell),
            lambda: session.add_region(shapely.box(0, 0, 9, 9), "a"),
        ):
            with pytest.raises(BadInputError, match="run folder"):
                act()
    assert not list(store.rglob("ledger*"))
    assert not list(tmp_path.glob("ledger*"))


def test_a_run_folder_without_its_ledger_is_not_opened_as_if_it_were_empty(reviewed_run):
    (reviewed_run / keys.LEDGER).unlink()
    with pytest.raises(BadInputError, match="not there"):
        Session.open(reviewed_run)


def test_reverting_what_is_not_there_or_not_in_force_is_a_sentence(desk):
    cell = desk.outlines(keys.PROSEG).live_ids()[0]
    entry = desk.relabel(cell, TYPE, "Unsure")
    undone = desk.editor.undo()
    for entry_id, why in (
        ("nothing", "no such"),
        (entry.entry_id, "already"),
        (undone.entry_id, "name the correction itself"),
    ):
        with pytest.raises(BadInputError, match=why):
            desk.editor.revert(entry_id)
