"""Pieces of tissue with a gap around them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_vhd.stages.islands import number_islands

GRID = np.stack(np.meshgrid(np.arange(10), np.arange(10)), axis=-1).reshape(-1, 2) * 10.0


def test_islands_are_numbered_by_size() -> None:
    small = np.add(GRID[:30], [500, 0])
    um = np.vstack([small, GRID])
    assert number_islands(um).tolist() == [2] * 30 + [1] * 100


def test_of_equal_islands_the_one_with_the_first_cell_comes_first() -> None:
    assert (
        number_islands(np.vstack([np.add(GRID, [500, 0]), GRID])).tolist() == [1] * 100 + [2] * 100
    )


def test_a_gap_of_a_few_cells_does_not_part_tissue() -> None:
    assert number_islands(np.vstack([GRID, np.add(GRID, [130, 0])])).max() == 1


def test_sparse_tissue_does_not_fall_apart() -> None:
    rng = np.random.default_rng(0)
    sparse = GRID * 8 + rng.normal(0, 15, GRID.shape)
    assert number_islands(sparse).max() == 1


@pytest.mark.parametrize(
    "um",
    [
        np.zeros((0, 2)),
        np.zeros((1, 2)),
        np.array([[0.0, 0], [5, 0]]),
        np.array([[0.0, 0], [5, 0], [10, 0], [15, 0]]),
        np.zeros((5, 2)),
    ],
)
def test_few_cells_or_cells_on_a_line_are_one_island(um: np.ndarray) -> None:
    assert number_islands(um).tolist() == [1] * len(um)


def test_cells_in_the_same_place_are_neighbours() -> None:
    assert number_islands(np.vstack([GRID, GRID])).max() == 1
