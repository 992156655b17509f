"""The table of differences between two segmentations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QModelIndex, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_vhd.review.compare import MERGED, ONLY_A, ONLY_B, REGROUPED, SAME, SPLIT

from .table_model import TableModel

if TYPE_CHECKING:
    import pandas as pd

KIND_WORDS = {
    SAME: "same",
    SPLIT: "split in B",
    MERGED: "merged in B",
    REGROUPED: "regrouped",
    ONLY_A: "only in A",
    ONLY_B: "only in B",
}
_TIPS = (
    "What became of the objects of A in B",
    "Intersection over union: 1 is the same outline, 0 no common area",
    "Area in B less area in A",
    "UMIs in B less UMIs in A",
)


class DifferenceModel(TableModel):
    """Rows of `napari_vhd.review.compare.compare`, as Qt reads them."""

    heads = ("What", "Overlap", "Area µm²", "UMIs")
    rows: Any = ()

    def set_frame(self, frame: pd.DataFrame | None) -> None:
        """Show other differences."""
        self.beginResetModel()
        self.rows = () if frame is None else frame
        self.endResetModel()

    def row(self, number: int) -> pd.Series:
        """Give one difference."""
        return self.rows.iloc[number]

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:
        """Name a column, and say what it means."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return _TIPS[section]
        return super().headerData(section, orientation, role)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Give what is shown and said of a cell of the table."""
        if role == Qt.ItemDataRole.DisplayRole:
            return self._texts(self.row(index.row()))[index.column()]
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            row = self.row(index.row())
            ids_a, ids_b = ", ".join(row.ids_a) or "none", ", ".join(row.ids_b) or "none"
            return f"{KIND_WORDS[row.kind]}: A {ids_a}; B {ids_b}"
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() > 0:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    @staticmethod
    def _texts(row: pd.Series) -> tuple[str, str, str, str]:
        counted = np.isfinite(row.umi_change)
        return (
            KIND_WORDS[row.kind],
            f"{row.iou:.2f}",
            f"{row.area_change_um2:+,.0f}",
            f"{row.umi_change:+,.0f}" if counted else "–",
        )


class DifferenceTable(QTableView):
    """The table; the current row is where the view goes.

    Attributes
    ----------
    went
        Number of the row that became the current one.
    """

    went = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows_model = DifferenceModel(self)
        self.setModel(self.rows_model)
        self.setAccessibleName("Differences")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setMinimumHeight(150)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(22)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.selectionModel().currentRowChanged.connect(self._on_current)

    @property
    def current_row(self) -> int:
        """Number of the current row, -1 for none."""
        return self.currentIndex().row()

    def step(self, by: int) -> None:
        """Go some rows on, or back; stop at the ends."""
        last = self.rows_model.rowCount() - 1
        if last >= 0:
            self.selectRow(min(max(self.current_row + by, 0), last))

    def _on_current(self, current: QModelIndex, _before: QModelIndex) -> None:
        if current.isValid():
            self.went.emit(current.row())
