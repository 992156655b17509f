"""A number of each cell as an Image layer, with napari's own colour map and contrast limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .categories import coded
from .views import reread, views

if TYPE_CHECKING:
    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_vhd.corrections.numbers import Numbers

    from .frame import Frame
    from .raster import CellRaster

    Limits = tuple[float, float]

COLORMAP = "viridis"
_BETWEEN = (1.0, 99.0)  # percentiles that the colours span at first
_ORDERED = 10_000  # as good for percentiles, and as quick for any number of cells


class Values:
    """Number of each cell as it is drawn; NaN is transparent.

    Parameters
    ----------
    numbers
        A live column.
    """

    def __init__(self, numbers: Numbers) -> None:
        self.title, self.unit = numbers.title, numbers.unit
        self.only: Limits | None = None
        self._lut = np.full(len(numbers.values) + 1, np.nan, dtype=np.float32)
        self._lut[1:] = numbers.values

    @property
    def lut(self) -> NDArray[np.float32]:
        """By row + 1."""
        return self._lut

    def limits(self) -> Limits:
        """Give limits that all but a few values lie within.

        Of a large sample they are those of every so many-th cell: ordering all takes long.
        """
        every = max(1, len(self._lut) // _ORDERED)
        finite = self._lut[::every]
        finite = finite[np.isfinite(finite)]
        if not len(finite):
            return 0.0, 1.0
        low, high = (float(value) for value in np.percentile(finite, _BETWEEN))
        return (low, high) if high > low else (low, low + max(abs(low), 1.0))

    def patch(self, numbers: Numbers, rows: NDArray[np.int64]) -> None:
        """Take over the values of rows."""
        more = len(numbers.values) + 1 - len(self._lut)
        if more > 0:
            nothing = np.full(more, np.nan, dtype=np.float32)
            self._lut = np.concatenate([self._lut, nothing])
        self._lut[rows + 1] = numbers.values[rows]
        self._filter(rows + 1)

    def show_only(self, numbers: Numbers, low: float, high: float) -> None:
        """Show the cells whose value lies between two numbers, both included."""
        self._lut[1 : len(numbers.values) + 1] = numbers.values
        self.only = (low, high)
        self._filter(slice(None))

    def _filter(self, place: Any) -> None:
        if self.only is not None:
            values = self._lut[place]
            outside = (values < self.only[0]) | (values > self.only[1])
            self._lut[place] = np.where(outside, np.float32(np.nan), values)


class ValueLayer:
    """The Image layer of one segmentation.

    Parameters
    ----------
    raster, frame, name, metadata
        As of `napari_vhd.layers.categories.CategoryLayer`.

    Attributes
    ----------
    layer
        napari's.
    values
        What it shows, None before the first.
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self, raster: CellRaster, frame: Frame, name: str, metadata: dict[str, Any]
    ) -> None:
        from napari.layers import Image as ImageLayer

        self.values: Values | None = None
        place = frame.picture(raster.left, raster.top, raster.steps[0])
        self.layer: Image = ImageLayer(
            views(raster, self),
            name=name,
            multiscale=True,
            rgb=False,
            opacity=0.75,
            blending="translucent",
            contrast_limits=(0.0, 1.0),
            colormap=COLORMAP,
            metadata=metadata,
            **place,
        )

    def pixels(
        self, raster: CellRaster, level: int, top: int, bottom: int, left: int, right: int
    ) -> NDArray[Any]:
        """Give the values of a part of a level."""
        if self.values is None:
            return np.full((bottom - top, right - left), np.nan, dtype=np.float32)
        return coded(self.values.lut, raster.read(level, top, bottom, left, right))

    def show(self, values: Values, limits: Limits) -> None:
        """Show another column."""
        self.values = values
        self.set_limits(limits)
        self.refresh()

    def set_limits(self, limits: Limits) -> None:
        """Set the values at the ends of the colour bar."""
        least, most = self.layer.contrast_limits_range
        low, high = limits
        if not low < high:
            # Two colours only: napari wants a distance, however small.
            high = low + 1e-6 * max(abs(low), 1.0)
        self.layer.contrast_limits_range = (min(least, low), max(most, high))
        self.layer.contrast_limits = (low, high)

    def refresh(self) -> None:
        """Read the pixels in view again."""
        reread(self.layer)
