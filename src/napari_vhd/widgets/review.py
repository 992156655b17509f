"""Review: what came out, what is out of date, and the settings kept as a file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QGridLayout, QPushButton

from napari_vhd import keys
from napari_vhd.exceptions import VhdError

from .current import current_of
from .parts import report
from .parts.pictures import Pictures
from .parts.place import place_is_known
from .parts.saving import save_config, summary_of
from .parts.step import StepDock, StepPanel
from .parts.step_labels import escaped, text_label
from .parts.steps import REVIEW

if TYPE_CHECKING:
    from napari_vhd.runner.outlook import Outlook

_SHOWN = (
    ("Cells without colour", None),
    ("Domains", "clustering_col"),
    ("Cell types by domain", keys.TYPE_DOMAIN),
    ("Cell types by cell", keys.TYPE_CELLTYPIST),
)


class ReviewPanel(StepPanel):
    """What came out of the whole."""

    step = REVIEW

    def add_tools(self) -> None:
        """Add the summary, ways to look, and ways to keep."""
        self.summary = text_label("")
        self.stale = text_label("")
        self.body_layout.addWidget(self.summary)
        self.body_layout.addWidget(self.stale)
        self.body_layout.addWidget(text_label("<b>Colour the cells by</b>"))
        grid = QGridLayout()
        self.color_buttons: dict[str, QPushButton] = {}
        for number, (title, column) in enumerate(_SHOWN):
            button = QPushButton(title)
            button.clicked.connect(lambda _=False, column=column: self._on_color(column))
            self.color_buttons[title] = button
            grid.addWidget(button, number // 2, number % 2)
        self.body_layout.addLayout(grid)
        self.body_layout.addWidget(text_label("<b>Keep</b>"))
        self.save_button = QPushButton("Save as config.yaml…")
        self.save_button.setToolTip(
            "The settings of all steps, as a file: napari-vhd run config.yaml does the same "
            "without a window."
        )
        self.save_button.clicked.connect(self._on_save)
        self.folder_button = QPushButton("Open the run folder")
        self.folder_button.clicked.connect(self._on_folder)
        grid = QGridLayout()
        grid.addWidget(self.save_button, 0, 0)
        grid.addWidget(self.folder_button, 0, 1)
        self.body_layout.addLayout(grid)
        self.all_pictures = Pictures(self.control.background)
        self.body_layout.addWidget(self.all_pictures)

    def refresh_tools(self) -> None:
        """Sum up."""
        outlook, control = self.control.outlook, self.control
        self.summary.setText(_summary(outlook))
        stale = summary_of(outlook)
        lines = [f"↻ {escaped(title)}: {escaped(reason)}" for title, reason in stale]
        self.stale.setText("<br>".join(["<b>Out of date</b>", *lines]) if lines else "")
        self.stale.setVisible(bool(lines))
        done = {} if outlook is None else {one.stage: one.record for one in outlook.stages}
        reached = (
            ("Cells without colour", "stardist"),
            ("Domains", "domains"),
            ("Cell types by domain", "enrichment"),
            ("Cell types by cell", "celltypist"),
        )
        for title, stage in reached:
            self.color_buttons[title].setEnabled(done.get(stage) is not None)
        self.folder_button.setEnabled(control.run_dir is not None)
        if outlook is not None:
            pictures = [one.figures[-1] for one in outlook.stages if one.figures]
            self.all_pictures.show_files(pictures)

    def refresh_run(self) -> None:
        """Offer to run all that is missing or out of date."""
        control, outlook = self.control, self.control.outlook
        stages = [] if outlook is None else outlook.stages
        todo = [one.stage for one in stages if one.status in ("missing", "stale")]
        problem = control.problem or (outlook.first_problem(todo) if outlook else "")
        self.run_button.setText("Run all that is missing or out of date")
        self.run_button.setToolTip(problem or "Every stage that the settings ask for, in order.")
        self.run_button.setVisible(bool(todo) and not control.is_running)
        self.run_button.setEnabled(bool(todo) and not problem)
        self.again_button.hide()
        every = dataclasses.replace(self.step, stages=tuple(todo))
        self.estimate.setText(report.estimate_of(every, outlook, control.config) if todo else "")
        self.estimate.setVisible(bool(todo) and not control.is_running)
        self.show_running()

    def _on_run(self) -> None:
        if place_is_known(self.control, self):
            self.control.run()

    def _on_color(self, column: str | None) -> None:
        scene: Any = current_of(self.viewer).scene
        config = self.control.config
        if scene is None or config is None:
            return
        if column == "clustering_col":
            column = config.params.clustering_col
        try:
            # What is computed is known of the cells that are typed, whichever are looked at.
            scene.color_by(column, None if column is None else scene.session.typed)
        except VhdError as error:
            show_error(str(error))

    def _on_save(self) -> None:
        folder = self.control.run_dir or Path.home()
        start = str(folder / "config.yaml")
        found, _ = QFileDialog.getSaveFileName(self, "Save the settings", start, "YAML (*.yaml)")
        if found:
            self.save(Path(found))

    def save(self, path: Path) -> None:
        """Save the settings as they stand."""
        config = self.control.config
        if config is None:
            return
        try:
            save_config(config, path)
        except VhdError as error:
            show_error(str(error))
            return
        show_info(f"Saved. Without a window: napari-vhd run {path}")

    def _on_folder(self) -> None:
        if self.control.run_dir is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.control.run_dir)))


class ReviewDock(StepDock):
    """The step Review as a dock."""

    kind = ReviewPanel


def _summary(outlook: Outlook | None) -> str:
    """Count what is done."""
    if outlook is None:
        return ""
    asked = [one for one in outlook.stages if one.status != "left out"]
    done = [one for one in asked if one.status == "done"]
    return f"<b>{len(done)} of {len(asked)}</b> stages are done."
