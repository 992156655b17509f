"""A filter's limit beside its histogram: the value, and how many cells it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QGridLayout, QLabel, QPushButton, QWidget
from superqt.utils import signals_blocked

from .words import label

if TYPE_CHECKING:
    from napari_vhd.figures.qc import Limit


class LimitRow(QWidget):
    """One limit.

    Attributes
    ----------
    changed
        Parameter and value that a person set.
    use_requested
        Parameter and value that the next run is to use.
    """

    changed = Signal(str, float)
    use_requested = Signal(str, float)

    def __init__(self, limit: Limit, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.limit = limit
        self.field = QDoubleSpinBox()
        self.field.setAccessibleName(label(limit.parameter))
        self.field.setDecimals(0 if limit.least else 2)
        self.field.setRange(0, max(limit.value, 1e6 if limit.least else 100.0))
        self.field.setKeyboardTracking(False)
        self.field.setValue(limit.value)
        self.told = QLabel()
        self.use = QPushButton("Use")
        self.use.setToolTip("Use this limit in the next run of quality control")
        self.field.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        grid.addWidget(QLabel(label(limit.parameter)), 0, 0, 1, 3)
        grid.addWidget(self.field, 1, 0)
        grid.addWidget(self.told, 1, 1)
        grid.addWidget(self.use, 1, 2)
        grid.setColumnStretch(1, 1)
        self.field.valueChanged.connect(self._on_value)
        self.use.clicked.connect(self._on_use)
        self._tell()

    def set_value(self, value: float) -> None:
        """Show another value."""
        with signals_blocked(self.field):
            self.field.setValue(value)
        self._tell()

    def _tell(self) -> None:
        kept, number = self.limit.keeps(self.field.value()), len(self.limit.values)
        self.told.setText(f"keeps {kept:,} of {number:,}")

    def _on_value(self, value: float) -> None:
        self._tell()
        self.changed.emit(self.limit.parameter, value)

    def _on_use(self) -> None:
        self.use_requested.emit(self.limit.parameter, self.field.value())
