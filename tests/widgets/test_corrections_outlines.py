"""The correction dock by its real controls: outlines, edit mode, label sets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import shapely
from napari.layers import Shapes

from napari_vhd.exceptions import MissingEngineError
from napari_vhd.io import proseg_binary
from napari_vhd.session import Session
from napari_vhd.widgets.parts.label_dialogs import LabelSetDialog
from napari_vhd.widgets.parts.tools import (
    DELETE,
    DRAW,
    GROW,
    LASSO,
    MERGE,
    PICK,
    REDRAW,
    SPLIT,
    VERTICES,
)

sys.path.append(str(Path(__file__).parent))
from sitting import CELLS, LONG, Sitting

if TYPE_CHECKING:
    from collections.abc import Sequence


def outline(sat: Sitting, cell: str) -> shapely.Geometry:
    return sat.session.outlines(CELLS).geometry(cell)


def lonely(sat: Sitting) -> str:
    """A cell whose neighbours leave it room."""
    outlines = sat.session.outlines(CELLS)
    for row in range(outlines.n_rows):
        if len(outlines.touching(outlines.geometries([row])[0].buffer(2))) == 1:
            return outlines.id_of(row)
    raise LookupError("no cell stands alone")


def draw(sat: Sitting, tool: str, places: Sequence[tuple[float, float]]) -> None:
    """Take a drawing tool and draw: the shape comes into napari's layer as napari adds it."""
    sat.click(sat.dock.tools.buttons[tool])
    layer = sat.dock.deeds.drawing.layer
    assert isinstance(layer, Shapes)
    corners = np.asarray(places, dtype=float)[:, ::-1]
    layer.add([corners], shape_type="path" if tool == SPLIT else "polygon")
    sat.settle()
    assert sat.dock.deeds.drawing.layer is None


def test_a_lasso_selects_and_the_label_goes_to_all_in_it(sat: Sitting) -> None:
    outlines = sat.session.outlines(CELLS)
    row = outlines.row_of(sat.cells(1)[0])
    x, y = outlines.centroids[row]
    box = shapely.box(x - 60, y - 60, x + 60, y + 60)
    inside = outlines.ids_of(outlines.within(box))
    assert len(inside) > 1
    draw(sat, LASSO, shapely.get_coordinates(box)[:-1])
    assert set(sat.scene.selection) == set(inside)
    assert f"{len(inside)}</b> cells" in sat.dock.parts.selected.told.text()
    sat.click_row("Unsure")
    sat.settle()
    assert {sat.label(cell) for cell in inside} == {"Unsure"}
    assert len(sat.history) == 1


def test_a_drawn_cell_is_there_counted_and_selected(sat: Sitting) -> None:
    cell = lonely(sat)
    place = outline(sat, cell)
    sat.scene.select((cell,))
    sat.click(sat.dock.tools.buttons[DELETE])
    sat.settle()
    assert sat.session.outlines(CELLS).row_of(cell) < 0
    draw(sat, DRAW, shapely.get_coordinates(place)[:-1])
    assert sat.history.kind.tolist() == ["delete", "add"]
    (made,) = sat.scene.selection
    assert made != cell
    # napari's Shapes hold single precision.
    assert outline(sat, made).symmetric_difference(place).area < 1e-3
    assert sat.session.card(CELLS, made).umis > 0


def test_an_outline_that_crosses_itself_is_refused_and_its_mend_can_be_taken(sat: Sitting) -> None:
    cell = lonely(sat)
    x0, y0, x1, y1 = outline(sat, cell).bounds
    sat.scene.select((cell,))
    sat.dock.deeds._drawn_for = REDRAW
    bow = shapely.Polygon([(x0, y0), (x1, y1), (x1, y0), (x0, y1 - 3)])
    before = outline(sat, cell)
    sat.dock.deeds._on_drawn(bow)
    sat.settle()
    assert outline(sat, cell).equals(before)
    assert "not saved: " in sat.dock.head.status.text()
    assert "cross" in sat.dock.head.status.text()
    assert not sat.dock.head.mend.isHidden()
    sat.click(sat.dock.head.mend.take)
    sat.settle()
    assert sat.history.kind.tolist() == ["redraw"]
    assert not outline(sat, cell).equals(before)
    assert sat.dock.head.mend.isHidden()


