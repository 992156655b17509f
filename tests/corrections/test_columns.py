"""Label columns: renaming, own label sets, colours, and what is as computed."""

from __future__ import annotations

import numpy as np
import pytest

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError

TYPE, OWN = keys.TYPE_DOMAIN, "my labels"


@pytest.fixture
def cells(desk):
    """Five tumour cells."""
    labels = desk.labels(keys.PROSEG, TYPE)
    rows = np.flatnonzero(labels.codes == labels.names.index("Tumor"))[:5]
    return desk.outlines(keys.PROSEG).ids_of(rows)


def label(desk, cell, column=TYPE):
    return desk.editor.reviewed.column(keys.PROSEG, column).value(cell)


def test_a_label_given_after_a_renaming_is_not_renamed(desk, desk_at, book, cells):
    desk.rename_category(TYPE, "Tumor", "Fibroblasts")
    assert label(desk, cells[0]) == "Fibroblasts"
    desk.relabel(cells[0], TYPE, "Tumor")
    desk.relabel(cells[0], TYPE, "Unsure")
    desk.editor.undo()
    assert label(desk, cells[0]) == label(desk_at(book), cells[0]) == "Tumor"
    desk.rename_category(TYPE, "Tumor", "Unknown")
    assert label(desk, cells[0]) == "Unknown"
    assert label(desk, cells[1]) == "Fibroblasts"
    for _ in range(3):
        desk.editor.undo()
    assert [label(desk, cell) for cell in cells] == ["Tumor"] * 5


def test_a_relabel_that_is_reverted_leaves_later_ones(desk, cells):
    first = desk.relabel(cells, TYPE, "Unsure")
    desk.relabel(cells[:2], TYPE, "Unknown")
    assert [entry.correction.after[0] for entry in desk.later_entries(first.entry_id)] == [
        "Unknown"
    ]
    desk.editor.revert(first.entry_id)
    assert [label(desk, cell) for cell in cells] == ["Unknown"] * 2 + ["Tumor"] * 3


def test_computed_labels_stay_as_they_are(desk, cells):
    before = desk.labels(keys.PROSEG, TYPE, computed=True)
    desk.relabel(cells, TYPE, None)
    desk.rename_category(TYPE, "Fibroblasts", "stroma")
    after = desk.labels(keys.PROSEG, TYPE, computed=True)
    assert (after.codes == before.codes).all()
    assert after.names == before.names
    assert label(desk, cells[0]) is None


def test_codes_are_patched_in_place_and_only_where_they_change(desk, cells):
    codes = desk.labels(keys.PROSEG, TYPE).codes
    before = codes.copy()
    desk.relabel(cells[:3], TYPE, "Unsure")
    assert np.shares_memory(codes, desk.labels(keys.PROSEG, TYPE).codes)
    change, _ = desk.told[-1]
    assert sorted(change.cells[0].rows) == sorted(np.flatnonzero(codes != before))
    assert change.columns
    desk.relabel(cells[3], TYPE, "Unsure")
    assert not desk.told[-1][0].columns


def test_own_labels_have_names_colours_and_their_list(desk, desk_at, book, cells):
    desk.make_label_set(OWN, ["good", "bad"], ["#112233", "#445566"])
    desk.relabel(cells[0], OWN, "bad")
    with pytest.raises(BadInputError, match="add=True"):
        desk.relabel(cells[0], OWN, "ugly")
    desk.make_label_set(OWN, ["good", "ugly"])
    desk.relabel(cells[1], OWN, "ugly")
    again = desk_at(book)
    labels = again.labels(keys.PROSEG, OWN)
    assert labels.names == ("good", "bad", "ugly")
    assert labels.colors[1] == "#445566"
    assert label(again, cells[0], OWN) == "bad"
    [column] = [column for column in again.columns() if column.name == OWN]
    assert (column.group, column.kind) == ("Own labels", "categorical")
    with pytest.raises(BadInputError, match="computed"):
        desk.make_label_set(TYPE, ["a"])


def test_colours_are_chosen_undone_and_checked(desk):
    before = desk.labels(keys.PROSEG, TYPE).colors
    desk.set_colors(TYPE, {"Tumor": "#abcdef"})
    labels = desk.labels(keys.PROSEG, TYPE)
    assert labels.colors[labels.names.index("Tumor")] == "#ABCDEF"
    desk.editor.undo()
    assert desk.labels(keys.PROSEG, TYPE).colors == before
    for colors in ({"Tumor": "red"}, {"nobody": "#000000"}, {}):
        with pytest.raises(BadInputError):
            desk.set_colors(TYPE, colors)


def test_a_new_category_gets_a_colour_that_no_other_has(desk, cells):
    for name in ("one", "two", "three"):
        desk.relabel(cells[0], TYPE, name, add=True)
    colors = desk.labels(keys.PROSEG, TYPE).colors
    assert len(set(colors)) == len(colors)


def test_what_cannot_be_a_label_is_refused(desk, cells):
    for value in ("", "  ", "two\nlines", "x" * 300, 7):
        with pytest.raises(BadInputError):
            desk.relabel(cells[0], TYPE, value, add=True)
    with pytest.raises(BadInputError, match="no such column"):
        desk.relabel(cells[0], "cell_typ", "Tumor")
    with pytest.raises(BadInputError, match="no such column"):
        desk.relabel(cells[0], "Tumor_score", "Tumor")
    with pytest.raises(BadInputError, match="c999999"):
        desk.relabel([cells[0], "c999999"], TYPE, "Tumor")
    with pytest.raises(BadInputError, match="No cell"):
        desk.relabel([], TYPE, "Tumor")
    assert desk.history().empty


def test_a_dropped_cell_can_be_brought_back(desk):
    labels = desk.labels(keys.PROSEG, keys.KEPT)
    [first, *_] = desk.outlines(keys.PROSEG).ids_of(np.flatnonzero(labels.codes == 0))
    desk.relabel(first, keys.KEPT, "dropped")
    assert not desk.card(keys.PROSEG, first).kept
    assert "Tumor" not in desk.allowed_values(keys.KEPT)
