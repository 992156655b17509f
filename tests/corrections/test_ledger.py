"""The file that corrections are kept in: whole, chained, never opened as empty."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from napari_vhd.corrections import damage, ledger, schema
from napari_vhd.corrections.correction import Correction
from napari_vhd.exceptions import BadInputError, LedgerError

V1 = """
CREATE TABLE entry (
    entry_id TEXT PRIMARY KEY, seq INTEGER NOT NULL UNIQUE, time TEXT NOT NULL,
    author TEXT NOT NULL, kind TEXT NOT NULL, column_name TEXT, cell_ids TEXT NOT NULL,
    before TEXT, after TEXT, geometry BLOB, base TEXT, note TEXT NOT NULL DEFAULT '',
    program TEXT NOT NULL, checksum TEXT NOT NULL) STRICT;
CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON entry
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entry_is_never_removed BEFORE DELETE ON entry
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""


def correction(number: int = 0, cells: int = 1) -> Correction:
    ids = tuple(f"c{number + n:06d}" for n in range(cells))
    return Correction("relabel", "b", "type", ids, ("A",) * cells, ("B",) * cells)


def append(book: ledger.Ledger, number: int = 0, **given: object) -> str:
    entry_id = uuid.uuid4().hex
    values = {"author": "ab", "entry_id": entry_id, "parents": (), "epoch": "", "kept": None}
    book.append(correction(number), **(values | given))
    return entry_id


def filled(path: Path, number: int) -> list[str]:
    with closing(ledger.Ledger.open(path)) as book:
        return [append(book, n, kept=b"outline" if n % 3 == 0 else None) for n in range(number)]


