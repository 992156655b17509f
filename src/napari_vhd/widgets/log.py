"""Log: what the run says, and the end of run.log."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_vhd import keys

from .parts.closing import CloseGuard
from .parts.text_size import TextSize
from .run_control import control_of

if TYPE_CHECKING:
    from pathlib import Path

    from napari.viewer import Viewer

TAIL_BYTES = 64 * 1024
_POLL_MS = 1000
_EMPTY = "Nothing was run yet. What a run says will stand here."
_MESSAGES, _FILE = "Messages", keys.LOG_FILE
_MARKS = {"log": "", "note": "note: ", "error": "ERROR: "}


def tail(path: Path, most: int = TAIL_BYTES) -> str:
    """Read the last whole lines of a file."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - most, 0))
        text = file.read().decode("utf-8", errors="replace")
    return text if size <= most else text.partition("\n")[2]


class LogDock(QWidget):
    """Messages of this sitting, or the end of the run folder's log.

    Parameters
    ----------
    napari_viewer
        Whose run is told of.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        TextSize(self)
        self.control = control_of(napari_viewer)
        self.choice = QComboBox()
        self.choice.addItems([_MESSAGES, _FILE])
        self.choice.setAccessibleName("What is shown")
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setPlaceholderText(_EMPTY)
        self.text.setAccessibleName("Log")
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setMinimumHeight(120)
        self.copy = QPushButton("Copy")
        self.copy.setToolTip("Copy all of it, for a message to somebody who can help.")
        self.where = QLabel()
        self.where.setWordWrap(True)
        row = QHBoxLayout()
        row.addWidget(self.choice, 1)
        row.addWidget(self.copy)
        layout = QVBoxLayout(self)
        layout.addLayout(row)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.where)
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._poll)
        self._shown: object = None
        self.choice.currentTextChanged.connect(self.refresh)
        self.copy.clicked.connect(lambda: QApplication.clipboard().setText(self.text.toPlainText()))
        self.control.told.connect(self._on_told)
        self.control.config_changed.connect(self.refresh)
        self.guard = CloseGuard(self, napari_viewer, self.release)
        self.refresh()

    def release(self) -> None:
        """Let go of what it listens to."""
        self._timer.stop()
        self.control.told.disconnect(self._on_told, missing_ok=True)
        self.control.config_changed.disconnect(self.refresh, missing_ok=True)

    def refresh(self) -> None:
        """Show what was chosen."""
        run_dir = self.control.run_dir
        self.where.setText("" if run_dir is None else str(run_dir / keys.LOG_FILE))
        self.where.setVisible(run_dir is not None)
        self._shown = None
        if self.choice.currentText() == _FILE:
            self._timer.start()
            self._poll()
            return
        self._timer.stop()
        lines = [f"{_MARKS[level]}{text}" for level, text in self.control.messages]
        self.text.setPlainText("\n".join(lines))
        self._to_end()

    def _on_told(self, level: str, text: str) -> None:
        if self.choice.currentText() == _MESSAGES:
            self.text.appendPlainText(f"{_MARKS[level]}{text}")

    def _poll(self) -> None:
        """Show the file again where it changed."""
        run_dir = self.control.run_dir
        path = None if run_dir is None else run_dir / keys.LOG_FILE
        try:
            status = None if path is None else path.stat()
        except OSError:
            status = None
        state = None if status is None else (status.st_size, status.st_mtime_ns)
        if path is None or state is None:
            self.text.setPlainText("")
        elif state != self._shown:
            self._shown = state
            self.control.background.ask(f"log {id(self)}", tail, path, then=self._show_tail)

    def _show_tail(self, text: str) -> None:
        if self.choice.currentText() == _FILE:
            self.text.setPlainText(text)
            self._to_end()

    def _to_end(self) -> None:
        bar = self.text.verticalScrollBar()
        bar.setValue(bar.maximum())
