"""What is on the screen: pixels of screenshots against marks and polygons that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shapely
from geopandas import GeoDataFrame

from napari_vhd import keys
from napari_vhd.io.source_bins import Bins
from napari_vhd.io.source_image import Pyramid
from napari_vhd.layers import Scene
from napari_vhd.layers.bins import layer_of
from napari_vhd.layers.boundaries import BoundariesLayer
from napari_vhd.layers.categories import CategoryLayer, Codes
from napari_vhd.layers.frame import Frame
from napari_vhd.layers.image import image_layer
from napari_vhd.layers.raster import CellRaster
from napari_vhd.layers.regions import RegionsLayer
from napari_vhd.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

UM = 0.5
RED, GREEN = np.array([255, 0, 0]), np.array([0, 255, 0])


class Screen:
    """A viewer's canvas, read at places in full-resolution px."""

    def __init__(self, viewer: Any, um_per_px: float) -> None:
        self.viewer, self._um = viewer, um_per_px
        self._pixels: NDArray[np.uint8] | None = None

    def look(self, x: float, y: float, zoom: float) -> None:
        """Look at a place; zoom: screen px for one of the slide."""
        camera = self.viewer.scene.camera
        camera.center = (0.0, y * self._um, x * self._um)
        camera.zoom = zoom / self._um
        self._pixels = self.viewer.screenshot(canvas_only=True, flash=False)[..., :3]

    def at(self, x: float, y: float) -> NDArray[np.int64]:
        """Colour at a place in view."""
        pixels, camera = self._pixels, self.viewer.scene.camera
        middle = np.array(pixels.shape[:2]) / 2
        world = np.array([y, x]) * self._um - np.array(camera.center)[-2:]
        row, column = np.floor(middle + world * camera.zoom).astype(int)
        return pixels[row, column].astype(np.int64)


@pytest.fixture
def screen(make_napari_viewer: Callable[..., Any]) -> Screen:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(900, 700)
    return Screen(viewer, UM)


def _is(color: NDArray[np.int64], expected: Any, within: int = 40) -> bool:
    return bool((np.abs(color - expected) <= within).all())


def _edge(screen: Screen, y: float, low: float, high: float, inside: Callable[[Any], bool]) -> Any:
    """Where, from left to right, what is inside begins; to a twentieth of a px."""
    places = np.arange(low, high, 0.05)
    found = [inside(screen.at(x, y)) for x in places]
    return places[found.index(True)]


@pytest.mark.parametrize("origin", [(0, 0), (1000, 700)])
def test_marks_of_all_kinds_lie_on_each_other_well_within_half_a_pixel(
    screen: Screen, origin: tuple[int, int]
) -> None:
    """A square of 8 px stands in the H&E, as bin, as cell (Labels) and as shape, at one place."""
    left, top = origin[0] + 40, origin[1] + 24
    frame = Frame(UM)
    pixels = np.full((96, 128, 3), 255, np.uint8)
    pixels[24:32, 40:48] = RED
    half, quarter = (pixels[::2, ::2], pixels[::4, ::4])
    pyramid = Pyramid(
        (pixels, half, quarter), (1.0, 2.0, 4.0), (float(origin[0]), float(origin[1]))
    )
    layers = {"image": image_layer(pyramid, frame, "image")}

    affine = np.array([[8.0, 0, origin[0]], [0, 8.0, origin[1]], [0, 0, 1]])
    row, col = (axis.ravel() for axis in np.mgrid[0:12, 0:16])
    bins = Bins(8, row, col, affine, None, lambda: None)
    values = np.where((row == 3) & (col == 5), 1.0, np.nan).astype(np.float32)
    layers["bins"] = layer_of(bins, values, frame, "bins")

    from napari_vhd.corrections.columns import Labels
    from napari_vhd.corrections.outlines import Outlines

    square = shapely.box(left, top, left + 8, top + 8)
    cells = Outlines("cells", ["a"], [square])
    raster = CellRaster(cells, (origin[0], origin[1], origin[0] + 128.0, origin[1] + 96.0))
    fills = CategoryLayer(raster, frame, "cells", {})
    fills.show(Codes(Labels(np.zeros(1, np.int32), ("A",), ("#FF0000",)), None))
    layers["cells"] = fills.layer
    shapes = BoundariesLayer(cells, dict, frame, "shapes", "#FF0000", {})
    shapes.show((0, 0, 1, 1))
    shapes.layer.face_color = "red"
    shapes.layer.edge_width = 0
    layers["shapes"] = shapes.layer

    background = {}
    for name, layer in layers.items():
        layer.opacity = 1.0
        screen.viewer.add_layer(layer)
        for other in layers.values():
            other.visible = other is layer
        for zoom in (6.0, 20.0):
            screen.look(left + 4, top + 4, zoom)
            empty = screen.at(left - 3, top + 4)
            inside = lambda color, empty=empty: np.abs(color - empty).max() > 60  # noqa: E731
            assert inside(screen.at(left + 4, top + 4)), name
            begins = _edge(screen, top + 4, left - 3, left + 4, inside)
            ends = _edge(
                screen, top + 4, left + 4, left + 12, lambda color, inside=inside: not inside(color)
            )
            background[name, zoom] = (begins - left, ends - left - 8)
    for (name, zoom), off in background.items():
        assert np.abs(off).max() < 0.25, (name, zoom, off)


