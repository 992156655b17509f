"""Cells as pixels: what is drawn is what is picked, on every level, and after every edit."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from cells import outlines

from napari_vhd.layers import raster as raster_module
from napari_vhd.layers.raster import CellRaster
from napari_vhd.layers.views import views

SIZE = 400.0


@pytest.fixture
def raster() -> CellRaster:
    return CellRaster(outlines(size=SIZE), (0.0, 0.0, SIZE, SIZE))


def _whole(raster: CellRaster, level: int) -> np.ndarray:
    height, width = raster.shape(level)
    return raster.read(level, 0, height, 0, width)


def test_a_pixel_holds_the_cell_at_its_centre(raster: CellRaster) -> None:
    rng = np.random.default_rng(1)
    for level, step in enumerate(raster.steps):
        ids = _whole(raster, level)
        for _ in range(150):
            i, j = rng.integers(0, ids.shape[0]), rng.integers(0, ids.shape[1])
            x, y = raster.left + (j + 0.5) * step, raster.top + (i + 0.5) * step
            assert ids[i, j] == raster.outlines.pick(x, y) + 1


def test_levels_cover_the_same_ground(raster: CellRaster) -> None:
    for level, step in enumerate(raster.steps):
        height, width = raster.shape(level)
        assert (height * step, width * step) == (
            raster.box[3] - raster.box[1],
            raster.box[2] - raster.box[0],
        )


def test_a_part_is_as_the_whole(raster: CellRaster) -> None:
    for level in range(len(raster.steps)):
        whole = _whole(raster, level)
        top, left = whole.shape[0] // 3, whole.shape[1] // 5
        part = raster.read(level, top, top + 70, left, left + 90)
        np.testing.assert_array_equal(part, whole[top : top + 70, left : left + 90])


@pytest.mark.parametrize("many", [500, 2])
def test_edits_are_redrawn_as_if_drawn_anew(
    raster: CellRaster, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(raster_module, "MANY", many)
    for level in range(len(raster.steps)):
        _whole(raster, level)  # so that there is something to redraw
    cells = raster.outlines
    rows = [cells.remove("c10"), cells.put("c11", shapely.Point(300, 100).buffer(22))]
    rows += [cells.put("new", shapely.box(100, 100, 140, 130)), cells.put("c10", cells_of("c10"))]
    boxes = raster.redraw(rows)
    assert any(box == (100, 100, 140, 130) for box in boxes)
    fresh = CellRaster(cells, raster.box)
    for level in range(len(raster.steps)):
        np.testing.assert_array_equal(_whole(raster, level), _whole(fresh, level))


def cells_of(_cell: str) -> shapely.Polygon:
    return shapely.Point(60, 300).buffer(15)


def test_an_edit_redraws_its_own_pixels_only(
    raster: CellRaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for level in range(len(raster.steps)):
        _whole(raster, level)
    drawn = []
    original = raster_module.fill

    def counted(ids: np.ndarray, *arguments: object) -> None:
        drawn.append(ids.size)
        original(ids, *arguments)

    monkeypatch.setattr(raster_module, "fill", counted)
    raster.redraw([raster.outlines.put("c20", shapely.box(200, 300, 220, 320))])
    for level in range(len(raster.steps)):
        _whole(raster, level)
    assert drawn
    assert sum(drawn) < 0.05 * raster.shape(0)[0] * raster.shape(0)[1]


def test_tiles_that_were_not_looked_at_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raster_module, "KEPT_TILES", 3)
    raster = CellRaster(outlines(size=SIZE), (0.0, 0.0, SIZE, SIZE))
    whole = _whole(raster, 0)
    assert len(raster._tiles) == 3
    np.testing.assert_array_equal(whole, _whole(raster, 0))


def test_the_picture_holds_all_cells_and_the_image() -> None:
    cells = outlines(size=SIZE)
    cells.put("far", shapely.box(-50.5, -20, -10, 5))
    raster = CellRaster(cells, (0.0, 0.0, 1000.0, 800.0))
    left, top, right, bottom = raster.box
    assert left <= -50.5
    assert top <= -20
    assert right >= 1000
    assert bottom >= 800
    assert CellRaster(cells, (0.0, 0.0, 9.0, 9.0)).steps[:3] == (0.25, 0.5, 1.0)
    empty = CellRaster(type(cells)("none", [], []), (0.0, 0.0, 100.0, 100.0))
    assert not _whole(empty, 0).any()


def test_views_answer_as_arrays_do(raster: CellRaster) -> None:
    class Ids:
        dtype = np.dtype(np.int32)

        def pixels(self, raster: CellRaster, level: int, *box: int) -> np.ndarray:
            return raster.read(level, *box)

    view = views(raster, Ids())[2]
    whole = np.asarray(view)
    assert whole.shape == view.shape == raster.shape(2)
    np.testing.assert_array_equal(view[10:50:3, 7:80:2], whole[10:50:3, 7:80:2])
    np.testing.assert_array_equal(view[12], whole[12])
    np.testing.assert_array_equal(view[..., 5], whole[..., 5])
    assert view[30, 40] == whole[30, 40]
    assert view[-1, -1] == whole[-1, -1]
    assert view[90:20, :].size == 0
    with pytest.raises(IndexError):
        view[10_000, 0]
