"""Merging outlines."""

from __future__ import annotations

import pytest
import shapely
from shapely import box

from napari_vhd.corrections.geometry import Ground
from napari_vhd.corrections.merging import merged
from napari_vhd.exceptions import BadInputError

GROUND = Ground(um_per_px=0.25)
BIN_PX = 8


def disc(x: float, y: float, radius: float = 20) -> shapely.Polygon:
    return shapely.Point(x, y).buffer(radius)


def test_cells_that_touch_or_overlap_are_united():
    touching = [box(0, 0, 20, 20), box(20, 0, 40, 20)]
    assert merged(touching, GROUND).equals(box(0, 0, 40, 20))
    overlapping = [disc(0, 0), disc(25, 0), disc(50, 0)]
    assert merged(overlapping, GROUND).equals(shapely.union_all(overlapping))


@pytest.mark.parametrize("gap", [0.0, 0.01, 1.0, 3.0, BIN_PX])
def test_a_gap_of_up_to_one_bin_is_bridged_into_one_polygon(gap: float):
    cells = [disc(0, 0), disc(40 + gap, 0)]
    one = merged(cells, GROUND)
    assert one.geom_type == "Polygon"
    assert one.is_valid
    union = shapely.union_all(cells)
    assert one.covers(union.buffer(-1e-6))
    # Nothing but the ground between them is added.
    assert one.difference(union).bounds[0] > 0
    assert one.difference(union).bounds[2] < 40 + gap
    assert shapely.area(one) < shapely.area(shapely.convex_hull(union))


def test_cells_that_touch_in_a_point_get_a_real_link():
    one = merged([box(0, 0, 20, 20), box(20, 20, 40, 40)], GROUND)
    assert one.geom_type == "Polygon"
    assert one.buffer(-0.2).geom_type == "Polygon"


def test_cells_farther_apart_are_refused_with_their_distance():
    with pytest.raises(BadInputError, match=r"lie 5\.0 µm apart.*up to 2 µm"):
        merged([disc(0, 0), disc(60, 0)], GROUND)
    with pytest.raises(BadInputError, match=r"lie 5\.0 µm apart"):
        merged([disc(0, 0), disc(40, 0), disc(100, 0)], GROUND)


def test_a_chain_of_cells_is_merged_in_any_order():
    chain = [disc(42 * step, 0) for step in (3, 0, 2, 1)]
    assert merged(chain, GROUND).geom_type == "Polygon"


def test_a_merge_needs_two():
    with pytest.raises(BadInputError, match="two or more"):
        merged([disc(0, 0)], GROUND)


def test_a_cell_in_several_parts_stays_so():
    parts = shapely.MultiPolygon([disc(0, 0), disc(200, 0)])
    one = merged([parts, disc(30, 0)], GROUND)
    assert one.geom_type == "MultiPolygon"
    assert len(one.geoms) == 2


def test_pinholes_are_filled_and_larger_holes_stay():
    def frame(inner: float) -> list[shapely.Polygon]:
        outer = box(0, 0, 60, 60) - box(30 - inner, 30 - inner, 30 + inner, 30 + inner)
        halves = [box(0, 0, 30, 60), box(30, 0, 60, 60)]
        return [outer.intersection(half) for half in halves]

    assert len(merged(frame(2), GROUND).interiors) == 0
    assert len(merged(frame(10), GROUND).interiors) == 1
