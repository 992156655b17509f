"""A Scene shows what its Session says, and follows it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import shapely
from napari.components import ViewerModel
from pixels import codes, expected

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError
from napari_vhd.layers import Scene, scene_of
from napari_vhd.layers.categories import DROPPED

TYPE, DOMAINS = keys.TYPE_DOMAIN, keys.domains(5)


def test_a_sample_is_shown_with_its_cell_types_outlines_and_scale(scene: Scene) -> None:
    assert scene.coloring.column == keys.TYPE_CELLTYPIST_PER_CELL
    assert scene.coloring.boundaries == keys.PROSEG
    layers = scene.viewer.layers
    assert layers[0].name == "H&E"
    assert scene.viewer.canvas.overlays["scale_bar"].visible
    assert {str(unit) for layer in layers for unit in layer.units} == {"micrometer"}
    assert scene_of(scene.viewer) is scene
    assert scene_of(ViewerModel()) is None
    xmin, ymin, xmax, ymax = scene.view_box()
    assert xmin < 1 < 599 < xmax
    assert ymin < 1 < 599 < ymax


def test_cells_have_the_codes_of_their_labels(scene: Scene) -> None:
    for column in (TYPE, DOMAINS):
        scene.color_by(column)
        np.testing.assert_array_equal(codes(scene), expected(scene, column))
    counts = {one.name: one.count for one in scene.coloring.categories}
    labels = scene.session.labels(keys.PROSEG, DOMAINS)
    for code, name in enumerate(labels.names):
        assert counts[name] == (labels.codes == code).sum()
    assert counts[DROPPED] == (labels.codes < 0).sum()


def test_the_status_line_names_the_category(scene: Scene) -> None:
    scene.color_by(TYPE)
    fills = scene.cells[keys.PROSEG].fills
    features = fills.layer.features
    names = scene.session.labels(keys.PROSEG, TYPE).names
    assert list(features["category"][1 : len(names) + 1]) == list(names)
    assert list(features["index"]) == list(range(len(features)))


def test_numbers_are_an_image_with_limits_and_a_colour_map(scene: Scene) -> None:
    scene.color_by("Tumor_score")
    numbers = scene.cells[keys.PROSEG].numbers
    assert numbers.layer.visible
    assert not scene.cells[keys.PROSEG].fills.layer.visible
    scene.set_limits(0.2, 0.8)
    scene.set_colormap("magma")
    assert tuple(numbers.layer.contrast_limits) == (0.2, 0.8)
    assert numbers.layer.colormap.name == "magma"
    assert (scene.coloring.limits, scene.coloring.colormap) == ((0.2, 0.8), "magma")
    values = scene.session.numbers(keys.PROSEG, "Tumor_score").values
    scene.filter_values(0.5, 2.0)
    lut = numbers.values.lut[1:]
    shown = np.isfinite(lut)
    np.testing.assert_array_equal(shown, (values >= 0.5) & (values <= 2.0))
    assert scene.coloring.only == (0.5, 2.0)


def test_limits_that_are_alike_leave_two_colours(scene: Scene) -> None:
    scene.color_by("Tumor_score")
    for limit in (0.5, 0.0, 12345.0):
        scene.set_limits(limit, limit)
        low, high = scene.cells[keys.PROSEG].numbers.layer.contrast_limits
        assert low == limit
        assert high == pytest.approx(limit, rel=1e-5, abs=1e-5)


def test_a_gene_colours_the_cells(scene: Scene) -> None:
    gene = scene.session.genes()[0]
    scene.color_by(f"gene:{gene}")
    assert (scene.coloring.kind, scene.coloring.title, scene.coloring.unit) == (
        "number",
        gene,
        "UMIs",
    )


def test_what_is_not_there_is_refused_in_a_sentence(scene: Scene) -> None:
    before = scene.coloring
    with pytest.raises(BadInputError, match="no column 'nonsense'; there are"):
        scene.color_by("nonsense")
    with pytest.raises(BadInputError, match="no gene 'NONSENSE'"):
        scene.color_by("gene:NONSENSE")
    with pytest.raises(BadInputError, match="no boundaries"):
        scene.color_by(TYPE, "nonsense")
    with pytest.raises(BadInputError, match="no cell"):
        scene.go_to_cell("nonsense")
    with pytest.raises(BadInputError, match="no bins of 4"):
        scene.show_bins(4, "total")
    assert scene.coloring == before


def test_categories_are_hidden_and_shown_alone(scene: Scene) -> None:
    scene.color_by(DOMAINS)
    names = [one.name for one in scene.coloring.categories]
    colormap = lambda: scene.cells[keys.PROSEG].fills.layer.colormap.color_dict  # noqa: E731
    scene.set_category_visible(names[1], False)
    assert colormap()[2][3] == 0
    assert colormap()[1][3] == 1
    scene.solo(names[2])
    assert [one.visible for one in scene.coloring.categories] == [n == names[2] for n in names]
    assert [colormap()[code][3] > 0 for code in (1, 2, 3)] == [False, False, True]
    scene.solo(None)
    assert all(one.visible for one in scene.coloring.categories)
    scene.set_category_color(names[0], "#123456")
    np.testing.assert_allclose(colormap()[1][:3], np.array([0x12, 0x34, 0x56]) / 255, atol=1e-6)
    scene.set_category_visible(names[1], False)
    scene.color_by(TYPE)  # another column: all of it is shown
    assert all(one.visible for one in scene.coloring.categories)


def test_a_colour_that_the_session_keeps_is_shown(scene: Scene) -> None:
    scene.color_by(DOMAINS)
    name = scene.coloring.categories[0].name
    scene.session.set_colors(DOMAINS, {name: "#00FF00"})
    assert scene.coloring.categories[0].color == "#00FF00"
    shown = scene.cells[keys.PROSEG].fills.layer.colormap.color_dict[1]
    np.testing.assert_allclose(shown, (0, 1, 0, 1))


def test_labels_follow_corrections_and_their_undoing(scene: Scene) -> None:
    scene.color_by(TYPE)
    before = codes(scene).copy()
    cells = scene.session.outlines(keys.PROSEG).live_ids()[:50]
    news: list[Any] = []
    scene.coloring_changed.connect(lambda: news.append(scene.coloring))
    scene.session.relabel(cells, TYPE, "Tumor")
    assert news
    np.testing.assert_array_equal(codes(scene), expected(scene, TYPE))
    assert (codes(scene) != before).any()
    scene.session.undo()
    np.testing.assert_array_equal(codes(scene), before)


def test_a_label_of_a_new_name_gets_a_colour(scene: Scene) -> None:
    scene.color_by(TYPE)
    cell = scene.session.outlines(keys.PROSEG).live_ids()[3]
    scene.session.relabel([cell], TYPE, "Something else", add=True)
    assert "Something else" in [one.name for one in scene.coloring.categories]
    np.testing.assert_array_equal(codes(scene), expected(scene, TYPE))


def test_outlines_follow_corrections_and_their_undoing(scene: Scene) -> None:
    session, cells = scene.session, scene.cells[keys.PROSEG]
    scene.color_by(TYPE)
    before = codes(scene).copy()
    cell, other = session.outlines(keys.PROSEG).live_ids()[5:7]
    scene.select([cell, other])
    session.delete([cell])
    assert scene.selection == (other,)
    made = session.add(shapely.box(10, 10, 40, 40), keys.PROSEG)
    assert scene.pick(25.0, 25.0) == made[0]
    np.testing.assert_array_equal(codes(scene), expected(scene, TYPE))
    lines = np.asarray(cells.lines.layer.data[scene.raster(keys.PROSEG).level_of(1.0)])
    assert lines[9:11, 20].any() and lines[39:41, 20].any()
    session.undo()
    session.undo()
    np.testing.assert_array_equal(codes(scene), before)


def test_a_cell_that_was_dropped_is_told_apart_and_can_be_brought_back(scene: Scene) -> None:
    scene.color_by(DOMAINS)
    kept = scene.session.labels(keys.PROSEG, keys.KEPT)
    row = int(np.flatnonzero(kept.codes == kept.names.index("dropped"))[0])
    outlines = scene.session.outlines(keys.PROSEG)
    codes = scene.cells[keys.PROSEG].fills.codes
    dropped = len(codes.names) + 2
    assert codes.lut[row + 1] == dropped
    scene.session.relabel([outlines.id_of(row)], keys.KEPT, "kept")
    assert scene.cells[keys.PROSEG].fills.codes.lut[row + 1] == dropped - 1
    scene.session.undo()
    assert scene.cells[keys.PROSEG].fills.codes.lut[row + 1] == dropped


def test_the_mouse_finds_what_is_drawn(scene: Scene) -> None:
    scene.color_by(TYPE)
    outlines = scene.session.outlines(keys.PROSEG)
    point = shapely.point_on_surface(outlines.geometry("c000012"))
    assert scene.pick(point.x, point.y) is not None
    assert scene.pick(-50.0, -50.0) is None
    nuclei = scene.session.outlines(keys.STARDIST)
    scene.color_by(None)
    scene.show_outlines(keys.PROSEG, False)
    inside = shapely.point_on_surface(nuclei.geometry("n000012"))
    assert scene.pick(inside.x, inside.y) is None  # nothing of cells is shown
    scene.show_outlines(keys.STARDIST, True)
    assert scene.pick(inside.x, inside.y) == nuclei.id_of(nuclei.pick(inside.x, inside.y))


def test_cells_are_chosen_by_id_and_by_lasso(scene: Scene) -> None:
    told: list[tuple[str, ...]] = []
    scene.selection_changed.connect(told.append)
    scene.select(["c000003", "n000004", "nothing"])
    assert scene.selection == ("c000003", "n000004")
    scene.select(["c000003", "n000004"])
    assert len(told) == 1
    lasso = shapely.box(100, 100, 300, 300)
    scene.select_within(lasso)
    outlines = scene.session.outlines(keys.PROSEG)
    assert scene.selection == tuple(outlines.ids_of(outlines.within(lasso)))
    marks = scene.cells[keys.PROSEG]._selection
    assert marks.layer.visible
    scene.select(())
    assert not marks.layer.visible


def test_a_cell_is_gone_to(scene: Scene) -> None:
    scene.go_to(100.0, 200.0, 3.0)
    assert scene.camera.center == pytest.approx((100, 200))
    assert scene.camera.zoom == pytest.approx(3)
    scene.go_to_cell("c000020")
    outlines = scene.session.outlines(keys.PROSEG)
    assert scene.camera.center == pytest.approx(outlines.centroids[outlines.row_of("c000020")])
    assert scene.selection == ("c000020",)
    scene.show_box(0, 0, 300, 150)
    xmin, _, xmax, _ = scene.view_box()
    assert xmin < 0 < 300 < xmax < 500


def test_bins_are_shown_by_count_gene_type_and_proportion(scene: Scene) -> None:
    scene.show_bins(8, "total")
    assert np.nanmax(scene.background.bins[8][1].data) > 0
    scene.show_bins(8, keys.FLASHDECONV_DOMINANT)
    layer = scene.background.bins[8][1]
    assert type(layer).__name__ == "Labels"
    assert [one for one in scene.viewer.layers if one.name.startswith("bins 8")] == [layer]
    scene.show_bins(2, f"gene:{scene.session.genes()[0]}")
    scene.show_bins(8, keys.flashdeconv("Tumor"))
    share = scene.background.bins[8][1].data
    assert 0 <= np.nanmin(share) < np.nanmax(share) <= 1
    scene.show_bins(8, None)
    scene.show_bins(2, None)
    assert not [one for one in scene.viewer.layers if one.name.startswith("bins")]


def test_a_view_is_kept_and_restored(scene: Scene) -> None:
    scene.color_by(DOMAINS)
    scene.set_category_visible(scene.coloring.categories[1].name, False)
    scene.set_outline_style(keys.STARDIST, "#FF0000", 0.4)
    scene.show_outlines(keys.STARDIST, True)
    scene.show_shapes(keys.PROSEG, True)
    scene.show_bins(8, "total")
    scene.go_to(123.0, 234.0, 2.5)
    state = json.loads(json.dumps(scene.view_state()))
    viewer = ViewerModel()
    other = Scene(viewer, scene.session)
    other.restore(state)
    assert other.view_state() == state
    assert other.outline_style(keys.STARDIST) == scene.outline_style(keys.STARDIST)
    other.color_by("Tumor_score")
    other.set_limits(0.1, 0.6)
    other.filter_values(0.2, 5.0)
    numbers = json.loads(json.dumps(other.view_state()))
    scene.restore(numbers)
    assert scene.view_state()["coloring"] == numbers["coloring"]
    other.restore({"coloring": {"column": "gone", "boundaries": keys.PROSEG}})
    other.restore({})
    other.close()


def test_two_segmentations_are_compared(scene: Scene) -> None:
    lines = {name: cells.lines.layer for name, cells in scene.cells.items()}
    first, second = lines[keys.PROSEG], lines[keys.STARDIST]
    scene.compare("outlines")
    assert first.visible and second.visible
    scene.compare("blink")
    assert (first.visible, second.visible) == (True, False)
    scene.blink(True)
    assert (first.visible, second.visible) == (False, True)
    scene.blink(False)
    assert (first.visible, second.visible) == (True, False)
    number = len(scene.viewer.layers)
    scene.compare("side")
    grid, layers = scene.viewer.canvas.grid, scene.viewer.layers
    assert grid.enabled
    places = {layer.name: grid.position(i, layers)[1] for i, layer in enumerate(layers)}
    assert places["H&E"] == 0
    assert places["ProSeg cells outlines"] == 0
    assert places["H&E (right)"] == 1
    assert places["StarDist nuclei outlines (right)"] == 1
    scene.color_by("Tumor_score")  # a layer that comes meanwhile stands on the left
    at = [layer.name for layer in layers].index("ProSeg cells values")
    assert grid.position(at, layers)[1] == 0
    scene.compare("off")
    assert not grid.enabled
    assert len(layers) == number + 1
    assert (first.visible, second.visible) == (True, False)
    with pytest.raises(BadInputError, match="no way to compare"):
        scene.compare("nonsense")


def test_shapes_are_made_when_first_shown(scene: Scene) -> None:
    shapes = scene.cells[keys.STARDIST].shapes
    assert shapes.layer.nshapes == 0
    scene.show_shapes(keys.STARDIST, True)
    outlines = scene.session.outlines(keys.STARDIST)
    assert list(shapes.layer.features["id"]) == outlines.live_ids()
    assert shapes.layer.features[keys.PROBABILITY].between(0.4, 1).all()
    scene.session.delete(["n000001"])
    assert list(shapes.layer.features["id"]) == outlines.live_ids()
