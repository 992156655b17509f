"""The correction dock by its real controls: labels, brush, keys, undo, history."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from napari.layers import Labels

from napari_vhd.session import Session
from napari_vhd.widgets.current import current_of
from napari_vhd.widgets.parts.tools import BRUSH, LASSO, PICK

sys.path.append(str(Path(__file__).parent))
from bench import GuiWatch
from sitting import CELLS, COLUMN, LONG, Sitting


def numbered(sat: Sitting) -> str:
    number = len(sat.session.entries())
    return "1 correction" if number == 1 else f"{number} corrections"


def test_without_a_sample_the_dock_says_what_to_do(sat: Sitting) -> None:
    current = current_of(sat.viewer)
    current.scene = None
    assert "Open" in sat.dock.empty_sentence
    current.scene = sat.scene
    sat.settle()
    assert sat.dock.empty_sentence == ""
    assert sat.dock.labels.palette_table.rows


def test_a_click_on_a_label_gives_it_to_the_selection_as_one_correction(sat: Sitting) -> None:
    chosen = sat.cells(3, "Enterocytes")
    before = {row.name: row.count for row in sat.dock.labels.palette_table.rows}
    sat.scene.select(chosen)
    sat.dock.labels.note.setText("crypt base")
    sat.click_row("Fibroblasts")
    sat.settle()
    history = sat.history
    assert len(history) == 1
    assert set(history.cell_ids[0]) == set(chosen)
    assert history.note[0] == "crypt base"
    assert [sat.label(cell) for cell in chosen] == ["Fibroblasts"] * 3
    after = {row.name: row.count for row in sat.dock.labels.palette_table.rows}
    assert after["Fibroblasts"] == before["Fibroblasts"] + 3
    assert after["Enterocytes"] == before["Enterocytes"] - 3
    assert sat.dock.labels.note.text() == ""
    assert sat.dock.head.status.text().startswith("saved ")
    assert sat.dock.head.status.text().endswith(f"{numbered(sat)} · AB")


def test_without_a_selection_nothing_is_written_and_a_sentence_says_why(sat: Sitting) -> None:
    said: list[str] = []
    sat.dock.deeds.refused.connect(said.append)
    sat.click_row("Fibroblasts")
    sat.settle()
    assert "No cell is selected" in said[0]
    assert len(sat.history) == 0


def opened(sat: Sitting) -> Labels:
    """The window that is painted in, when it has been read and the brush is in hand."""
    painting = sat.dock.deeds.painting

    def is_in_hand() -> bool:
        return painting.layer is not None and painting.layer.mode == "paint"

    sat.bot.waitUntil(is_in_hand, timeout=LONG)
    return painting.layer


def brush(sat: Sitting) -> Labels:
    """Take the brush."""
    sat.click(sat.dock.tools.buttons[BRUSH])
    return opened(sat)


def test_a_stroke_of_napari_s_brush_relabels_whole_cells_once_and_for_good(
    sat: Sitting,
) -> None:
    dock, outlines = sat.dock, sat.session.outlines(CELLS)
    first, second = sat.cells(2, "Enterocytes")
    dock.labels.palette_table.set_current("Neutrophils")
    layer = brush(sat)
    assert isinstance(layer, Labels)
    assert layer.mode == "paint"
    value = int(layer.selected_label)
    category = layer.features.set_index("index").category
    assert category[value] == "Neutrophils"
    layer.brush_size = 4
    a, b = (outlines.centroids[outlines.row_of(cell)] for cell in (first, second))
    sat.drag(layer, [tuple(a), tuple((a + b) / 2), tuple(b)])
    painted = np.asarray(layer.data).copy()
    sat.settle()
    history = sat.history
    assert len(history) == 1
    touched = history.cell_ids[0]
    assert {first, second} <= set(touched)
    assert {sat.label(cell) for cell in touched} == {"Neutrophils"}
    # Whole cells have the colour, at once and after it was written; nothing else has.
    assert np.array_equal(painted, np.asarray(layer.data))
    names = sat.session.labels(CELLS, COLUMN)
    want = names.codes[outlines.alive]
    assert (want == names.names.index("Neutrophils")).sum() > len(touched)
    step = sat.session.um_per_px
    for cell in touched:
        x, y = outlines.geometry(cell).representative_point().coords[0]
        row, column = layer.world_to_data((y * step, x * step))
        assert layer.data[round(row), round(column)] == value
    sat.click(dock.tools.buttons[BRUSH])
    assert dock.deeds.painting.layer is None
    sat.bot.waitUntil(lambda: layer not in sat.viewer.layers, timeout=LONG)
    with Session.open(sat.run) as again:
        labels = again.labels(CELLS, COLUMN)
        rows = again.outlines(CELLS).rows_of(touched)
        assert {labels.names[code] for code in labels.codes[rows]} == {"Neutrophils"}


def test_a_stroke_beside_all_cells_leaves_nothing_behind(sat: Sitting) -> None:
    sat.dock.labels.palette_table.set_current("Neutrophils")
    layer = brush(sat)
    before = np.asarray(layer.data).copy()
    row, column = np.argwhere(before == 0)[0]
    layer.brush_size = 1
    y, x = layer.data_to_world((row, column))
    sat.drag(layer, [(x / sat.session.um_per_px, y / sat.session.um_per_px)])
    sat.settle()
    assert len(sat.history) == 0
    assert np.array_equal(np.asarray(layer.data), before)


def test_napari_s_picker_chooses_the_label_in_the_palette(sat: Sitting) -> None:
    layer = brush(sat)
    outlines = sat.session.outlines(CELLS)
    cell = sat.cells(1, "B_cells")[0]
    layer.mode = "pick"
    sat.drag(layer, [tuple(outlines.centroids[outlines.row_of(cell)])])
    assert sat.dock.labels.palette_table.current == "B_cells"


def test_napari_s_fill_gives_its_label_to_a_whole_cell(sat: Sitting) -> None:
    sat.dock.labels.palette_table.set_current("Neutrophils")
    layer = brush(sat)
    outlines = sat.session.outlines(CELLS)
    cell = sat.cells(1, "B_cells")[0]
    layer.mode = "fill"
    sat.drag(layer, [tuple(outlines.centroids[outlines.row_of(cell)])])
    sat.settle()
    assert len(sat.history) == 1
    assert sat.label(cell) == "Neutrophils"


def test_a_stroke_that_is_refused_goes_back(sat: Sitting) -> None:
    sat.session.author = ""
    sat.dock.labels.palette_table.set_current("Neutrophils")
    layer = brush(sat)
    before = np.asarray(layer.data).copy()
    outlines = sat.session.outlines(CELLS)
    cell = sat.cells(1, "B_cells")[0]
    sat.drag(layer, [tuple(outlines.centroids[outlines.row_of(cell)])])
    assert not np.array_equal(np.asarray(layer.data), before)
    sat.settle()
    assert np.array_equal(np.asarray(layer.data), before)
    assert "author" in sat.dock.head.status.text()
    assert sat.label(cell) == "B_cells"


def test_a_brush_that_is_put_down_before_its_window_is_there_leaves_none(sat: Sitting) -> None:
    names = [layer.name for layer in sat.viewer.layers]
    sat.dock.labels.palette_table.set_current("Neutrophils")
    sat.click(sat.dock.tools.buttons[BRUSH])
    sat.click(sat.dock.tools.buttons[BRUSH])
    assert sat.dock.deeds.tool == PICK
    sat.settle()
    assert [layer.name for layer in sat.viewer.layers] == names


def test_unsure_can_be_painted_before_any_cell_has_it(sat: Sitting) -> None:
    sat.dock.labels.palette_table.set_current("Unsure")
    brush(sat)
    outlines = sat.session.outlines(CELLS)
    first, second = sat.cells(2, "B_cells")
    for cell in (first, second):
        layer = opened(sat)
        sat.drag(layer, [tuple(outlines.centroids[outlines.row_of(cell)])])
        sat.settle()
        assert sat.label(cell) == "Unsure"
    assert sat.dock.deeds.tool == BRUSH


def test_review_mode_takes_keys_and_gives_napari_s_back(sat: Sitting) -> None:
    cell = sat.cells(1, "B_cells")[0]
    fills = next(one for one in sat.scene.layers if one.name == "ProSeg cells")
    sat.viewer.layers.selection.active = fills
    sat.scene.select((cell,))
    sat.settle()
    own = {layer.name: dict(layer.keymap) for layer in sat.scene.layers}
    key = next(r.key for r in sat.dock.labels.palette_table.rows if r.name == "Neutrophils")
    sat.press_key(key)
    sat.settle()
    assert len(sat.history) == 0
    sat.click(sat.dock.head.review)
    sat.press_key(key)
    sat.settle()
    assert sat.label(cell) == "Neutrophils"
    sat.press_key("U")
    sat.settle()
    assert sat.label(cell) == "Unsure"
    sat.press_key("L")
    assert sat.dock.deeds.tool == LASSO
    sat.dock.deeds.leave()
    sat.viewer.layers.selection.active = fills
    sat.press_key("Escape")
    assert not sat.dock.head.review.isChecked()
    assert {layer.name: dict(layer.keymap) for layer in sat.scene.layers} == own


def test_on_the_paint_window_digits_choose_the_label_and_are_napari_s_again(sat: Sitting) -> None:
    layer = brush(sat)
    sat.click(sat.dock.head.review)
    name = next(row.name for row in sat.dock.labels.palette_table.rows if row.key == "3")
    sat.press_key("3")
    assert layer.mode == "paint"
    assert layer.features.set_index("index").category[int(layer.selected_label)] == name
    sat.click(sat.dock.head.review)
    sat.press_key("3")
    assert layer.mode == "polygon"
    sat.press_key("1")
    assert layer.mode == "erase"
    sat.settle()
    assert len(sat.history) == 0


def test_keys_of_review_mode_leave_other_layers_alone(sat: Sitting) -> None:
    other = sat.viewer.add_labels(np.zeros((8, 8), dtype=np.uint8))
    sat.click(sat.dock.head.review)
    sat.viewer.layers.selection.active = other
    sat.scene.select(sat.cells(1))
    sat.press_key("2")
    assert other.mode == "paint"
    sat.settle()
    assert len(sat.history) == 0


def test_a_held_key_shows_the_picture_alone(sat: Sitting) -> None:
    sat.click(sat.dock.head.review)
    before = [layer.name for layer in sat.scene.layers if layer.visible]
    assert len(before) > 1
    sat.press_key("H")
    assert [layer.name for layer in sat.scene.layers if layer.visible] == ["H&E"]
    sat.release_key("H")
    assert [layer.name for layer in sat.scene.layers if layer.visible] == before


def test_undo_and_redo_by_button_and_key(sat: Sitting) -> None:
    cell = sat.cells(1, "B_cells")[0]
    sat.scene.select((cell,))
    sat.click_row("Neutrophils")
    sat.settle()
    sat.click(sat.dock.head.undo)
    sat.settle()
    assert sat.label(cell) == "B_cells"
    sat.click(sat.dock.head.redo)
    sat.settle()
    assert sat.label(cell) == "Neutrophils"
    sat.viewer.layers.selection.active = sat.scene.layers[0]
    sat.press_key("Control-Z")
    sat.settle()
    assert sat.label(cell) == "B_cells"
    sat.press_key("Control-Shift-Z")
    sat.settle()
    assert sat.label(cell) == "Neutrophils"


def test_the_history_tells_who_and_what_and_takes_one_back(sat: Sitting) -> None:
    first, second = sat.cells(2, "B_cells")
    for ids, label in (((first, second), "Neutrophils"), ((second,), "Fibroblasts")):
        sat.scene.select(ids)
        sat.click_row(label)
        sat.settle()
    table = sat.dock.parts.history.table
    model = table.rows_model
    shown = [model.data(model.index(row, 2)) for row in range(model.rowCount())]
    assert shown[0] == f"cell {second} → Fibroblasts (Type of its domain)"
    assert shown[1] == "2 cells → Neutrophils (Type of its domain)"
    assert model.data(model.index(0, 1)) == "AB"
    sat.dock.parts.tabs.setCurrentWidget(sat.dock.parts.history)
    table.setCurrentIndex(model.index(1, 0))
    sat.click(sat.dock.parts.history.revert)
    sat.settle()
    box = sat.dock.parts.history.box
    assert box is not None
    assert f"cell {second} → Fibroblasts" in box.informativeText()
    assert sat.label(first) == "Neutrophils"
    sat.click(next(b for b in box.buttons() if b.text() == "Take back"))
    sat.settle()
    assert sat.label(first) == "B_cells"
    assert sat.label(second) == "Fibroblasts"
    assert model.data(model.index(2, 2)).startswith("(taken back) ")


def test_a_double_click_in_the_history_goes_to_the_place(sat: Sitting) -> None:
    cell = sat.cells(1, "B_cells")[0]
    sat.scene.select((cell,))
    sat.click_row("Neutrophils")
    sat.settle()
    sat.scene.go_to(0, 0)
    sat.dock.parts.history.table.doubleClicked.emit(
        sat.dock.parts.history.table.rows_model.index(0, 2)
    )
    sat.settle()
    outlines = sat.session.outlines(CELLS)
    box = outlines.bounds[outlines.row_of(cell)]
    assert np.allclose(sat.scene.camera.center, [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])


def test_without_initials_a_correction_is_refused_and_asks_for_them(sat: Sitting) -> None:
    sat.session.author = ""
    sat.dock.head.author.setText("")
    cell = sat.cells(1, "B_cells")[0]
    sat.scene.select((cell,))
    sat.click_row("Neutrophils")
    sat.settle()
    assert sat.label(cell) == "B_cells"
    assert sat.dock.head.status.text().startswith("not saved: ")
    sat.dock.head.author.setText("CD")
    sat.dock.head.author.editingFinished.emit()
    sat.click_row("Neutrophils")
    sat.settle()
    assert sat.history.author.tolist() == ["CD"]
    assert sat.dock.head.status.text().endswith(f"{numbered(sat)} · CD")
    assert sat.dock.deeds.tool == PICK


def test_the_window_never_waits_for_a_correction(sat: Sitting) -> None:
    """CPU time of the GUI thread between two turns of the event loop."""
    cells = sat.cells(200)
    sat.scene.select(cells)
    sat.dock.labels.give("Fibroblasts")  # warm: the first picture, the first row of the history
    sat.settle()
    with GuiWatch() as watch:
        sat.dock.labels.give("Neutrophils")
        sat.settle()
        sat.click(sat.dock.head.undo)
        sat.settle()
    assert sat.label(cells[0]) == "Fibroblasts"
    assert watch.longest_ms < 50
    assert len(sat.history) == 3


def test_where_there_are_no_labels_the_brush_says_what_to_do(sat: Sitting) -> None:
    said: list[str] = []
    sat.dock.deeds.refused.connect(said.append)
    assert sat.dock.labels.palette_table.rows
    sat.scene.color_by("probability", "stardist_boundaries")
    sat.bot.waitUntil(lambda: not sat.dock.labels.column.current(), timeout=LONG)
    sat.settle()
    assert not sat.dock.labels.palette_table.rows
    assert not sat.dock.labels.rename.isEnabled()
    sat.click(sat.dock.tools.buttons[BRUSH])
    assert said == ["There is no column of labels; make a set of your own labels first."]
    assert sat.dock.deeds.tool == PICK
    assert not sat.dock.tools.buttons[BRUSH].isChecked()
    sat.color()
    assert sat.dock.labels.palette_table.rows


def test_the_brush_says_where_to_go_when_nothing_is_in_view(sat: Sitting) -> None:
    said: list[str] = []
    sat.dock.deeds.refused.connect(said.append)
    camera = sat.viewer.scene.camera
    before = camera.center
    camera.center = (0.0, -1e5, -1e5)
    sat.click(sat.dock.tools.buttons[BRUSH])
    sat.settle()
    assert len(said) == 1
    assert "Nothing of the sample is in view" in said[0]
    assert sat.dock.deeds.tool == PICK
    assert sat.scene.painting is None
    camera.center = before
    assert brush(sat) in sat.viewer.layers
