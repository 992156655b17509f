"""Outlines as Shapes: a region whole, of more cells those in view."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from cells import outlines

from napari_vhd.layers import boundaries
from napari_vhd.layers.boundaries import BoundariesLayer
from napari_vhd.layers.frame import Frame
from napari_vhd.layers.rings import polygon_of

VIEW = (100.0, 100.0, 200.0, 200.0)


def _layer(**given: object) -> BoundariesLayer:
    cells = outlines()
    columns = {"probability": np.linspace(0, 1, cells.n_rows).astype(np.float32)}
    return BoundariesLayer(cells, lambda: columns, Frame(0.5), "cells", "#00E5FF", {})


def test_a_region_is_shown_whole_with_what_is_known_of_each_cell() -> None:
    layer = _layer()
    assert layer.whole
    assert layer.show(VIEW)
    features = layer.layer.features
    assert list(features["id"]) == layer._outlines.live_ids()
    assert layer.layer.nshapes == len(features) == 120
    assert features["parts"][7] == 2  # of a MultiPolygon the largest part is drawn
    assert shapely.Polygon(layer.layer.data[7]).area == 400
    assert features["area_um2"][7] == pytest.approx((400 + 300) * 0.25)
    assert features["probability"][119] == 1
    assert not layer.layer.editable
    assert not layer.show(VIEW)  # shown already: nothing is built again


def test_of_many_cells_those_in_view_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boundaries, "WHOLE", 50)
    layer = _layer()
    layer.show(VIEW)
    expected = layer._outlines.query(*VIEW)
    np.testing.assert_array_equal(layer.rows, expected)
    assert list(layer.layer.features["id"]) == layer._outlines.ids_of(expected)
    layer.show((1e6, 1e6, 1e6 + 1, 1e6 + 1))
    assert layer.layer.nshapes == 0
    monkeypatch.setattr(boundaries, "IN_VIEW", 5)
    layer.show(VIEW)
    assert layer.too_many
    assert layer.layer.nshapes == 0


def test_an_edit_is_shown() -> None:
    layer = _layer()
    layer.show(VIEW)
    layer._outlines.remove("c0")
    layer._outlines.put("new", shapely.box(0, 0, 5, 5))
    assert layer.show(VIEW)
    assert list(layer.layer.features["id"]) == layer._outlines.live_ids()
    np.testing.assert_array_equal(np.ptp(layer.layer.data[-1], axis=0), (5, 5))


def test_a_cell_with_a_hole_is_shown_with_it() -> None:
    layer = _layer()
    whole, hole = shapely.box(100, 100, 140, 140), shapely.box(110, 110, 120, 125)
    layer._outlines.put("ring", whole.difference(hole))
    layer.show(VIEW)
    shown = list(layer.layer.features["id"]).index("ring")
    assert polygon_of(layer.layer.data[shown]).equals(whole.difference(hole))


def test_the_colour_is_that_of_the_outlines() -> None:
    layer = _layer()
    layer.show(VIEW)
    layer.set_color("#FF0000")
    np.testing.assert_array_equal(layer.layer.edge_color[:, :3], np.tile([1, 0, 0], (120, 1)))
