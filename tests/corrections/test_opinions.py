"""People who worked apart differ: both opinions are listed, and one is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import shapely
from run_copies import copy_run

from napari_vhd import keys
from napari_vhd.corrections.exchange import merge_ledgers
from napari_vhd.exceptions import BadInputError
from napari_vhd.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    Verb = Callable[[Session], Any]

TYPE = keys.TYPE_DOMAIN
REGION = "gland"
CELL = "c000006"


def nothing(_session: Session) -> None:
    """What both had done before."""


def add_region(session: Session) -> None:
    session.add_region(shapely.box(50, 50, 150, 150), REGION, color="#00FF00")


def relabel(value: str | None) -> Verb:
    return lambda session: session.relabel([CELL], TYPE, value)


def expand(um: float) -> Verb:
    return lambda session: session.expand([CELL], um)


def split(session: Session) -> None:
    x, y = session.outlines(keys.PROSEG).geometry(CELL).centroid.coords[0]
    session.split(CELL, [(x - 100, y), (x + 100, y)])


def delete(session: Session) -> None:
    session.delete([CELL])


def region(**change: Any) -> Verb:
    return lambda session: session.edit_region(REGION, **change)


def delete_region(session: Session) -> None:
    session.delete_region(REGION)


# What both had, what each did then, and what the list says of it.
DIFFERENCES: dict[str, tuple[Verb, Verb, Verb, list[str | None]]] = {
    "label": (
        *(nothing, relabel("Fibroblasts"), relabel("Neutrophils")),
        ["Fibroblasts", "Neutrophils"],
    ),
    "no label": (nothing, relabel("Fibroblasts"), relabel(None), ["Fibroblasts", None]),
    "outline": (nothing, expand(1.0), expand(2.0), ["redraw", "redraw"]),
    "cell deleted": (nothing, expand(1.0), delete, ["redraw", "deleted"]),
    "cell split": (nothing, expand(1.0), split, ["redraw", "split"]),
    "region moved": (
        *(add_region, region(polygon=shapely.box(60, 60, 150, 150)), region(color="#0000FF")),
        ["another outline", "colour #0000FF"],
    ),
    "region coloured": (
        *(add_region, region(color="#FF0000"), region(color="#0000FF", visible=False)),
        ["colour #FF0000", "colour #0000FF, hidden"],
    ),
    "region deleted": (
        *(add_region, region(color="#FF0000"), delete_region),
        ["colour #FF0000", "deleted"],
    ),
    "region renamed": (
        *(add_region, region(color="#FF0000"), region(new_name="border")),
        ["colour #FF0000", "renamed border"],
    ),
    "region made twice": (
        *(nothing, add_region, lambda s: s.add_region(shapely.box(0, 0, 80, 80), REGION)),
        ["added", "added"],
    ),
}


def state_of(session: Session) -> tuple[Any, ...]:
    """What is said of the cell and the region."""
    outlines = session.outlines(keys.PROSEG)
    there = outlines.row_of(CELL) >= 0
    regions = session.regions()
    own = regions.loc[REGION].tolist() if REGION in regions.index else None
    column = session.editor.reviewed.column(keys.PROSEG, TYPE)
    label = column.value(CELL) if there else None
    return (outlines.geometry(CELL) if there else None), label, own


def opinions(session: Session) -> pd.DataFrame:
    return session.conflicts().sort_values("author", ignore_index=True)


@pytest.mark.parametrize("whose", [0, 1])
@pytest.mark.parametrize("name", DIFFERENCES)
def test_either_opinion_can_be_taken(reviewed_run: Path, name: str, whose: int) -> None:
    before, mine, theirs, told = DIFFERENCES[name]
    with Session.open(reviewed_run, author="AB") as session:
        before(session)
    apart = copy_run(reviewed_run, reviewed_run.parent / "apart")
    states = []
    for run, author, verb in ((reviewed_run, "AB", mine), (apart, "CD", theirs)):
        with Session.open(run, author=author) as session:
            verb(session)
            states.append(state_of(session))
    merge_ledgers(reviewed_run / keys.LEDGER, apart / keys.LEDGER)
    with Session.open(reviewed_run, author="EF") as session:
        found = opinions(session)
        assert found.author.tolist() == ["AB", "CD"]
        assert found.value.tolist() == told
        assert sorted(found.shown) == [False, True]
        one = found.iloc[whose]
        entry = session.take_opinion(one.boundaries, one.what, one.cell_id, one.entry_id)
        assert entry.correction.note == f"settled: as {one.author} said"
        assert state_of(session) == states[whose]
        assert len(session.conflicts()) == 0
        session.undo()
        assert opinions(session).equals(found)
        session.redo()
    # As it was settled, when it is read anew.
    with Session.open(reviewed_run) as session:
        assert state_of(session) == states[whose]
        assert len(session.conflicts()) == 0


def test_an_opinion_that_is_not_there_is_refused(reviewed_run: Path) -> None:
    with Session.open(reviewed_run, author="AB") as session:
        with pytest.raises(BadInputError, match="no such correction; see conflicts"):
            session.take_opinion(keys.PROSEG, TYPE, CELL, "0" * 32)
        assert not session.entries()
