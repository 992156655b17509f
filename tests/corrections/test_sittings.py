"""Random sittings: what is live is what replay gives, at every moment and whatever is undone."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from napari_vhd import keys
from napari_vhd.corrections import ledger
from napari_vhd.corrections.cells import reviewed_cells
from napari_vhd.corrections.correction import OUTLINE_KINDS, SWITCHES
from napari_vhd.corrections.replay import replay
from napari_vhd.corrections.state import state_hash
from napari_vhd.exceptions import BadInputError
from napari_vhd.stages.counting import bins_within

TYPE, DOMAIN, OWN = keys.TYPE_DOMAIN, keys.domains(5), "own"
NAMES = st.sampled_from(["Tumor", "Fibroblasts", "Unsure", "brand new"])
CELLS = st.integers(0, 10**6)


class Sitting(RuleBasedStateMachine):
    """One or two people at one ledger; `desk_at` and `opened` are set by the test."""

    desk_at: Any = None
    opened: Any = None
    sdata: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "ledger.sqlite"
        ledger.create(self.path)
        self.desks = [self.desk_at(self.path, "ab"), self.desk_at(self.path, "cd")]
        self.made: set[str] = set()
        self.steps = 0

    def teardown(self) -> None:
        for desk in self.desks:
            desk.editor.poll()
        hashes = {desk.state_hash() for desk in self.desks}
        assert hashes == {state_hash(replay(self.opened, self.path))}
        for desk in self.desks:
            self.check_labels(desk)
            self.check_counts(desk)
            desk.editor.close()
        shutil.rmtree(self.folder)

    def check_labels(self, desk: Any) -> None:
        """Labels are what going through all corrections in force, one by one, gives."""
        history, outlines = desk.editor.history, desk.outlines(keys.PROSEG)
        computed = desk.labels(keys.PROSEG, TYPE, computed=True)
        names = [*computed.names, None]
        ids = outlines.ids_of(range(outlines.n_rows))
        labels = {cell: names[code] for cell, code in zip(ids, computed.codes, strict=True)}
        authors = dict.fromkeys(labels, "")
        shapes: dict[str, Any] = {}
        for entry in history.entries:
            made = entry.correction
            if not history.active(entry.entry_id):
                continue
            if made.kind == "relabel" and made.column == TYPE:
                labels |= dict(zip(made.cell_ids, made.after, strict=True))
                authors |= dict.fromkeys(made.cell_ids, entry.author)
            elif made.kind == "rename_category":
                for cell in [cell for cell in ids if labels[cell] == made.before[0]]:
                    labels[cell], authors[cell] = made.after[0], entry.author
            elif made.kind in OUTLINE_KINDS:
                shapes |= made.outlines_after
        now = desk.labels(keys.PROSEG, TYPE)
        cells = reviewed_cells(self.sdata()[keys.CELLS], desk.editor.reviewed, desk.radius_um)
        by = cells.obs.get(keys.reviewed_by(TYPE))
        for row, cell in enumerate(ids):
            if outlines.alive[row]:
                assert [*now.names, None][now.codes[row]] == labels[cell]
                assert by is None or by[cell] == authors[cell]
            if cell in shapes:
                assert bool(outlines.alive[row]) == (shapes[cell] is not None)
                assert shapes[cell] in (None, outlines.geometries([row])[0].wkb)

    def check_counts(self, desk: Any) -> None:
        """The table of reviewed cells is what counting all outlines anew gives."""
        sdata = self.sdata()
        bins, reviewed = sdata[keys.bin_table(2)], desk.editor.reviewed
        outlines = desk.outlines(keys.PROSEG)
        ids = outlines.live_ids()
        inside = bins_within(outlines.geometries(outlines.rows_of(ids)), bins.obsm[keys.SPATIAL])
        cells = reviewed_cells(sdata[keys.CELLS], reviewed, desk.radius_um)
        assert sorted(cells.obs_names) == sorted(ids)
        assert (inside.astype("f4") @ bins.X != cells[ids].X).nnz == 0
        assert (cells[ids].obs["n_bins"] == inside.sum(axis=1).A1).all()

    def cells(self, desk: Any, number: int, seed: int) -> list[str]:
        outlines = desk.outlines(keys.PROSEG)
        rows = np.flatnonzero(outlines.alive)
        return outlines.ids_of(rows[(seed + np.arange(number)) % len(rows)])

    @initialize()
    def look(self) -> None:
        """Some pieces are built before any correction, others are not."""
        self.desks[0].labels(keys.PROSEG, TYPE)
        self.desks[1].labels(keys.PROSEG, DOMAIN)
        assert self.desks[0].editor.reviewed.counts is not None

    @rule(who=st.integers(0, 1), seed=CELLS, number=st.integers(1, 20), name=NAMES)
    def relabel(self, who: int, seed: int, number: int, name: str) -> None:
        desk = self.desks[who]
        column = TYPE if seed % 3 else DOMAIN
        desk.relabel(self.cells(desk, number, seed), column, name, add=True)

    @rule(who=st.integers(0, 1), seed=CELLS, new=NAMES)
    def rename(self, who: int, seed: int, new: str) -> None:
        names = self.desks[who].labels(keys.PROSEG, TYPE).names
        old = names[seed % len(names)]
        if old != new:
            self.desks[who].rename_category(TYPE, old, new)

    @rule(who=st.integers(0, 1), names=st.lists(st.sampled_from("xyz"), min_size=1, unique=True))
    def label_set(self, who: int, names: list[str]) -> None:
        self.desks[who].make_label_set(OWN, names)
        self.desks[who].relabel(self.cells(self.desks[who], 2, 3), OWN, names[0])

    @rule(who=st.integers(0, 1), color=st.sampled_from(["#FF0000", "#00FF00"]))
    def color(self, who: int, color: str) -> None:
        self.desks[who].set_colors(TYPE, {"Tumor": color})

    @rule(who=st.integers(0, 1), seed=CELLS, by=st.floats(-1.5, 3))
    def grow(self, who: int, seed: int, by: float) -> None:
        try:
            self.desks[who].expand(self.cells(self.desks[who], 2, seed), by)
        except BadInputError:
            return

    @rule(who=st.integers(0, 1), seed=CELLS)
    def delete(self, who: int, seed: int) -> None:
        self.desks[who].delete(self.cells(self.desks[who], 2, seed))

    @rule(who=st.integers(0, 1), x=st.floats(50, 550), y=st.floats(50, 550))
    def add(self, who: int, x: float, y: float) -> None:
        [cell] = self.desks[who].add(shapely.Point(x, y).buffer(12))
        assert cell not in self.made
        self.made.add(cell)

    @rule(who=st.integers(0, 1), seed=CELLS)
    def split(self, who: int, seed: int) -> None:
        desk = self.desks[who]
        [cell] = self.cells(desk, 1, seed)
        xmin, ymin, xmax, ymax = desk.outlines(keys.PROSEG).geometry(cell).bounds
        x = (xmin + xmax) / 2
        try:
            _, *new = desk.split(cell, [(x, ymin - 9), (x, ymax + 9)])
        except BadInputError:
            return
        assert not self.made & set(new)
        self.made.update(new)

    @rule(who=st.integers(0, 1), seed=CELLS)
    def merge(self, who: int, seed: int) -> None:
        desk = self.desks[who]
        outlines = desk.outlines(keys.PROSEG)
        [cell] = self.cells(desk, 1, seed)
        near = outlines.ids_of(outlines.touching(outlines.geometry(cell).buffer(4)))[:3]
        try:
            [kept] = desk.merge({cell, *near})
        except BadInputError:
            return
        assert kept in {cell, *near}

    @rule(who=st.integers(0, 1), name=st.sampled_from("pqr"), size=st.integers(5, 50))
    def region(self, who: int, name: str, size: int) -> None:
        desk = self.desks[who]
        if name not in desk.regions().index:
            desk.add_region(shapely.box(0, 0, size, size), name)
        elif size % 2:
            try:
                desk.edit_region(name, shapely.box(0, 0, size, 2 * size), order=0)
            except BadInputError as error:
                assert "is so already" in str(error)
        else:
            desk.delete_region(name)

    @rule(who=st.integers(0, 1))
    def undo(self, who: int) -> None:
        self.desks[who].editor.undo()

    @rule(who=st.integers(0, 1))
    def redo(self, who: int) -> None:
        self.desks[who].editor.redo()

    @rule(who=st.integers(0, 1), seed=CELLS)
    def revert(self, who: int, seed: int) -> None:
        desk = self.desks[who]
        history = desk.editor.history
        there = [
            e.entry_id
            for e in history.entries
            if history.active(e.entry_id)
            and (e.correction.kind not in SWITCHES or e.correction.kind == "revert")
        ]
        if there:
            desk.editor.revert(there[seed % len(there)])

    @rule(who=st.integers(0, 1))
    def poll(self, who: int) -> None:
        self.desks[who].editor.poll()

    @rule(who=st.integers(0, 1))
    def reopen(self, who: int) -> None:
        desk = self.desks[who]
        desk.editor.poll()
        before = desk.state_hash()
        desk.editor.close()
        self.desks[who] = self.desk_at(self.path, desk.editor.author)
        assert self.desks[who].state_hash() == before

    @invariant()
    def arrays_are_as_long_as_there_are_rows(self) -> None:
        for desk in self.desks:
            rows = desk.outlines(keys.PROSEG).n_rows
            assert len(desk.labels(keys.PROSEG, TYPE).codes) == rows
            assert len(desk.numbers(keys.PROSEG, keys.AREA_UM2).values) == rows


def run_sittings(opened: Any, desk_at: Any, examples: int, steps: int) -> None:
    sdata = opened.source.sdata()
    given = {
        "desk_at": staticmethod(desk_at),
        "opened": opened,
        "sdata": staticmethod(lambda: sdata),
    }
    machine = type("OneSitting", (Sitting,), given)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            derandomize=True,
        ),
    )


def test_what_is_live_is_what_replay_gives(opened, desk_at):
    run_sittings(opened, desk_at, examples=12, steps=15)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_what_is_live_is_what_replay_gives_in_long_sittings(opened, desk_at):
    run_sittings(opened, desk_at, examples=200, steps=50)
