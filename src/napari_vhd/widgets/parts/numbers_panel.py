"""The legend of a number: colour bar, limits, colours, and the filter by value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, QTimer, Signal
from qtpy.QtGui import QIcon, QPixmap
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QPushButton, QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from .color_bar import ColorBar, color_strip
from .range_control import RangeControl

if TYPE_CHECKING:
    from qtpy.QtGui import QColor

    from napari_vhd.review.summary import Distribution

# Even in lightness, so that colour-blind eyes and grey prints read them; the last two diverge.
COLORMAPS = ("viridis", "cividis", "magma", "inferno", "plasma", "gray", "PiYG", "coolwarm")
# A range that is dragged gives many values a second; the view follows this often.
_FOLLOW_MS = 40


class NumbersPanel(QWidget):
    """Controls of how a number is shown.

    Parameters
    ----------
    parent
        Qt's.
    filters
        Whether what is shown can be filtered by value.

    Attributes
    ----------
    limits_changed
        Values that have the first and the last colour.
    colormap_changed
        Name of a napari colormap.
    filter_changed
        Least and greatest value that is shown; all, where it is the whole range.
    """

    limits_changed = Signal(float, float)
    colormap_changed = Signal(str)
    filter_changed = Signal(float, float)

    def __init__(self, parent: QWidget | None = None, filters: bool = True) -> None:
        super().__init__(parent)
        self.bar = ColorBar()
        self.limits = RangeControl("Colour limits")
        self.only = RangeControl("Show values")
        self.colormap = QComboBox()
        self.colormap.setAccessibleName("Colours")
        self.colormap.setIconSize(QSize(60, 12))
        for name in COLORMAPS:
            picture = QPixmap.fromImage(color_strip(name).scaled(120, 24))
            self.colormap.addItem(QIcon(picture), name)
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.all_button = QPushButton("Show all values")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.bar)
        form = QFormLayout()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.addRow("Colours", self.colormap)
        form.addRow("Limits", self.limits)
        form.addRow("Show only", self.only)
        form.setRowVisible(self.only, filters)
        self.all_button.setVisible(filters)
        column.addLayout(form)
        column.addWidget(self.told)
        column.addWidget(self.all_button)
        column.addStretch(1)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_FOLLOW_MS)
        self._timer.timeout.connect(self._send_filter)
        self.limits.changed.connect(self._on_limits)
        self.only.changed.connect(self._on_only)
        self.colormap.currentTextChanged.connect(self._on_colormap)
        self.all_button.clicked.connect(self._on_all)

    def show_values(self, title: str, unit: str, values: Distribution, noun: str = "cells") -> None:
        """Describe other values; the filter is then off."""
        self._timer.stop()
        self.bar.set_title(f"{title} ({unit})" if unit else title)
        self.bar.set_histogram(values.counts, values.low, values.high)
        self.limits.set_bounds(values.low, values.high)
        self.only.set_bounds(values.low, values.high)
        self.bar.set_shown(None)
        self.all_button.setEnabled(False)
        told = f"{values.number:,} {noun}, median {values.median:,.4g} {unit}".rstrip()
        if values.missing:
            told += f"; {values.missing:,} without a value are not coloured"
        self.told.setText(told if values.number else f"None of the {noun} has a value.")

    def show_style(self, limits: tuple[float, float], colormap: str) -> None:
        """Show the limits and colours that are in use."""
        low, high = self.limits.bounds
        if limits[0] < low or limits[1] > high:
            # Limits chosen around zero may reach beyond the values.
            self.limits.set_bounds(min(low, limits[0]), max(high, limits[1]))
        self.limits.set_value(*limits)
        self.bar.set_limits(*limits)
        self.bar.set_colors(colormap)
        with signals_blocked(self.colormap):
            if self.colormap.findText(colormap) < 0:
                self.colormap.addItem(colormap)
            self.colormap.setCurrentText(colormap)

    def set_ink(self, color: QColor) -> None:
        """Follow the theme."""
        self.bar.set_ink(color)

    def _on_limits(self, low: float, high: float) -> None:
        self.bar.set_limits(low, high)
        self.limits_changed.emit(low, high)

    def _on_colormap(self, name: str) -> None:
        self.bar.set_colors(name)
        self.colormap_changed.emit(name)

    def _on_only(self, low: float, high: float) -> None:
        whole = (low, high) == self.only.bounds
        self.bar.set_shown(None if whole else (low, high))
        self.all_button.setEnabled(not whole)
        self._timer.start()

    def _on_all(self) -> None:
        self.only.set_value(*self.only.bounds)
        self._on_only(*self.only.bounds)

    def _send_filter(self) -> None:
        self.filter_changed.emit(*self.only.value)
