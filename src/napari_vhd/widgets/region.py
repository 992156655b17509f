"""Region: the whole slide, a box or outline drawn on the H&E, or regions of interest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QRadioButton,
    QWidget,
)

from .current import current_of
from .parts.drawing import RegionDrawing
from .parts.step import StepDock, StepPanel
from .parts.step_labels import text_label
from .parts.steps import REGION

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from napari_vhd.session import Session

_WHOLE, _DRAWN, _NAMED = range(3)
_SETTLE_MS = 250


class RegionPanel(StepPanel):
    """Which part of the slide is run."""

    step = REGION
    _heard: Session | None = None
    _shown: tuple[Any, tuple[str, ...]] | None = None

    def add_tools(self) -> None:
        """Add the three ways to choose, and what was chosen."""
        self.group = QButtonGroup(self)
        self.whole = QRadioButton("Whole slide")
        self.drawn = QRadioButton("Drawn on the H&&E")
        self.named = QRadioButton("Regions of interest")
        for number, button in enumerate((self.whole, self.drawn, self.named)):
            self.group.addButton(button, number)
        self.rectangle = QPushButton("Draw a rectangle")
        self.polygon = QPushButton("Draw an outline")
        self.box = QLineEdit()
        self.box.setPlaceholderText("or xmin, ymin, xmax, ymax in px")
        self.box.setAccessibleName("Box: xmin, ymin, xmax, ymax in full-resolution pixels")
        self.list = QListWidget()
        self.list.setAccessibleName("Regions of interest")
        self.list.setMaximumHeight(110)
        self.size = text_label("")
        row = QHBoxLayout()
        row.addWidget(self.rectangle)
        row.addWidget(self.polygon)
        self.tools = QWidget()
        self.tools.setLayout(row)
        row.setContentsMargins(20, 0, 0, 0)
        for widget in (self.whole, self.drawn, self.tools, self.box, self.named, self.list):
            self.body_layout.addWidget(widget)
        self.body_layout.addWidget(self.size)
        self.drawing = RegionDrawing(self.viewer)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self._take_drawn)
        self.drawing.changed.connect(self._on_drawn)
        self.group.idClicked.connect(self._on_way)
        self.rectangle.clicked.connect(lambda: self._draw("add_rectangle"))
        self.polygon.clicked.connect(lambda: self._draw("add_polygon_lasso"))
        self.box.editingFinished.connect(self._on_box)
        self.list.itemChanged.connect(self._on_listed)

    def release(self) -> None:
        """Let go of the layer that is drawn on."""
        super().release()
        if self._heard is not None:
            self._heard.regions_changed.disconnect(self._ask_regions, missing_ok=True)
        self.drawing.release()

    def refresh_tools(self) -> None:
        """Show what is chosen, and how large it is."""
        sample, outlook = self.control.sample, self.control.outlook
        if sample is None:
            return
        region = sample.region
        self._listen_to(self.control.session)
        if self._shown != (region, self.control.region_names):
            # Else what the user has just turned to stays, though nothing is drawn yet.
            self._shown = (region, self.control.region_names)
            way = _WHOLE if region is None else _NAMED if self.control.region_names else _DRAWN
            self.group.button(way).setChecked(True)
        if self.control.region_names and set(self._checked()) != set(self.control.region_names):
            self._show_list(self._names())
        self._show_tools()
        if not self.box.hasFocus():
            numbers = () if region is None or isinstance(region, str) else region
            self.box.setText(", ".join(f"{value:g}" for value in numbers))
        self.named.setEnabled(self.list.count() > 0)
        self.size.setText(_size_text(outlook.size if outlook else None, region))

    def _show_tools(self) -> None:
        way = self.group.checkedId()
        self.tools.setVisible(way == _DRAWN)
        self.box.setVisible(way == _DRAWN)
        self.list.setVisible(way == _NAMED)

    def _on_way(self, way: int) -> None:
        self._show_tools()
        if way == _WHOLE:
            self.control.change_sample(region=None)
        elif way == _DRAWN:
            self._take_drawn()
        else:
            self._on_listed()

    def _draw(self, mode: str) -> None:
        """Let the user draw; the layer is made where there is none."""
        if (scene := current_of(self.viewer).scene) is not None:
            self.drawing.begin(scene, mode)

    def _on_drawn(self) -> None:
        self._settle.start()

    def _take_drawn(self) -> None:
        """Take over what is drawn: one rectangle as a box, all else as a file."""
        if self.group.checkedId() != _DRAWN:
            return
        shapes = self.drawing.shapes()
        if not shapes:
            return
        if len(shapes) == 1 and (box := as_box(shapes[0])) is not None:
            self.control.change_sample(region=box)
            return
        self.control.draw_region([(f"region {n}", one) for n, one in enumerate(shapes, start=1)])

    def _on_box(self) -> None:
        text = self.box.text().replace(",", " ").split()
        try:
            values = tuple(float(part) for part in text)
        except ValueError:
            values = ()
        if len(values) == 4:
            self.control.change_sample(region=values)
        elif text:
            self.size.setText("Write four numbers: xmin, ymin, xmax, ymax.")

    # Regions of interest

    def _ask_regions(self) -> None:
        """Find out which regions of interest there are; the session may be slow to tell."""
        session = self.control.session
        if session is None:
            self._show_list([])
            return
        self.control.session_work.ask(
            f"regions {id(self)}",
            lambda: [str(name) for name in session.regions().index],
            then=self._show_list,
            # What the session cannot read, it says when it is opened.
            failed=lambda _: None,
        )

    def _listen_to(self, session: Session | None) -> None:
        """Hear of regions of the session that is open now."""
        if session is self._heard:
            return
        if self._heard is not None:
            self._heard.regions_changed.disconnect(self._ask_regions, missing_ok=True)
        self._heard = session
        if session is not None:
            session.regions_changed.connect(self._ask_regions, thread="main")
        self._ask_regions()

    def _names(self) -> list[str]:
        return [self.list.item(row).text() for row in range(self.list.count())]

    def _checked(self) -> list[str]:
        items = [self.list.item(row) for row in range(self.list.count())]
        return [i.text() for i in items if i.checkState() == Qt.CheckState.Checked]

    def _show_list(self, names: list[str]) -> None:
        checked = set(self._checked()) | set(self.control.region_names)
        self.list.blockSignals(True)
        self.list.clear()
        for name in names:
            item = QListWidgetItem(name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            on = name in checked
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self.list.addItem(item)
        self.list.blockSignals(False)
        self.named.setEnabled(bool(names))

    def _on_listed(self) -> None:
        self.control.choose_regions(self._checked())


class RegionDock(StepDock):
    """The step Region as a dock."""

    kind = RegionPanel


def as_box(shape: BaseGeometry) -> tuple[float, float, float, float] | None:
    """Give a rectangle along the axes as whole px; None for anything else."""
    if not np.isclose(shape.area, shape.envelope.area, rtol=1e-3):
        return None
    xmin, ymin, xmax, ymax = shape.bounds
    return float(round(xmin)), float(round(ymin)), float(round(xmax)), float(round(ymax))


def _size_text(size: Any, region: Any) -> str:
    """Say how large a region is."""
    if size is None:
        return ""
    what = "The whole slide" if region is None else "The region"
    return (
        f"{what}: <b>{size.width:,} × {size.height:,} px</b>, <b>{size.area_mm2:.3g} mm²</b>, "
        f"<b>{size.bins:,}</b> bins of 2 µm under tissue."
    )
