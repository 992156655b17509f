"""Corrections whose cell is gone wait for a decision, each cell for its own."""

from __future__ import annotations

import io

import pytest
from run_copies import copy_run

from napari_vhd import Session, keys
from napari_vhd.corrections import damage, exchange
from napari_vhd.corrections.history import History
from napari_vhd.corrections.ledger import read_entries
from napari_vhd.corrections.opened import Opened
from napari_vhd.corrections.replay import replay
from napari_vhd.corrections.state import state_hash
from napari_vhd.exceptions import BadInputError
from napari_vhd.io.source import open_source

TYPE = keys.TYPE_DOMAIN


@pytest.fixture
def reviewed_run(lost_run, tmp_path):
    """A run with three cells lost, for one test alone."""
    copy = tmp_path / lost_run[0].name
    copy_run(lost_run[0], copy)
    return copy


@pytest.fixture
def lost(lost_run):
    """Ids of the lost cells: two were labelled as one correction, the third was redrawn."""
    return lost_run[1]


@pytest.fixture
def session(reviewed_run):
    with Session.open(reviewed_run, author="ab") as session:
        yield session


def waiting(session: Session) -> list[str]:
    return sorted(session.unmatched()["cell_id"])


def label(session: Session, cell: str) -> str | None:
    labels = session.labels(keys.PROSEG, TYPE)
    code = labels.codes[session.outlines(keys.PROSEG).row_of(cell)]
    return None if code < 0 else labels.names[code]


def said(session: Session) -> dict[str, str]:
    """Entry of each cell that waits."""
    return dict(zip(session.unmatched()["cell_id"], session.unmatched()["entry_id"], strict=True))


def test_one_cell_is_given_up_and_the_others_go_on_waiting(session, lost):
    first, second, drawn = lost
    session.settle(said(session)[first], first)
    assert waiting(session) == sorted([second, drawn])
    assert not session.history()["undone"].any()
    session.settle(said(session)[drawn], drawn)
    assert waiting(session) == [second]
    session.undo()
    session.undo()
    assert waiting(session) == sorted(lost)
    session.redo()
    assert waiting(session) == sorted([second, drawn])


def test_several_cells_are_given_up_as_one_correction(session, lost):
    first, second, drawn = lost
    session.settle(said(session)[first], [first, second])
    assert waiting(session) == [drawn]
    session.undo()
    assert waiting(session) == sorted(lost)


def test_the_label_goes_to_another_cell_and_back_in_one_undo(session, lost):
    first, second, drawn = lost
    to = session.outlines(keys.PROSEG).live_ids()[10]
    before = label(session, to)
    session.settle(said(session)[first], first, to=to)
    assert label(session, to) == "Unsure" != before
    assert waiting(session) == sorted([second, drawn])
    assert session.cells.obs.loc[to, keys.reviewed_by(TYPE)] == "ab"
    session.undo()
    assert label(session, to) == before
    assert waiting(session) == sorted(lost)


def test_a_decision_is_there_after_reopening_and_in_a_later_segmentation(reviewed_run, lost, rerun):
    first, second, drawn = lost
    with Session.open(reviewed_run, author="ab") as session:
        to = session.outlines(keys.PROSEG).live_ids()[10]
        session.settle(said(session)[first], first, to=to)
        session.settle(said(session)[drawn], drawn)
        live = session.state_hash()
    source = open_source(reviewed_run)
    replayed = replay(Opened(source), reviewed_run / keys.LEDGER)
    assert state_hash(replayed) == live
    source.close()
    rerun({to})
    with Session.open(reviewed_run, author="ab") as session:
        # The cell that got the label is lost in turn: the decision waits for one.
        assert waiting(session) == sorted([second, to])
        assert session.unmatched().set_index("cell_id")["after"][to] == "Unsure"
        session.settle(said(session)[to], to)
        assert waiting(session) == [second]


def test_decisions_of_two_people_come_together(reviewed_run, lost, tmp_path):
    first, second, drawn = lost
    apart = tmp_path / "apart"
    copy_run(reviewed_run, apart)
    for run, author, cell in ((reviewed_run, "ab", first), (apart, "cd", second)):
        with Session.open(run, author=author) as session:
            to = session.outlines(keys.PROSEG).live_ids()[10]
            session.settle(said(session)[cell], cell, to=to)
            session.settle(said(session)[drawn], drawn)
    ours, theirs = (run / keys.LEDGER for run in (reviewed_run, apart))
    assert exchange.merge_ledgers(ours, theirs) == 2
    assert exchange.merge_ledgers(ours, theirs) == 0
    assert exchange.merge_ledgers(theirs, ours) == 2
    assert not damage.verify(ours).fault
    hashes = set()
    for run in (reviewed_run, apart):
        with Session.open(run, author="ab") as session:
            hashes.add(session.state_hash())
            assert waiting(session) == []
            # Two gave one cell a label apart, and the same.
            assert session.conflicts().empty
    assert len(hashes) == 1
    history, file = History(), io.StringIO()
    for entry in read_entries(ours):
        history.add(entry)
    exchange.write_csv(file, history)
    assert file.getvalue().count("settle") == 4


def test_only_what_waits_is_settled(session, lost):
    first, second, drawn = lost
    entry, outline = said(session)[first], said(session)[drawn]
    there = session.outlines(keys.PROSEG).live_ids()[10]
    nucleus = session.outlines(keys.STARDIST).live_ids()[0]
    for arguments, why in (
        (("nothing", first), "no such correction"),
        ((entry, drawn), "waits for no decision"),
        ((entry, []), "No cell is chosen"),
        ((entry, first, "gone"), "no such cell"),
        ((entry, first, nucleus), "no such cell"),
        ((entry, [first, second], there), "one lost cell at a time"),
        ((outline, drawn, there), "outline is lost"),
    ):
        with pytest.raises(BadInputError, match=why):
            session.settle(*arguments)
    assert waiting(session) == sorted(lost)
    session.settle(entry, first)
    with pytest.raises(BadInputError, match="waits for no decision"):
        session.settle(entry, first)