def test_split_and_merge_by_tool(sat: Sitting) -> None:
    cell = lonely(sat)
    whole = outline(sat, cell)
    x0, y0, x1, y1 = whole.bounds
    sat.scene.select((cell,))
    draw(sat, SPLIT, [((x0 + x1) / 2, y0 - 5), ((x0 + x1) / 2, y1 + 5)])
    parts = sat.scene.selection
    assert len(parts) == 2 and cell in parts
    sat.click(sat.dock.tools.buttons[MERGE])
    sat.settle()
    assert sat.scene.selection == (cell,)
    assert outline(sat, cell).symmetric_difference(whole).area < 1e-6 * whole.area


def test_grow_by_micrometres(sat: Sitting) -> None:
    cell = lonely(sat)
    before = outline(sat, cell).area
    sat.scene.select((cell,))
    sat.dock.tools.distance.setValue(-0.5)
    sat.click(sat.dock.tools.buttons[GROW])
    sat.settle()
    assert outline(sat, cell).area < before


def test_a_tool_that_needs_cells_says_so(sat: Sitting) -> None:
    said: list[str] = []
    sat.dock.deeds.refused.connect(said.append)
    assert not sat.dock.tools.buttons[MERGE].isEnabled()
    sat.click(sat.dock.head.review)
    sat.press_key("M")
    assert "two or more cells" in said[0]
    assert sat.dock.deeds.tool == PICK


def test_edit_mode_moves_a_vertex_and_the_counts_follow(sat: Sitting) -> None:
    cell = lonely(sat)
    before, umis = outline(sat, cell), sat.session.card(CELLS, cell).umis
    sat.scene.select((cell,))
    layer = opened(sat)
    assert layer.mode == "direct"
    at = layer.features.cell_id.tolist().index(cell)
    corners = np.asarray(layer.data[at])
    middle = corners.mean(axis=0)
    # Every vertex half way to the middle, as a person would drag them one by one.
    data = list(layer.data)
    data[at] = (corners + middle) / 2
    layer.data = data
    sat.press_key("Enter")
    sat.settle()
    assert sat.dock.deeds.vertices.layer is None
    assert layer not in sat.viewer.layers
    assert sat.history.kind.tolist() == ["redraw"]
    assert outline(sat, cell).area == pytest.approx(before.area / 4)
    assert sat.session.card(CELLS, cell).umis < umis
    with Session.open(sat.run) as again:
        assert again.outlines(CELLS).geometry(cell).equals(outline(sat, cell))


def test_edit_mode_with_a_drag_of_napari_s_own_tool(sat: Sitting) -> None:
    cell = lonely(sat)
    sat.scene.select((cell,))
    layer = opened(sat)
    at = layer.features.cell_id.tolist().index(cell)
    y, x = np.asarray(layer.data[at])[0]
    area = outline(sat, cell).area
    middle_y, middle_x = np.asarray(layer.data[at]).mean(axis=0)
    sat.drag(layer, [(x, y), (x, y), ((x + middle_x) / 2, (y + middle_y) / 2)])
    moved = sat.dock.deeds.vertices._edit.changed()
    assert list(moved) == [cell]
    sat.press_key("Enter")
    sat.settle()
    assert sat.history.kind.tolist() == ["redraw"]
    assert outline(sat, cell).area < area


def test_edit_mode_leaves_the_other_part_of_a_cell_alone(sat: Sitting) -> None:
    cell = lonely(sat)
    whole = outline(sat, cell)
    x, y = whole.centroid.coords[0]
    island = shapely.Point(x, y - 60).buffer(8)
    sat.session.refine(CELLS, {cell: shapely.union(whole, island)})
    sat.settle()
    said: list[str] = []
    sat.dock.deeds.told.connect(said.append)
    sat.scene.select((cell,))
    layer = opened(sat)
    assert any(f"{cell}: of several parts" in one for one in said)
    shrunk(layer, cell)
    sat.press_key("Enter")
    sat.settle()
    assert sat.dock.deeds.vertices.layer is None
    expected = whole.area / 4 + island.area
    assert outline(sat, cell).area == pytest.approx(expected, rel=1e-6)
    assert outline(sat, cell).covers(island.buffer(-0.1))


def opened(sat: Sitting) -> Shapes:
    """The selected cells are open, and the tool is in one's hand."""
    sat.click(sat.dock.tools.buttons[VERTICES])
    vertices = sat.dock.deeds.vertices
    sat.bot.waitUntil(lambda: vertices.layer is not None, timeout=LONG)
    layer = vertices.layer
    assert isinstance(layer, Shapes)
    sat.bot.waitUntil(lambda: sat.viewer.layers.selection.active is layer, timeout=LONG)
    return layer


