"""A range between two numbers: a slider, and two fields."""

from __future__ import annotations

import math

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QGridLayout, QSizePolicy, QWidget
from superqt import QDoubleRangeSlider
from superqt.utils import signals_blocked

_STEPS = 200
_FIELD_WIDTH = 74


class RangeControl(QWidget):
    """Asks for a low and a high value.

    Attributes
    ----------
    changed
        Low and high that a person set; not emitted by `set_bounds` and `set_value`.
    """

    changed = Signal(float, float)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._low, self._high = QDoubleSpinBox(), QDoubleSpinBox()
        self._slider = QDoubleRangeSlider(Qt.Orientation.Horizontal)
        self._slider.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        # The fields say and do the same by keyboard.
        self._slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        grid.addWidget(self._slider, 0, 0, 1, 3)
        grid.addWidget(self._low, 1, 0)
        grid.addWidget(self._high, 1, 2)
        grid.setColumnStretch(1, 1)
        self._slider.setAccessibleName(name)
        self._low.setAccessibleName(f"{name} from")
        self._high.setAccessibleName(f"{name} to")
        for field in (self._low, self._high):
            field.setKeyboardTracking(False)
            field.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
            field.setFixedWidth(_FIELD_WIDTH)
            field.valueChanged.connect(self._on_field)
        self._slider.valueChanged.connect(self._on_slider)

    @property
    def fields(self) -> tuple[QDoubleSpinBox, QDoubleSpinBox]:
        """The fields for the low and the high value."""
        return self._low, self._high

    @property
    def value(self) -> tuple[float, float]:
        """Low and high."""
        return self._low.value(), self._high.value()

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value that can be set."""
        return self._low.minimum(), self._low.maximum()

    def set_bounds(self, low: float, high: float) -> None:
        """Say between which values the range lies; it is then all of it."""
        high = high if high > low else low + max(abs(low), 1.0)
        digits = max(0, min(6, 3 - math.floor(math.log10(high - low))))
        with signals_blocked(self._low), signals_blocked(self._high), signals_blocked(self._slider):
            for field in (self._low, self._high):
                field.setDecimals(digits)
                field.setRange(low, high)
                field.setSingleStep((high - low) / _STEPS)
            self._slider.setRange(low, high)
        self.set_value(low, high)

    def set_value(self, low: float, high: float) -> None:
        """Show a range."""
        with signals_blocked(self._low), signals_blocked(self._high), signals_blocked(self._slider):
            self._low.setValue(low)
            self._high.setValue(high)
            self._slider.setValue((self._low.value(), self._high.value()))

    def _on_field(self) -> None:
        low, high = self.value
        if low > high:  # the field that was not touched gives way
            low, high = (low, low) if self.sender() is self._low else (high, high)
        self.set_value(low, high)
        self.changed.emit(low, high)

    def _on_slider(self, value: tuple[float, float]) -> None:
        self.set_value(*value)
        self.changed.emit(*self.value)
