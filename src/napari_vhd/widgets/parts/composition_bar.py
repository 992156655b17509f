"""A bar of categories: how much of some cells each is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QRectF, QSize
from qtpy.QtGui import QColor, QHelpEvent, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QStyledItemDelegate, QToolTip, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtCore import QModelIndex, QPoint
    from qtpy.QtGui import QPaintEvent
    from qtpy.QtWidgets import QStyleOptionViewItem

    from napari_vhd.review.summary import Share

_MOST_NAMED = 8
_HIGH = 14


def draw_shares(pencil: QPainter, box: QRectF, shares: Sequence[Share], ink: QColor) -> None:
    """Paint shares side by side into a box."""
    left = box.left()
    for share in shares:
        width = share.share * box.width()
        pencil.fillRect(QRectF(left, box.top(), width, box.height()), QColor(share.color))
        left += width
    pencil.setPen(QPen(ink, 1))
    pencil.drawRect(box)


def told(shares: Sequence[Share]) -> str:
    """Say the shares in words, the largest first."""
    lines = [f"{s.name}: {100 * s.share:.1f} % ({s.count:,})" for s in shares[:_MOST_NAMED]]
    more = len(shares) - _MOST_NAMED
    return "\n".join([*lines, f"and {more} more"] if more > 0 else lines)


class CompositionBar(QWidget):
    """The bar as a widget; each part is named where the mouse rests."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shares: tuple[Share, ...] = ()
        self._ink = QColor("#808080")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Wide as the dock."""
        return QSize(200, 22)

    def set_shares(self, shares: tuple[Share, ...]) -> None:
        """Show other shares."""
        self._shares = shares
        self.setVisible(bool(shares))
        self.setAccessibleName("Composition: " + told(shares).replace("\n", ", "))
        self.update()

    def set_ink(self, color: QColor) -> None:
        """Draw the rim in another colour."""
        self._ink = color
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the shares."""
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        draw_shares(QPainter(self), box, self._shares, self._ink)

    def event(self, event: object) -> bool:
        """Name the part under the mouse."""
        if isinstance(event, QHelpEvent):
            self._name_part(event.pos(), event.globalPos())
            return True
        return bool(super().event(event))

    def _name_part(self, at: QPoint, on_screen: QPoint) -> None:
        place, passed = at.x() / max(self.width(), 1), 0.0
        for share in self._shares:
            passed += share.share
            if place <= passed:
                QToolTip.showText(on_screen, told([share]), self)
                return


class SharesDelegate(QStyledItemDelegate):
    """Paints the shares that a table's cell holds under `role`."""

    def __init__(self, role: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._role = role
        self.ink = QColor("#808080")

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint the bar over the cell's own background."""
        super().paint(painter, option, index)
        shares = index.data(self._role)
        if shares:
            box = QRectF(option.rect).adjusted(3.5, 0, -3.5, 0)
            box = QRectF(box.left(), box.center().y() - _HIGH / 2, box.width(), _HIGH)
            draw_shares(painter, box, shares, self.ink)
