"""What edits put out of date: brought up to date where it can be, else the way to a new run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_vhd import keys
from napari_vhd.corrections.stale import ALONE
from napari_vhd.exceptions import VhdError

from .background import Background
from .wording import title_of
from .words import label

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

    from napari_vhd.corrections.stale import Stale
    from napari_vhd.corrections.updating import Updated

    from .desk import Desk

_NOTHING = "Nothing is out of date: counts and quality numbers follow every edit at once."
_AT_WORK = "Cells are brought up to date; the first time, this takes a while…"
_SAVING = "The corrected outlines are being written…"
_FILE = "corrected.zarr"


class UpdatePanel(QWidget):
    """Says what is out of date, and updates it.

    Parameters
    ----------
    desk
        Whose sample it is about.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._at_work = False
        self._stale: Stale | None = None
        # A line of its own: CellTypist takes seconds, and others are not to wait for it.
        self.background = Background()
        self.destroyed.connect(self.background.close)
        self.state, self.told = _label(), _label()
        self.told.setAccessibleName("What the update did")
        self.update_button = QPushButton("Update")
        self.update_button.setToolTip(
            "Work out anew what hangs on the counts of a cell alone: whether quality control keeps "
            "it, and its own type by CellTypist. One correction, which can be undone."
        )
        self.save_button = QPushButton("Save corrected outlines…")
        self.save_button.setToolTip(
            "A store that a new run takes as its boundaries, with the ids of all cells: what hangs "
            "on other cells too is computed anew there."
        )
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(4)
        column.setAlignment(Qt.AlignmentFlag.AlignTop)
        buttons = QHBoxLayout()
        buttons.addWidget(self.update_button, 1)
        buttons.addWidget(self.save_button, 1)
        column.addWidget(self.state)
        column.addLayout(buttons)
        column.addWidget(self.told)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setWidget(inside)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)
        self.update_button.clicked.connect(self._on_update)
        self.save_button.clicked.connect(self._on_save)
        self._say("")
        self.show_stale(None)

    def refresh(self) -> None:
        """Look for what is out of date; only while somebody looks at it, as it takes a while."""
        scene = self._desk.scene
        if scene is not None and self.isVisibleTo(self.window()) and not self._at_work:
            self.background.ask("stale", scene.session.stale, then=self.show_stale)

    def showEvent(self, event: QShowEvent) -> None:
        """Look when somebody comes to see."""
        super().showEvent(event)
        self.refresh()

    def show_stale(self, stale: Stale | None) -> None:
        """Say what is out of date."""
        self._stale = stale
        counts = {} if stale is None else stale.counts
        self.state.setText(stale.sentence if stale is not None and counts else _NOTHING)
        self.update_button.setEnabled(not self._at_work and any(what in counts for what in ALONE))
        self.save_button.setVisible(any(what not in ALONE for what in counts))
        self.save_button.setEnabled(not self._at_work)

    def leave(self) -> None:
        """Forget the sample; what is under way is written, but not told."""
        self.background.close()
        self.background = Background()
        self.destroyed.connect(self.background.close)
        self._at_work = False
        self._say("")
        self.show_stale(None)

    def save(self, path: Path) -> None:
        """Write the corrected outlines."""
        scene = self._desk.scene
        if scene is not None and scene.session.run_dir is not None:
            self._begin(_SAVING)
            self.background.ask(
                "save",
                _written,
                scene.session.run_dir,
                path,
                then=self._on_saved,
                failed=self._on_failed,
            )

    def _on_update(self) -> None:
        scene = self._desk.scene
        if scene is not None:
            self._begin(_AT_WORK)
            self.background.ask(
                "update", scene.session.update, then=self._on_updated, failed=self._on_failed
            )

    def _on_save(self) -> None:
        scene = self._desk.scene
        folder = None if scene is None else scene.session.run_dir
        if folder is not None:
            start = str(folder.parent / _FILE)
            title = "Save the corrected outlines"
            found, _ = QFileDialog.getSaveFileName(self, title, start, "SpatialData (*.zarr)")
            if found:
                self.save(Path(found).with_suffix(".zarr"))

    def _begin(self, sentence: str) -> None:
        self._at_work = True
        self._say(sentence)
        self.show_stale(self._stale)

    def _end(self, sentence: str) -> None:
        self._at_work = False
        self._say(sentence)

    def _on_updated(self, updated: Updated) -> None:
        self._end(updated.done_sentence)
        self.show_stale(updated.left)

    def _on_saved(self, told: tuple[str, ...]) -> None:
        *written, path = told
        self._end(
            f"Saved {'; '.join(map(_in_words, written))}. In a new run, set "
            f"“{label('boundaries')}” to {Path(path).name}."
        )
        self.told.setToolTip(path)
        self.show_stale(self._stale)

    def _on_failed(self, error: Exception) -> None:
        self._end("")
        self.show_stale(self._stale)
        if not isinstance(error, VhdError):
            raise error
        show_error(str(error))

    def _say(self, sentence: str) -> None:
        self.told.setText(sentence)
        self.told.setToolTip("")
        self.told.setVisible(bool(sentence))


def _in_words(line: str) -> str:
    for name in (keys.PROSEG, keys.STARDIST):
        line = line.replace(name, title_of(name))
    return line


def _written(run_dir: Path, path: Path) -> tuple[str, ...]:
    from napari_vhd.corrections.report import replayed_from
    from napari_vhd.export.outlines import write_outlines

    with replayed_from(run_dir) as reviewed:
        return tuple(write_outlines(reviewed, path))


def _label() -> Any:
    label = QLabel()
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignTop)
    return label
