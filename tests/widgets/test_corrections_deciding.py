"""The correction dock by its real controls: deciding on conflicts and lost cells."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import shapely
from qtpy.QtCore import Qt

from napari_vhd.corrections.correction import RELABEL, Correction
from napari_vhd.corrections.regions import correction_of
from napari_vhd.corrections.rematch import Rings
from napari_vhd.session import Session

sys.path.append(str(Path(__file__).parent))
from sitting import CELLS, COLUMN, LONG, Sitting

if TYPE_CHECKING:
    from qtpy.QtWidgets import QTreeWidgetItem

LOST = ("old1", "old2", "old3")


def waits(sat: Sitting, number: int) -> None:
    """Wait until the panel says that so many things are to be decided."""
    decide = sat.dock.parts.decide
    sat.bot.waitUntil(lambda: decide.number == number, timeout=LONG)
    assert sat.dock.parts.tabs.tabText(2) == (f"To decide ({number})" if number else "To decide")


def test_two_opinions_are_listed_and_one_is_taken(sat: Sitting) -> None:
    cell = sat.cells(1, "B_cells")[0]
    with Session.open(sat.run, author="CD") as other:
        other.labels(CELLS, COLUMN)
        sat.session.relabel([cell], COLUMN, "Fibroblasts")
        other.editor.history  # noqa: B018
        made = Correction(
            RELABEL, CELLS, COLUMN, (cell,), ("B_cells",), ("Neutrophils",), note="seen apart"
        )
        other.editor.ledger.append(
            made,
            author="CD",
            entry_id="f" * 32,
            parents=(),
            epoch=other.editor.reviewed.segmentation(CELLS).epoch,
            kept=None,
        )
    sat.bot.waitUntil(lambda: sat.dock.parts.decide.number == 1, timeout=LONG)
    assert sat.dock.parts.tabs.tabText(2) == "To decide (1)"
    tree = sat.dock.parts.decide.tree
    items = [tree.topLevelItem(0).child(n) for n in range(2)]
    wanted = next(item for item in items if item.text(0).startswith("Fibroblasts"))
    tree.setCurrentItem(wanted)
    sat.dock.parts.decide.take.click()
    sat.settle()
    assert sat.label(cell) == "Fibroblasts"
    sat.bot.waitUntil(lambda: sat.dock.parts.decide.number == 0, timeout=LONG)


def test_of_a_region_that_one_deleted_the_other_opinion_is_taken(sat: Sitting) -> None:
    made = sat.session.add_region(shapely.box(350, 350, 450, 450), "gland", "#00FF00")
    region = sat.session.editor.reviewed.regions["gland"]
    sat.session.edit_region("gland", color="#FF0000")
    with Session.open(sat.run, author="CD") as other:
        other.editor.ledger.append(
            correction_of({"gland": region}, {"gland": None}),
            author="CD",
            entry_id="e" * 32,
            parents=(made.entry_id,),
            epoch="",
            kept=None,
        )
    waits(sat, 1)
    decide = sat.dock.parts.decide
    sat.dock.parts.tabs.setCurrentWidget(decide)
    head = decide.tree.topLevelItem(0)
    assert head.text(0) == "gland: region"
    items = {head.child(n).text(0): head.child(n) for n in range(2)}
    assert set(items) == {"colour #FF0000", "deleted (shown now)"}
    decide.tree.setCurrentItem(items["colour #FF0000"])
    # There is nowhere to go yet.
    before = sat.scene.view_box()
    sat.click(decide.go)
    assert sat.scene.view_box() == before
    sat.click(decide.take)
    waits(sat, 0)
    sat.settle()
    assert sat.session.regions().color["gland"] == "#FF0000"


@pytest.fixture
def lost(sat: Sitting) -> tuple[str, ...]:
    """Three cells of an earlier segmentation, labelled as one correction, that are nowhere now."""
    # What a test before has left is no longer listed.
    waits(sat, 0)
    rings = Rings([], np.empty(0), np.empty(0), np.empty((0, 2)))
    for place, cell in enumerate(LOST):
        rings.append(cell, shapely.Point(9000 + 50 * place, 9000).buffer(10))
    with Session.open(sat.run, author="AB") as earlier:
        earlier.editor.ledger.append(
            Correction(RELABEL, CELLS, COLUMN, LOST, (None,) * 3, ("Fibroblasts",) * 3),
            author="AB",
            entry_id=uuid.uuid4().hex,
            parents=earlier.editor.history.heads,
            epoch="earlier",
            kept=rings.packed(),
        )
    sat.session.poll()
    sat.session.reload()
    sat.settle()
    sat.dock.parts.tabs.setCurrentWidget(sat.dock.parts.decide)
    waits(sat, 3)
    return LOST


def rows(sat: Sitting) -> dict[str, QTreeWidgetItem]:
    """Lines of lost cells."""
    tree = sat.dock.parts.decide.tree
    items = (tree.topLevelItem(0).child(n) for n in range(tree.topLevelItem(0).childCount()))
    return {item.text(0).partition(":")[0]: item for item in items}


def mark(sat: Sitting, *cells: str) -> None:
    """Click lines of lost cells, more than one with Ctrl held."""
    tree = sat.dock.parts.decide.tree
    for number, cell in enumerate(cells):
        place = tree.visualItemRect(rows(sat)[cell]).center()
        held = Qt.KeyboardModifier.ControlModifier if number else Qt.KeyboardModifier.NoModifier
        sat.bot.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, held, place)


def newest(sat: Sitting) -> str:
    """What the first line of the history says."""
    model = sat.dock.parts.history.table.rows_model
    return model.data(model.index(0, 2))


def test_lost_cells_are_given_up_one_by_one_and_undo_lists_them_again(
    sat: Sitting, lost: tuple[str, ...]
) -> None:
    decide = sat.dock.parts.decide
    assert set(rows(sat)) == set(lost)
    mark(sat, lost[0])
    sat.click(decide.drop)
    waits(sat, 2)
    assert set(rows(sat)) == set(lost[1:])
    assert newest(sat) == "Gave up the label of lost cell old1 (Type of its domain)"
    mark(sat, *lost[1:])
    assert not decide.move.isEnabled()
    sat.click(decide.drop)
    waits(sat, 0)
    assert newest(sat) == "Gave up the label of 2 lost cells (Type of its domain)"
    sat.click(sat.dock.head.undo)
    waits(sat, 2)
    sat.click(sat.dock.head.undo)
    waits(sat, 3)
    assert newest(sat).startswith("Undid: gave up the label of lost cell old1")


def test_the_label_of_a_lost_cell_goes_to_the_selected_one(
    sat: Sitting, lost: tuple[str, ...]
) -> None:
    cell = sat.cells(1, "B_cells")[0]
    mark(sat, lost[1])
    sat.scene.select(())
    sat.click(sat.dock.parts.decide.move)
    sat.settle()
    assert "Select the one cell" in sat.dock.head.status.text()
    sat.scene.select((cell,))
    sat.click(sat.dock.parts.decide.move)
    waits(sat, 2)
    assert sat.label(cell) == "Fibroblasts"
    assert newest(sat) == f"Fibroblasts of lost cell old2 → cell {cell} (Type of its domain)"
    sat.click(sat.dock.head.undo)
    waits(sat, 3)
    assert sat.label(cell) == "B_cells"
