"""The session's verbs on a finished run folder."""

from __future__ import annotations

import pytest

from napari_vhd import Session
from napari_vhd.exceptions import BadInputError

TYPE = "cell_type_domain"


@pytest.fixture
def session(reviewed_run):
    with Session.open(reviewed_run, author="ab") as opened:
        yield opened


def test_a_label_is_reviewed_and_there_after_reopening(session, reviewed_run):
    ids = list(session.cells.obs_names[:3])
    entry = session.relabel(ids, TYPE, "Unsure", note="blurred")
    assert entry.correction.cell_ids == tuple(ids)
    for again in (session, Session.open(reviewed_run, author="cd")):
        obs = again.cells.obs
        assert (obs.loc[ids, f"{TYPE}_reviewed"] == "Unsure").all()
        assert (obs.loc[ids, f"{TYPE}_reviewed_by"] == "ab").all()
        assert (obs[f"{TYPE}_reviewed_by"] == "ab").sum() == 3
        assert "Unsure" not in set(obs[TYPE])
        again.close()


def test_undo_restores_the_label_before(session):
    ids = list(session.cells.obs_names[10:12])
    before = session.state_hash()
    session.relabel(ids, TYPE, "Tumor")
    one = session.state_hash()
    session.relabel(ids, TYPE, "Unknown")
    two = session.state_hash()
    assert len({before, one, two}) == 3
    session.undo()
    assert session.state_hash() == one
    session.undo()
    assert session.state_hash() == before
    assert session.undo() is None
    session.redo()
    session.redo()
    assert session.state_hash() == two
    assert session.redo() is None


def test_a_value_that_is_not_in_the_list_is_refused_or_added_on_purpose(session):
    cell = session.cells.obs_names[0]
    with pytest.raises(BadInputError, match=r"Tumour.*add=True"):
        session.relabel([cell], TYPE, "Tumour")
    assert len(session.history()) == 0
    session.relabel([cell], TYPE, "Tumour", add=True)
    assert session.labels("proseg_boundaries", TYPE).names[-1] == "Tumour"
    session.relabel([cell], "novae_domains_5", "Goblet_cells")


def test_the_history_says_who_when_and_what(session):
    cell = session.cells.obs_names[0]
    session.relabel([cell], TYPE, "Unsure", note="why")
    session.undo()
    history = session.history()
    assert list(history["kind"]) == ["relabel", "undo"]
    assert list(history["undone"]) == [True, False]
    first = history.iloc[0]
    assert first["cell_ids"] == (cell,)
    assert first["after"] == ("Unsure",)
    assert (first["author"], first["note"], first["column"]) == ("ab", "why", TYPE)
    assert history.iloc[1]["before"] == ("Unsure",)


def test_outlines_are_drawn_merged_split_and_deleted(session):
    frame = session.boundaries()
    a, b, c, d = frame.index[:4]
    before = session.state_hash()
    [new] = session.add(frame.loc[a].geometry.buffer(2).exterior.coords)
    assert new not in set(frame.index)
    session.delete([b])
    box = frame.loc[c].geometry.bounds
    middle = (box[0] + box[2]) / 2
    kept, *others = session.split(c, [(middle, box[1] - 5), (middle, box[3] + 5)])
    assert kept == c
    session.redraw(d, frame.loc[d].geometry.buffer(1))
    now = session.boundaries()
    assert b not in now.index
    assert {new, *others} <= set(now.index)
    assert now.loc[d].geometry.area > frame.loc[d].geometry.area
    cells = session.cells
    assert {new, *others} <= set(cells.obs_names)
    assert b not in cells.obs_names
    assert cells[d].X.sum() >= 0
    for _ in range(4):
        session.undo()
    assert session.state_hash() == before


def test_regions_are_kept(session, reviewed_run):
    session.add_region([(10, 10), (100, 10), (100, 100)], "tumour front")
    session.edit_region("tumour front", new_name="front", color="#ff0000")
    session.add_region([(10, 10), (50, 10), (50, 50)], "gland")
    assert list(session.regions().index) == ["front", "gland"]
    session.delete_region("gland")
    with Session.open(reviewed_run, author="cd") as again:
        regions = again.regions()
        assert list(regions.index) == ["front"]
        assert regions.loc["front", "color"] == "#FF0000"
    session.undo()
    assert list(session.regions().index) == ["front", "gland"]


def test_nobody_is_refused_at_the_first_correction(reviewed_run, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    with Session.open(reviewed_run) as session:
        cell = session.cells.obs_names[0]
        with pytest.raises(BadInputError, match="author"):
            session.relabel([cell], TYPE, "Unsure")
        session.author = "ab"
        session.relabel([cell], TYPE, "Unsure")
