"""The paint window: codes of the cells in view as a Labels layer that napari's tools can paint."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .categories import direct_colormap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.layers import Labels

    from .categories import Codes
    from .frame import Frame
    from .raster import CellRaster

    Box = tuple[float, float, float, float]

LARGEST_PX = 4096
"""Side of the window at most."""
STEP_PX = 1.0


class PaintWindow:
    """A single-scale Labels layer of the codes of one column, over a part of the slide.

    Its pixels are read when it is made, which is slow; the layer is made by `make`.

    Parameters
    ----------
    raster
        Cells.
    codes
        As the cells are coloured.
    view
        Part of the slide, full-resolution px; what is larger than `LARGEST_PX` is cut about its
        middle.

    Attributes
    ----------
    layer
        napari's. A pixel is a full-resolution px; its value the code of its cell, 0: no cell.
    box
        xmin, ymin, xmax, ymax of the window, full-resolution px.
    """

    layer: Labels

    def __init__(self, raster: CellRaster, codes: Codes, view: Box) -> None:
        from vispy.visuals.line.dash_atlas import DashAtlas

        # What draws the brush asks vispy for patterns of dashes, a twentieth of a second of
        # computing at the first time in a process; remembered from then on.
        DashAtlas()
        self._raster = raster
        self._level = raster.steps.index(STEP_PX)
        height, width = raster.shape(self._level)
        self._left, right = _cut(view[0] - raster.left, view[2] - raster.left, width)
        self._top, bottom = _cut(view[1] - raster.top, view[3] - raster.top, height)
        self.box = (
            raster.left + self._left,
            raster.top + self._top,
            raster.left + right,
            raster.top + bottom,
        )
        self._pixels = codes.pixels(raster, self._level, self._top, bottom, self._left, right)

    def make(self, codes: Codes, hidden: Iterable[str], frame: Frame, name: str) -> None:
        """Make the layer.

        Parameters
        ----------
        codes
            As the pixels were read.
        hidden
            Categories that are not shown.
        frame
            Of the sample.
        name
            Of the layer.
        """
        from napari.layers import Labels as LabelsLayer

        self.layer = LabelsLayer(
            self._pixels,
            name=name,
            opacity=0.65,
            **frame.picture(self.box[0], self.box[1], STEP_PX),
        )
        self.layer.contiguous = True
        self.layer.n_edit_dimensions = 2
        self.style(codes, hidden)

    def style(self, codes: Codes, hidden: Iterable[str]) -> None:
        """Draw the codes in the colours that their categories have now."""
        import pandas as pd

        names = ["", *codes.names, "not assigned", "dropped by a filter"]
        self.layer.colormap = direct_colormap(codes.names, codes.colors, set(hidden))
        self.layer.features = pd.DataFrame({"index": np.arange(len(names)), "category": names})

    def rewrite(self, codes: Codes, boxes: Iterable[Box]) -> None:
        """Write the codes within boxes (full-resolution px) anew: whole cells, as they are now."""
        for xmin, ymin, xmax, ymax in boxes:
            x0, x1 = _cut(xmin - self.box[0], xmax - self.box[0], self._pixels.shape[1])
            y0, y1 = _cut(ymin - self.box[1], ymax - self.box[1], self._pixels.shape[0])
            if x0 < x1 and y0 < y1:
                rows = (self._top + y0, self._top + y1)
                columns = (self._left + x0, self._left + x1)
                pixels = codes.pixels(self._raster, self._level, *rows, *columns)
                self.layer.data[y0:y1, x0:x1] = pixels
        self.layer.refresh(extent=False, thumbnail=False)


def _cut(low: float, high: float, length: int) -> tuple[int, int]:
    """Whole pixels of a range within a length, about its middle if it is too long."""
    begin, end = max(math.floor(low), 0), min(math.ceil(high), length)
    if end - begin > LARGEST_PX:
        begin = (begin + end - LARGEST_PX) // 2
        end = begin + LARGEST_PX
    return begin, max(begin, end)