def execute(path: Path, *statements: str) -> None:
    """Change a ledger as no program of ours would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for name in ("entry_is_never_changed", "entry_is_never_removed"):
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)


def test_a_new_ledger_is_empty_and_says_its_version(book):
    with closing(sqlite3.connect(book)) as connection:
        assert connection.execute("SELECT count(*) FROM entry").fetchone() == (0,)
        assert connection.execute("PRAGMA user_version").fetchone() == (ledger.SCHEMA_VERSION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert sorted(path.name for path in book.parent.iterdir()) == ["ledger.sqlite"]


def test_what_is_written_is_read_back_the_same(book):
    made = Correction(
        "redraw",
        "b",
        "",
        tuple(f"c{n}" for n in range(5000)),
        tuple("xyz"[n % 3] for n in range(5000)),
        ("Ü — 'quoted'",) * 5000,
        {"c1": b"\x00\x01", "c2": None},
        {"c1": None, "c2": b"\xff" * 300},
        "a\nnote",
    )
    with closing(ledger.Ledger.open(book)) as opened:
        _, entry = opened.append(
            made, author="é", entry_id="f" * 32, parents=("p",), epoch="e", kept=b"k"
        )
        assert opened.kept_outlines() == {"f" * 32: b"k"}
    [again] = ledger.read_entries(book)
    assert again == entry
    assert again.correction == made
    assert book.stat().st_size < 120_000


def test_every_commit_is_synced(book):
    with closing(ledger.Ledger.open(book)) as opened:
        assert opened._connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert opened._connection.execute("PRAGMA fullfsync").fetchone() == (1,)
        append(opened)
        assert not opened._connection.in_transaction


def test_an_existing_ledger_keeps_its_rows(book):
    ids = filled(book, 3)
    ledger.create(book)
    assert [entry.entry_id for entry in ledger.read_entries(book)] == ids


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM entry",
        "UPDATE entry SET author = 'cd'",
        "DELETE FROM outline",
        "DELETE FROM tip",
    ],
)
def test_rows_are_never_changed_or_removed(book, statement):
    filled(book, 1)
    refused = pytest.raises(sqlite3.IntegrityError, match="append-only")
    with closing(sqlite3.connect(book)) as connection, refused:
        connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "whole"),
    [
        ("UPDATE entry SET author = 'cd' WHERE seq = 3", 2),
        ("UPDATE entry SET after = '[\"C\"]' WHERE seq = 1", 0),
        ("DELETE FROM entry WHERE seq = 3", 2),
        ("DELETE FROM entry WHERE seq = 5", 4),
        ("UPDATE entry SET seq = 9 WHERE seq = 5", 4),
    ],
)
def test_a_changed_or_removed_row_is_found_and_what_is_before_it_kept(book, statement, whole):
    ids = filled(book, 5)
    assert damage.verify(book) == damage.Verified(5, "")
    execute(book, statement)
    assert damage.verify(book).entries == whole
    assert damage.verify(book).fault
    with pytest.raises(BadInputError, match="recover"):
        ledger.read_entries(book)
    with closing(ledger.Ledger.open(book)) as opened, pytest.raises(BadInputError, match="recover"):
        opened.read_new()
    found = damage.recover(book)
    assert found.entries == whole
    assert found.copy is not None and found.copy.exists()
    assert [entry.entry_id for entry in ledger.read_entries(book)] == ids[:whole]
    assert damage.verify(found.copy).entries == whole
    with closing(ledger.Ledger.open(book)) as opened:
        opened.read_new()
        append(opened)


def test_changed_outlines_are_found(book):
    filled(book, 5)
    with closing(sqlite3.connect(book, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER outline_is_never_changed")
        connection.execute("UPDATE outline SET body = x'00' WHERE rowid = 2")
    assert damage.verify(book).entries == 3


def test_a_damaged_ledger_is_refused_and_kept(tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"not a database, " * 100)
    before = path.read_bytes()
    for act in (ledger.create, ledger.check, ledger.Ledger.open, ledger.read_entries):
        with pytest.raises(BadInputError, match=r"ledger\.sqlite.*cannot be read"):
            act(path)
    assert path.read_bytes() == before
    found = damage.recover(path)
    assert found.entries == 0
    assert found.copy.read_bytes() == before


def test_an_empty_file_is_not_an_empty_ledger(tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.touch()
    with pytest.raises(BadInputError, match="not a ledger"):
        ledger.Ledger.open(path)
    path.unlink()
    with pytest.raises(BadInputError, match=r"not there.*recover"):
        ledger.Ledger.open(path)
    assert not path.exists()


def test_whatever_bytes_are_garbled_nothing_but_a_sentence_comes(book, tmp_path):
    ids = filled(book, 12)
    whole = book.read_bytes()
    chance = random.Random(1)
    path = tmp_path / "other" / "ledger.sqlite"
    path.parent.mkdir()
    for _ in range(150):
        data = bytearray(whole)
        start = chance.randrange(len(data))
        length = chance.choice([1, 8, 100, 4096])
        how = chance.random()
        if how < 0.3:
            data = data[:start]
        elif how < 0.6:
            data[start : start + length] = bytes(min(length, len(data) - start))
        else:
            for place in range(start, min(start + length, len(data))):
                data[place] = chance.randrange(256)
        for name in path.parent.iterdir():
            name.unlink()
        path.write_bytes(data)
        try:
            read = [entry.entry_id for entry in ledger.read_entries(path)]
        except BadInputError as error:
            assert str(path) in str(error)
            assert path.read_bytes() == data
            if "newer" in str(error):
                continue
            kept = damage.recover(path)
            assert kept.copy.read_bytes() == data
            read = [entry.entry_id for entry in ledger.read_entries(path)]
            assert len(read) == kept.entries
            assert read == ids[: len(read)]
        else:
            assert read == ids


def test_a_ledger_of_a_newer_program_is_refused(book):
    with closing(sqlite3.connect(book)) as connection:
        connection.execute("PRAGMA user_version=99")
    for act in (ledger.create, ledger.Ledger.open, damage.recover):
        with pytest.raises(BadInputError, match="newer napari-vhd"):
            act(book)


def test_another_sqlite_file_is_refused(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")
    with pytest.raises(BadInputError, match="not a ledger"):
        ledger.create(path)


def make_v1(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(
            f"{V1} PRAGMA application_id={ledger.APPLICATION_ID}; PRAGMA user_version=1;"
        )


def test_a_ledger_of_version_1_is_brought_to_this_version(tmp_path):
    path = tmp_path / "ledger.sqlite"
    make_v1(path)
    assert ledger.read_entries(path) == []
    assert damage.verify(path) == damage.Verified(0, "")
    ids = filled(path, 2)
    assert [entry.entry_id for entry in ledger.read_entries(path)] == ids
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (ledger.SCHEMA_VERSION,)


def test_a_migration_that_fails_leaves_the_ledger_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "ledger.sqlite"
    make_v1(path)
    monkeypatch.setattr(schema, "SCHEMA", schema.SCHEMA + "CREATE TABLE tip (a);")
    with pytest.raises((BadInputError, LedgerError)):
        schema.open_to_write(path)
    monkeypatch.undo()
    assert filled(path, 1)


def test_another_window_s_rows_come_first(book):
    with closing(ledger.Ledger.open(book)) as one, closing(ledger.Ledger.open(book)) as two:
        one.read_new()
        two.read_new()
        assert not one.changed()
        first = append(two)
        assert one.changed()
        others, entry = one.append(
            correction(), author="cd", entry_id="a" * 32, parents=(), epoch=""
        )
        assert [other.entry_id for other in others] == [first]
        assert (entry.seq, entry.order) == (2, 2)
        assert [row.entry_id for row in two.read_new()] == ["a" * 32]
        assert not two.changed()


def disk_of(connection: sqlite3.Connection, pages: int) -> None:
    count = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={count + pages}")


def test_a_full_disk_refuses_and_keeps_what_was_acknowledged(book):
    with closing(ledger.Ledger.open(book)) as opened:
        opened.read_new()
        disk_of(opened._connection, 4)
        acknowledged = []
        with pytest.raises(LedgerError, match="disk is full"):
            for n in range(1000):
                acknowledged.append(append(opened, n, kept=os.urandom(2000)))
        disk_of(opened._connection, 1000)
        acknowledged.append(append(opened))
    assert [entry.entry_id for entry in ledger.read_entries(book)] == acknowledged


def run_child(*arguments: object) -> str:
    """Append in a process of its own."""
    command = [sys.executable, "-c", APPEND, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stderr, result.stderr
    return result.stdout


APPEND = """
import os, sys, uuid, signal, resource
from pathlib import Path
from napari_vhd.corrections import ledger
from napari_vhd.corrections.correction import Correction
from napari_vhd.exceptions import VhdError
import napari_vhd, sqlite3, tempfile, shutil
limit, user = map(int, sys.argv[2:])
if user:
    os.setuid(user)
