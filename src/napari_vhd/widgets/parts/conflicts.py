"""What waits for a decision: cells on which people differ, corrections without a cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from napari_vhd.corrections.catalogue import title_of
from napari_vhd.corrections.correction import REGION
from napari_vhd.corrections.record import OUTLINE

from .entry_text import when

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

_ROW_ROLE = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class Opinion:
    """One of several opinions on one thing.

    Attributes
    ----------
    boundaries, what, cell_id
        Segmentation, column (or "outline", "region"), and which cell or region.
    author, value, time, entry_id
        Who said what, when, and in which entry.
    shown
        Whether it is the one in force.
    """

    boundaries: str
    what: str
    cell_id: str
    author: str
    value: str
    time: str
    entry_id: str
    shown: bool

    @property
    def is_label(self) -> bool:
        """Whether it is about a label."""
        return self.what not in (OUTLINE, REGION)


@dataclass(frozen=True)
class Lost:
    """A correction on a cell that the new segmentation has no match for.

    Attributes
    ----------
    cell_id, entry_id
        Which cell, in which entry.
    told
        What was done to it.
    x, y
        Where it was, full-resolution px.
    """

    cell_id: str
    entry_id: str
    told: str
    x: float
    y: float


def opinions_of(frame: pd.DataFrame) -> tuple[Opinion, ...]:
    """Read `Session.conflicts`."""
    return tuple(
        Opinion(
            str(row.boundaries),
            str(row.what),
            str(row.cell_id),
            str(row.author),
            str(row.value),
            str(row.time),
            str(row.entry_id),
            bool(row.shown),
        )
        for row in frame.itertuples()
    )


def lost_of(frame: pd.DataFrame) -> tuple[Lost, ...]:
    """Read `Session.unmatched`."""
    return tuple(
        Lost(
            str(row.cell_id),
            str(row.entry_id),
            f"{row.author}: {row.after}" + (f" ({title_of(row.column)[0]})" if row.column else ""),
            float(row.x),
            float(row.y),
        )
        for row in frame.itertuples()
    )


class ToDecide(QTreeWidget):
    """Conflicts, each with its opinions, and corrections that lost their cell.

    Attributes
    ----------
    go_asked
        An `Opinion` or `Lost` whose place a person wants to see.
    """

    go_asked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("To decide")
        self.setHeaderLabels(["What", "Who", "When"])
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setUniformRowHeights(True)
        head = self.header()
        head.setStretchLastSection(False)
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.itemDoubleClicked.connect(self._on_double)

    @property
    def current(self) -> Opinion | Lost | None:
        """What is marked: an opinion, a lost correction, or None."""
        item = self.currentItem()
        found = None if item is None else item.data(0, _ROW_ROLE)
        return found if isinstance(found, Opinion | Lost) else None

    @property
    def lost(self) -> tuple[Lost, ...]:
        """Every lost correction that is marked."""
        found = (item.data(0, _ROW_ROLE) for item in self.selectedItems())
        return tuple(one for one in found if isinstance(one, Lost))

    def show_all(self, opinions: Sequence[Opinion], lost: Sequence[Lost]) -> None:
        """List other things to decide."""
        self.clear()
        groups: dict[tuple[str, str, str], list[Opinion]] = {}
        for one in opinions:
            groups.setdefault((one.boundaries, one.what, one.cell_id), []).append(one)
        for (_, what, cell), group in groups.items():
            asked = title_of(what)[0] if group[0].is_label else what
            head = QTreeWidgetItem([f"{cell}: {asked}", f"{len(group)}", ""])
            self.addTopLevelItem(head)
            for one in group:
                shown = " (shown now)" if one.shown else ""
                item = QTreeWidgetItem([f"{one.value}{shown}", one.author, when(one.time)])
                item.setData(0, _ROW_ROLE, one)
                head.addChild(item)
            head.setExpanded(True)
        if lost:
            head = QTreeWidgetItem(["Without a cell in the new segmentation", f"{len(lost)}", ""])
            self.addTopLevelItem(head)
            for one in lost:
                item = QTreeWidgetItem([f"{one.cell_id}: {one.told}", "", ""])
                item.setData(0, _ROW_ROLE, one)
                item.setToolTip(0, f"{one.cell_id}: {one.told}")
                head.addChild(item)
            head.setExpanded(True)

    def _on_double(self, _item: QTreeWidgetItem, _column: int) -> None:
        found: Any = self.current
        if found is not None:
            self.go_asked.emit(found)
