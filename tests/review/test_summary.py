"""What a number of cells are like, in a few figures."""

from __future__ import annotations

import numpy as np
import pytest

from napari_vhd.review.summary import Distribution, composition


def test_cells_without_a_value_are_counted_apart() -> None:
    told = Distribution.of(np.array([1, np.nan, 3, np.inf], np.float32))
    assert (told.number, told.missing) == (2, 2)
    assert (told.low, told.high, told.median, told.total) == (1, 3, 2, 4)
    assert told.counts.sum() == 2


def test_one_value_for_all_is_still_a_distribution() -> None:
    assert Distribution.of(np.full(5, 7.0)).counts.sum() == 5


def test_no_value_at_all_is_said_not_raised() -> None:
    told = Distribution.of(np.array([np.nan]))
    assert (told.number, told.missing, told.counts.sum()) == (0, 1, 0)


def test_shares_are_of_the_cells_that_have_a_category() -> None:
    shares = composition(np.array([1, 1, 0, -1]), ("a", "b", "c"), ("#1", "#2", "#3"))
    assert [(s.name, s.color, s.count) for s in shares] == [("b", "#2", 2), ("a", "#1", 1)]
    assert shares[0].share == pytest.approx(2 / 3)
