"""One segmentation in the legend: its outlines' visibility, colour and opacity, and shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QSlider, QToolButton, QWidget
from superqt.utils import signals_blocked

from .category_table import ask_color
from .theme import swatch

if TYPE_CHECKING:
    from qtpy.QtGui import QColor


class OutlineRow(QWidget):
    """Controls of one segmentation's outlines.

    Attributes
    ----------
    shown_toggled
        Segmentation, and whether its outlines are to be shown.
    style_changed
        Segmentation, colour ``#RRGGBB`` and opacity from 0 to 1.
    shapes_toggled
        Segmentation, and whether its cells are to be shown as napari shapes.
    """

    shown_toggled = Signal(str, bool)
    style_changed = Signal(str, str, float)
    shapes_toggled = Signal(str, bool)

    def __init__(self, boundaries: str, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.boundaries = boundaries
        self._title, self._color, self._ink = title, "#FFFFFF", None
        self.shown = QCheckBox(title)
        self.shown.setAccessibleName(f"Show outlines of {title}")
        self.color = QToolButton()
        self.color.setIconSize(QSize(16, 16))
        self.color.setAccessibleName(f"Outline colour of {title}")
        self.color.setToolTip(f"Outline colour of {title}")
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setPageStep(10)
        self.opacity.setMinimumWidth(60)
        self.opacity.setAccessibleName(f"Outline opacity of {title}")
        self.shapes = QCheckBox("as shapes")
        self.shapes.setAccessibleName(f"Show {title} as napari shapes")
        self.shapes.setToolTip(
            "Boundaries as a napari Shapes layer: the whole sample up to 15,000 cells, beyond "
            "that the cells in view."
        )
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(6)
        grid.addWidget(self.shown, 0, 0, 1, 2)
        grid.addWidget(self.shapes, 0, 2)
        grid.addWidget(QLabel("opacity"), 1, 0)
        grid.addWidget(self.opacity, 1, 1)
        grid.addWidget(self.color, 1, 2)
        grid.setColumnStretch(1, 1)
        self.shown.toggled.connect(self._on_shown)
        self.shapes.toggled.connect(self._on_shapes)
        self.opacity.valueChanged.connect(self._on_style)
        self.color.clicked.connect(self._on_ask)

    def set_ink(self, ink: QColor) -> None:
        """Draw the swatch's rim in another colour."""
        self._ink = ink
        self.color.setIcon(swatch(self._color, ink))

    def show_state(self, shown: bool, color: str, opacity: float, shapes: bool) -> None:
        """Show how the outlines are drawn now."""
        with (
            signals_blocked(self.shown),
            signals_blocked(self.shapes),
            signals_blocked(self.opacity),
        ):
            self.shown.setChecked(shown)
            self.shapes.setChecked(shapes)
            self.opacity.setValue(round(100 * opacity))
        self._color = color
        if self._ink is not None:
            self.set_ink(self._ink)

    def _on_shown(self, shown: bool) -> None:
        self.shown_toggled.emit(self.boundaries, shown)

    def _on_shapes(self, shown: bool) -> None:
        self.shapes_toggled.emit(self.boundaries, shown)

    def _on_style(self) -> None:
        self.style_changed.emit(self.boundaries, self._color, self.opacity.value() / 100)

    def _on_ask(self) -> None:
        dialog = ask_color(self, self._color, f"Outline colour of {self._title}")
        dialog.colorSelected.connect(self._on_color)

    def _on_color(self, color: QColor) -> None:
        self._color = color.name().upper()
        if self._ink is not None:
            self.set_ink(self._ink)
        self._on_style()
