"""Workflow: all steps in order, from a folder to cell types."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QButtonGroup,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from .cell_types import CellTypesPanel
from .current import current_of
from .deconvolution import DeconvolutionPanel
from .domains import DomainsPanel
from .parts import words
from .parts.closing import CloseGuard
from .parts.dispatch import dispatcher
from .parts.section import Section
from .parts.step_labels import scrolled, text_label
from .parts.steps import status_of
from .parts.text_size import TextSize
from .region import RegionPanel
from .review import ReviewPanel
from .run_control import control_of
from .sample import SamplePanel
from .segmentation import SegmentationPanel

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from .parts.step import StepPanel

PANELS: tuple[type[StepPanel], ...] = (
    SamplePanel,
    RegionPanel,
    SegmentationPanel,
    DomainsPanel,
    DeconvolutionPanel,
    CellTypesPanel,
    ReviewPanel,
)

SHORTCUTS = (
    ("Alt+1 … Alt+7", "go to a step"),
    ("Alt+R", "run the step that is open"),
    ("Alt+.", "cancel the run"),
    ("Alt+L", "what is listed here"),
)
"""Those of this dock; they hold while the keyboard is in it."""


class WorkflowDock(QWidget):
    """The steps under each other, one of them open.

    Parameters
    ----------
    napari_viewer
        Whose sample is run.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.control = control_of(napari_viewer)
        self._panels: dict[int, StepPanel] = {}
        self._is_released = False
        self.headers: list[QToolButton] = []
        self._group = QButtonGroup(self)
        self.bar = QWidget()
        bar = QVBoxLayout(self.bar)
        bar.setContentsMargins(0, 0, 0, 0)
        steps = QWidget()
        self._inner = QVBoxLayout(steps)
        self._inner.setContentsMargins(2, 2, 2, 2)
        self._inner.setSpacing(2)
        for number, kind in enumerate(PANELS):
            self._inner.addWidget(self._header(number, kind))
        self.shortcuts = Section("Shortcuts", text_label(_shortcut_table()))
        self._inner.addWidget(self.shortcuts)
        self._inner.addStretch()
        self.area = scrolled(steps)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.area, 1)
        layout.addWidget(self.bar)
        self._bind_keys()
        control = self.control
        control.config_changed.connect(self.refresh)
        control.outlook_changed.connect(self.refresh)
        control.run_changed.connect(self.refresh)
        self._current = current_of(napari_viewer)
        self._current.region_run_requested.connect(self._on_region_run)
        self.guard = CloseGuard(self, napari_viewer, self.release)
        TextSize(self)
        self.open_step(0)
        self.refresh()
        dispatcher()(self._make_next)

    def release(self) -> None:
        """Let go of what it and its steps listen to."""
        control = self.control
        for signal in (control.config_changed, control.outlook_changed, control.run_changed):
            signal.disconnect(self.refresh, missing_ok=True)
        self._current.region_run_requested.disconnect(self._on_region_run, missing_ok=True)
        self._is_released = True
        for panel in self._panels.values():
            panel.release()

    @property
    def step(self) -> int:
        """Which step is open, from 0."""
        return self._group.checkedId()

    def panel(self, number: int) -> StepPanel:
        """Give the panel of a step (from 0), made when it is first asked for."""
        if number not in self._panels:
            self._panels[number] = PANELS[number](self.viewer)
        panel = self._panels[number]
        panel.finish()
        if panel.parent() is None:
            for part in (panel, panel.run_box):
                part.hide()
            header = self.headers[number]
            self._inner.insertWidget(self._inner.indexOf(header) + 1, panel)
            self.bar.layout().addWidget(panel.run_box)
            _put_after(header, panel)
        return panel

    def _make_next(self) -> None:
        """Make a part of a panel that was not asked for yet, or take the panel in."""
        if self._is_released:
            return
        for number, kind in enumerate(PANELS):
            if number not in self._panels:
                self._panels[number] = kind(self.viewer)
            elif self._panels[number].make():
                pass
            elif self._panels[number].parent() is None:
                self.panel(number)
            else:
                continue
            dispatcher()(self._make_next)
            return

    def open_step(self, number: int) -> None:
        """Open a step (from 0) and close the others."""
        self.headers[number].setChecked(True)
        self.panel(number)
        for index, panel in self._panels.items():
            if panel.parent() is not None:
                panel.setVisible(index == number)
                panel.run_box.setVisible(index == number)
        for index, header in enumerate(self.headers):
            header.setArrowType(
                Qt.ArrowType.DownArrow if index == number else Qt.ArrowType.RightArrow
            )
        self.area.ensureWidgetVisible(self.headers[number], 0, 0)

    def refresh(self) -> None:
        """Show how each step stands."""
        control = self.control
        running, failed = set(control.running), set(control.failed)
        for number, (header, kind) in enumerate(zip(self.headers, PANELS, strict=True), start=1):
            status = status_of(kind.step, control.outlook, running, failed)
            said = f"{words.STATUS_SIGNS[status]} {words.STATUS_WORDS[status]}" if status else ""
            title = f"{number}  {kind.step.title}"
            header.setText(f"{title}   {said}" if said else title)
            header.setAccessibleName(f"Step {title}, {words.STATUS_WORDS.get(status, '')}")

    def _header(self, number: int, kind: type[StepPanel]) -> QToolButton:
        header = QToolButton()
        header.setCheckable(True)
        header.setToolTip(kind.step.what)
        header.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        header.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        header.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        header.setMinimumHeight(28)
        header.clicked.connect(lambda: self.open_step(number))
        self._group.addButton(header, number)
        self.headers.append(header)
        return header

    def _bind_keys(self) -> None:
        """Bind the keys of `SHORTCUTS`, in this dock only."""
        bound = [(f"Alt+{n + 1}", lambda n=n: self.open_step(n)) for n in range(len(PANELS))]
        bound += [
            ("Alt+R", self._on_run_key),
            ("Alt+.", self._on_cancel),
            ("Alt+L", lambda: self.shortcuts.open(not self.shortcuts.is_open)),
        ]
        for keys, slot in bound:
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(slot)

    def _on_run_key(self) -> None:
        panel = self.panel(self.step)
        if panel.run_button.isVisible():
            panel.run_button.click()

    def _on_region_run(self, _names: tuple[str, ...]) -> None:
        """Show the step that a run inside regions begins with."""
        self.open_step(PANELS.index(RegionPanel))

    def _on_cancel(self) -> None:
        if self.control.is_running:
            self.panel(self.step).progress.cancel.click()


def _put_after(header: QWidget, panel: QWidget) -> None:
    """Have the key Tab go from a heading into what is under it."""
    inside = [
        one
        for one in panel.findChildren(QWidget)
        if one.focusPolicy() != Qt.FocusPolicy.NoFocus and one.window() is header.window()
    ]
    for before, after in pairwise([header, *inside]):
        QWidget.setTabOrder(before, after)


def _shortcut_table() -> str:
    rows = "".join(
        f"<tr><td><b>{key}</b>&nbsp;&nbsp;</td><td>{what}</td></tr>" for key, what in SHORTCUTS
    )
    return f"While the keyboard is in this dock:<table>{rows}</table>"