def shrunk(layer: Shapes, *cells: str) -> None:
    """Every vertex of some cells half way to the middle."""
    data, names = list(layer.data), layer.features.cell_id.tolist()
    for cell in cells:
        corners = np.asarray(data[names.index(cell)])
        data[names.index(cell)] = (corners + corners.mean(axis=0)) / 2
    layer.data = data


def test_cells_that_were_edited_together_are_one_correction(sat: Sitting) -> None:
    cells = sat.cells(3)
    before = [outline(sat, cell) for cell in cells]
    sat.scene.select(cells)
    shrunk(opened(sat), *cells)
    sat.press_key("Enter")
    sat.settle()
    assert sat.dock.deeds.vertices.layer is None
    assert sat.history.kind.tolist() == ["redraw"]
    assert set(sat.history.cell_ids[0]) == set(cells)
    assert all(outline(sat, cell).area < old.area for cell, old in zip(cells, before, strict=True))
    sat.click(sat.dock.head.undo)
    sat.settle()
    assert [outline(sat, cell) for cell in cells] == before


def test_edit_mode_is_left_without_a_trace(sat: Sitting) -> None:
    cell = lonely(sat)
    before = outline(sat, cell)
    sat.scene.select((cell,))
    layer = opened(sat)
    data = list(layer.data)
    data[-1] = np.asarray(data[-1]) + 1
    layer.data = data
    sat.press_key("Escape")
    sat.settle()
    assert sat.dock.deeds.vertices.layer is None
    assert sat.dock.deeds.tool == PICK
    assert outline(sat, cell).equals(before)
    assert len(sat.history) == 0


def test_an_outline_that_is_refused_stays_open_to_be_mended(sat: Sitting) -> None:
    cell = lonely(sat)
    before = outline(sat, cell)
    other = next(one for one in sat.cells(9) if one != cell)
    sat.scene.select((cell, other))
    layer = opened(sat)
    shrunk(layer, other)
    data = list(layer.data)
    at = layer.features.cell_id.tolist().index(cell)
    corners = np.asarray(data[at]).copy()
    half = len(corners) // 2
    corners[[0, half]] = corners[[half, 0]]
    data[at] = corners
    layer.data = data
    sat.press_key("Enter")
    sat.settle()
    assert f"{cell}: The outline crosses" in sat.dock.head.status.text()
    assert sat.dock.deeds.vertices.layer is layer
    assert outline(sat, cell).equals(before)
    assert len(sat.history) == 0
    sat.click(sat.dock.head.mend.take)
    sat.settle()
    assert sat.dock.deeds.vertices.layer is None
    assert set(sat.history.cell_ids[0]) == {cell, other}


def test_own_labels_are_made_coloured_and_given_by_key(sat: Sitting) -> None:
    sat.click(sat.dock.labels.new_set)
    dialog = sat.dock.labels.findChild(LabelSetDialog)
    dialog.name.setText("Budding")
    dialog.fields[0].setText("bud")
    dialog.fields[1].setText("no bud")
    dialog.set_color(0, "#123456")
    dialog.accept()
    sat.bot.waitUntil(lambda: sat.scene.coloring.column == "Budding", timeout=LONG)
    sat.settle()
    assert sat.dock.labels.column.current() == "Budding"
    rows = sat.dock.labels.palette_table.rows
    assert [(r.key, r.name, r.count) for r in rows] == [
        ("1", "bud", 0),
        ("2", "no bud", 0),
        ("U", "Unsure", 0),
    ]
    assert rows[0].color == "#123456"
    assert sat.scene.coloring.column == "Budding"
    cell = sat.cells(1)[0]
    sat.scene.select((cell,))
    sat.click(sat.dock.head.review)
    sat.viewer.layers.selection.active = sat.scene.layers[0]
    sat.press_key("2")
    sat.settle()
    assert sat.label(cell, "Budding") == "no bud"


