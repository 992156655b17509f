"""Where the region lies on the slide, and how many UMIs there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Polygon

from napari_vhd import keys

from . import sheet
from .colors import sequential
from .raster import Box, Rings, paint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from .view import View

_SIDE = 5.2
_REGION_COLOR = "#d55e00"


def after_read(view: View) -> Iterator[tuple[str, Figure]]:
    """The slide's overview picture with the region, and the UMIs of the 8 µm bins."""
    if view.box is None:
        return
    picture, whole = _lowres(view)
    size = sheet.map_size(whole, _SIDE)
    figure, (left, right) = sheet.lay_out(2, size, 2, f"Overview · {view.name}")
    if picture is not None:
        sheet.show(left, picture, whole)
    sheet.panel_title(left, "the slide")
    sheet.panel_title(right, "UMIs of each 8 µm bin")
    for axes in (left, right):
        sheet.dress_map(axes, whole, view.um_per_px)
        for corners in _region(view):
            axes.add_patch(Polygon(corners, fill=False, edgecolor=_REGION_COLOR, linewidth=2))
    _umis(view, right, whole)
    if any(True for _ in _region(view)):
        sheet.note(figure, "Orange: the region that is analysed.")
    yield "overview.png", figure


def after_region(view: View) -> Iterator[tuple[str, Figure]]:
    """The region's H&E beside the UMIs of its 8 µm bins."""
    if view.box is None:
        return
    size = sheet.map_size(view.box, _SIDE)
    figure, (left, right) = sheet.lay_out(2, size, 2, f"Region · {view.name}")
    picture = view.picture(view.box, sheet.pixels(_SIDE))
    if picture is not None:
        sheet.show(left, picture, view.box)
    sheet.panel_title(left, "H&E")
    sheet.panel_title(right, "UMIs of each 8 µm bin")
    for axes in (left, right):
        sheet.dress_map(axes, view.box, view.um_per_px)
    _umis(view, right, view.box)
    yield "region.png", figure


def _umis(view: View, axes: Axes, box: Box) -> None:
    """Draw the sum of counts of each 8 µm bin."""
    places = view.bins(8)
    if places is None or view.box is None:
        return
    umis = np.asarray(places.table.X.sum(axis=1), float).ravel()
    scale = sequential(umis)
    longest = sheet.pixels(_SIDE * max(view.box.width, view.box.height) / max(box.width, box.height))
    sheet.show(axes, paint(places.raster(longest), scale.rgba(umis)), view.box)
    axes.set(xlim=(box.x0, box.x1), ylim=(box.y1, box.y0))
    sheet.color_bar(axes, scale, "UMIs per 8 µm bin")


def _lowres(view: View) -> tuple[NDArray[np.uint8] | None, Box]:
    """Space Ranger's low-resolution picture, and the box it covers; else the H&E in view."""
    from spatialdata.transformations import get_transformation

    element = view.sdata.images.get(keys.lowres_image(view.sample_id))
    shapes = view.sdata.shapes.get(keys.bin_shapes(view.sample_id, 8))
    system = f"{view.sample_id}_downscaled_lowres"
    if view.box is None:
        raise ValueError("there is nothing to map")
    if element is not None and shapes is not None:
        placed = get_transformation(shapes, get_all=True).get(system)
        if placed is not None:
            factor = placed.to_affine_matrix(("x", "y"), ("x", "y"))[0, 0]
            pixels = np.asarray(element[:3]).transpose(1, 2, 0).astype(np.uint8)
            height, width = pixels.shape[:2]
            return pixels, Box(0, 0, width / factor, height / factor)
    return view.picture(view.box, sheet.pixels(_SIDE)), view.box


def _region(view: View) -> Iterator[NDArray[np.float64]]:
    """Corners of the region that the config asks for, full-resolution px."""
    import geopandas as gpd

    for sample in view.config.samples:
        if sample.id != view.sample_id or sample.region is None:
            continue
        if isinstance(sample.region, str):
            rings = Rings.of(gpd.read_file(sample.region).geometry)
            yield from (rings.xy[a:b] for a, b in zip(rings.first, rings.first[1:], strict=False))
        else:
            x0, y0, x1, y1 = sample.region
            yield np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], float)
