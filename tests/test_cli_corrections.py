"""``napari-vhd corrections``: what it prints, and how it ends."""

from __future__ import annotations

import sqlite3

import pytest
from run_copies import copy_run

from napari_vhd import Session, keys

TYPE = keys.TYPE_DOMAIN


@pytest.fixture
def corrected(reviewed_run):
    with Session.open(reviewed_run, author="ab") as session:
        ids = list(session.cells.obs_names[:5])
        session.relabel(ids, TYPE, "Unsure", note="=HYPERLINK(1)")
        session.relabel(ids[0], TYPE, "Tumor")
        session.undo()
    return reviewed_run


def test_list_tells_who_what_and_when(corrected, call_corrections, tmp_path):
    code, out, _ = call_corrections(corrected, "list", "--csv", tmp_path / "list.csv")
    assert code == 0
    lines = out.splitlines()
    assert len(lines) == 4
    assert "ab  relabel" in lines[0]
    assert "(5 cells)" in lines[0]
    assert "(undone)" in lines[1]
    assert "'=HYPERLINK(1)" in (tmp_path / "list.csv").read_text()


def test_verify_and_replay_say_the_same_state_as_the_session(corrected, call_corrections):
    assert call_corrections(corrected, "verify")[:2] == (
        0,
        "3 corrections, every one as it was written\n",
    )
    code, out, _ = call_corrections(corrected, "replay")
    with Session.open(corrected) as session:
        assert (code, out.splitlines()[-1]) == (0, session.state_hash())


def test_an_altered_ledger_is_told_and_what_is_before_kept(corrected, call_corrections):
    connection = sqlite3.connect(corrected / keys.LEDGER)
    connection.execute("DROP TRIGGER entry_is_never_changed")
    connection.execute("UPDATE entry SET note = '' WHERE seq = 2")
    connection.execute("UPDATE entry SET author = 'cd' WHERE seq = 3")
    connection.commit()
    connection.close()
    code, out, err = call_corrections(corrected, "verify")
    assert (code, out) == (1, "")
    assert "row 3 was changed" in err
    assert len(err.splitlines()) == 1
    assert call_corrections(corrected, "list")[0] == 2
    code, out, _ = call_corrections(corrected, "recover")
    assert code == 0
    assert "2 corrections were kept" in out
    assert call_corrections(corrected, "verify")[0] == 0
    assert list(corrected.glob("ledger.damaged-*.sqlite"))


def test_merge_takes_in_a_copy_that_went_its_own_way(corrected, call_corrections, tmp_path):
    copy = tmp_path / "copy"
    copy_run(corrected, copy)
    with Session.open(copy, author="cd") as session:
        session.relabel(session.cells.obs_names[7], TYPE, "Unsure")
    assert call_corrections(corrected, "merge", copy)[:2] == (0, "1 corrections taken in\n")
    assert call_corrections(corrected, "merge", copy / keys.LEDGER)[:2] == (
        0,
        "0 corrections taken in\n",
    )
    assert call_corrections(copy, "merge", corrected)[:2] == (0, "0 corrections taken in\n")
    assert call_corrections(copy, "replay")[1] == call_corrections(corrected, "replay")[1]


def test_what_is_wrong_is_one_sentence(corrected, call_corrections, tmp_path):
    for arguments in ((tmp_path, "list"), (corrected, "merge"), (corrected, "list", tmp_path)):
        code, out, err = call_corrections(*arguments)
        assert (code, out) == (2, "")
        assert len(err.splitlines()) == 1
