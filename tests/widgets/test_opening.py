"""A sample opens beside the window, in place of the one before, as it was left."""

from __future__ import annotations

import gc
import json
from pathlib import Path  # noqa: TC003
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QApplication
from run_copies import copy_run

from napari_vhd import keys
from napari_vhd.io.view_file import read_view
from napari_vhd.layers.scene import Scene, scene_of
from napari_vhd.widgets.current import current_of
from napari_vhd.widgets.opening import Opening, open_path, opening_of
from napari_vhd.widgets.run_control import control_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer
    from pytestqt.qtbot import QtBot


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Viewer]) -> Viewer:
    return make_napari_viewer()


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What notifications say."""
    from napari_vhd.widgets import opening

    said: list[str] = []
    for name in ("show_error", "show_info", "show_warning"):
        monkeypatch.setattr(opening, name, said.append)
    return said


def opened(viewer: Viewer, path: Path, qtbot: QtBot) -> Scene:
    """Open a sample and wait until it is shown."""
    with qtbot.waitSignal(_Relay(opening_of(viewer)).done, timeout=60_000):
        open_path(viewer, path)
    scene = scene_of(viewer)
    assert scene is not None
    return scene


class _Relay:
    """A Qt signal for the psygnal of an Opening."""

    def __init__(self, opening: Opening) -> None:
        from qtpy.QtCore import QObject, Signal

        class Relay(QObject):
            done = Signal()

        self._relay = Relay()
        self.done = self._relay.done
        opening.opened.connect(lambda _: self.done.emit())


def test_opening_shows_the_cells_and_tells_the_docks(
    viewer: Viewer, reviewed_run: Path, qtbot: QtBot
) -> None:
    told: list[Any] = []
    current_of(viewer).scene_changed.connect(lambda: told.append(current_of(viewer).scene))
    scene = opened(viewer, reviewed_run, qtbot)
    assert told == [scene]
    qtbot.waitUntil(lambda: not scene.awaited, timeout=20_000)
    assert {"H&E", "ProSeg cells", "StarDist nuclei outlines"} <= {x.name for x in viewer.layers}
    assert scene.coloring.column == keys.TYPE_CELLTYPIST_PER_CELL
    opening_of(viewer).close()
    assert told == [scene, None]
    assert len(viewer.layers) == 0


def test_another_sample_takes_the_place_of_the_first(
    viewer: Viewer, reviewed_run: Path, simulated: Path, qtbot: QtBot
) -> None:
    first = opened(viewer, reviewed_run, qtbot)
    names = len(viewer.layers)
    second = opened(viewer, simulated, qtbot)
    assert scene_of(viewer) is second is not first
    assert second.session.source.kind == "space_ranger"
    assert len(viewer.layers) < names
    opening_of(viewer).close()


def test_a_run_opens_as_it_was_left(viewer: Viewer, reviewed_run: Path, qtbot: QtBot) -> None:
    scene = opened(viewer, reviewed_run, qtbot)
    scene.color_by(keys.score("Tumor"), keys.PROSEG)
    qtbot.waitUntil(lambda: scene.coloring.kind == "number", timeout=20_000)
    scene.set_outline_style(keys.PROSEG, "#FF0000", 0.5)
    scene.go_to(150, 420, 3.0)
    before = scene.view_state()
    opening_of(viewer).close()
    assert read_view(reviewed_run) == json.loads(json.dumps(before))
    scene = opened(viewer, reviewed_run, qtbot)
    qtbot.waitUntil(lambda: scene.coloring.kind == "number", timeout=20_000)
    assert scene.view_state() == before
    opening_of(viewer).close()


def test_a_change_of_view_is_kept_without_closing(
    viewer: Viewer, reviewed_run: Path, qtbot: QtBot
) -> None:
    scene = opened(viewer, reviewed_run, qtbot)
    scene.go_to(111, 222, 2.5)
    qtbot.waitUntil(lambda: read_view(reviewed_run) is not None, timeout=20_000)
    view = read_view(reviewed_run)
    assert view is not None
    assert view["camera"]["center"] == pytest.approx([111, 222])
    opening_of(viewer).close()


@pytest.mark.parametrize(
    "view",
    [
        {"coloring": {"column": "gone_with_the_last_run", "boundaries": keys.PROSEG}},
        {"coloring": {"column": "cell_type_domain", "boundaries": "gone_boundaries"}},
        {"outlines": {"gone": {}}, "bins": {"8": "gene:NONE"}},
    ],
)
def test_what_the_last_view_showed_and_is_gone_is_left_out(
    viewer: Viewer, reviewed_run: Path, qtbot: QtBot, view: dict[str, Any]
) -> None:
    (reviewed_run / keys.VIEW_FILE).write_text(json.dumps(view))
    scene = opened(viewer, reviewed_run, qtbot)
    assert len(scene.layers) > 3
    opening_of(viewer).close()


def test_a_space_ranger_folder_gets_no_files_from_being_looked_at(
    viewer: Viewer, simulated: Path, qtbot: QtBot
) -> None:
    before = {str(path) for path in simulated.rglob("*")}
    scene = opened(viewer, simulated, qtbot)
    scene.go_to(10, 10, 4.0)
    control = control_of(viewer)
    assert control.sample is not None
    assert control.sample.fullres_image == str(simulated / "tissue_image.tif")
    qtbot.wait(2500)
    opening_of(viewer).close()
    assert {str(path) for path in simulated.rglob("*")} == before


def test_what_cannot_be_opened_is_told_and_what_is_open_stays(
    viewer: Viewer, reviewed_run: Path, tmp_path: Path, qtbot: QtBot, notes: list[str]
) -> None:
    scene = opened(viewer, reviewed_run, qtbot)
    open_path(viewer, tmp_path / "nowhere")
    qtbot.waitUntil(lambda: bool(notes), timeout=20_000)
    assert notes == [f"{tmp_path / 'nowhere'}: there is no such file or folder; check the path."]
    assert scene_of(viewer) is scene
    assert not opening_of(viewer).is_busy
    opening_of(viewer).close()


def test_a_damaged_ledger_is_refused_and_left_as_it_is(
    viewer: Viewer, reviewed_run: Path, qtbot: QtBot, notes: list[str]
) -> None:
    (reviewed_run / keys.LEDGER).write_bytes(b"no ledger" * 1000)
    open_path(viewer, reviewed_run)
    qtbot.waitUntil(lambda: bool(notes), timeout=20_000)
    assert keys.LEDGER in notes[0]
    assert "\n" not in notes[0]
    assert scene_of(viewer) is None
    assert (reviewed_run / keys.LEDGER).read_bytes() == b"no ledger" * 1000


def test_the_last_that_was_asked_for_is_shown(
    viewer: Viewer, reviewed_run: Path, simulated: Path, qtbot: QtBot
) -> None:
    open_path(viewer, simulated)
    open_path(viewer, simulated)
    scene = opened(viewer, reviewed_run, qtbot)
    qtbot.wait(200)
    assert scene_of(viewer) is scene
    assert scene.session.run_dir == reviewed_run
    opening_of(viewer).close()


def test_while_a_run_is_on_nothing_else_opens(
    viewer: Viewer, reviewed_run: Path, simulated: Path, qtbot: QtBot, notes: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    opened(viewer, reviewed_run, qtbot)
    control = control_of(viewer)
    monkeypatch.setattr(type(control), "is_running", property(lambda _: True))
    open_path(viewer, simulated)
    assert not opening_of(viewer).is_busy
    assert "run is going on" in notes[0]
    open_path(viewer, reviewed_run)  # its own run folder: to show what was published
    assert opening_of(viewer).is_busy
    opening_of(viewer).close()


def test_closing_the_window_keeps_the_view_and_lets_go_of_the_version(
    make_napari_viewer: Callable[..., Viewer], reviewed_run: Path, qtbot: QtBot
) -> None:
    viewer = make_napari_viewer(show=True)
    scene = opened(viewer, reviewed_run, qtbot)
    session = scene.session
    scene.go_to(77, 88, 2.0)
    # What Qt does when a window is closed; the fixture itself deletes it later.
    window = viewer.window._qt_window
    QApplication.sendEvent(window, QCloseEvent())
    window.hide()
    view = read_view(reviewed_run)
    assert view is not None
    assert view["camera"]["center"] == pytest.approx([77, 88])
    assert session._source is None
    assert scene_of(viewer) is None


class Pressed(QCloseEvent):
    """As of a window whose cross was pressed."""

    def spontaneous(self) -> bool:
        return True


def test_the_cross_of_the_window_has_napari_ask_before_the_sample_is_closed(
    viewer: Viewer, reviewed_run: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari._qt import qt_main_window
    from napari.settings import get_settings
    from qtpy.QtWidgets import QDialog

    asked: list[int] = []

    def cancel(_dialog: Any) -> Any:
        asked.append(1)
        return QDialog.DialogCode.Rejected

    monkeypatch.setattr(qt_main_window.ConfirmCloseDialog, "exec_", cancel)
    monkeypatch.setattr(get_settings().application, "confirm_close_window", True)
    scene = opened(viewer, reviewed_run, qtbot)
    window = viewer.window._qt_window
    QApplication.sendEvent(window, Pressed())
    qtbot.wait(50)
    assert len(asked) == 1
    assert current_of(viewer).scene is scene
    opening_of(viewer).close()


def test_an_opened_scene_is_freed_when_the_next_one_opens(
    viewer: Viewer,
    reviewed_run: Path,
    tmp_path: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import weakref

    from napari_vhd.widgets.parts import garbage

    monkeypatch.setattr(garbage, "_REST_S", 0.2)

    other = tmp_path / "other"
    copy_run(reviewed_run, other)
    gone = weakref.ref(opened(viewer, reviewed_run, qtbot))
    opened(viewer, other, qtbot)

    # What was read for it beside the window may have to come to its end.
    for _ in range(40):
        qtbot.wait(250)
        gc.collect()
        if gone() is None:
            break
    assert gone() is None
    opening_of(viewer).close()
