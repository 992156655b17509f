"""What the correction dock is made of, and how it stands in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QScrollArea, QWidget

from napari_vhd.widgets.cell import CellDock

from .correction_head import Head
from .decide_panel import DecidePanel
from .history_panel import HistoryPanel
from .label_panel import LabelPanel
from .refine_panel import RefinePanel
from .review_mode import LISTED
from .selection_bar import SelectionBar
from .tabs import Tabs
from .tools import Tools
from .update_panel import UpdatePanel

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from qtpy.QtGui import QColor
    from qtpy.QtWidgets import QVBoxLayout

    from .desk import Desk


class Body:
    """The parts of the dock, put into its layout.

    Parameters
    ----------
    desk
        What they work on.
    viewer
        For the card of the cell under the mouse.
    layout
        Where they stand.
    """

    def __init__(self, desk: Desk, viewer: Viewer, layout: QVBoxLayout) -> None:
        self.head = Head()
        self.labels = LabelPanel(desk)
        self.selected = SelectionBar(desk, lambda: self.labels.shown)
        self.tools = Tools()
        self.card = CellDock(viewer)
        self.card.lasso.hide()  # the dock has its own
        self.history = HistoryPanel(desk)
        self.decide = DecidePanel(desk)
        self.refine = RefinePanel(desk)
        self.update = UpdatePanel(desk)
        self.tabs = Tabs()
        self.tabs.setUsesScrollButtons(True)
        pages: tuple[tuple[QWidget, str], ...] = (
            (self.card, "Cell"),
            (self.history, "History"),
            (self.decide, "To decide"),
            (self.refine, "Refine"),
            (self.update, "Update"),
            (_keys(), "Keys"),
        )
        for page, title in pages:
            self.tabs.addTab(page, title)
        for part in (self.head, self.selected, self.tools):
            layout.addWidget(part)
        layout.addWidget(self.labels, 3)
        layout.addWidget(self.tabs, 2)
        self.decide.counted.connect(self._on_counted)
        self.tabs.currentChanged.connect(lambda _: self.update.refresh())

    def refresh_rested(self) -> None:
        """Look at what is too slow to be looked at after every edit."""
        self.decide.refresh()
        self.update.refresh()

    def refresh_computed(self) -> None:
        """Look at the sample as it is computed now."""
        self.refine.refresh()
        self.update.refresh()

    def leave(self) -> None:
        """Drop what is at work on the sample."""
        self.refine.leave()
        self.update.leave()

    def set_colors(self, ink: QColor, at_work: QColor) -> None:
        """Draw in another text colour, and behind the tool at work another ground."""
        self.head.set_ink(ink)
        self.tools.set_colors(ink, at_work)
        self.labels.set_ink(ink)

    def _on_counted(self, number: int) -> None:
        title = f"To decide ({number})" if number else "To decide"
        self.tabs.setTabText(self.tabs.indexOf(self.decide), title)


def _keys() -> QScrollArea:
    """List the keys of Review mode."""
    text = QLabel("<br>".join(f"<b>{key}</b> &nbsp;{does}" for key, does in LISTED))
    text.setAlignment(Qt.AlignmentFlag.AlignTop)
    text.setWordWrap(True)
    text.setMargin(4)
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    area.setWidget(text)
    return area
