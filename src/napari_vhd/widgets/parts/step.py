"""One step of the workflow: its parameters, what it needs, Run, progress, and what came out."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from qtpy.QtWidgets import (
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_vhd.parameters import Params, ProsegSettings
from napari_vhd.widgets.run_control import control_of

from . import report
from .closing import CloseGuard
from .form import Binder, ParameterForm, hints_of
from .pictures import Pictures
from .place import place_is_known
from .progress import TaskProgress
from .section import Section
from .step_labels import scrolled, text_label
from .steps import SUGGESTIONS, Step
from .text_size import TextSize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.viewer import Viewer

    from napari_vhd.runner.events import Progress, Task

    from .steps import Group

_NOTHING_OPEN = (
    "Nothing is open. Choose a Space Ranger folder or a run folder in the step <b>Sample</b>."
)
_NOT_OURS = (
    "This is a SpatialData store that another program made: it can be looked at and corrected, but "
    "not run. Open its Space Ranger folder to run it."
)

# This module is loaded beside the window, panels are made in it.
for _kind in (Params, ProsegSettings):
    hints_of(_kind)


class StepPanel(QWidget):
    """Base of all steps; made part by part, so that a window answers in between.

    Parameters
    ----------
    napari_viewer
        Whose sample is run.
    """

    step: ClassVar[Step]

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer = napari_viewer
        self.control = control_of(napari_viewer)
        self.layout_ = QVBoxLayout(self)
        self.layout_.setContentsMargins(4, 4, 4, 8)
        self.layout_.setSpacing(8)
        self.layout_.addWidget(text_label(self.step.what))
        self.empty = text_label("")
        self.layout_.addWidget(self.empty)
        self.body = QWidget()
        self.body_layout = QVBoxLayout(self.body)
        self.body_layout.setContentsMargins(0, 0, 0, 0)
        self.body_layout.setSpacing(8)
        self.binders: list[Binder] = []
        self.sections: list[Section] = []
        self._making = self._parts()

    def make(self) -> bool:
        """Make another part of the panel; gives False where all are there."""
        return next(self._making, False)

    def finish(self) -> None:
        """Make what is not there yet."""
        while self.make():
            pass

    def _parts(self) -> Iterator[bool]:
        self.add_tools()
        yield True
        for group in self.step.groups:
            self._add_parameters(group)
            yield True
        if self.step.stages:
            self._add_results()
        self.add_more()
        self.run_box = self._make_run_box()
        self.layout_.addWidget(self.body)
        self.layout_.addStretch()
        yield True
        self._connect()
        self.refresh()
        yield True

    # For the steps themselves

    def add_tools(self) -> None:
        """Add what a step has before its parameters."""

    def add_more(self) -> None:
        """Add what a step has after its results."""

    def refresh_tools(self) -> None:
        """Bring what was added up to date."""

    def forms(self) -> list[ParameterForm]:
        """Give the forms of this step."""
        return [binder.form for binder in self.binders]

    # Building

    def _add_parameters(self, group: Group) -> None:
        form = ParameterForm(Params, group.names, SUGGESTIONS)
        self.binders.append(Binder(form, self.control.change))
        section = Section(group.title, form, group.is_open)
        self.sections.append(section)
        self.body_layout.addWidget(section)

    def _add_results(self) -> None:
        self.needs = text_label("")
        self.results = text_label("")
        self.pictures = Pictures(self.control.background)
        for widget in (self.needs, self.results, self.pictures):
            self.body_layout.addWidget(widget)

    def _make_run_box(self) -> QWidget:
        """Make what a dock keeps in sight below the step: estimate, Run and progress."""
        box = QWidget(self)
        self.estimate = text_label("")
        self.run_button = QPushButton(f"Run {self.step.title.lower()}")
        self.run_button.setToolTip(
            "Run this step, and the steps before it where they are missing or out of date."
        )
        self.again_button = QPushButton("Run again")
        self.again_button.setToolTip("Run this step also where nothing changed.")
        self.progress = TaskProgress()
        layout = QVBoxLayout(box)
        layout.setContentsMargins(6, 4, 6, 6)
        layout.setSpacing(4)
        for widget in (self.estimate, self.run_button, self.again_button, self.progress):
            layout.addWidget(widget)
        self.run_button.clicked.connect(self._on_run)
        self.again_button.clicked.connect(self._on_again)
        self.progress.cancel_requested.connect(self._on_cancel)
        return box

    def _connect(self) -> None:
        control = self.control
        control.config_changed.connect(self.refresh)
        control.outlook_changed.connect(self.refresh)
        control.run_changed.connect(self.refresh)
        control.progressed.connect(self._on_progressed)

    def release(self) -> None:
        """Let go of what it listens to; called before it is removed."""
        self.finish()
        control = self.control
        for signal in (control.config_changed, control.outlook_changed, control.run_changed):
            signal.disconnect(self.refresh, missing_ok=True)
        control.progressed.disconnect(self._on_progressed, missing_ok=True)

    # What is shown

    def refresh(self) -> None:
        """Show the state of things."""
        control = self.control
        config = control.config
        for binder in self.binders:
            binder.show(config)
        if control.session is None:
            self._show_empty(_NOTHING_OPEN)
        elif config is None:
            self._show_empty(_NOT_OURS)
        else:
            self._show_empty("")
        if self.step.stages:
            self._refresh_results()
        self.refresh_run()
        self.refresh_tools()

    def _show_empty(self, text: str) -> None:
        self.empty.setText(text)
        self.empty.setVisible(bool(text))
        self.body.setVisible(not text or self.keeps_body)

    keeps_body: ClassVar[bool] = False
    """Whether the step is of use also while nothing is open."""

    def _refresh_results(self) -> None:
        control, outlook = self.control, self.control.outlook
        self.needs.setText(report.needs_of(self.step, outlook, control.problem))
        self.results.setText(report.results_of(self.step, outlook, control.running, control.failed))
        for label in (self.needs, self.results):
            label.setVisible(bool(label.text()))
        asked = outlook.asked(self.step.stages) if outlook else []
        self.pictures.show_files([path for one in asked for path in one.figures])

    def refresh_run(self) -> None:
        """Show whether the step can be run, and how far a run is."""
        control, outlook = self.control, self.control.outlook
        problem = control.problem or (outlook.first_problem(self.step.stages) if outlook else "")
        asked = outlook.asked(self.step.stages) if outlook else []
        done = bool(asked) and all(one.status == "done" for one in asked)
        free = not control.is_running
        self.estimate.setText(report.estimate_of(self.step, outlook, control.config))
        self.estimate.setVisible(free and bool(self.estimate.text()))
        self.run_button.setVisible(free and bool(asked) and not done)
        self.again_button.setVisible(free and done)
        for button in (self.run_button, self.again_button):
            # Not before it is known what there is to run.
            button.setEnabled(free and bool(asked) and not problem)
        self.show_running()

    def show_running(self) -> None:
        """Show the progress while there is a run, of whichever step."""
        control = self.control
        if not control.is_running:
            self.progress.finish()
        elif self.progress.isHidden():
            self.progress.start("Checking, and getting ready…")

    def _on_progressed(self, task: Task, progress: Progress) -> None:
        self.progress.show_progress(task.title, progress)

    # What is asked for

    def asked(self) -> list[str]:
        """Name the stages of this step that the config asks for."""
        outlook = self.control.outlook
        return [] if outlook is None else [o.stage for o in outlook.asked(self.step.stages)]

    def _on_run(self) -> None:
        if self.asked() and place_is_known(self.control, self):
            self.control.run(self.asked())

    def _on_again(self) -> None:
        if self.asked() and place_is_known(self.control, self):
            self.control.run(self.asked(), again=True)

    def _on_cancel(self) -> None:
        self.progress.ending()
        self.control.cancel()


class StepDock(QWidget):
    """A step as a dock of its own.

    Parameters
    ----------
    napari_viewer
        Whose sample is run.
    """

    kind: ClassVar[type[StepPanel]]

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.panel = self.kind(napari_viewer)
        self.panel.finish()
        self.guard = CloseGuard(self, napari_viewer, self.panel.release)
        TextSize(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(scrolled(self.panel), 1)
        layout.addWidget(self.panel.run_box)
