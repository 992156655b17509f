"""The legend of categories: the table, and a button that shows all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from .category_table import CategoryTable, Row

if TYPE_CHECKING:
    from napari_vhd.layers.coloring import Coloring


class CategoriesPanel(QWidget):
    """Controls of how categories are shown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = CategoryTable()
        self.show_all = QPushButton("Show all")
        self.show_all.setToolTip("Show every category again")
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.show_all)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table, 1)
        column.addLayout(buttons)

    def show_coloring(self, coloring: Coloring) -> str:
        """Show the categories; says how many they are."""
        rows = [
            Row(c.name, c.label, c.color, c.count, c.visible, c.named) for c in coloring.categories
        ]
        self.table.set_rows(rows)
        self.show_all.setEnabled(not all(row.visible for row in rows))
        named = [row for row in rows if row.named]
        return f"{len(named)} categories, {sum(row.count for row in named):,} cells"