def test_a_category_is_renamed_and_merged(sat: Sitting) -> None:
    cells = sat.cells(1000, "Enterocytes")
    sat.dock.labels.palette_table.set_current("Enterocytes")
    dialog = sat.dock.labels._ask_rename("Enterocytes")
    dialog.name.setCurrentText("Fibroblasts")
    assert "is there already" in dialog.hint.text()
    dialog.accept()
    sat.settle()
    assert {sat.label(cell) for cell in cells} == {"Fibroblasts"}
    assert "Enterocytes" not in [row.name for row in sat.dock.labels.palette_table.rows]
    sat.click(sat.dock.head.undo)
    sat.settle()
    assert {sat.label(cell) for cell in cells} == {"Enterocytes"}


def test_a_label_that_is_not_in_the_list_is_added_on_purpose(sat: Sitting) -> None:
    cell = sat.cells(1)[0]
    sat.scene.select((cell,))
    dialog = sat.dock.labels._ask_label()
    dialog.name.setCurrentText("Signet ring")
    dialog.accept()
    sat.settle()
    assert sat.label(cell) == "Signet ring"
    assert "Signet ring" in [row.name for row in sat.dock.labels.palette_table.rows]


def test_cells_of_a_label_region_or_filter_are_selected(sat: Sitting) -> None:
    bar, outlines = sat.dock.parts.selected, sat.session.outlines(CELLS)
    bar.select_category("B_cells")
    sat.settle()
    assert set(sat.scene.selection) == set(sat.cells(1000, "B_cells"))
    sat.session.add_region(shapely.box(0, 0, 300, 300), "front")
    sat.settle()
    assert [action.text() for action in bar.regions.actions()] == ["front"]
    bar.regions.actions()[0].trigger()
    sat.settle()
    inside = outlines.ids_of(outlines.within(shapely.box(0, 0, 300, 300)))
    assert set(sat.scene.selection) == set(inside)
    sat.scene.color_by("Tumor_score", CELLS)
    sat.bot.waitUntil(lambda: sat.scene.coloring.kind == "number")
    sat.scene.filter_values(0.5, 100)
    bar.select_filtered()
    sat.settle()
    values = sat.session.numbers(CELLS, "Tumor_score").values
    assert set(sat.scene.selection) == set(outlines.ids_of(np.flatnonzero(values >= 0.5)))


@pytest.mark.tools
def test_corrected_nuclei_are_refined_and_taken_as_one_correction(sat: Sitting) -> None:
    """The real ProSeg on a part of the sample, few rounds."""
    try:
        proseg_binary.find_proseg()
    except MissingEngineError:
        pytest.skip("proseg is not installed: make venv")
    sat.session.configure(proseg={"burnin_samples": 10, "samples": 10, "hillclimb": 5})
    panel, nuclei = sat.dock.parts.refine, sat.session.outlines("stardist_boundaries")
    area = shapely.box(200, 200, 400, 400)
    gone = nuclei.ids_of(nuclei.within(area))[0]
    sat.dock.correct(sat.session.delete, [gone])
    sat.settle()
    sat.dock.parts.tabs.setCurrentWidget(panel)
    sat.click(panel.begin)
    panel.drawing.layer.add([shapely.get_coordinates(area)[:-1, ::-1]], shape_type="polygon")
    sat.bot.waitUntil(lambda: panel.proposal is not None, timeout=240_000)
    assert panel.shown.old in sat.viewer.layers
    assert panel.shown.new in sat.viewer.layers
    changed = dict(panel.proposal.outlines)
    sat.click(panel.accept)
    sat.bot.waitUntil(lambda: panel.proposal is None, timeout=LONG)
    sat.settle()
    assert sat.history.kind.tolist() == ["delete", "refine"]
    there = sat.session.outlines(CELLS)
    assert all((there.row_of(cell) < 0) == (shape is None) for cell, shape in changed.items())
    assert not [layer for layer in sat.viewer.layers if layer.name.startswith("outlines ")]


def test_when_the_making_of_the_shown_labels_is_undone_others_are_shown(sat: Sitting) -> None:
    errors: list[Exception] = []
    sat.scene.failed.connect(errors.append)
    sat.dock.labels._make_set("Shortlived", ("one", "two"), ("#112233", "#445566"))
    sat.bot.waitUntil(lambda: sat.scene.coloring.column == "Shortlived", timeout=LONG)
    sat.click(sat.dock.head.undo)
    sat.bot.waitUntil(lambda: sat.scene.coloring.column not in ("Shortlived", None), timeout=LONG)
    sat.settle()
    assert sat.dock.labels.column.current() == sat.scene.coloring.column
    assert errors == []
