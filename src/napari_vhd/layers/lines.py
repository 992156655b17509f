"""Outlines of all cells, and chosen cells, as lazy layers of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .categories import coded, rgb
from .scanline import edges
from .views import reread, set_visible, views

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.layers import Labels as LabelsLayer
    from numpy.typing import NDArray

    from .frame import Frame
    from .raster import CellRaster

# Cells that are fewer pixels wide than this would be nothing but outline.
_LEAST_PIXELS = 9
SELECTED_COLOR = "#FFF200"


class OutlineLayer:
    """Borders between cells as a Labels layer with one colour.

    Parameters
    ----------
    raster, frame, name, metadata
        As of `napari_vhd.layers.categories.CategoryLayer`.
    color
        ``#RRGGBB``.
    visible
        Whether they are shown from the beginning.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        raster: CellRaster,
        frame: Frame,
        name: str,
        color: str,
        metadata: dict[str, Any],
        *,
        visible: bool = True,
    ) -> None:
        self._raster = raster
        self.color = color
        areas = raster.outlines.areas[raster.outlines.alive]
        self._width_px = float(np.sqrt(np.median(areas))) if len(areas) else 0.0
        self.layer = _labels(raster, self, frame, name, color, metadata, visible)

    def shows(self, level: int) -> bool:
        """Say whether outlines are drawn on a level: not where cells are a few pixels wide."""
        return self._raster.steps[level] * _LEAST_PIXELS <= self._width_px

    def pixels(
        self, raster: CellRaster, level: int, top: int, bottom: int, left: int, right: int
    ) -> NDArray[np.uint8]:
        """Give 1 on a border, else 0."""
        out = np.zeros((bottom - top, right - left), dtype=np.uint8)
        if self.shows(level) and out.size:
            edges(raster.read(level, top, bottom, left, right, rim=True), out)
        return out

    def set_color(self, color: str) -> None:
        """Draw in another colour."""
        self.color = color
        self.layer.colormap = _colormap(color)

    def refresh(self) -> None:
        """Read the pixels in view again."""
        reread(self.layer)


class SelectionLayer:
    """Chosen cells, marked by a bright outline, filled where they are too small for one.

    Parameters
    ----------
    raster, frame, name
        As of `napari_vhd.layers.categories.CategoryLayer`.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, raster: CellRaster, frame: Frame, name: str) -> None:
        self._chosen = np.zeros(raster.outlines.n_rows + 1, dtype=np.int32)
        self._rows = np.empty(0, dtype=np.int64)
        self.layer = _labels(raster, self, frame, name, SELECTED_COLOR, {}, visible=False)

    def choose(self, rows: Iterable[int], n_rows: int) -> None:
        """Mark other rows than before."""
        if n_rows + 1 > len(self._chosen):
            self._chosen = np.zeros(n_rows + 1, dtype=np.int32)
        self._chosen[self._rows + 1] = 0
        self._rows = np.asarray(list(rows), dtype=np.int64)
        self._chosen[self._rows + 1] = self._rows + 1
        # What is hidden is not read: marking nothing costs nothing.
        set_visible(self.layer, bool(len(self._rows)))
        if len(self._rows):
            self.refresh()

    def pixels(
        self, raster: CellRaster, level: int, top: int, bottom: int, left: int, right: int
    ) -> NDArray[np.uint8]:
        """Give 1 where a chosen cell is marked, else 0."""
        out = np.zeros((bottom - top, right - left), dtype=np.uint8)
        if not out.size or not len(self._rows):
            return out
        ids = raster.read(level, top, bottom, left, right, rim=True)
        ids = coded(self._chosen, ids)
        if raster.steps[level] < 4:
            edges(ids, out)
            _thicken(out)
        else:
            out[:] = ids[1:-1, 1:-1] > 0
        return out

    def refresh(self) -> None:
        """Read the pixels in view again."""
        reread(self.layer)


def _thicken(lines: NDArray[np.uint8]) -> None:
    """Make lines wider by a pixel on each side."""
    thin = lines.copy()
    lines[1:] |= thin[:-1]
    lines[:-1] |= thin[1:]
    lines[:, 1:] |= thin[:, :-1]
    lines[:, :-1] |= thin[:, 1:]


def _labels(
    raster: CellRaster,
    painted: Any,
    frame: Frame,
    name: str,
    color: str,
    metadata: dict[str, Any],
    visible: bool,
) -> LabelsLayer:
    from napari.layers import Labels

    return Labels(
        views(raster, painted),
        name=name,
        multiscale=True,
        opacity=1.0,
        visible=visible,
        metadata=metadata,
        colormap=_colormap(color),
        **frame.picture(raster.left, raster.top, raster.steps[0]),
    )


def _colormap(color: str) -> Any:
    from napari.utils import DirectLabelColormap

    clear = (0.0, 0.0, 0.0, 0.0)
    return DirectLabelColormap(color_dict={None: clear, 0: clear, 1: (*rgb(color), 1.0)})
