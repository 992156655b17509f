"""Icons of the correcting tools, in the theme's colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QPainterPath, QPen, QPolygonF

from .theme import draw_icon, icon

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtGui import QColor, QIcon, QPainter


def tool_icon(name: str, color: QColor) -> QIcon:
    """Draw the icon of a tool."""
    return draw_icon(_DRAWN[name], color) if name in _DRAWN else icon(name, color)


def _points(*corners: tuple[float, float]) -> QPolygonF:
    return QPolygonF([QPointF(x, y) for x, y in corners])


def _pick(pencil: QPainter, _color: QColor) -> None:
    tail = ((7.2, 10.4), (9.4, 14.6), (11.2, 13.6), (9.1, 9.6), (12.6, 9.2))
    pencil.drawPolygon(_points((4, 1.5), (4, 13), *tail))


def _brush(pencil: QPainter, color: QColor) -> None:
    pencil.drawLine(QPointF(13.8, 2.2), QPointF(8, 8.6))
    path = QPainterPath(QPointF(7.2, 8.4))
    path.quadTo(10, 10.4, 7.4, 12.6)
    path.quadTo(5, 14.4, 1.8, 13.8)
    path.quadTo(4, 12.6, 3.9, 11)
    path.quadTo(4.4, 8.2, 7.2, 8.4)
    pencil.setBrush(color)
    pencil.drawPath(path)


def _cell(pencil: QPainter) -> None:
    path = QPainterPath(QPointF(2, 7))
    path.cubicTo(2, 1.5, 10, 0.5, 11.5, 5)
    path.cubicTo(13, 10, 7, 13.5, 4, 11.5)
    path.cubicTo(2.6, 10.4, 2, 9, 2, 7)
    pencil.drawPath(path)


def _draw(pencil: QPainter, _color: QColor) -> None:
    _cell(pencil)
    pencil.drawLine(QPointF(12.5, 9.6), QPointF(12.5, 15))
    pencil.drawLine(QPointF(9.8, 12.3), QPointF(15.2, 12.3))


def _redraw(pencil: QPainter, _color: QColor) -> None:
    pencil.drawPolygon(_points((2, 14), (2.9, 10.4), (11, 2.3), (13.7, 5), (5.6, 13.1)))
    pencil.drawLine(QPointF(9, 4.3), QPointF(11.7, 7))


def _vertices(pencil: QPainter, color: QColor) -> None:
    corners = ((2.5, 5), (9, 2.5), (13.5, 8.5), (6, 13.5))
    pencil.drawPolygon(_points(*corners))
    pencil.setBrush(color)
    for x, y in corners:
        pencil.drawRect(QRectF(x - 1.3, y - 1.3, 2.6, 2.6))


def _split(pencil: QPainter, _color: QColor) -> None:
    pencil.drawEllipse(QPointF(8, 8), 6, 4.6)
    pencil.setPen(QPen(pencil.pen().color(), 1.4, Qt.PenStyle.DashLine))
    pencil.drawLine(QPointF(11, 1), QPointF(5, 15))


def _merge(pencil: QPainter, color: QColor) -> None:
    one, two = QPainterPath(), QPainterPath()
    one.addEllipse(QPointF(5.6, 8), 4.2, 4.2)
    two.addEllipse(QPointF(10.4, 8), 4.2, 4.2)
    pencil.drawPath(one.united(two))
    pencil.setPen(Qt.PenStyle.NoPen)
    pencil.setBrush(color)
    pencil.drawEllipse(QPointF(8, 8), 1.5, 1.5)


def _grow(pencil: QPainter, _color: QColor) -> None:
    pencil.drawEllipse(QPointF(8, 8), 2.6, 2.6)
    pencil.setPen(QPen(pencil.pen().color(), 1.3, Qt.PenStyle.DashLine))
    pencil.drawEllipse(QPointF(8, 8), 6.3, 6.3)


def _delete(pencil: QPainter, _color: QColor) -> None:
    pencil.drawPolyline(_points((3.5, 4.5), (4.3, 14), (11.7, 14), (12.5, 4.5)))
    pencil.drawLine(QPointF(2, 4.2), QPointF(14, 4.2))
    pencil.drawPolyline(_points((6, 4), (6.4, 2), (9.6, 2), (10, 4)))


def _undo(pencil: QPainter, _color: QColor) -> None:
    path = QPainterPath(QPointF(3, 6.2))
    path.cubicTo(7, 2.6, 13.6, 4.5, 13.2, 9.6)
    path.quadTo(12.8, 12.6, 9.6, 13.4)
    pencil.drawPath(path)
    pencil.drawPolyline(_points((3, 2), (3, 6.6), (7.4, 6.6)))


def _redo(pencil: QPainter, color: QColor) -> None:
    pencil.translate(16, 0)
    pencil.scale(-1, 1)
    _undo(pencil, color)


_DRAWN: dict[str, Callable[[QPainter, QColor], None]] = {
    "pick": _pick,
    "brush": _brush,
    "draw": _draw,
    "redraw": _redraw,
    "vertices": _vertices,
    "split": _split,
    "merge": _merge,
    "grow": _grow,
    "delete": _delete,
    "undo": _undo,
    "redo": _redo,
}
