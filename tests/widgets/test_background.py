"""What comes back from beside the window, and what does not."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QLabel, QWidget

from napari_vhd.widgets.parts.background import Background

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


class Asks(QLabel):
    """Shows an answer."""

    def show_answer(self, text: str) -> None:
        self.setText(text)


def test_an_answer_for_a_widget_that_is_gone_is_dropped(qtbot: QtBot) -> None:
    background, holds = Background(), QWidget()
    qtbot.addWidget(holds)
    stays, goes, read = Asks(), Asks(holds), threading.Event()
    qtbot.addWidget(stays)
    with qtbot.captureExceptions() as errors:
        background.ask("first", read.wait, 10, then=goes.show_answer)
        background.ask("second", str, "read", then=stays.show_answer)
        goes.setParent(None)
        goes.deleteLater()
        qtbot.wait(50)
        read.set()
        qtbot.waitUntil(lambda: background.is_idle and stays.text() == "read")
    background.close()
    assert errors == []
