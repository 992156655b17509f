from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_vhd import keys
from napari_vhd.figures.geometry import Box
from napari_vhd.figures.pyramid import Pyramid

from .conftest import CORNER, HEIGHT, ID, WIDTH

if TYPE_CHECKING:
    from spatialdata import SpatialData


@pytest.fixture
def pyramid(sdata: SpatialData) -> Pyramid:
    found = Pyramid.of(sdata, keys.full_image(ID), ID)
    assert found is not None
    return found


def test_it_lies_where_its_transformation_says(pyramid: Pyramid) -> None:
    x, y = CORNER

    assert pyramid.box == Box(x, y, x + WIDTH, y + HEIGHT)


def test_full_resolution_pixels_are_read_unchanged(pyramid: Pyramid, he: np.ndarray) -> None:
    x, y = CORNER

    window = pyramid.read(Box(x + 30, y + 20, x + 80, y + 60), 50)

    assert np.array_equal(window, he[20:60, 30:80])


def test_a_small_picture_is_read_from_a_coarse_level(pyramid: Pyramid, he: np.ndarray) -> None:
    read: list[int] = []

    class Watched:
        def __init__(self, level: object) -> None:
            self.level, self.shape = level, level.shape

        def __getitem__(self, what: object) -> object:
            read.append(self.shape[-1])
            return self.level[what]

    watched = Pyramid([Watched(level) for level in pyramid.levels], pyramid.box)
    picture = watched.read(pyramid.box, WIDTH // 4)

    assert read == [WIDTH // 4]
    assert picture.shape == (HEIGHT // 4, WIDTH // 4, 3)
    assert picture[5, 5] == pytest.approx(he[20, 20], abs=12)


def test_outside_of_the_image_is_white(pyramid: Pyramid) -> None:
    x, y = CORNER

    picture = pyramid.read(Box(x - 50, y - 50, x + 50, y + 50), 100)

    assert (picture[:45, :45] == 255).all()
    assert picture[70, 70].tolist() == [60, 20, 90]
    assert (pyramid.read(Box(0, 0, 10, 10), 10) == 255).all()


def test_an_image_that_is_not_there_is_none(sdata: SpatialData) -> None:
    assert Pyramid.of(sdata, "other", ID) is None
