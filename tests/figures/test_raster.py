from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely

from napari_vhd.figures.geometry import NOTHING, BinGrid, Box, Rings
from napari_vhd.figures.raster import Raster

RED, GREEN = (255, 0, 0, 255), (0, 255, 0, 255)
BOX = Box(100, 50, 140, 80)


def raster_of(*polygons: shapely.Geometry, box: Box = BOX, longest: int = 40) -> Raster:
    return Raster.of(Rings.of(gpd.GeoSeries(list(polygons))), box, longest)


def colors(*rgba: tuple[int, int, int, int]) -> np.ndarray:
    return np.array(rgba, np.uint8)


def test_a_cell_is_painted_where_it_lies_in_corner_coordinates() -> None:
    painted = raster_of(shapely.box(110, 55, 120, 75)).paint(colors(RED))

    red = (painted == RED[:3]).all(-1)
    rows, columns = np.nonzero(red)
    assert painted.shape == (30, 40, 3)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 24, 10, 19)
    assert red.sum() == 200


def test_nothing_is_white_and_half_covered_pixels_are_between() -> None:
    painted = raster_of(shapely.box(110.5, 55, 120, 75)).paint(colors(RED))

    assert (painted[0, 0] == 255).all()
    assert painted[10, 10].tolist() == pytest.approx([255, 128, 128], abs=1)


def test_the_smaller_of_two_overlapping_cells_is_on_top() -> None:
    small, large = shapely.box(115, 60, 120, 65), shapely.box(105, 52, 135, 78)

    for order in ((small, large), (large, small)):
        number = raster_of(*order).number
        assert number[12, 17] == order.index(small)
        assert number[4, 8] == order.index(large)


def test_all_parts_of_a_multipolygon_are_its_cell() -> None:
    parts = shapely.MultiPolygon([shapely.box(102, 52, 106, 56), shapely.box(130, 70, 136, 76)])
    number = raster_of(parts).number

    assert number[3, 3] == number[22, 32] == 0
    assert number[15, 20] == NOTHING


def test_missing_and_empty_outlines_are_left_out() -> None:
    rings = Rings.of(gpd.GeoSeries([None, shapely.Polygon(), shapely.box(0, 0, 1, 1)]))

    assert rings.row.tolist() == [2]


def test_a_rim_is_darker_than_the_cell() -> None:
    raster = raster_of(shapely.box(110, 55, 130, 75))

    plain, rimmed = (raster.paint(colors(RED), rim=rim) for rim in (False, True))

    assert rimmed[5, 15, 0] < plain[5, 15, 0]
    assert (rimmed[15, 20] == RED[:3]).all()


def test_a_see_through_colour_is_blended_with_the_background() -> None:
    background = np.full((30, 40, 3), 100, np.uint8)

    painted = raster_of(shapely.box(110, 55, 120, 75)).paint(colors((255, 0, 0, 128)), background)

    assert painted[15, 15].tolist() == pytest.approx([178, 50, 50], abs=1)
    assert painted[0, 0].tolist() == [100, 100, 100]


def test_areas_are_those_of_the_polygons() -> None:
    polygons = [shapely.box(0, 0, 4, 5), shapely.Point(50, 50).buffer(7)]

    areas = Rings.of(gpd.GeoSeries(polygons)).areas()

    assert sorted(areas) == pytest.approx(sorted(p.area for p in polygons))


def test_a_rotated_grid_of_bins_is_found_again() -> None:
    rows, cols = (a.ravel() for a in np.indices((8, 9)))
    turn = np.deg2rad(3)
    across, down = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    xy = 29.2 * (cols[:, None] * across + rows[:, None] * down) + (500, 300)
    there = rows * cols != 12

    grid = BinGrid.of(rows[there] + 5, cols[there] + 7, xy[there])

    assert grid is not None
    assert grid.pitch == pytest.approx(29.2)
    for index, (x, y) in enumerate(xy[there]):
        assert grid.numbers(Box(x - 0.5, y - 0.5, x + 0.5, y + 0.5), 1, 1)[0, 0] == index
    x, y = xy[~there][0]
    assert grid.numbers(Box(x - 0.5, y - 0.5, x + 0.5, y + 0.5), 1, 1)[0, 0] == NOTHING


def test_bins_in_one_row_are_no_grid() -> None:
    line = np.arange(5)

    assert BinGrid.of(line * 0, line, np.column_stack([line, line * 0.0])) is None


def test_the_densest_window_holds_the_crowd_and_stays_inside() -> None:
    rng = np.random.default_rng(0)
    crowd, few = rng.normal((135, 55), 1, (200, 2)), rng.uniform((100, 50), (140, 80), (20, 2))

    window = BOX.densest(np.vstack([crowd, few]), 10)

    assert window.holds(crowd).mean() > 0.9
    assert window.within(BOX) == window
    assert window.width / window.height == pytest.approx(BOX.width / BOX.height)
