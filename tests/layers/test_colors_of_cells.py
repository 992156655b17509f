"""Codes and values of cells: made from live columns, patched with them."""

from __future__ import annotations

import numpy as np

from napari_vhd.corrections.columns import Labels
from napari_vhd.corrections.numbers import Numbers
from napari_vhd.layers.categories import DROPPED, NOT_ASSIGNED, Codes, coded
from napari_vhd.layers.values import Values

NAMES, COLORS = ("A", "B"), ("#FF0000", "#00FF00")


def _labels(codes: list[int]) -> Labels:
    return Labels(np.array(codes, dtype=np.int32), NAMES, COLORS)


def test_cells_without_a_label_are_told_from_those_that_a_filter_dropped() -> None:
    dropped = np.array([False, False, True, True, False])
    codes = Codes(_labels([0, 1, -1, 1, -1]), dropped)
    assert codes.lut.tolist() == [0, 1, 2, 4, 2, 3]
    alive = np.array([True, True, True, True, False])
    found = {one.name: (one.count, one.visible) for one in codes.categories(alive, {"B"})}
    assert found == {"A": (1, True), "B": (2, False), DROPPED: (1, True)}
    both = codes.categories(np.ones(5, dtype=bool), ())
    assert [one.name for one in both] == ["A", "B", NOT_ASSIGNED, DROPPED]
    assert [one.named for one in both] == [True, True, False, False]


def test_codes_follow_their_column() -> None:
    codes = Codes(_labels([0, 1, 0]), None)
    assert codes.patch(_labels([0, 0, 0, 1]), np.array([1, 3]))
    assert codes.lut.tolist() == [0, 1, 1, 1, 2]
    more = Labels(np.array([0, 2, 0, 1], dtype=np.int32), (*NAMES, "C"), (*COLORS, "#0000FF"))
    assert not codes.patch(more, np.array([1]))


def test_codes_are_as_wide_as_the_categories_need() -> None:
    names = tuple(f"n{number}" for number in range(300))
    labels = Labels(np.arange(300, dtype=np.int32), names, ("#000000",) * 300)
    codes = Codes(labels, None)
    assert codes.dtype == np.uint16
    assert codes.lut[300] == 300
    assert Codes(_labels([0]), None).dtype == np.uint8


def test_a_cell_that_is_newer_than_the_table_is_drawn_as_none() -> None:
    lut = np.array([0, 5, 6], dtype=np.uint8)
    assert coded(lut, np.array([[0, 2, 3]], dtype=np.int32)).tolist() == [[0, 6, 0]]


def test_values_follow_their_column_through_a_filter() -> None:
    numbers = Numbers(np.array([1, 5, 9, np.nan], dtype=np.float32), "score", "")
    values = Values(numbers)
    values.show_only(numbers, 2, 9)
    np.testing.assert_array_equal(values.lut, np.array([np.nan, np.nan, 5, 9, np.nan], "f4"))
    changed = Numbers(np.array([3, 5, 20, np.nan, 4], dtype=np.float32), "score", "")
    values.patch(changed, np.array([0, 2, 4]))
    expected = np.array([np.nan, 3, 5, np.nan, np.nan, 4], "f4")
    np.testing.assert_array_equal(values.lut, expected)


def test_colour_limits_leave_out_the_few_extremes() -> None:
    spread = np.concatenate([np.linspace(0, 1, 1000), [500]]).astype(np.float32)
    low, high = Values(Numbers(spread, "x", "")).limits()
    assert 0 <= low < 0.05
    assert 0.95 < high < 1.05
    assert Values(Numbers(np.full(3, np.nan, "f4"), "x", "")).limits() == (0.0, 1.0)
    assert Values(Numbers(np.full(3, 2, "f4"), "x", "")).limits() == (2.0, 4.0)
