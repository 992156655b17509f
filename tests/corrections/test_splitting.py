"""Splitting outlines by a line."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely import box

from napari_vhd.corrections.geometry import Ground
from napari_vhd.corrections.splitting import split
from napari_vhd.exceptions import BadInputError

GROUND = Ground(um_per_px=0.25)
CELL = box(100, 100, 140, 120)


def whole(parts: list[shapely.Geometry], cell: shapely.Geometry) -> bool:
    union = shapely.union_all(parts)
    total = sum(part.area for part in parts)
    return bool(union.symmetric_difference(cell).area < 1e-6 and total == pytest.approx(cell.area))


def test_a_line_across_gives_two_parts_the_larger_first():
    parts = split(CELL, [(110, 90), (110, 130)], GROUND)
    assert [part.area for part in parts] == pytest.approx([600, 200])
    assert whole(parts, CELL)
    assert split(CELL, shapely.LineString([(110, 90), (110, 130)]), GROUND) == parts


@pytest.mark.parametrize(
    "line", [[(110, 90), (110, 118)], [(110, 104), (110, 130)], [(110, 104), (110, 116)]]
)
def test_ends_that_were_drawn_short_are_led_on(line: list[tuple[float, float]]):
    parts = split(CELL, line, GROUND)
    assert [part.area for part in parts] == pytest.approx([600, 200])


def test_a_line_that_is_by_far_too_short_is_refused():
    with pytest.raises(BadInputError, match=r"crosses only 1\.0 of 5\.0 µm"):
        split(CELL, [(110, 90), (110, 104)], GROUND)


@pytest.mark.parametrize("line", [[(0, 0), (50, 50)], [(90, 100), (90, 120)]])
def test_a_line_beside_is_refused(line: list[tuple[float, float]]):
    with pytest.raises(BadInputError, match="does not cross"):
        split(CELL, line, GROUND)


def test_a_line_that_cuts_off_less_than_a_bin_is_refused():
    with pytest.raises(BadInputError, match=r"cuts off only 1\.2 µm², less than one bin"):
        split(CELL, [(101, 90), (101, 130)], GROUND)


@pytest.mark.parametrize(
    "line", [[(1, 1)], [(1, 1), (1, 1)], [(0, np.nan), (1, 1)], [1, 2, 3], box(110, 90, 120, 130)]
)
def test_a_line_must_be_one(line: object):
    with pytest.raises(BadInputError, match="line to split by"):
        split(CELL, line, GROUND)


def test_a_bent_line_follows_its_bends():
    parts = split(CELL, [(110, 90), (110, 110), (130, 110), (130, 130)], GROUND)
    assert [part.area for part in parts] == pytest.approx([400, 400])
    assert whole(parts, CELL)


def test_a_line_through_both_arms_gives_three_parts():
    horseshoe = box(0, 0, 60, 60) - box(20, -1, 40, 40)
    parts = split(horseshoe, [(-10, 20), (70, 20)], GROUND)
    assert [part.area for part in parts] == pytest.approx([2000, 400, 400])
    assert whole(parts, horseshoe)


def test_slivers_stay_with_the_part_beside_them():
    notched = shapely.union(CELL, box(124, 120, 126, 122))
    parts = split(notched, [(110, 90), (110, 121), (150, 121)], GROUND)
    assert len(parts) == 2
    assert whole(parts, notched)


def test_parts_that_are_not_crossed_go_with_the_nearest():
    apart = shapely.MultiPolygon([CELL, box(145, 100, 165, 120)])
    parts = split(apart, [(110, 90), (110, 130)], GROUND)
    assert [part.geom_type for part in parts] == ["MultiPolygon", "Polygon"]
    assert whole(parts, apart)


def test_a_line_between_two_parts_parts_them():
    apart = shapely.MultiPolygon([CELL, box(145, 100, 165, 120)])
    parts = split(apart, [(142, 90), (143, 130)], GROUND)
    assert [part.area for part in parts] == [800, 400]


def test_a_cell_with_a_hole_is_split_through_it():
    ring = box(0, 0, 60, 60) - box(20, 20, 40, 40)
    parts = split(ring, [(30, -10), (30, 70)], GROUND)
    assert [part.area for part in parts] == pytest.approx([1600, 1600])
    assert whole(parts, ring)
