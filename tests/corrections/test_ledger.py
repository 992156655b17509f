"""The file that corrections are kept in."""

import sqlite3

import pytest

from napari_vhd.corrections import ledger
from napari_vhd.exceptions import BadInputError


def insert(path, entry_id="a"):
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(
            "INSERT INTO entry (entry_id, seq, time, author, kind, cell_ids, program, checksum) "
            "VALUES (?, 1, '2026-01-01T00:00:00Z', 'ab', 'relabel', '[]', '0', 'x')",
            (entry_id,),
        )
    return connection


def test_a_new_ledger_is_empty_and_says_its_version(tmp_path):
    path = tmp_path / "ledger.sqlite"
    ledger.create(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM entry").fetchone() == (0,)
    assert connection.execute("PRAGMA user_version").fetchone() == (ledger.SCHEMA_VERSION,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_an_existing_ledger_keeps_its_rows(tmp_path):
    path = tmp_path / "ledger.sqlite"
    ledger.create(path)
    insert(path).close()
    ledger.create(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT entry_id FROM entry").fetchall() == [("a",)]
    connection.close()


@pytest.mark.parametrize("statement", ["DELETE FROM entry", "UPDATE entry SET author = 'cd'"])
def test_rows_are_never_changed_or_removed(tmp_path, statement):
    path = tmp_path / "ledger.sqlite"
    ledger.create(path)
    connection = insert(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    connection.close()


def test_a_damaged_ledger_is_refused_and_kept(tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"not a database, " * 100)
    before = path.read_bytes()
    with pytest.raises(BadInputError, match=r"ledger\.sqlite.*cannot be read"):
        ledger.create(path)
    assert path.read_bytes() == before


def test_a_ledger_of_a_newer_program_is_refused(tmp_path):
    path = tmp_path / "ledger.sqlite"
    ledger.create(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(BadInputError, match="newer napari-vhd"):
        ledger.create(path)


def test_another_sqlite_file_is_refused(tmp_path):
    path = tmp_path / "ledger.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    with pytest.raises(BadInputError, match="not a ledger"):
        ledger.create(path)
