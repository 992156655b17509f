"""What can be done with the regions in the list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from .theme import icon

if TYPE_CHECKING:
    from qtpy.QtGui import QColor

_RUN = "Run the pipeline inside"


class RegionButtons(QWidget):
    """The buttons under the list of regions."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.up, self.down, self.jump = map(QPushButton, ("Up", "Down", "Go to"))
        self.rename, self.delete = map(QPushButton, ("Rename", "Delete"))
        self.load, self.save, self.run = map(QPushButton, ("Load…", "Save…", _RUN))
        self.up.setToolTip("Draw the region over others")
        self.down.setToolTip("Draw the region under others")
        self.load.setToolTip("Add regions from a GeoJSON file (QuPath, Space Ranger …)")
        self.save.setToolTip("Save the selected regions, or all, as GeoJSON that QuPath opens")
        self.run.setToolTip("One run over all selected regions; the column region_name says which")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        lines = (self.up, self.down, self.jump), (self.rename, self.delete), (self.load, self.save)
        for line in lines:
            row = QHBoxLayout()
            for button in line:
                row.addWidget(button)
            column.addLayout(row)
        column.addWidget(self.run)

    def set_ink(self, color: QColor) -> None:
        """Follow the theme."""
        self.up.setIcon(icon("up", color))
        self.down.setIcon(icon("down", color))

    def show_state(self, chosen: int, there: int) -> None:
        """Enable what can be done with so many chosen regions of those there."""
        for button in (self.up, self.down, self.rename, self.jump):
            button.setEnabled(chosen == 1)
        self.delete.setEnabled(chosen > 0)
        self.run.setEnabled(chosen > 0)
        self.save.setEnabled(there > 0)
        self.run.setText(f"{_RUN} {chosen} regions" if chosen > 1 else _RUN)
