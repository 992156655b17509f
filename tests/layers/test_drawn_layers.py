"""Layers that a person draws in: regions of interest, and the window to paint labels in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import shapely
from napari.layers.base import ActionType
from pixels import expected

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError
from napari_vhd.layers.rings import polygon_of, ring_of

if TYPE_CHECKING:
    from napari.layers import Shapes

    from napari_vhd.layers import Scene

TYPE = keys.TYPE_DOMAIN


def test_regions_that_are_drawn_in_their_layer_are_kept(scene: Scene) -> None:
    session, layer = scene.session, scene.background.regions.layer
    session.add_region(shapely.box(50, 50, 150, 120), "gland")
    assert scene.background.regions.names == ["gland"]
    np.testing.assert_allclose(np.ptp(layer.data[0], axis=0), (70, 100))
    layer.add_polygons(np.array([[200, 200], [200, 300], [320, 300], [320, 200]]))
    assert set(session.regions().index) == {"gland", "region 1"}
    drawn = session.regions().geometry["region 1"]
    assert drawn.bounds == (200, 200, 300, 320)  # x, y: the layer counts rows first
    layer.selected_data = {0}
    layer.remove_selected()
    assert list(session.regions().index) == ["region 1"]
    session.edit_region("region 1", color="#FF0000", visible=False)
    assert layer.nshapes == 0
    session.edit_region("region 1", visible=True)
    np.testing.assert_allclose(layer.edge_color[0], (1, 0, 0, 1))


def drag(layer: Shapes, shape: int, corner: int, to: tuple[float, float]) -> None:
    """Move a corner of a shape to (x, y), as napari's tool does."""
    data = [np.asarray(ring).copy() for ring in layer.data]
    data[shape][corner] = to[::-1]
    layer._data_view.edit(shape, data[shape])
    layer.events.data(
        value=layer.data, action=ActionType.CHANGED, data_indices=(shape,), vertex_indices=((),)
    )


@pytest.mark.parametrize("turned", range(4))
def test_corners_of_regions_are_moved_and_holes_and_other_parts_stay(
    scene: Scene, turned: int
) -> None:
    session, layer = scene.session, scene.background.regions.layer
    hole, island = shapely.box(120, 120, 140, 140), shapely.box(300, 300, 340, 340)
    # The corner that is moved is the first of its ring, from which lines lead to holes, or not.
    corners = [(100, 100), (100, 200), (200, 200), (200, 100)]
    body = shapely.Polygon(corners[turned:] + corners[:turned], [hole.exterior])
    session.add_region(shapely.MultiPolygon([body, island]), "gland")
    shape = next(n for n, ring in enumerate(layer.data) if np.ptp(ring) > 50)
    corner = int(np.argmax(layer.data[shape].sum(axis=1)))
    drag(layer, shape, corner, (220.0, 220.0))
    moved = shapely.Polygon([(100, 100), (200, 100), (220, 220), (100, 200)])
    expected = shapely.union(moved.difference(hole), island)
    assert session.regions().geometry["gland"].equals(expected)
    session.undo()
    assert session.regions().geometry["gland"].contains(island.centroid)
    assert layer.data[shape].max() == 200


def test_a_ring_is_a_polygon_also_with_a_corner_twice() -> None:
    body, hole = shapely.box(100, 100, 200, 200), shapely.box(120, 120, 140, 140)
    ring = ring_of(body.difference(hole))
    for corner in range(len(ring)):
        twice = np.insert(ring, corner, ring[corner], axis=0)
        assert polygon_of(twice).equals(body.difference(hole))


