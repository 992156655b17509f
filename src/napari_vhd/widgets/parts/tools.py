"""The tools that correct: a button each, with the letter that is its key in Review mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from .tool_icons import tool_icon

if TYPE_CHECKING:
    from qtpy.QtGui import QColor

PICK, LASSO, BRUSH = "pick", "lasso", "brush"
DRAW, REDRAW, VERTICES, SPLIT = "draw", "redraw", "vertices", "split"
DELETE, MERGE, GROW = "delete", "merge", "grow"
_COLUMNS = 5


@dataclass(frozen=True)
class Tool:
    """One tool.

    Attributes
    ----------
    name, title
        What signals and people call it.
    key
        Its letter in Review mode.
    told
        What it does.
    stays
        Whether it is a mode that one works in, or is done at once.
    least
        Number of cells that must be selected.
    most
        Number that may be, None for any.
    """

    name: str
    title: str
    key: str
    told: str
    stays: bool = False
    least: int = 0
    most: int | None = None


TOOLS = (
    Tool(PICK, "Pick", "P", "Click a cell to select it, Ctrl-click to select more.", stays=True),
    Tool(LASSO, "Lasso", "L", "Select the cells inside an outline that you draw.", stays=True),
    Tool(
        BRUSH,
        "Brush",
        "B",
        "Paint with napari's brush, fill or picker: the cells that a stroke touches get the label, "
        "each whole.",
        stays=True,
    ),
    Tool(DRAW, "New", "N", "Draw the outline of a cell that was missed.", stays=True),
    Tool(REDRAW, "Redraw", "R", "Draw a new outline for the selected cell.", True, 1, 1),
    Tool(
        VERTICES,
        "Vertices",
        "E",
        "Open the selected cells and their neighbours to move, add and remove vertices; Enter "
        "takes the new outlines over, Esc leaves.",
        True,
        1,
    ),
    Tool(SPLIT, "Split", "S", "Split the selected cell by a line that you draw.", True, 1, 1),
    Tool(MERGE, "Merge", "M", "Make one cell of the selected ones.", False, 2),
    Tool(GROW, "Grow", "G", "Grow the selected cells by so many µm; negative shrinks.", False, 1),
    Tool(DELETE, "Delete", "D", "Delete the selected cells.", False, 1),
)
BY_NAME = {tool.name: tool for tool in TOOLS}


class Tools(QWidget):
    """Buttons of all tools, and what they are told.

    Attributes
    ----------
    chosen
        Name of the tool that a person wants.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: dict[str, QToolButton] = {}
        self._group = QButtonGroup(self)
        grid = QGridLayout()
        grid.setSpacing(2)
        for place, tool in enumerate(TOOLS):
            button = self._button(tool)
            grid.addWidget(button, place // _COLUMNS, place % _COLUMNS)
        self.buttons[PICK].setChecked(True)
        self.overlap = QComboBox()
        self.overlap.setAccessibleName("Where a drawn outline overlaps neighbours")
        self.overlap.setToolTip("What is done where a drawn outline overlaps other cells.")
        self.overlap.addItem("keep overlap", "keep")
        self.overlap.addItem("clip overlap", "clip")
        self.overlap.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.distance = QDoubleSpinBox()
        self.distance.setAccessibleName("Grow by")
        self.distance.setRange(-20, 20)
        self.distance.setSingleStep(0.5)
        self.distance.setDecimals(1)
        self.distance.setValue(1)
        self.distance.setPrefix("grow ")
        self.distance.setSuffix(" µm")
        self.distance.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.distance.setToolTip("How far Grow moves the outline; negative shrinks.")
        row = QHBoxLayout()
        row.addWidget(self.overlap, 1)
        row.addWidget(self.distance, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(grid)
        layout.addLayout(row)

    def set_current(self, name: str) -> None:
        """Show which tool is at work; nothing is started."""
        self.buttons[name].setChecked(True)

    def set_selected(self, number: int) -> None:
        """Offer what can be done with so many selected cells."""
        for tool in TOOLS:
            fits = number >= tool.least and (tool.most is None or number <= tool.most)
            self.buttons[tool.name].setEnabled(fits or self.buttons[tool.name].isChecked())

    def set_colors(self, color: QColor, at_work: QColor) -> None:
        """Draw icons in another colour, and behind the tool at work another ground."""
        self.setStyleSheet(f"QToolButton:checked {{ background: {at_work.name()}; }}")
        for name, button in self.buttons.items():
            button.setIcon(tool_icon(name, color))

    def _button(self, tool: Tool) -> QToolButton:
        button = QToolButton()
        button.setText(tool.title)
        button.setAccessibleName(tool.title)
        button.setToolTip(f"{tool.told} Key {tool.key} in Review mode.")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setIconSize(QSize(18, 18))
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        button.setCheckable(tool.stays)
        if tool.stays:
            self._group.addButton(button)
        button.clicked.connect(lambda _=False, name=tool.name: self.chosen.emit(name))
        self.buttons[tool.name] = button
        return button
