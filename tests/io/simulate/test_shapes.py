"""Star-shaped outlines: raster and polygon agree, neighbours are kept apart."""

from __future__ import annotations

import numpy as np
import shapely
from skimage.draw import polygon

from napari_vhd.io.simulate.tissue.shapes import areas, keep_apart, rasterize, vertices, wobbly


def blobs(count: int, seed: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-5, 105, (2, count))
    radii = wobbly(rng, np.full(count, 8.0), np.full(count, 4.0), np.full(count, 0.1))
    return x, y, rng.uniform(0, 6, count), radii


def test_raster_is_that_of_the_polygon() -> None:
    x, y, angle, radii = blobs(1, 0)
    expected = np.zeros((100, 100), bool)
    corner = vertices(x, y, angle, radii)[0] - 0.5
    expected[polygon(corner[:, 1], corner[:, 0], expected.shape)] = True
    assert np.array_equal(rasterize(x, y, angle, radii, (100, 100)) > 0, expected)


def test_area_is_that_of_the_polygon() -> None:
    x, y, angle, radii = blobs(20, 1)
    expected = shapely.area(shapely.polygons(vertices(x, y, angle, radii)))
    assert np.allclose(areas(radii), expected)


def test_crowded_outlines_do_not_overlap() -> None:
    rng = np.random.default_rng(2)
    x, y = (10 * np.indices((8, 8)).reshape(2, -1) + rng.normal(0, 1.5, (2, 64))).astype(float)
    _, _, angle, radii = blobs(64, 2)
    nuclei, bodies = keep_apart(x, y, angle, radii, radii + 5, radii, gap=0.5)
    assert (nuclei <= bodies).all()
    for kept in (nuclei, bodies):
        shapes = shapely.polygons(vertices(x, y, angle, kept))
        assert shapely.area(shapely.union_all(shapes)) > 0.999 * shapely.area(shapes).sum()
