"""How far a run is: the stage, a bar, the time left, and a way to end it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from . import words

if TYPE_CHECKING:
    from napari_vhd.runner.events import Progress

_FINE = 1000


class TaskProgress(QWidget):
    """Progress of the stages that run; hidden while none does."""

    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("End what is running, at once. What was finished is kept.")
        self.cancel.clicked.connect(self.cancel_requested)
        row = QHBoxLayout()
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.text)
        layout.addLayout(row)
        self.hide()

    def start(self, text: str) -> None:
        """Show that something began, without knowing how far it is."""
        self.text.setText(text)
        self.bar.setRange(0, 0)
        self.cancel.setEnabled(True)
        self.show()

    def show_progress(self, title: str, progress: Progress) -> None:
        """Show how far a stage is."""
        share = progress.done / progress.total if progress.total > 0 else None
        parts = [title]
        if progress.what and progress.total > 0:
            parts.append(f"{progress.what}, {100 * min(share or 0, 1):.0f} %")
        elif progress.what:
            parts.append(progress.what)
        if progress.seconds_left is not None:
            parts.append(f"about {words.span(progress.seconds_left)} left")
        self.text.setText(" · ".join(parts))
        self.bar.setRange(0, 0 if share is None else _FINE)
        if share is not None:
            self.bar.setValue(round(_FINE * min(share, 1)))
        self.show()

    def ending(self) -> None:
        """Show that it is being ended."""
        self.text.setText("Ending…")
        self.cancel.setEnabled(False)

    def finish(self) -> None:
        """Hide."""
        self.hide()
        self.bar.setRange(0, _FINE)