book = ledger.Ledger.open(Path(sys.argv[1]))
book.read_new()
print("notice", book.notice)
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    for n in range(300):
        made = Correction("relabel", "b", "t", ("c",), ("A",), ("B" * 500,))
        entry = uuid.uuid4().hex
        book.append(made, author="ab", entry_id=entry, parents=(), epoch="")
        print("acknowledged", entry, flush=True)
except VhdError as error:
    print("refused", type(error).__name__, error)
"""


def test_a_file_that_may_not_grow_refuses_and_keeps_what_was_acknowledged(book):
    lines = run_child(book, 300_000, 0).splitlines()
    acknowledged = [line.split()[1] for line in lines if line.startswith("acknowledged")]
    assert lines[-1].startswith("refused LedgerError")
    assert 5 < len(acknowledged) < 300
    assert [entry.entry_id for entry in ledger.read_entries(book)] == acknowledged


def test_where_nothing_can_be_written_it_is_read_and_edits_are_refused():
    nobody = 65534
    user = nobody if os.getuid() == 0 else 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "run"
        place.mkdir()
        book = place / "ledger.sqlite"
        ledger.create(book)
        filled(book, 2)
        Path(folder).chmod(0o755)
        place.chmod(0o555)
        book.chmod(0o444)
        try:
            lines = run_child(book, 0, user).splitlines()
        finally:
            place.chmod(0o755)
    assert "cannot be written to" in lines[0]
    assert lines[-1].startswith("refused LedgerError")
    assert "permissions" in lines[-1]


def test_a_folder_that_is_removed_or_replaced_while_open_refuses(book, tmp_path):
    with closing(ledger.Ledger.open(book)) as opened:
        opened.read_new()
        append(opened)
        moved = tmp_path / "moved"
        shutil.copytree(book.parent, moved, ignore=shutil.ignore_patterns("moved"))
        for name in (book, *schema.beside(book)):
            name.unlink(missing_ok=True)
        with pytest.raises(LedgerError, match="moved, removed or replaced"):
            append(opened)
        assert not book.exists()
        shutil.copy(moved / book.name, book)
        with pytest.raises(LedgerError, match="moved, removed or replaced"):
            append(opened)
    assert len(ledger.read_entries(moved / book.name)) == 1


def test_an_entry_that_another_ledger_tells_otherwise_is_not_taken_in(book, tmp_path):
    filled(book, 2)
    with closing(ledger.Ledger.open(book)) as opened:
        opened.read_new()
        rows = [((*row[:3], "someone else", *row[4:]), kept) for row, kept in opened.rows()]
        with pytest.raises(BadInputError, match="changed after it was written"):
            opened.take_in(rows)
        assert opened.take_in(opened.rows()) == []
