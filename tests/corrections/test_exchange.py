"""Ledgers of people who worked apart come together; a CSV runs in no spreadsheet."""

from __future__ import annotations

import csv
import io
import itertools
import random
import shutil
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_vhd import keys
from napari_vhd.corrections import damage, exchange, ledger
from napari_vhd.corrections.correction import Correction, Entry
from napari_vhd.corrections.history import History
from napari_vhd.corrections.replay import replay
from napari_vhd.corrections.state import state_hash
from napari_vhd.exceptions import BadInputError

TYPE = keys.TYPE_DOMAIN
CELLS = [f"c{number:06d}" for number in range(1, 9)]


def work(desk: Any, chance: random.Random, number: int) -> None:
    for _ in range(number):
        kind = chance.choice(["label", "label", "grow", "rename", "region", "undo", "revert"])
        there = [cell for cell in CELLS if desk.outlines(keys.PROSEG).row_of(cell) >= 0]
        if kind == "label":
            desk.relabel(chance.sample(there, 2), TYPE, chance.choice(["Tumor", "Unsure"]))
        elif kind == "grow":
            desk.expand(chance.choice(there), chance.uniform(0.1, 1))
        elif kind == "rename":
            desk.rename_category(TYPE, *chance.sample(["Tumor", "Fibroblasts", "T_cells"], 2))
        elif kind == "region":
            desk.add_region([(0, 0), (9, 0), (9, 9)], f"{desk.editor.author}{chance.random()}")
        elif kind == "undo":
            desk.editor.undo()
        else:
            history = desk.editor.history
            active = [e.entry_id for e in history.entries if history.active(e.entry_id)]
            active = [e for e in active if history[e].correction.kind not in ("undo", "redo")]
            if active:
                desk.editor.revert(chance.choice(active))


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(seed=st.integers(0, 10**6), before=st.integers(0, 4), apart=st.integers(1, 6))
def test_merging_is_commutative_associative_and_idempotent(
    tmp_path_factory, opened, desk_at, seed, before, apart
):
    folder = tmp_path_factory.mktemp("apart")
    chance = random.Random(seed)
    common = folder / "common.sqlite"
    ledger.create(common)
    start = desk_at(common, "ab")
    work(start, chance, before)
    start.editor.close()
    paths = []
    for author in ("ab", "cd", "ef"):
        paths.append(folder / f"{author}.sqlite")
        shutil.copyfile(common, paths[-1])
        desk = desk_at(paths[-1], author)
        work(desk, chance, apart)
        desk.editor.close()
    found = set()
    for number, order in enumerate(itertools.permutations(paths)):
        into = folder / f"merged{number}.sqlite"
        shutil.copyfile(order[0], into)
        for other in (*order[1:], *order):
            exchange.merge_ledgers(into, other)
        assert exchange.merge_ledgers(into, order[1]) == 0
        assert not damage.verify(into).fault
        entries = sorted(ledger.read_entries(into), key=lambda entry: entry.key)
        reviewed = replay(opened, into)
        found.add((tuple(entry.entry_id for entry in entries), state_hash(reviewed)))
    assert len(found) == 1


def test_a_merge_is_taken_in_while_the_sample_is_open(desk_at, book, tmp_path):
    other = tmp_path / "other.sqlite"
    ledger.create(other)
    theirs = desk_at(other, "cd")
    theirs.relabel(CELLS[:2], TYPE, "Unsure")
    [new] = theirs.add([(10, 10), (40, 10), (40, 40)])
    mine = desk_at(book, "ab")
    mine.relabel(CELLS[1:3], TYPE, "Tumor")
    assert exchange.merge_ledgers(book, other) == 2
    assert mine.editor.poll()
    assert mine.outlines(keys.PROSEG).row_of(new) >= 0
    assert set(mine.conflicts()["cell_id"]) == {CELLS[1]}
    mine.editor.undo()
    assert (
        mine.labels(keys.PROSEG, TYPE).names[
            mine.labels(keys.PROSEG, TYPE).codes[mine.outlines(keys.PROSEG).row_of(CELLS[1])]
        ]
        == "Unsure"
    )


def test_a_damaged_ledger_is_not_taken_in(desk_at, book, tmp_path):
    other = tmp_path / "other.sqlite"
    ledger.create(other)
    desk_at(other, "cd").relabel(CELLS[:2], TYPE, "Unsure")
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(other.read_bytes()[:5000])
    with pytest.raises(BadInputError, match=r"damaged\.sqlite"):
        exchange.merge_ledgers(book, damaged)
    assert ledger.read_entries(book) == []


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_the_csv_is_a_formula(start):
    bad = f"{start}cmd|' /C calc'!A0"
    made = Correction("relabel", "b", bad, (bad, "c2"), (None, bad), (bad, bad), note=bad)
    history = History()
    history.add(Entry("a", 1, 1, "t", bad, made, (), "", ""))
    file = io.StringIO(newline="")
    exchange.write_csv(file, history)
    rows = list(csv.reader(io.StringIO(file.getvalue(), newline="")))
    assert len(rows) == 2
    for cell in rows[1]:
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert f"'{bad}" in rows[1]
