"""What a colour stands for, where numbers are shown: a bar, with how many cells have each value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.utils.colormaps import ensure_colormap
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qtpy.QtGui import QPaintEvent

_STEPS = 256
_EDGE = 4
_BAR_HEIGHT = 16


class ColorBar(QWidget):
    """A bar of the colours between the limits, over it a histogram of all values."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._colors = color_strip("viridis")
        self._bounds, self._limits = (0.0, 1.0), (0.0, 1.0)
        self._shown: tuple[float, float] | None = None
        self._counts: NDArray[np.float64] = np.zeros(0)
        self._ink = QColor("#808080")
        self._said = ""
        self._say()

    def sizeHint(self) -> QSize:
        """Wide as the dock, high enough for histogram, bar and numbers."""
        return QSize(220, 44 + _BAR_HEIGHT + self.fontMetrics().height() + 6)

    minimumSizeHint = sizeHint

    def set_ink(self, color: QColor) -> None:
        """Write and draw in another colour."""
        self._ink = color
        self.update()

    def set_colors(self, colormap: str) -> None:
        """Show the colours of a napari colormap."""
        self._colors = color_strip(colormap)
        self.update()

    def set_limits(self, low: float, high: float) -> None:
        """Say which values have the first and the last colour."""
        self._limits = (low, high)
        self._say()
        self.update()

    def set_shown(self, shown: tuple[float, float] | None) -> None:
        """Say which values are shown, None for all; the others are drawn pale."""
        self._shown = shown
        self.update()

    def set_histogram(self, counts: NDArray[np.float64], low: float, high: float) -> None:
        """Give the number of cells in equal steps from the least to the greatest value."""
        self._counts, self._bounds = counts, (low, high)
        self.update()

    def set_title(self, title: str) -> None:
        """Say what the numbers are, with their unit."""
        self._said = title
        self._say()

    def _say(self) -> None:
        low, high = self._limits
        self.setAccessibleName(f"Colour bar: {self._said} from {written(low)} to {written(high)}")
        self.setToolTip(self.accessibleName())

    def _x(self, value: float) -> float:
        low, high = self._bounds
        share = (value - low) / ((high - low) or 1.0)
        return _EDGE + min(max(share, 0.0), 1.0) * (self.width() - 2 * _EDGE)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw histogram, bar and numbers on one axis."""
        pencil = QPainter(self)
        text = self.fontMetrics().height()
        floor = self.height() - text - _BAR_HEIGHT - 6
        self._draw_histogram(pencil, floor)
        self._draw_bar(pencil, floor + 2)
        pencil.setPen(self._ink)
        box = QRectF(_EDGE, self.height() - text - 2, self.width() - 2 * _EDGE, text + 2)
        low, high = self._bounds
        pencil.drawText(box, Qt.AlignmentFlag.AlignLeft, written(low))
        pencil.drawText(box, Qt.AlignmentFlag.AlignRight, written(high))
        pencil.drawText(box, Qt.AlignmentFlag.AlignHCenter, written((low + high) / 2))

    def _draw_histogram(self, pencil: QPainter, floor: float) -> None:
        if not len(self._counts):
            return
        # Roots: a few cells with high values are what one looks for, and would not be seen.
        heights = np.sqrt(self._counts / max(self._counts.max(), 1.0)) * (floor - 3)
        width = (self.width() - 2 * _EDGE) / len(heights)
        low, high = self._bounds
        step = (high - low) / len(heights)
        for place, height in enumerate(heights):
            color = QColor(self._ink)
            middle = low + (place + 0.5) * step
            hidden = self._shown and not self._shown[0] <= middle <= self._shown[1]
            color.setAlphaF(0.2 if hidden else 0.75)
            box = QRectF(_EDGE + place * width, floor - height, max(width - 0.5, 0.5), height)
            pencil.fillRect(box, color)

    def _draw_bar(self, pencil: QPainter, top: float) -> None:
        first, last = self._x(self._limits[0]), self._x(self._limits[1])
        last = max(last, first + 1)
        right = self.width() - _EDGE
        strip = self._colors
        pencil.fillRect(QRectF(_EDGE, top, first - _EDGE, _BAR_HEIGHT), strip.pixelColor(0, 0))
        pencil.fillRect(
            QRectF(last, top, right - last, _BAR_HEIGHT), strip.pixelColor(_STEPS - 1, 0)
        )
        pencil.drawImage(QRectF(first, top, last - first, _BAR_HEIGHT), strip)
        pencil.setPen(QPen(self._ink, 1))
        pencil.drawRect(QRectF(_EDGE, top, right - _EDGE, _BAR_HEIGHT))


def written(value: float) -> str:
    """Write a number as short as it can be told from its neighbours on a colour bar."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def color_strip(colormap: str) -> QImage:
    """One row of pixels, from the first colour to the last."""
    rgba = ensure_colormap(colormap).map(np.linspace(0, 1, _STEPS))
    row = np.ascontiguousarray(np.rint(255 * np.asarray(rgba)), np.uint8)
    return QImage(row.tobytes(), _STEPS, 1, 4 * _STEPS, QImage.Format.Format_RGBA8888).copy()
