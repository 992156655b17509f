"""A new segmentation: corrected cells are known again by overlap, nothing is dropped."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from napari_vhd import Session, keys
from napari_vhd.corrections import rematch
from napari_vhd.corrections.outlines import Outlines
from napari_vhd.io.publishing import Provenance, quiet
from napari_vhd.io.store import RunStore
from napari_vhd.stages.stage import Outcome

TYPE = keys.TYPE_DOMAIN


def disc(x: float, y: float = 50, radius: float = 10) -> Any:
    return shapely.Point(x, y).buffer(radius)


def test_outlines_are_kept_well_enough_to_know_a_cell_by():
    ring = disc(1e5, 2e5, 30).difference(disc(1e5, 2e5, 5))
    two = shapely.MultiPolygon([disc(1e5, 2e5), disc(1e5 + 50, 2e5)])
    outlines = Outlines("b", ["plain", "ring", "two"], np.array([disc(1e5, 2e5), ring, two]))
    rings = rematch.rings_of(outlines, np.array([0, 1]))
    rings.append("two", two)
    back = rematch.unpack_rings(rings.packed())
    for name, shape in (("plain", disc(1e5, 2e5)), ("ring", ring), ("two", two)):
        assert back[name].symmetric_difference(shape).area < 1e-2 * shape.area
    assert rematch.Rings([], np.empty(0), np.empty(0), np.empty((0, 2))).packed() is None


def test_the_best_overlap_of_half_or_more_matches_one_to_one():
    new = Outlines("b", ["x", "y", "z"], np.array([disc(101), disc(140), disc(300)]))
    old = {"a": disc(100), "b": disc(104), "c": disc(150), "d": disc(500)}
    found = rematch.best_matches(old, new, set())
    assert found == {"a": "x"}
    assert rematch.best_matches({"c": disc(143)}, new, {"y"}) == {}


def new_id(cell: str) -> str:
    return f"x{cell[1:]}"


def test_labels_and_outlines_follow_to_a_new_segmentation(reviewed_run, rerun):
    with Session.open(reviewed_run, author="ab") as session:
        ids = session.outlines(keys.PROSEG).live_ids()
        # Well apart, so that no edit reaches another's cell.
        large = sorted(ids, key=lambda c: -session.outlines(keys.PROSEG).geometry(c).area)[:40]
        labelled, drawn, deleted, lost, lost_drawn = large[::8]
        session.make_label_set("mine", ["good", "bad"])
        session.relabel([labelled, lost], "mine", "bad")
        shape = session.outlines(keys.PROSEG).geometry(drawn).buffer(1)
        session.redraw(drawn, shape)
        session.delete(deleted)
        session.redraw(lost_drawn, session.outlines(keys.PROSEG).geometry(lost_drawn).buffer(1))
        [made] = session.add(shapely.Point(590, 590).buffer(8))
        session.relabel(made, "mine", "good")
        before = session.state_hash()
    rerun({lost, lost_drawn})
    with Session.open(reviewed_run, author="ab") as session:
        outlines, labels = session.outlines(keys.PROSEG), session.labels(keys.PROSEG, "mine")
        assert outlines.row_of(drawn) == -1
        assert outlines.geometry(new_id(drawn)).equals(shape)
        assert outlines.row_of(new_id(deleted)) == -1
        assert labels.names[labels.codes[outlines.row_of(new_id(labelled))]] == "bad"
        assert labels.names[labels.codes[outlines.row_of(made)]] == "good"
        assert (labels.codes >= 0).sum() == 2
        unmatched = session.unmatched()
        assert set(unmatched["cell_id"]) == {lost, lost_drawn}
        assert list(unmatched.loc[unmatched["cell_id"] == lost, "after"]) == ["bad"]
        assert unmatched[["x", "y"]].notna().all(axis=None)
        assert len(session.history()) == 7
        # Corrections of the new cells, and undo of old ones, go on as ever.
        session.relabel(new_id(labelled), "mine", "good")
        session.undo()
        for _ in range(7):
            session.undo()
        assert outlines.row_of(new_id(deleted)) >= 0
        assert session.undo() is None
        for _ in range(7):
            session.redo()
    rerun(set(), moved=0.9)
    with Session.open(reviewed_run, author="ab") as session:
        assert session.state_hash() != before
        outlines = session.outlines(keys.PROSEG)
        name = f"x{new_id(drawn)[1:]}"
        assert outlines.geometry(name).equals(shape)


def test_the_same_segmentation_again_needs_no_match(reviewed_run):
    with Session.open(reviewed_run, author="ab") as session:
        cell = session.outlines(keys.PROSEG).live_ids()[0]
        session.expand(cell, 1)
        before = session.state_hash()
        store = RunStore.open(reviewed_run)
        with quiet():
            shapes = store.sdata()[keys.PROSEG].copy()
            store.publish("proseg", Outcome(elements={keys.PROSEG: shapes}), Provenance())
        store.close()
        session.reload()
        assert session.state_hash() == before
        assert session.unmatched().empty


def test_entries_of_an_unknown_epoch_are_listed_not_dropped(desk_at, book):
    desk = desk_at(book)
    cell = desk.outlines(keys.PROSEG).live_ids()[0]
    entry = desk.relabel(cell, TYPE, "Unsure")
    segmentation = desk.editor.reviewed.segmentation(keys.PROSEG)
    other = entry._replace(epoch="elsewhere")
    segmentation.matches = {"elsewhere": {cell: None}}
    assert segmentation.resolved(other) == (None,)
