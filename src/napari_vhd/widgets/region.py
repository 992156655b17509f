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

from napari_vhd.exceptions import VhdError

from .current import current_of
from .parts import drawn_region
from .parts.drawing import RegionDrawing
from .parts.step import StepDock, StepPanel
from .parts.step_labels import text_label
from .parts.steps import REGION

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

_WHOLE, _DRAWN, _NAMED = range(3)
_SETTLE_MS = 250


class RegionPanel(StepPanel):
    """Which part of the slide is run."""

    step = REGION

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
        self.drawing.release()
        super().release()

    def refresh_tools(self) -> None:
        """Show what is chosen, and how large it is."""
        sample, outlook = self.control.sample, self.control.outlook
        if sample is None:
            return
        region = sample.region
        areas = self._areas()
        self._show_list(areas)
        way = _WHOLE if region is None else _DRAWN
        if isinstance(region, str) and self._checked():
            way = _NAMED
        if self.group.checkedId() == -1 or region is not None:
            self.group.button(way).setChecked(True)
        self._show_tools()
        if not self.box.hasFocus():
            numbers = "" if region is None or isinstance(region, str) else region
            self.box.setText(", ".join(f"{value:g}" for value in numbers))
        self.named.setEnabled(bool(areas))
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
        frame = self.drawing.sample_frame(current_of(self.viewer).scene)
        if frame is None:
            self.size.setText("There is no picture to draw on yet: open a sample first.")
            return
        self.drawing.begin(frame, mode)

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
        self._take_areas([(f"region {n}", shape) for n, shape in enumerate(shapes, start=1)])

    def _take_areas(self, areas: list[tuple[str, BaseGeometry]]) -> None:
        path = drawn_region.write(areas, self.control.run_dir)
        self.control.change_sample(region=str(path))

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

    def _areas(self) -> dict[str, Any]:
        """Give the sample's regions of interest, by name."""
        session: Any = self.control.session
        regions = getattr(session, "regions", None)
        if regions is None:
            return {}
        try:
            frame = regions()
        except VhdError:
            return {}
        return (
            {} if frame is None else dict(zip(map(str, frame.index), frame.geometry, strict=True))
        )

    def _checked(self) -> list[str]:
        items = [self.list.item(row) for row in range(self.list.count())]
        return [i.text() for i in items if i.checkState() == Qt.CheckState.Checked]

    def _show_list(self, areas: dict[str, Any]) -> None:
        names = [self.list.item(row).text() for row in range(self.list.count())]
        if names == list(areas):
            return
        checked = set(self._checked())
        self.list.blockSignals(True)
        self.list.clear()
        for name in areas:
            item = QListWidgetItem(name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            on = name in checked
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self.list.addItem(item)
        self.list.blockSignals(False)

    def _on_listed(self) -> None:
        areas = self._areas()
        chosen = [(name, areas[name]) for name in self._checked() if name in areas]
        if chosen:
            self._take_areas(chosen)


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
