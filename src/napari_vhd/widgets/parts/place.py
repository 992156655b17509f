"""Where a run is kept: asked at the first thing to keep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from napari_vhd.widgets.run_control import RunControl


def place_is_known(control: RunControl, parent: QWidget) -> bool:
    """Ask where run folders go, unless there is one already; False if the user went back."""
    config, sample = control.config, control.sample
    if control.run_dir is not None or config is None or sample is None:
        return True
    dialog = PlaceDialog(config.paths.processed, sample.name or sample.id, parent.window())
    if dialog.exec() != QDialog.DialogCode.Accepted:
        return False
    control.change_paths(processed=dialog.place)
    return True


class PlaceDialog(QDialog):
    """Asks for a folder.

    Parameters
    ----------
    place
        That is proposed.
    name
        Of the sample.
    """

    def __init__(self, place: str, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Where to keep the run")
        text = QLabel(
            f"Results, figures and corrections of <b>{name}</b> are kept in a new run folder. "
            "The Space Ranger folder is never written to. Where should the run folder go?"
        )
        text.setWordWrap(True)
        self.line = QLineEdit(place)
        self.line.setAccessibleName("Folder for run folders")
        choose = QPushButton("Choose…")
        choose.clicked.connect(self._on_choose)
        row = QHBoxLayout()
        row.addWidget(self.line, 1)
        row.addWidget(choose)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.button(QDialogButtonBox.StandardButton.Ok).setText("Run here")
        buttons.accepted.connect(self._on_accepted)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(text)
        layout.addLayout(row)
        layout.addWidget(self.problem)
        layout.addWidget(buttons)
        self.resize(520, 170)

    @property
    def place(self) -> str:
        """The folder."""
        return str(Path(self.line.text().strip()).expanduser())

    def _on_choose(self) -> None:
        found = QFileDialog.getExistingDirectory(self, "Folder for run folders", self.place)
        if found:
            self.line.setText(found)

    def _on_accepted(self) -> None:
        text = self.line.text().strip()
        if not text or not Path(self.place).is_absolute():
            self.problem.setText("Give a whole path, beginning with a slash or a drive.")
            return
        self.accept()
