"""napari's theme in Qt's terms, and icons drawn in its colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.theme import get_theme
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap, QPolygonF

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer

_SIDE = 64  # drawn large, shown small: sharp at any scaling


def theme_color(viewer: Viewer, role: str) -> QColor:
    """Give a colour of the viewer's theme: "text", "icon", "warning" and others."""
    return QColor(getattr(get_theme(viewer.theme), role).as_hex())


def icon(name: str, color: QColor) -> QIcon:
    """Draw an icon in a colour, paler where its button is disabled.

    Parameters
    ----------
    name
        One of `NAMES`.
    color
        Of its lines.
    """
    return draw_icon(_DRAWN[name], color)


def draw_icon(draw: Callable[[QPainter, QColor], None], color: QColor) -> QIcon:
    """Draw an icon on a ground of 16 × 16 in a colour, paler where its button is disabled."""
    result = QIcon()
    pale = QColor(color)
    pale.setAlphaF(0.35)
    modes = QIcon.Mode
    for shade, mode in ((color, modes.Normal), (color, modes.Selected), (pale, modes.Disabled)):
        pixmap = QPixmap(_SIDE, _SIDE)
        pixmap.fill(Qt.GlobalColor.transparent)
        with_pen = QPainter(pixmap)
        with_pen.setRenderHint(QPainter.RenderHint.Antialiasing)
        with_pen.scale(_SIDE / 16, _SIDE / 16)
        with_pen.setPen(QPen(shade, 1.4, join=Qt.PenJoinStyle.RoundJoin))
        draw(with_pen, shade)
        with_pen.end()
        result.addPixmap(pixmap, mode)
    return result


class Icons:
    """Icons and swatches in one ink; each is drawn once, however often a table is painted."""

    def __init__(self, ink: str = "#808080") -> None:
        self.ink = QColor(ink)
        self._drawn: dict[str, QIcon] = {}

    def set_ink(self, ink: QColor) -> None:
        """Draw in another colour from now on."""
        self.ink = ink
        self._drawn.clear()

    def icon(self, name: str) -> QIcon:
        """Give one of `NAMES`."""
        if name not in self._drawn:
            self._drawn[name] = icon(name, self.ink)
        return self._drawn[name]

    def swatch(self, color: str) -> QIcon:
        """Give a square of a colour (``#RRGGBB``)."""
        if color not in self._drawn:
            self._drawn[color] = swatch(color, self.ink)
        return self._drawn[color]


def swatch(color: str, rim: QColor, side: int = 16) -> QIcon:
    """Draw a square of a colour with a rim; the same where its row is selected."""
    pixmap = QPixmap(side * 2, side * 2)
    pixmap.setDevicePixelRatio(2)
    pixmap.fill(Qt.GlobalColor.transparent)
    pencil = QPainter(pixmap)
    pencil.setRenderHint(QPainter.RenderHint.Antialiasing)
    pencil.setPen(QPen(rim, 1))
    pencil.setBrush(QColor(color))
    pencil.drawRoundedRect(QRectF(1.5, 1.5, side - 3, side - 3), 2, 2)
    pencil.end()
    result = QIcon(pixmap)
    result.addPixmap(pixmap, QIcon.Mode.Selected)
    return result


def _eye(pencil: QPainter, color: QColor) -> None:
    path = QPainterPath(QPointF(1.2, 8))
    path.quadTo(8, 1.5, 14.8, 8)
    path.quadTo(8, 14.5, 1.2, 8)
    pencil.drawPath(path)
    pencil.setBrush(color)
    pencil.drawEllipse(QPointF(8, 8), 1.8, 1.8)


def _hidden(pencil: QPainter, color: QColor) -> None:
    pale = QColor(color)
    pale.setAlphaF(0.45)
    pencil.setPen(QPen(pale, 1.4))
    path = QPainterPath(QPointF(1.2, 7))
    path.quadTo(8, 13.5, 14.8, 7)
    pencil.drawPath(path)
    for x, y in ((4, 9.3), (8, 10.3), (12, 9.3)):
        pencil.drawLine(QPointF(x, y), QPointF(8 + (x - 8) * 1.25, y + 2.4))


def _solo(pencil: QPainter, color: QColor) -> None:
    pencil.drawEllipse(QPointF(8, 8), 5.6, 5.6)
    pencil.setBrush(color)
    pencil.drawEllipse(QPointF(8, 8), 2.6, 2.6)


def _not_solo(pencil: QPainter, color: QColor) -> None:
    pale = QColor(color)
    pale.setAlphaF(0.6)
    pencil.setPen(QPen(pale, 1.4))
    pencil.drawEllipse(QPointF(8, 8), 5.6, 5.6)


def _up(pencil: QPainter, _color: QColor) -> None:
    pencil.drawPolyline(QPolygonF([QPointF(3, 8), QPointF(8, 3), QPointF(13, 8)]))
    pencil.drawLine(QPointF(8, 3), QPointF(8, 13.5))


def _down(pencil: QPainter, _color: QColor) -> None:
    pencil.drawPolyline(QPolygonF([QPointF(3, 8), QPointF(8, 13), QPointF(13, 8)]))
    pencil.drawLine(QPointF(8, 13), QPointF(8, 2.5))


def _rectangle(pencil: QPainter, _color: QColor) -> None:
    pencil.drawRect(QRectF(2, 3.5, 12, 9))


def _polygon(pencil: QPainter, _color: QColor) -> None:
    corners = [(2, 6), (8, 1.8), (14, 6), (11.5, 13.5), (4.5, 13.5)]
    pencil.drawPolygon(QPolygonF([QPointF(x, y) for x, y in corners]))


def _lasso(pencil: QPainter, _color: QColor) -> None:
    pencil.setPen(QPen(pencil.pen().color(), 1.4, Qt.PenStyle.DashLine))
    pencil.drawEllipse(QPointF(8, 6), 6.3, 4.2)
    pencil.setPen(QPen(pencil.pen().color(), 1.4))
    path = QPainterPath(QPointF(4, 9.5))
    path.quadTo(1.5, 11.5, 4.5, 14.5)
    pencil.drawPath(path)


_DRAWN: dict[str, Callable[[QPainter, QColor], None]] = {
    "eye": _eye,
    "hidden": _hidden,
    "solo": _solo,
    "not_solo": _not_solo,
    "up": _up,
    "down": _down,
    "rectangle": _rectangle,
    "polygon": _polygon,
    "lasso": _lasso,
}
NAMES = tuple(_DRAWN)
