"""Two segmentations, object by object."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Polygon, box

from napari_vhd.review.compare import KINDS, Segmented, compare


def segmented(shapes: dict[str, Polygon], umis: list[float] | None = None) -> Segmented:
    geometries = np.array(list(shapes.values()), dtype=object)
    boxes = shapely.bounds(geometries).reshape(-1, 4)
    counts = None if umis is None else np.array(umis)
    return Segmented(list(shapes), boxes, geometries.take, counts)


def only(frame: pd.DataFrame) -> pd.Series:
    assert len(frame) == 1
    return frame.iloc[0]


def test_equal_objects_are_the_same_and_do_not_disagree() -> None:
    row = only(compare(segmented({"a": box(0, 0, 10, 10)}), segmented({"b": box(0, 0, 10, 10)})))
    assert (row.kind, row.ids_a, row.ids_b) == ("same", ["a"], ["b"])
    assert row.iou == pytest.approx(1)
    assert row.disagreement == pytest.approx(0)


def test_a_nucleus_in_its_cell_is_the_same_object() -> None:
    row = only(compare(segmented({"n": box(4, 4, 6, 6)}), segmented({"c": box(0, 0, 10, 10)})))
    assert row.kind == "same"
    assert row.iou == pytest.approx(4 / 100)


def test_one_object_that_is_two_in_the_other_is_split() -> None:
    halves = {"l": box(0, 0, 5, 10), "r": box(5, 0, 10, 10)}
    row = only(compare(segmented({"a": box(0, 0, 10, 10)}), segmented(halves)))
    assert (row.kind, row.ids_b) == ("split", ["l", "r"])
    assert row.iou == pytest.approx(0.5)


def test_two_objects_that_are_one_in_the_other_are_merged() -> None:
    halves = {"l": box(0, 0, 5, 10), "r": box(5, 0, 10, 10)}
    row = only(compare(segmented(halves), segmented({"b": box(0, 0, 10, 10)})))
    assert (row.kind, row.ids_a) == ("merged", ["l", "r"])


def test_objects_cut_along_another_line_are_regrouped() -> None:
    upright = {"l": box(0, 0, 5, 10), "r": box(5, 0, 10, 10)}
    lying = {"t": box(0, 0, 10, 5), "b": box(0, 5, 10, 10)}
    assert only(compare(segmented(upright), segmented(lying))).kind == "regrouped"


def test_what_is_in_one_only_is_said_so_and_comes_first() -> None:
    a = {"both": box(0, 0, 10, 10), "mine": box(50, 50, 55, 55)}
    b = {"both": box(0, 0, 10, 10), "yours": box(80, 80, 90, 90)}
    frame = compare(segmented(a), segmented(b))
    assert list(frame.kind) == ["only_b", "only_a", "same"]  # the larger of the two first
    assert frame.ids_a.tolist() == [[], ["mine"], ["both"]]


def test_neighbours_that_only_touch_do_not_belong_together() -> None:
    frame = compare(segmented({"a": box(0, 0, 10, 10)}), segmented({"b": box(9, 0, 19, 10)}))
    assert sorted(frame.kind) == ["only_a", "only_b"]


def test_areas_are_in_square_micrometres_and_places_in_px() -> None:
    a, b = segmented({"a": box(0, 0, 10, 10)}, [7]), segmented({"b": box(0, 0, 10, 20)}, [11])
    row = only(compare(a, b, um_per_px=0.5))
    assert (row.area_a_um2, row.area_b_um2, row.area_change_um2) == (25, 50, 25)
    assert (row.umis_a, row.umis_b, row.umi_change) == (7, 11, 4)
    assert (row.x, row.y) == (5, 10)


def test_what_was_not_counted_has_no_change_of_counts() -> None:
    row = only(compare(segmented({"a": box(0, 0, 1, 1)}, [7]), segmented({"b": box(0, 0, 1, 1)})))
    assert np.isnan(row.umi_change)


def test_an_outline_that_crosses_itself_is_compared_all_the_same() -> None:
    bow = Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
    assert len(compare(segmented({"a": bow}), segmented({"b": box(0, 0, 10, 10)}))) == 1


def test_nothing_against_nothing_is_no_row() -> None:
    assert compare(segmented({}), segmented({})).empty
    assert list(compare(segmented({}), segmented({"b": box(0, 0, 1, 1)})).kind) == ["only_b"]


def test_parts_of_many_make_up_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    corners = np.random.default_rng(0).uniform(0, 100, (2, 80, 2))
    a, b = (
        segmented({f"{i}": box(x, y, x + 9, y + 15) for i, (x, y) in enumerate(part)})
        for part in corners
    )
    whole = compare(a, b)
    assert set(whole.kind) >= {"same", "regrouped", "only_a"}
    monkeypatch.setattr("napari_vhd.review.compare._MOST", 7)
    pd.testing.assert_frame_equal(compare(a, b), whole)


places = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 12), st.integers(1, 12)),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(places, places)
def test_each_object_is_in_one_row_and_turning_round_turns_the_kinds(
    left: list[tuple[int, int, int, int]], right: list[tuple[int, int, int, int]]
) -> None:
    a = segmented({f"a{i}": box(x, y, x + w, y + h) for i, (x, y, w, h) in enumerate(left)})
    b = segmented({f"b{i}": box(x, y, x + w, y + h) for i, (x, y, w, h) in enumerate(right)})
    there, back = compare(a, b), compare(b, a)
    assert sorted(i for ids in there.ids_a for i in ids) == sorted(a.ids)
    assert sorted(i for ids in there.ids_b for i in ids) == sorted(b.ids)
    turned = {"split": "merged", "merged": "split", "only_a": "only_b", "only_b": "only_a"}
    assert sorted(turned.get(k, k) for k in there.kind) == sorted(back.kind)
    assert set(there.kind) <= set(KINDS)
    assert there.disagreement.is_monotonic_decreasing
    assert there.area_a_um2.sum() == pytest.approx(a.areas().sum())
