"""Where the region lies on the slide, and how many UMIs there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Polygon

from napari_vhd import keys

from . import sheet
from .colors import sequential
from .geometry import Rings
from .pyramid import Pyramid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from .geometry import Box
    from .view import Places, View

_SIDE = 5.2
_REGION_COLOR = "#d55e00"


def after_read(view: View) -> Iterator[tuple[str, Figure]]:
    """Draw the slide's overview picture with the region, and the UMIs of the bins if read."""
    slide = _slide(view)
    whole = slide.box if slide else view.box
    if whole is None:
        return
    bins, frames = view.bins(8), list(_region(view))
    size = sheet.map_size(whole, _SIDE)
    figure, panels = sheet.lay_out(1 if bins is None else 2, size, 2, f"Overview · {view.name}")
    for axes in panels:
        sheet.dress_map(axes, whole, view.um_per_px)
        for corners in frames:
            axes.add_patch(Polygon(corners, fill=False, edgecolor=_REGION_COLOR, linewidth=2))
    if slide is not None:
        sheet.show(panels[0], slide.read(whole, sheet.pixels(_SIDE)), whole)
    if bins is not None:
        _umis(bins, panels[1], whole)
        sheet.panel_title(panels[0], "the slide")
    if frames:
        sheet.note(figure, "Orange: the region that is analysed.")
    yield "overview.png", figure


def after_region(view: View) -> Iterator[tuple[str, Figure]]:
    """Draw the overview anew, as the region may be another, and the region's H&E and UMIs."""
    yield from after_read(view)
    bins = view.bins(8)
    if view.box is None or bins is None:
        return
    size = sheet.map_size(view.box, _SIDE)
    figure, panels = sheet.lay_out(2, size, 2, f"Region · {view.name}")
    for axes in panels:
        sheet.dress_map(axes, view.box, view.um_per_px)
    picture = view.picture(view.box, sheet.pixels(_SIDE))
    if picture is not None:
        sheet.show(panels[0], picture, view.box)
    sheet.panel_title(panels[0], "H&E")
    _umis(bins, panels[1], view.box)
    yield "region.png", figure


def _umis(bins: Places, axes: Axes, box: Box) -> None:
    """Draw the sum of counts of each 8 µm bin into axes that show a box."""
    umis = np.asarray(bins.table.X.sum(axis=1), float).ravel()
    scale = sequential(umis)
    longest = sheet.pixels(_SIDE * bins.box.longest / box.longest)
    sheet.show(axes, bins.raster(longest).paint(scale.rgba(umis)), bins.box)
    axes.set(xlim=(box.x0, box.x1), ylim=(box.y1, box.y0))
    sheet.panel_title(axes, "UMIs of each 8 µm bin")
    sheet.color_bar(axes, scale, "UMIs per 8 µm bin")


def _slide(view: View) -> Pyramid | None:
    """Find Space Ranger's low-resolution picture of the slide, or else the H&E."""
    lowres = Pyramid.of(view.sdata, keys.lowres_image(view.sample_id), view.sample_id)
    return lowres or view.image


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