def test_a_corner_of_a_hole_is_moved(scene: Scene) -> None:
    session, layer = scene.session, scene.background.regions.layer
    body, hole = shapely.box(100, 100, 200, 200), shapely.box(120, 120, 140, 140)
    session.add_region(body.difference(hole), "gland")
    corner = next(n for n, (y, x) in enumerate(layer.data[0]) if (x, y) == (140, 140))
    drag(layer, 0, corner, (160.0, 170.0))
    moved = shapely.Polygon([(120, 120), (140, 120), (160, 170), (120, 140)])
    assert session.regions().geometry["gland"].equals(body.difference(moved))
    with pytest.raises(BadInputError, match="crosses itself"):
        corner = next(n for n, (y, x) in enumerate(layer.data[0]) if (x, y) == (160, 170))
        drag(layer, 0, corner, (260.0, 150.0))
    assert session.regions().geometry["gland"].equals(body.difference(moved))


def test_a_region_that_would_cross_itself_is_as_before(scene: Scene) -> None:
    session, layer = scene.session, scene.background.regions.layer
    session.add_region(shapely.box(100, 100, 200, 200), "gland")
    with pytest.raises(BadInputError, match="crosses itself"):
        drag(layer, 0, int(np.argmax(layer.data[0].sum(axis=1))), (50.0, 120.0))
    assert session.regions().geometry["gland"].equals(shapely.box(100, 100, 200, 200))


def test_edges_of_regions_are_as_wide_on_the_screen_from_near_and_from_far(scene: Scene) -> None:
    layer = scene.background.regions.layer
    scene.session.add_region(shapely.box(100, 100, 300, 300), "gland")
    scene.session.add_region(shapely.box(200, 200, 400, 300), "border")
    for zoom in (0.05, 0.4, 8.0):
        scene.go_to(300.0, 250.0, zoom)
        assert np.multiply(layer.edge_width, zoom) == pytest.approx([2.5, 2.5], rel=0.2)
    scene.session.add_region(shapely.box(10, 10, 40, 40), "near")
    assert np.multiply(layer.edge_width, 8.0) == pytest.approx([2.5] * 3, rel=0.2)


def test_the_paint_window_has_the_codes_over_the_view(scene: Scene) -> None:
    scene.color_by(TYPE)
    scene.go_to(300.0, 250.0, 8.0)
    xmin, ymin, xmax, ymax = scene.view_box()
    scene.paint_window()
    layer = scene.painting.layer
    assert layer.editable
    assert not scene.cells[keys.PROSEG].fills.layer.visible
    window = scene.painting.box
    assert window[0] <= max(xmin, 0) and window[2] >= min(xmax, 600)
    assert window[1] <= max(ymin, 0) and window[3] >= min(ymax, 600)
    outlines = scene.session.outlines(keys.PROSEG)
    codes = scene.cells[keys.PROSEG].fills.codes
    for row, column in ((3, 5), (40, 33), layer.data.shape):
        at = (min(row, layer.data.shape[0] - 1), min(column, layer.data.shape[1] - 1))
        x, y = scene.to_px(layer, at)[0]
        assert (x % 1, y % 1) == pytest.approx((0.5, 0.5))
        assert layer.data[at] == codes.lut[outlines.pick(x, y) + 1]
    scene.end_paint()
    assert layer not in scene.viewer.layers
    assert scene.cells[keys.PROSEG].fills.layer.visible
    scene.color_by("Tumor_score")
    with pytest.raises(BadInputError, match="no labels to paint"):
        scene.paint_window()


def test_the_paint_window_follows_corrections(scene: Scene) -> None:
    scene.color_by(TYPE)
    scene.show_box(0, 0, 600, 600)
    scene.paint_window()
    layer = scene.painting.layer
    cells = scene.session.outlines(keys.PROSEG).live_ids()[20:40]
    scene.session.relabel(cells, TYPE, "Goblet_cells")
    scene.session.delete(cells[:2])
    top, left = (round(edge) for edge in scene.painting.box[1::-1])
    raster = scene.raster(keys.PROSEG)
    height, width = layer.data.shape
    offset = (top - round(raster.top), left - round(raster.left))
    part = np.s_[offset[0] : offset[0] + height, offset[1] : offset[1] + width]
    np.testing.assert_array_equal(layer.data, expected(scene, TYPE)[part])
