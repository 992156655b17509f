"""What is written down: "saved 14:02:07 · 312 corrections · AB", only after it is."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QWidget

from .entry_text import local_time

_WAITING = "saving…"


class StatusLine(QLabel):
    """One line on what was kept, and the sentence of what was refused."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self.setAccessibleName("What is saved")
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._saved = ""
        self._refused = ""
        self._busy = False

    def show_saved(self, time: str, number: int, author: str) -> None:
        """Show the newest entry (`time` in UTC, ISO 8601); an old refusal is forgotten."""
        self._saved = saved_text(time, number, author)
        self._refused = ""
        self._write()

    def show_nothing(self, author: str) -> None:
        """Show that nothing was corrected yet."""
        self._saved = " · ".join(["no corrections yet", *([author] if author else [])])
        self._refused = ""
        self._write()

    def set_busy(self, busy: bool) -> None:
        """Show whether something is being written."""
        self._busy = busy
        self._write()

    def show_refused(self, sentence: str) -> None:
        """Show why the last correction was not taken; what was saved before stays said."""
        self._refused = sentence
        self._write()

    def _write(self) -> None:
        first = f"not saved: {self._refused}\n" if self._refused else ""
        self.setText(_WAITING if self._busy else first + self._saved)


def saved_text(time: str, number: int, author: str) -> str:
    """Write the time (UTC, ISO 8601) of the newest entry as local time, how many, and who."""
    many = "1 correction" if number == 1 else f"{number:,} corrections"
    return f"saved {local_time(time):%H:%M:%S} · {many} · {author}"
