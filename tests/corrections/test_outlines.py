"""Live outlines: found by id, place and polygon, and changed one by one."""

from __future__ import annotations

import threading
import time
from typing import Any
from weakref import finalize

import numpy as np
import pytest
import shapely

from napari_vhd import deleting
from napari_vhd.corrections import box_index
from napari_vhd.corrections.outlines import Outlines


def _cells(number: int = 300, size: float = 1000.0, seed: int = 0) -> np.ndarray:
    """Overlapping cells with odd coordinates, some with a hole or a second part."""
    rng = np.random.default_rng(seed)
    cells: list[Any] = []
    for x, y in rng.uniform(0, size, (number, 2)):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 24))
        radius = rng.uniform(10, 30, 24)
        ring = np.column_stack([x + radius * np.cos(angles), y + radius * np.sin(angles)])
        cells.append(shapely.Polygon(ring))
    cells[3] = shapely.Point(500, 500).buffer(40).difference(shapely.Point(505, 500).buffer(15))
    cells[7] = shapely.MultiPolygon([shapely.box(10, 10, 30, 30), shapely.box(50, 10, 60, 40)])
    cells[8] = shapely.MultiPolygon([shapely.box(100, 10, 130, 30)])
    cells[9] = shapely.box(-2000, 300, 3000, 900)
    return np.array(cells, dtype=object)


def _ids(number: int) -> list[str]:
    return [f"c{index}" for index in range(number)]


@pytest.fixture
def cells() -> np.ndarray:
    return _cells()


@pytest.fixture
def outlines(cells: np.ndarray) -> Outlines:
    return Outlines("proseg_boundaries", _ids(len(cells)), cells)


def test_outlines_come_back_to_the_last_bit(outlines: Outlines, cells: np.ndarray) -> None:
    rows = np.random.default_rng(1).permutation(len(cells))
    back = outlines.geometries(rows)
    assert (shapely.to_wkb(back) == shapely.to_wkb(cells[rows])).all()
    assert outlines.geometry("c7").equals_exact(cells[7], 0)
    assert outlines.geometries([]).shape == (0,)
    np.testing.assert_array_equal(outlines.bounds, shapely.bounds(cells))
    np.testing.assert_array_equal(outlines.areas, shapely.area(cells))
    frame = outlines.frame()
    assert list(frame.index) == outlines.live_ids() == _ids(len(cells))


def test_outlines_read_piece_by_piece_are_the_same(outlines: Outlines, cells: np.ndarray) -> None:
    pieces = iter([cells[:5], cells[5:5], cells[5:40], cells[40:]])
    again = Outlines("proseg_boundaries", _ids(len(cells)), pieces)
    for name in ("coords", "ring_start", "ring_stop", "row_first_ring", "row_last_ring", "areas"):
        np.testing.assert_array_equal(getattr(again, name), getattr(outlines, name))
    np.testing.assert_array_equal(again.centroids, outlines.centroids)
    rows = np.arange(len(cells))
    assert (shapely.to_wkb(again.geometries(rows)) == shapely.to_wkb(cells)).all()
    again.put("new", cells[3])
    assert again.geometry("new").equals_exact(cells[3], 0)
    with pytest.raises(ValueError, match="ids for"):
        Outlines("a", _ids(len(cells)), iter([cells[:5]]))


