"""What is written down: "saved 14:02:07 · 312 corrections · AB", only after it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QWidget

from .entry_text import local_time

if TYPE_CHECKING:
    from napari_vhd.corrections.correction import Entry
    from napari_vhd.session import Session

_WAITING, _NOTHING = "saving…", "no corrections yet"


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

    def show_saved(self, newest: Entry | None, number: int) -> None:
        """Show the newest entry and how many there are; an old refusal is forgotten."""
        self._saved = _NOTHING if newest is None else saved_text(newest, number)
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


def saved_text(newest: Entry, number: int) -> str:
    """Write the time of the newest entry as local time, how many there are, and who made it."""
    many = "1 correction" if number == 1 else f"{number:,} corrections"
    return f"saved {local_time(newest.time):%H:%M:%S} · {many} · {newest.author}"


def saved_in(session: Session) -> tuple[Entry | None, int]:
    """Give the newest entry of a session, and how many there are."""
    entries = session.entries()
    return (entries[-1] if entries else None), len(entries)
