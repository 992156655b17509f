"""The filters' limits under a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from .limit_row import LimitRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_vhd.figures.qc import Limit


class LimitsPanel(QWidget):
    """A row a limit.

    Attributes
    ----------
    changed, use_requested
        As of `LimitRow`.
    """

    changed = Signal(str, float)
    use_requested = Signal(str, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: dict[str, LimitRow] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)

    def show_limits(self, limits: Iterable[Limit]) -> None:
        """Show other limits."""
        for row in self.rows.values():
            row.setParent(None)
            row.deleteLater()
        self.rows = {limit.parameter: LimitRow(limit) for limit in limits}
        for row in self.rows.values():
            row.changed.connect(self.changed)
            row.use_requested.connect(self.use_requested)
            self._column.addWidget(row)

    def set_value(self, parameter: str, value: float) -> None:
        """Show where a line was moved to."""
        self.rows[parameter].set_value(value)
