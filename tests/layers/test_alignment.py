"""H&E, bins, outlines and shapes lie on each other, whatever each library counts pixels from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from cells import outlines

from napari_vhd.io.source_bins import Bins
from napari_vhd.io.source_image import Pyramid
from napari_vhd.layers.bins import layer_of
from napari_vhd.layers.boundaries import BoundariesLayer
from napari_vhd.layers.frame import Frame
from napari_vhd.layers.image import image_layer, overview_layer, padded
from napari_vhd.layers.raster import CellRaster
from napari_vhd.layers.values import ValueLayer

UM = 0.2737
FRAME = Frame(UM)


def _corners(layer: Any, index: tuple[int, int], level: int = 0) -> np.ndarray:
    """Corners (y, x) in px of a pixel as napari draws it: half a pixel about its index."""
    factors = np.ones(2)
    if layer.multiscale:
        factors = layer.downsample_factors[level][:2]
    # napari moves a tile by half a pixel of the finest level, whatever its own level is.
    low = np.array(index) * factors - 0.5
    return np.array([layer.data_to_world(low), layer.data_to_world(low + factors)]) / UM


@pytest.mark.parametrize("origin", [(0.0, 0.0), (1203.0, 877.5)])
@pytest.mark.parametrize("shape", [(3101, 2777), (2048, 1024)])
def test_a_pixel_of_each_level_covers_its_own_ground(
    origin: tuple[float, float], shape: tuple[int, int]
) -> None:
    levels = [np.zeros((shape[0] >> n, shape[1] >> n, 3), np.uint8) for n in range(5)]
    # Scales as a store tells them: the ratio of the widths, a little off.
    scales = tuple(shape[1] / level.shape[1] for level in levels)
    layer = image_layer(Pyramid(tuple(levels), scales, origin), FRAME, "H&E")
    for level in range(5):
        step = 2**level
        for index in ((0, 0), (shape[0] // step - 1, shape[1] // step - 1)):
            low, high = _corners(layer, index, level)
            expected = np.array([origin[1] + index[0] * step, origin[0] + index[1] * step])
            np.testing.assert_allclose(low, expected, atol=1e-6)
            np.testing.assert_allclose(high, expected + step, atol=1e-6)


def test_a_picture_is_not_changed_by_its_rim() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (101, 67, 3)).astype(np.uint8)
    half = pixels[:100:2, :66:2]
    fine, coarse = padded(Pyramid((pixels, half), (1.0, 67 / 33), (0.0, 0.0)))
    assert fine.shape == (102, 68, 3)
    assert coarse.shape == (51, 34, 3)
    np.testing.assert_array_equal(np.asarray(fine)[:101, :67], pixels)
    assert (np.asarray(fine)[101:] == 255).all()
    np.testing.assert_array_equal(coarse[10:20, 30:34][:, :3], half[10:20, 30:33])


def test_an_overview_beside_a_pyramid_keeps_the_finest_level_right() -> None:
    levels = (np.zeros((3000, 2000, 3), np.uint8), np.zeros((821, 548, 3), np.uint8))
    layer = image_layer(Pyramid(levels, (1.0, 2000 / 548), (0.0, 0.0)), FRAME, "H&E")
    low, _ = _corners(layer, (100, 200))
    np.testing.assert_allclose(low, (100, 200), atol=1e-6)
    _, high = _corners(layer, (820, 547), 1)
    assert np.abs(high - (3000, 2000)).max() <= 1.001 * 2000 / 548  # one of its pixels


def test_a_single_level_lies_at_its_origin() -> None:
    pixels = np.zeros((40, 30, 3), np.uint8)
    layer = image_layer(Pyramid((pixels,), (2.0,), (11.0, 5.0)), FRAME, "H&E")
    low = np.asarray(layer.data_to_world((-0.5, -0.5))) / UM
    np.testing.assert_allclose(low, (5.0, 11.0), atol=1e-9)
    high = np.asarray(layer.data_to_world((39.5, 29.5))) / UM
    np.testing.assert_allclose(high, (5.0 + 80, 11.0 + 60), atol=1e-9)


def test_rasters_of_cells_lie_where_the_cells_are() -> None:
    cells = outlines()
    raster = CellRaster(cells, (-7.0, 13.0, 400.0, 400.0))
    layer = ValueLayer(raster, FRAME, "cells", {}).layer
    for level, step in enumerate(raster.steps):
        low, high = _corners(layer, (3, 5), level)
        expected = (raster.top + 3 * step, raster.left + 5 * step)
        np.testing.assert_allclose(low, expected, atol=1e-6)
        np.testing.assert_allclose(high - low, step, atol=1e-6)


def test_bins_lie_where_their_affine_says() -> None:
    turn = np.deg2rad(3)
    affine = np.array(
        [
            [7.3 * np.cos(turn), -7.3 * np.sin(turn), 40.0],
            [7.3 * np.sin(turn), 7.3 * np.cos(turn), 25.0],
            [0, 0, 1],
        ]
    )
    row, col = (axis.ravel() + 100 for axis in np.mgrid[0:6, 0:9])
    bins = Bins(2, row, col, affine, None, lambda: None)
    values = np.arange(len(row), dtype=np.float32)
    layer = layer_of(bins, values, FRAME, "bins")
    for i in (0, 17, 53):
        index = (bins.array_row[i], bins.array_col[i])
        assert layer.data[index] == values[i]
        world = np.asarray(layer.data_to_world(index)) / UM
        np.testing.assert_allclose(world[::-1], bins.centres[i], atol=1e-6)


def test_shapes_have_the_vertices_of_the_cells() -> None:
    cells = outlines()
    shapes = BoundariesLayer(cells, dict, FRAME, "shapes", "#FFFFFF", {})
    assert shapes.show((0, 0, 1, 1))
    world = np.array([shapes.layer.data_to_world(point) for point in shapes.layer.data[0]]) / UM
    ring = shapely.get_coordinates(cells.geometry("c0"))[:-1]
    np.testing.assert_allclose(world[:, ::-1], ring, atol=1e-9)


@pytest.mark.parametrize("scale", [0.5, 3.7])
def test_an_overview_lies_at_its_origin(scale: float) -> None:
    layer = overview_layer(np.zeros((40, 30, 3), np.uint8), scale, (11.0, 5.0), FRAME, "H&E")
    low, high = (np.asarray(layer.data_to_world(at)) / UM for at in ((-0.5,) * 2, (39.5, 29.5)))
    np.testing.assert_allclose(low, (5.0, 11.0), atol=1e-9)
    np.testing.assert_allclose(high, (5.0 + 40 * scale, 11.0 + 30 * scale), atol=1e-9)
