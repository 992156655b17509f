"""What a run says and draws: the log dock, and pictures that are enlarged."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from bench import copied, open_session
from matplotlib.figure import Figure
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QDialogButtonBox, QLabel

from napari_vhd import keys
from napari_vhd.widgets.log import TAIL_BYTES, LogDock
from napari_vhd.widgets.parts.pictures import PictureDialog, Pictures
from napari_vhd.widgets.run_control import control_of

if TYPE_CHECKING:
    from pathlib import Path

    from napari.viewer import Viewer
    from pytestqt.qtbot import QtBot

SOON = 10_000


def shown(dock: Any, viewer: Viewer) -> Any:
    viewer.window.add_dock_widget(dock)
    dock.show()
    return dock


def test_the_log_shows_messages_and_the_end_of_the_run_s_file(
    viewer: Viewer, qtbot: QtBot, finished_run: Path, tmp_path: Path
) -> None:
    dock = shown(LogDock(viewer), viewer)
    assert "Nothing was run yet" in dock.text.placeholderText()
    assert not dock.where.isVisibleTo(dock)
    dock.control.told.emit("error", "it went wrong")
    assert dock.text.toPlainText() == "ERROR: it went wrong"

    run = copied(finished_run, tmp_path)
    log = run / keys.LOG_FILE
    log.unlink(missing_ok=True)
    lines = [f"line {number}" for number in range(20_000)]
    log.write_text("\n".join(lines) + "\n")
    open_session(viewer, run)
    qtbot.waitUntil(lambda: dock.where.text() == str(log), timeout=SOON)
    qtbot.keyClick(dock.choice, Qt.Key.Key_Down)
    assert dock.choice.currentText() == keys.LOG_FILE
    qtbot.waitUntil(lambda: "line 19999" in dock.text.toPlainText(), timeout=SOON)
    text = dock.text.toPlainText()
    assert len(text) <= TAIL_BYTES
    assert text.splitlines()[0] in lines  # no half line

    with log.open("a") as file:
        file.write("and more\n")
    qtbot.waitUntil(lambda: "and more" in dock.text.toPlainText(), timeout=SOON)
    qtbot.mouseClick(dock.copy, Qt.MouseButton.LeftButton)
    assert QApplication.clipboard().text() == dock.text.toPlainText()
    os.unlink(log)
    qtbot.waitUntil(lambda: dock.text.toPlainText() == "", timeout=SOON)


@pytest.fixture
def pictures(viewer: Viewer, tmp_path: Path) -> Pictures:
    figure = Figure(figsize=(12, 6))
    figure.subplots().plot([0, 1], [1, 0])
    figure.savefig(tmp_path / "qc_histograms.png", dpi=150)
    made = shown(Pictures(control_of(viewer).background), viewer)
    made.show_files([tmp_path / "qc_histograms.png", tmp_path / "gone.png"])
    return made


def dialogs() -> list[PictureDialog]:
    return [one for one in QApplication.topLevelWidgets() if isinstance(one, PictureDialog)]


def label_of(dialog: PictureDialog) -> QLabel:
    return next(one for one in dialog.findChildren(QLabel) if not one.text().startswith("/"))


def close(dialog: PictureDialog, qtbot: QtBot) -> None:
    (buttons,) = dialog.findChildren(QDialogButtonBox)
    qtbot.mouseClick(buttons.buttons()[0], Qt.MouseButton.LeftButton)


def test_a_picture_is_shown_small_and_large(pictures: Pictures, qtbot: QtBot) -> None:
    (button,) = pictures.buttons
    qtbot.waitUntil(lambda: not button.icon().isNull(), timeout=SOON)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    (dialog,) = dialogs()
    label = label_of(dialog)
    assert label.text() == "Reading the picture…"
    qtbot.waitUntil(lambda: label.pixmap().width() > 600, timeout=SOON)
    close(dialog, qtbot)
    qtbot.waitUntil(lambda: not dialogs(), timeout=SOON)


def test_a_picture_that_is_closed_before_it_is_there_leaves_nothing(
    pictures: Pictures, qtbot: QtBot
) -> None:
    background = pictures._background
    qtbot.waitUntil(lambda: background.is_idle, timeout=SOON)
    qtbot.mouseClick(pictures.buttons[0], Qt.MouseButton.LeftButton)
    close(dialogs()[0], qtbot)
    qtbot.waitUntil(lambda: background.is_idle and not dialogs(), timeout=SOON)


def test_a_picture_that_is_gone_is_told(pictures: Pictures, qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "qc_histograms.png").unlink()
    qtbot.mouseClick(pictures.buttons[0], Qt.MouseButton.LeftButton)
    (dialog,) = dialogs()
    qtbot.waitUntil(lambda: "cannot be read" in label_of(dialog).text(), timeout=SOON)
    close(dialog, qtbot)
