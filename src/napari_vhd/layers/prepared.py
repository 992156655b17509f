"""What is slow about showing a sample, done before a layer is made: not for the GUI thread."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from .coloring import Read, Wish, first_column, read_if_there
from .frame import Frame
from .raster import CellRaster

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from napari_vhd.io.source_image import Pyramid
    from napari_vhd.session import Session

    Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Prepared:
    """A sample, ready to be shown. Make one with `of`.

    Attributes
    ----------
    frame
        Of the sample.
    extent
        xmin, ymin, xmax, ymax that pictures and cells cover, full-resolution px.
    image, slide
        H&E of the sample, and of the whole slide where that is more.
    overview
        Space Ranger's picture of the slide: pixels, px per pixel, origin; where no H&E is.
    segmentations
        All that there are, the one that is typed first.
    rasters
        Cells of those that are looked at first, coarse levels drawn.
    first
        The column that colours the cells first, None: outlines only.
    columns
        Names of the columns that they can be coloured by.
    regions
        As `Session.regions` gives them.
    """

    frame: Frame
    extent: Box
    image: Pyramid | None
    slide: Pyramid | None
    overview: tuple[Any, float, tuple[float, float]] | None
    segmentations: tuple[str, ...]
    rasters: Mapping[str, CellRaster]
    first: Read | None
    columns: frozenset[str]
    regions: Any

    @classmethod
    def of(
        cls,
        session: Session,
        column: str | None = "",
        known: frozenset[str] | None = None,
        looked_at: Collection[str] = (),
    ) -> Prepared:
        """Read what a Scene needs.

        Parameters
        ----------
        session
            Of the sample.
        column
            That colours the cells first, if it is there; "": chosen; None: none.
        known
            Columns of the version before: cell types or domains that are none of them have just
            been computed, and are shown first. None: there is no version before.
        looked_at
            Segmentations that are shown from the beginning, besides the first.
        """
        _ready_shapes()
        source = session.source
        frame = Frame.of(source.um_per_px)
        image, slide = source.image(), source.slide_image()
        overview = None if image is not None or slide is not None else source.hires()
        extent = _extent(image or slide, overview)
        names = session.segmentations()
        rasters = {
            name: raster_of(session, name, extent)
            for name in names
            if name == names[0] or name in looked_at
        }
        first, columns = None, frozenset[str]()
        if names:
            columns = frozenset(one.name for one in session.columns(names[0]))
            best = first_column(session, names[0])
            if column == "" or (known is not None and best is not None and best not in known):
                column = best
            if column is not None:
                first = read_if_there(session, Wish(column, names[0]))
        for raster in rasters.values():
            extent = _joined(extent, raster.box)
        regions = session.regions()
        return cls(frame, extent, image, slide, overview, names, rasters, first, columns, regions)


def raster_of(session: Session, boundaries: str, extent: Box) -> CellRaster:
    """Read the cells of a segmentation and draw what a view of the whole needs."""
    raster = CellRaster(session.outlines(boundaries), extent)
    raster.prepare(first_view=True)
    return raster


@cache
def _ready_shapes() -> None:
    """Have napari compile what draws polygons, as it does when it makes the first layer of them."""
    from napari.layers import Shapes

    Shapes()


def _extent(image: Pyramid | None, overview: Any) -> Box:
    if image is not None:
        return image.box
    if overview is not None:
        pixels, scale, (left, top) = overview
        height, width = pixels.shape[:2]
        return left, top, left + width * scale, top + height * scale
    return 0.0, 0.0, 1.0, 1.0


def _joined(one: Box, other: Box) -> Box:
    low = (min(one[0], other[0]), min(one[1], other[1]))
    return (*low, max(one[2], other[2]), max(one[3], other[3]))
