"""Checking and placing drawn outlines."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely import box

from napari_vhd.corrections.geometry import (
    Ground,
    OutlineError,
    checked,
    clipped,
    grown,
    overlaps,
    placed,
)
from napari_vhd.exceptions import BadInputError

GROUND = Ground(um_per_px=0.25, extent=(1000.0, 2000.0, 1400.0, 2300.0))


def square(x: float, y: float, side: float = 20) -> shapely.Polygon:
    return box(x, y, x + side, y + side)


def test_a_good_outline_is_taken_as_it_is():
    outline = square(1100, 2100)
    assert checked(outline, GROUND).equals_exact(outline, 0)
    assert checked(shapely.get_coordinates(outline), GROUND).equals(outline)


def test_points_may_be_drawn_open():
    points = shapely.get_coordinates(square(1100, 2100))[:-1]
    assert checked(points, GROUND).equals(square(1100, 2100))


def test_a_crossing_is_named_with_its_place_and_the_largest_part_is_offered():
    bow = [(1100, 2100), (1140, 2140), (1140, 2100), (1110, 2130)]
    with pytest.raises(OutlineError, match=r"crosses itself near \(1120\.0, 2120\.0\) px") as info:
        checked(bow, GROUND)
    assert "largest part (25.0 µm²)" in str(info.value)
    mend = info.value.mend
    assert mend is not None
    assert mend.is_valid
    assert mend.area == pytest.approx(400)
    assert checked(mend, GROUND).equals(mend)


def test_a_line_encloses_no_area():
    with pytest.raises(OutlineError, match="no area") as info:
        checked([(1100, 2100), (1110, 2110), (1120, 2120)], GROUND)
    assert info.value.mend is None


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_points_must_be_numbers(bad: float):
    with pytest.raises(OutlineError, match="no numbers"):
        checked([(1100, 2100), (1120, bad), (1120, 2120)], GROUND)


def test_two_points_are_no_outline():
    with pytest.raises(OutlineError, match="only 2 different points"):
        checked([(1100, 2100), (1110, 2110), (1100, 2100)], GROUND)


def test_other_geometries_and_arrays_are_refused():
    with pytest.raises(OutlineError, match="LineString has no area"):
        checked(shapely.LineString([(0, 0), (1, 1)]), GROUND)
    with pytest.raises(OutlineError, match="give"):
        checked(np.zeros((4, 3)), GROUND)
    with pytest.raises(OutlineError, match="no area"):
        checked(shapely.Polygon(), GROUND)


def test_a_hole_is_said_and_the_filled_outline_offered():
    ring = square(1100, 2100, 40) - square(1110, 2110, 10)
    with pytest.raises(OutlineError, match="1 hole; draw it without, or take it filled") as info:
        checked(ring, GROUND)
    assert info.value.mend is not None
    assert info.value.mend.equals(square(1100, 2100, 40))


def test_of_several_parts_the_largest_is_offered():
    two = shapely.MultiPolygon([square(1100, 2100), square(1200, 2100, 30)])
    with pytest.raises(OutlineError, match="in 2 parts") as info:
        checked(two, GROUND)
    assert info.value.mend is not None
    assert info.value.mend.equals(square(1200, 2100, 30))


def test_too_small_is_said_in_um2():
    with pytest.raises(OutlineError, match=r"0\.56 µm² large, smaller than one bin \(4 µm²\)"):
        checked(square(1100, 2100, 3), GROUND)
    assert checked(square(1100, 2100, 8), GROUND).area == 64


def test_what_leaves_the_image_is_offered_cut_off():
    with pytest.raises(OutlineError, match=r"beyond the image.*\(1400, 2300\)") as info:
        checked(square(1390, 2100), GROUND)
    assert info.value.mend is not None
    assert info.value.mend.equals(box(1390, 2100, 1400, 2120))
    with pytest.raises(OutlineError, match="beyond the image") as info:
        checked(square(0, 0), GROUND)
    assert info.value.mend is None
    assert checked(square(0, 0), Ground(0.25)).area == 400


NEIGHBOURS = [square(1110, 2100), square(1100, 2115), square(1120, 2200)]
IDS = ["a", "b", "c"]


def test_overlaps_are_listed_the_largest_first_and_touching_is_none():
    found = overlaps(
        square(1100, 2100), [*NEIGHBOURS, square(1080, 2100)], [*IDS, "touching"], GROUND
    )
    assert [one.cell_id for one in found] == ["a", "b"]
    assert found[0].area_um2 == pytest.approx(200 / 16)
    assert found[0].share == pytest.approx(0.5)


def test_an_overlap_is_kept_or_clipped_as_the_user_says():
    drawn = square(1100, 2100)
    kept, found = placed(drawn, NEIGHBOURS, IDS, GROUND, overlap="keep")
    assert kept.equals(drawn)
    assert len(found) == 2
    cut, found = placed(drawn, NEIGHBOURS, IDS, GROUND, overlap="clip")
    assert cut.equals(box(1100, 2100, 1110, 2115))
    assert [one.cell_id for one in found] == ["a", "b"]
    with pytest.raises(BadInputError, match="'keep' or 'clip'"):
        placed(drawn, NEIGHBOURS, IDS, GROUND, overlap="cut")


def test_of_a_clipped_outline_in_two_the_larger_stays():
    assert clipped(box(1100, 2100, 1150, 2120), [square(1110, 2090, 40)], GROUND).equals(
        box(1100, 2100, 1110, 2120)
    )


def test_a_covered_outline_is_refused():
    with pytest.raises(OutlineError, match="but for 0 µm²"):
        clipped(square(1100, 2100), [square(1090, 2090, 60)], GROUND)


def test_an_outline_grows_and_shrinks_by_um():
    outline = square(1100, 2100, 40)
    assert shapely.bounds(grown(outline, 1, GROUND)).tolist() == [1096, 2096, 1144, 2144]
    assert grown(outline, -1, GROUND).equals(square(1104, 2104, 32))
    with pytest.raises(BadInputError, match=r"Nothing is left of a cell of 100 µm².*by 6 µm"):
        grown(outline, -6, GROUND)
    with pytest.raises(BadInputError, match="not a distance"):
        grown(outline, np.nan, GROUND)


def test_what_shrinking_parts_stays_together():
    dumbbell = shapely.union_all([square(1100, 2100, 40), square(1200, 2100, 40)])
    dumbbell = dumbbell.union(box(1130, 2118, 1210, 2122))
    assert grown(dumbbell, -1, GROUND).geom_type == "MultiPolygon"