def test_cells_on_the_screen_have_the_true_outlines_and_their_colours(
    make_napari_viewer: Callable[..., Any], reviewed_run: Path
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(900, 700)
    with Session.open(reviewed_run, author="ab") as session:
        scene = Scene(viewer, session)
        scene.color_by(keys.TYPE_DOMAIN)
        scene.show_outlines(keys.PROSEG, False)
        for image in scene.background.images:
            image.visible = False
        scene.background.regions.layer.visible = False
        scene.cells[keys.PROSEG].fills.layer.opacity = 1.0
        viewer.canvas.overlays["scale_bar"].visible = False
        screen = Screen(viewer, session.um_per_px)
        labels, outlines = (
            session.labels(keys.PROSEG, keys.TYPE_DOMAIN),
            session.outlines(keys.PROSEG),
        )
        rng = np.random.default_rng(0)
        checked = 0
        for zoom in (0.9, 2.0, 5.0):
            screen.look(300.0, 300.0, zoom)
            height, width = np.array(viewer.canvas.size) / zoom / 2 - 3
            for x, y in rng.uniform(-1, 1, (400, 2)) * (min(width, 290), min(height, 290)) + 300:
                edge = shapely.Point(x, y)
                near = outlines.query(x - 3, y - 3, x + 3, y + 3)
                shapes = outlines.geometries(near)
                if any(one.boundary.distance(edge) < 1.0 / zoom + 0.3 for one in shapes):
                    continue  # on the line
                row = outlines.pick(x, y)
                color = screen.at(x, y)
                if row < 0:
                    assert color.max() < 30, (zoom, x, y, color)
                elif labels.codes[row] >= 0:
                    text = labels.colors[labels.codes[row]]
                    expected = [int(text[at : at + 2], 16) for at in (1, 3, 5)]
                    assert _is(color, expected, 6), (zoom, x, y, color, expected)
                    checked += 1
        assert checked > 300
        scene.close()


def test_a_region_is_tinted_but_not_in_its_hole(screen: Screen) -> None:
    layer = RegionsLayer(Frame(UM), "regions", print, print, print)
    screen.viewer.add_image(np.full((400, 400, 3), 128, np.uint8), scale=(UM, UM))
    screen.viewer.add_layer(layer.layer)
    holes = [shapely.box(120, 120, 200, 200), shapely.Point(260, 250).buffer(30)]
    body = shapely.box(80, 80, 320, 320).difference(shapely.union_all(holes))
    table = GeoDataFrame(
        {"color": ["#FF0000"], "visible": [True], "order": [0]}, geometry=[body], index=["gland"]
    )
    layer.show(table)
    screen.look(200, 200, 1.5)
    plain = screen.at(40, 40)
    for x, y in ((160, 160), (130, 190), (260, 250)):
        np.testing.assert_array_equal(screen.at(x, y), plain)
    # Also on the lines that lead to the holes.
    for x, y in ((220, 160), (160, 260), (100, 300), (95, 95)):
        red, green, blue = screen.at(x, y) - plain
        assert red > 10 and green < -10 and blue < -10


def test_a_sample_stays_flat(make_napari_viewer: Callable[..., Any], reviewed_run: Path) -> None:
    viewer = make_napari_viewer()
    viewer.dims.ndisplay = 3
    with Session.open(reviewed_run, author="ab") as session:
        scene = Scene(viewer, session)
        assert viewer.dims.ndisplay == 2
        said: list[str] = []
        scene.failed.connect(lambda error: said.append(str(error)))
        viewer.dims.ndisplay = 3
        assert viewer.dims.ndisplay == 2
        assert said == [f"{session.sample_id}: a slide is flat; it is not shown in 3D."]
        scene.compare("side")
        scene.show_shapes(keys.PROSEG, True)
        assert scene.cells[keys.PROSEG].shapes.layer.nshapes
        scene.close()
        viewer.dims.ndisplay = 3
        assert viewer.dims.ndisplay == 3


def test_the_mouse_chooses_cells_and_tells_what_is_under_it(
    make_napari_viewer: Callable[..., Any], reviewed_run: Path
) -> None:
    from napari.utils.interactions import (
        mouse_move_callbacks,
        mouse_press_callbacks,
        mouse_release_callbacks,
    )

    viewer = make_napari_viewer()
    with Session.open(reviewed_run, author="ab") as session:
        scene = Scene(viewer, session)
        outlines = session.outlines(keys.PROSEG)
        points = [
            shapely.point_on_surface(outlines.geometry(cell)) for cell in ("c000015", "c000040")
        ]
        ids = [scene.pick(point.x, point.y) for point in points]

        class Mouse:
            button, type, native, handled = 1, "mouse_press", None, False
            dims_displayed, is_dragging = (0, 1), False

            def __init__(self, point: Any, *keys: str) -> None:
                self.position = scene.frame_.to_world(point.x, point.y)
                self.pos = np.array(self.position)
                self.modifiers = keys
                self.inside = True

        def click(point: Any, *keys: str) -> None:
            event = Mouse(point, *keys)
            mouse_press_callbacks(viewer, event)
            event.type = "mouse_release"
            mouse_release_callbacks(viewer, event)

        told: list[str | None] = []
        scene.hovered.connect(told.append)
        for point in (*points, points[1]):
            event = Mouse(point)
            event.type = "mouse_move"
            mouse_move_callbacks(viewer, event)
        assert told == ids
        click(points[0])
        assert scene.selection == (ids[0],)
        click(points[1], "Control")
        assert scene.selection == tuple(ids)
        click(points[0], "Control")
        assert scene.selection == (ids[1],)
        click(shapely.Point(-100, -100))
        assert scene.selection == ()
        scene.paint_window()
        scene.painting.layer.mode = "paint"
        viewer.layers.selection.active = scene.painting.layer
        click(points[0])  # the brush is in hand
        assert scene.selection == ()
        scene.close()
