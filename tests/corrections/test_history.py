"""Which entries are in force, what can be undone, and who had seen which: against plain rules."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from napari_vhd.corrections.correction import Correction, Entry
from napari_vhd.corrections.history import History

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def entry(name: str, order: int, kind: str = "relabel", target: str = "", **given: Any) -> Entry:
    made = Correction(kind, "b", "type", ("c1",), ("A",), (target or name,))
    values = {"seq": order, "time": "t", "author": "ab", "parents": (), "epoch": "", "program": ""}
    return Entry(name, order=order, correction=made, **(values | given))


@st.composite
def ledgers(draw: Any) -> list[Entry]:
    """Entries of two people who see each other's work only now and then."""
    made: list[Entry] = []
    shown: dict[str, set[str]] = {"ab": set(), "cd": set()}
    for number in range(draw(st.integers(1, 24))):
        author = draw(st.sampled_from(["ab", "cd"]))
        if draw(st.booleans()):
            shown[author] = {one.entry_id for one in made}
        known = shown[author]
        heads = tuple(
            one
            for one in sorted(known)
            if not any(one in other.parents for other in made if other.entry_id in known)
        )
        name = LETTERS[number]
        kind = draw(st.sampled_from(["relabel", "relabel", "undo", "redo", "revert"]))
        targets = sorted(known)
        if kind != "relabel" and not targets:
            kind = "relabel"
        target = draw(st.sampled_from(targets)) if kind != "relabel" else ""
        order = 1 + max((one.order for one in made if one.entry_id in known), default=0)
        made.append(entry(name, order, kind, target, author=author, parents=heads))
        known.add(name)
    return made


def active_by_the_rule(made: list[Entry]) -> set[str]:
    """The last switch in force decides; going backwards, each is decided before its target."""
    decided: dict[str, bool] = {}
    place = {one.entry_id: one.key for one in made}
    for one in sorted(made, key=lambda e: e.key, reverse=True):
        if decided.get(one.entry_id, True) and one.correction.kind != "relabel":
            target = one.correction.target
            if place[target] < one.key:
                decided.setdefault(target, one.correction.kind == "redo")
    return {one.entry_id for one in made if decided.get(one.entry_id, True)}


def ancestors(made: list[Entry], name: str) -> set[str]:
    by_id = {one.entry_id: one for one in made}
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for parent in by_id[waiting.pop()].parents:
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found


def history_of(made: list[Entry]) -> History:
    history = History()
    for one in made:
        history.add(one)
    return history


@settings(max_examples=300, deadline=None)
@given(made=ledgers(), seed=st.integers(0, 10**6))
def test_entries_in_force_do_not_depend_on_the_order_they_come_in(made, seed):
    expected = active_by_the_rule(made)
    shuffled = made.copy()
    random.Random(seed).shuffle(shuffled)
    for history in (history_of(made), history_of(shuffled)):
        assert {e.entry_id for e in history.entries if history.active(e.entry_id)} == expected
        assert [e.key for e in history.entries] == sorted(e.key for e in made)
    assert set(history_of(made).heads) == set(history_of(shuffled).heads)


@settings(max_examples=300, deadline=None)
@given(made=ledgers())
def test_who_had_seen_what_follows_the_parents(made):
    history = history_of(made)
    for later in made:
        seen = ancestors(made, later.entry_id)
        for earlier in made:
            if later is not earlier:
                assert history.saw(later, earlier) == (earlier.entry_id in seen)
    newest = {one.entry_id for one in history.newest(made)}
    active = {e.entry_id for e in made if history.active(e.entry_id)}
    seen_by_active = set().union(*(ancestors(made, name) & active for name in active), set())
    assert newest == active - seen_by_active


@settings(max_examples=200, deadline=None)
@given(made=ledgers())
def test_switched_entries_are_told_as_they_come(made):
    history = History()
    force: set[str] = set()
    for one in made:
        switched = history.add(one)
        for other in switched:
            assert history.active(other.entry_id) != (other.entry_id in force)
            force ^= {other.entry_id}
        if history.active(one.entry_id):
            force.add(one.entry_id)
    assert force == {e.entry_id for e in made if history.active(e.entry_id)}


def test_undo_goes_back_one_by_one_and_a_new_correction_ends_redo():
    history = History()
    for number, name in enumerate("abc", start=1):
        history.add(entry(name, number))
    assert history.undoable("ab").entry_id == "c"
    assert history.undoable("cd") is None
    history.add(entry("d", 4, "undo", "c"))
    history.add(entry("e", 5, "undo", "b"))
    assert history.undoable("ab").entry_id == "a"
    assert history.redoable("ab").entry_id == "b"
    history.add(entry("f", 6, "redo", "b"))
    assert history.redoable("ab").entry_id == "c"
    history.add(entry("g", 7))
    assert history.redoable("ab") is None
    assert [n for n in "abcg" if history.active(n)] == ["a", "b", "g"]


def test_undoing_a_revert_brings_the_reverted_back():
    history = History()
    history.add(entry("a", 1))
    history.add(entry("b", 2))
    history.add(entry("c", 3, "revert", "a"))
    assert not history.active("a")
    assert history.undoable("ab").entry_id == "c"
    history.add(entry("d", 4, "undo", "c"))
    assert history.active("a")
    history.add(entry("e", 5, "redo", "c"))
    assert not history.active("a")


def test_a_long_history_of_one_person_keeps_one_chain():
    history = History()
    for number in range(2000):
        history.add(entry(str(number), number + 1, parents=(str(number - 1),) if number else ()))
    assert len(history._tips) == 1
    assert history.saw(history["1999"], history["0"])
    assert not history.saw(history["0"], history["1999"])
