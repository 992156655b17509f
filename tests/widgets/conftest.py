"""A finished run that is open in a real viewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from sitting import Sitting, one_sitting

from napari_vhd.layers import metadata
from napari_vhd.layers.corrector import corrector_of
from napari_vhd.layers.scene import Scene
from napari_vhd.session import Session
from napari_vhd.widgets.current import current_of
from napari_vhd.widgets.opening import opening_of
from napari_vhd.widgets.run_control import control_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari.viewer import Viewer
    from pytestqt.qtbot import QtBot
    from qtpy.QtWidgets import QApplication, QWidget


@dataclass
class Opened:
    """A sample on the screen.

    Attributes
    ----------
    viewer, session, scene
        Real ones, of a run folder for this test alone.
    """

    viewer: Viewer
    session: Session
    scene: Scene
    bot: QtBot

    def dock(self, make: Callable[[Viewer], Any]) -> Any:
        """Put a dock into the window, as napari does, and wait until it shows what it found."""
        dock = make(self.viewer)
        self.viewer.window.add_dock_widget(dock, name=dock.accessibleName())
        dock.show()
        self.settle(dock)
        return dock

    def settle(self, *docks: QWidget) -> None:
        """Wait until everything that was asked for is done and shown."""
        lines = [dock.background for dock in docks]

        def is_quiet() -> bool:
            return not corrector_of(self.scene).is_busy and all(line.is_idle for line in lines)

        for _ in range(2):  # what was shown may have asked for more
            self.bot.waitUntil(is_quiet, timeout=20_000)
            self.bot.wait(60)


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Viewer]) -> Iterator[Viewer]:
    """A viewer in which samples are opened and stages run; all of it ends with the test."""
    made = make_napari_viewer()
    yield made
    control_of(made).abandon()
    opening_of(made).end()
    control_of(made).background.close()


@pytest.fixture
def opened(
    make_napari_viewer: Callable[..., Viewer],
    reviewed_run: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Opened]:
    """A sample of about 240 cells, open in a viewer that is not shown."""
    monkeypatch.setattr(metadata, "MOST_CELLS", 0)  # nothing is read for napari-spatialdata
    viewer = make_napari_viewer(show=True)
    session = Session.open(reviewed_run, author="ab")
    scene = Scene(viewer, session)
    current_of(viewer).scene = scene
    yield Opened(viewer, session, scene, qtbot)
    current_of(viewer).scene = None
    scene.close()
    session.close()


@pytest.fixture(scope="module")
def sitting(
    qapp: QApplication, finished_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sitting]:
    yield from one_sitting(finished_run, tmp_path_factory.mktemp("sitting"))


@pytest.fixture
def sat(sitting: Sitting, qtbot: QtBot) -> Iterator[Sitting]:
    """A sample of about 240 cells and the dock, author AB; as computed."""
    yield sitting.begin(qtbot)
    sitting.clear()
