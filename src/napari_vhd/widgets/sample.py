"""Sample: choose what to work on, and the files that belong to it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from napari_vhd.config import RunConfig
from napari_vhd.exceptions import BadInputError

from .parts.markers import MarkerEditor
from .parts.path_row import PathRow
from .parts.section import Section
from .parts.step import StepDock, StepPanel
from .parts.step_labels import escaped, text_label
from .parts.steps import SAMPLE

if TYPE_CHECKING:
    from napari_vhd.config import SampleConfig

_IMAGES = "Pictures (*.tif *.tiff *.btf *.svs *.png *.jpg *.jpeg);;All files (*)"
_REFERENCES = "Single cells (*.h5ad);;All files (*)"
_SETTINGS = "Settings (*.yaml *.yml);;All files (*)"


class SamplePanel(StepPanel):
    """The first step; of use while nothing is open."""

    step = SAMPLE
    keeps_body = True

    def add_tools(self) -> None:
        """Add opening, and the files of the sample."""
        self.path = PathRow("Folder to open", "folder", "Space Ranger, run folder or zarr")
        self.open_button = QPushButton("Open")
        self.open_button.setToolTip(
            "A Space Ranger folder (outs), a run folder made here, or a SpatialData zarr."
        )
        self.open_button.clicked.connect(self._on_open)
        self.path.line.returnPressed.connect(self._on_open)
        row = QHBoxLayout()
        row.addWidget(self.path, 1)
        row.addWidget(self.open_button)
        self.facts = text_label("")
        self.body_layout.addLayout(row)
        self.body_layout.addWidget(self.facts)
        self._add_files()

    def _add_files(self) -> None:
        self.name = QLineEdit()
        self.name.setPlaceholderText("as the sample")
        self.image = PathRow("H&E picture", "file", "found beside Space Ranger's files", _IMAGES)
        self.reference = PathRow("Single-cell reference", "file", "none", _REFERENCES)
        self.markers = MarkerEditor()
        self.files = text_label("")
        form = QFormLayout()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows = (
            (
                "H&&E picture",
                self.image,
                "The full-resolution picture that the slide was run with.",
            ),
            (
                "Single-cell reference (h5ad)",
                self.reference,
                "Cells with raw counts and named types; needed for deconvolution and CellTypist.",
            ),
            ("Marker genes", self.markers, "Signatures that cells are scored and named by."),
            ("Name of the run folder", self.name, "The day and time are added."),
        )
        for label, widget, tip in rows:
            widget.setToolTip(tip)
            form.addRow(label, widget)
            form.labelForField(widget).setToolTip(tip)
        holder = QWidget()
        holder.setLayout(form)
        self.files_section = Section("Files of this sample", holder, is_open=True)
        self.settings_button = QPushButton("Settings from a config.yaml…")
        self.settings_button.setToolTip(
            "Take parameters, marker genes and the reference from a file of another run."
        )
        self.settings_button.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.settings_button.clicked.connect(self._on_settings)
        self.body_layout.addWidget(self.files_section)
        self.body_layout.addWidget(self.settings_button)
        self.image.changed.connect(
            lambda text: self.control.change_sample(fullres_image=_path(text))
        )
        self.reference.changed.connect(
            lambda text: self.control.change_paths(reference=_path(text))
        )
        self.markers.changed.connect(self.control.change_markers)
        self.name.editingFinished.connect(self._on_name)

    def refresh_tools(self) -> None:
        """Show what is open."""
        config, sample, session = self.control.config, self.control.sample, self.control.session
        is_ours = config is not None and sample is not None
        for widget in (self.files_section, self.settings_button):
            widget.setVisible(is_ours)
        self.empty.setVisible(session is not None and not is_ours)
        if session is None:
            self.facts.setText("Nothing is open yet. Choose a folder, or drop one on the canvas.")
            return
        place = self.control.run_dir
        kept = (
            f"Kept in {place}" if place else "Not kept yet: a run folder is made with the first run"
        )
        self.facts.setText(f"<b>{escaped(session.sample_id)}</b><br>{escaped(str(kept))}")
        if config is not None and sample is not None:
            self._show(config, sample)

    def _show(self, config: RunConfig, sample: SampleConfig) -> None:
        self.image.value = sample.fullres_image
        self.reference.value = config.paths.reference
        self.markers.value = config.marker_genes
        if not self.name.hasFocus():
            self.name.setText(sample.name or "")
        self.name.setEnabled(self.control.run_dir is None)

    def _on_open(self) -> None:
        from .opening import open_path

        if self.path.value is None:
            self.facts.setText("Choose a folder first.")
            return
        if self.control.is_running:
            show_error(
                "A run is going on; wait for it or cancel it before you open another sample."
            )
            return
        open_path(self.viewer, Path(self.path.value).expanduser())

    def _on_name(self) -> None:
        self.control.change_sample(name=self.name.text().strip() or None)

    def _on_settings(self) -> None:
        found, _ = QFileDialog.getOpenFileName(self, "Settings of another run", "", _SETTINGS)
        if found:
            self.take_settings(Path(found))

    def take_settings(self, path: Path) -> None:
        """Take parameters, marker genes and, where it names one, the reference from a file."""
        now = self.control.config
        if now is None:
            return
        try:
            other = RunConfig.from_yaml(path)
        except BadInputError as error:
            show_error(str(error))
            return
        reference = other.paths.reference or now.paths.reference
        paths = dataclasses.replace(now.paths, reference=reference)
        self.control.set_config(
            dataclasses.replace(
                now, paths=paths, params=other.params, marker_genes=other.marker_genes
            )
        )


class SampleDock(StepDock):
    """The step Sample as a dock."""

    kind = SamplePanel


def _path(text: str) -> str | None:
    return str(Path(text).expanduser().absolute()) if text else None
