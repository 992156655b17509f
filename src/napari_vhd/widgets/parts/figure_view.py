"""A figure on the screen, with lines in it that can be moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_vhd.figures.qc import LIMIT_COLOR

if TYPE_CHECKING:
    from qtpy.QtGui import QMouseEvent, QPaintEvent

    from napari_vhd.figures.screen import Panel

    from .figure_source import Shown

_REACH = 6  # px beside a line within which the mouse takes it


class FigureView(QWidget):
    """Shows a picture of a figure.

    The figure was drawn beside the GUI thread; only the lines that can be moved are drawn here.

    Attributes
    ----------
    moved
        Parameter of a line and where it was moved to.
    """

    moved = Signal(str, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self._shown: Shown | None = None
        self._image = QImage()
        self.values: dict[str, float] = {}
        self._held = ""

    def show_figure(self, shown: Shown | None) -> None:
        """Show another figure."""
        before = self._shown
        self._shown = shown
        if shown is None:
            self._image = QImage()
        else:
            height, width = shown.picture.shape[:2]
            self._image = QImage(
                shown.picture.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888
            ).copy()
            if before is None or before.drawn is not shown.drawn:
                self.values = {limit.parameter: limit.value for limit, _ in shown.limits}
        self.setFixedSize(self._image.size())
        self.update()

    def set_value(self, parameter: str, value: float) -> None:
        """Move a line."""
        self.values[parameter] = value
        self.update()

    def sizeHint(self) -> QSize:
        """As large as the figure."""
        return QSize(self._image.size())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the figure, and the lines over it."""
        pencil = QPainter(self)
        pencil.drawImage(0, 0, self._image)
        if self._shown is None:
            return
        pencil.setPen(QPen(QColor(LIMIT_COLOR), 2))
        for limit, panel in self._shown.limits:
            place = _within(panel, self.values[limit.parameter])
            pencil.drawLine(QPointF(place, panel.top), QPointF(place, panel.bottom))
            pencil.fillRect(QRectF(place - 4, panel.top, 8, 8), QColor(LIMIT_COLOR))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the line under the mouse."""
        self._held = self._line_at(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the line that is held."""
        if not self._held:
            over = self._line_at(event.position())
            shape = Qt.CursorShape.SizeHorCursor if over else Qt.CursorShape.ArrowCursor
            self.setCursor(shape)
            return
        self._drag(event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go of the line."""
        self._held = ""

    def _drag(self, x: float) -> None:
        if self._shown is None:
            return
        for limit, panel in self._shown.limits:
            if limit.parameter == self._held:
                value = panel.value(min(max(x, panel.left), panel.right))
                value = float(round(value)) if limit.least else round(value, 2)
                self.set_value(limit.parameter, value)
                self.moved.emit(limit.parameter, value)

    def _line_at(self, at: QPointF) -> str:
        if self._shown is None:
            return ""
        for limit, panel in self._shown.limits:
            near = abs(at.x() - _within(panel, self.values[limit.parameter])) <= _REACH
            if near and panel.top - _REACH <= at.y() <= panel.bottom:
                return limit.parameter
        return ""


def _within(panel: Panel, value: float) -> float:
    """Give the place of a line; at the rim of the axes where it stands beyond them."""
    return min(max(panel.place(value), panel.left), panel.right)