def test_query_finds_what_shapely_finds(outlines: Outlines, cells: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    bounds = shapely.bounds(cells)
    for width in (0.0, 1.0, 50.0, 700.0, 1e7):
        for x, y in rng.uniform(-100, 1100, (20, 2)):
            meets = (bounds[:, 0] <= x + width) & (bounds[:, 2] >= x)
            meets &= (bounds[:, 1] <= y + width) & (bounds[:, 3] >= y)
            found = outlines.query(x, y, x + width, y + width)
            np.testing.assert_array_equal(found, np.flatnonzero(meets))


def test_pick_gives_the_cell_on_top(outlines: Outlines, cells: np.ndarray) -> None:
    for x, y in np.random.default_rng(3).uniform(0, 1000, (300, 2)):
        # Random rings may cross themselves; shapely.make_valid fills them by the even-odd rule.
        there = np.flatnonzero(shapely.contains_xy(_valid(cells), x, y))
        assert outlines.pick(x, y) == (there[-1] if len(there) else -1)
    alone = Outlines("a", ["ring"], [cells[3]])
    assert alone.pick(505.0, 500.0) == -1  # the hole
    assert alone.pick(470.0, 500.0) == 0
    assert alone.pick(-1e6, 0.0) == -1


def _valid(cells: np.ndarray) -> np.ndarray:
    return np.asarray(shapely.make_valid(cells))


def test_lasso_takes_cells_by_their_centroid(outlines: Outlines, cells: np.ndarray) -> None:
    lasso = shapely.Point(400, 400).buffer(250)
    inside = shapely.contains(lasso, shapely.points(outlines.centroids))
    np.testing.assert_array_equal(outlines.within(lasso), np.flatnonzero(inside))
    assert not len(outlines.within(shapely.Polygon()))


def test_centroids_are_the_centres_of_mass_far_from_the_origin_too() -> None:
    round_ones = [shapely.Point(30_000 + 40 * i, 50_000).buffer(17, 5) for i in range(50)]
    hole = round_ones[3].difference(shapely.Point(30_125, 50_003).buffer(4))
    several = shapely.MultiPolygon([shapely.box(0, 0, 2, 2), shapely.box(10, 0, 16, 3)])
    cells = np.array([*round_ones, hole, shapely.reverse(hole), several], dtype=object)
    centroids = Outlines("a", _ids(len(cells)), cells).centroids
    expected = shapely.get_coordinates(shapely.centroid(cells))
    np.testing.assert_allclose(centroids, expected, atol=1e-6, rtol=0)
    flat = Outlines("a", ["x"], [shapely.Polygon([(0, 0), (4, 0), (2, 0)])])
    assert flat.centroids.tolist() == [[2.0, 0.0]]


def test_touching_takes_cells_by_their_outline() -> None:
    squares = [shapely.box(x, 0, x + 10, 10) for x in range(0, 100, 20)]
    outlines = Outlines("a", _ids(5), squares)
    line = shapely.LineString([(25, 5), (70, 5)])
    assert outlines.touching(line).tolist() == [1, 2, 3]
    assert outlines.touching(shapely.box(11, 0, 19, 10)).tolist() == []


def test_an_outline_that_was_asked_can_be_asked_by_another_thread(outlines: Outlines) -> None:
    # GEOS indexes a prepared one when it is first asked: two threads at once end the process.
    region = shapely.Point(500, 500).buffer(200)
    assert len(outlines.within(region))
    assert len(outlines.touching(region))
    assert not shapely.is_prepared(region)


def test_rows_are_for_life(outlines: Outlines, cells: np.ndarray) -> None:
    n = len(cells)
    assert outlines.remove("c5") == 5
    assert outlines.row_of("c5") == -1
    assert outlines.rows_of(["c4", "c5", "none"]).tolist() == [4, -1, -1]
    assert 5 not in outlines.query(-1e9, -1e9, 1e9, 1e9)
    assert outlines.id_of(5) == "c5"
    with pytest.raises(KeyError):
        outlines.geometry("c5")
    assert outlines.put("new", shapely.box(2000, 2000, 2010, 2010)) == n
    assert outlines.pick(2005.0, 2005.0) == n
    assert outlines.n_rows == n + 1
    assert outlines.put("c5", cells[5]) == 5  # undo of the removal
    assert outlines.geometry("c5").equals_exact(cells[5], 0)
    assert outlines.revision == 3
    with pytest.raises(ValueError, match="no polygon"):
        outlines.put("new", shapely.Point(1, 1))


def test_an_edited_cell_is_found_at_its_new_place_only(outlines: Outlines) -> None:
    moved = shapely.MultiPolygon([shapely.box(3000, 0, 3020, 20), shapely.box(3040, 0, 3050, 9)])
    row = outlines.row_of("c20")
    before = outlines.bounds[row].copy()
    assert outlines.put("c20", moved) == row
    assert row not in outlines.query(*before)
    assert outlines.query(3005, 5, 3045, 6).tolist() == [row]
    assert outlines.pick(3045.0, 5.0) == row
    assert outlines.areas[row] == moved.area
    assert outlines.geometry("c20").equals_exact(moved, 0)


def test_many_edits_are_the_same_as_a_fresh_start(
    monkeypatch: pytest.MonkeyPatch, cells: np.ndarray
) -> None:
    monkeypatch.setattr(box_index, "LOOSE_ROWS", 20)  # so that the grid is made anew on the way
    outlines = Outlines("a", _ids(len(cells)), cells)
    rng = np.random.default_rng(4)
    state = dict(zip(_ids(len(cells)), cells, strict=True))
    for step in range(400):
        cell = f"c{rng.integers(0, 350)}"
        if cell in state and rng.random() < 0.4:
            outlines.remove(cell)
            del state[cell]
        else:
            x, y = rng.uniform(-300, 1300, 2)
            state[cell] = shapely.Point(x, y).buffer(rng.uniform(5, 60), 4)
            outlines.put(cell, state[cell])
        if step % 20 == 0:
            x, y = rng.uniform(0, 1000, 2)
            found = set(outlines.ids_of(outlines.query(x, y, x + 150, y + 150)))
            box = shapely.box(x, y, x + 150, y + 150)
            assert found == {c for c, g in state.items() if shapely.box(*g.bounds).intersects(box)}
    assert set(outlines.live_ids()) == set(state)
    assert all(outlines.geometry(cell).equals_exact(g, 0) for cell, g in state.items())


def test_cells_without_an_outline_are_not_there() -> None:
    outlines = Outlines("a", ["x", "y", "z"], [None, shapely.box(0, 0, 1, 1), shapely.Polygon()])
    assert outlines.live_ids() == ["y"]
    assert outlines.centroids[1].tolist() == [0.5, 0.5]
    assert Outlines("a", [], []).query(0, 0, 9, 9).tolist() == []
    with pytest.raises(ValueError, match="twice"):
        Outlines("a", ["x", "x"], [None, None])


def test_many_are_deleted_beside_the_window(
    cells: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deleting, "_MANY", 10)
    monkeypatch.setattr(deleting, "_GONE_S", 0.05)
    many = Outlines("x", _ids(len(cells)), cells)
    threads: list[int] = []
    finalize(many.bounds.base, lambda: threads.append(threading.get_ident()))
    del many
    assert threads == []
    end = time.monotonic() + 10
    while not threads and time.monotonic() < end:
        time.sleep(0.01)
    assert threads
    assert threads != [threading.get_ident()]
