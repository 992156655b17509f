"""A window with an open sample and one dock, for all tests of a file."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari_app import own_app
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication
from run_copies import copy_run

from napari_vhd.corrections.correction import SWITCHES
from napari_vhd.layers import metadata
from napari_vhd.layers.corrector import corrector_of
from napari_vhd.layers.scene import Scene
from napari_vhd.session import Session
from napari_vhd.widgets.current import current_of
from napari_vhd.widgets.parts.dispatch import dispatcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari.viewer import Viewer
    from qtpy.QtWidgets import QTableView

LONG = 20_000
CELLS, NUCLEI = "proseg_boundaries", "stardist_boundaries"
TYPES, DOMAINS = "cell_type_domain", "novae_domains_5"


@dataclass
class Window:
    """What a test works with: all of it real."""

    viewer: Viewer
    session: Session
    scene: Scene
    dock: Any
    run: Path
    bot: Any = None

    def settle(self) -> None:
        """Wait until what was asked for is written, read and shown."""

        def is_quiet() -> bool:
            return not corrector_of(self.scene).is_busy and self.dock.background.is_idle

        for _ in range(2):  # what was shown may have asked for more
            self.bot.waitUntil(is_quiet, timeout=LONG)
            self.bot.wait(90)

    def click(self, button: Any) -> None:
        """Click a button."""
        self.bot.mouseClick(button, Qt.MouseButton.LeftButton)

    def click_cell(self, table: QTableView, row: int, column: int) -> None:
        """Click a cell of a table."""
        index = table.model().index(row, column)
        table.scrollTo(index)
        place = table.visualRect(index).center()
        self.bot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)

    def cells(self, number: int, boundaries: str = CELLS) -> tuple[str, ...]:
        """Name some cells."""
        outlines = self.session.outlines(boundaries)
        return tuple(outlines.ids_of(np.flatnonzero(outlines.alive)[:number]))

    def clear(self) -> None:
        """Take back what a test did."""
        self.scene.compare("off")
        self.scene.select(())
        for size in list(self.scene.background.bins):
            self.scene.show_bins(size, None)
        self.settle()
        history = self.session.editor.history
        for entry in reversed(self.session.entries()):
            if entry.correction.kind not in SWITCHES and history.active(entry.entry_id):
                self.session.revert(entry.entry_id)
        self.settle()


def one_window(make: Callable[[Viewer], Any], run: Path, folder: Path) -> Iterator[Window]:
    """Open a copy of a run and a dock; napari takes longer to start than tests to act."""
    import napari

    here = folder / run.name
    copy_run(run, here)
    with own_app(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "MOST_CELLS", 0)  # nothing is read for napari-spatialdata
        patch.setenv("NAPARI_CONFIG", str(folder / "settings.yaml"))
        patch.setenv("XDG_CONFIG_HOME", str(folder))
        viewer = napari.Viewer(show=False)
        session = Session.open(here, author="AB")
        scene = Scene(viewer, session, dispatch=dispatcher())
        current_of(viewer).scene = scene
        dock = make(viewer)
        viewer.window.add_dock_widget(dock, name=dock.accessibleName())
        viewer.show()
        viewer.window.resize(1280, 800)  # napari takes another size when it is first shown
        window = Window(viewer, session, scene, dock, here)
        yield window
        viewer.window.remove_dock_widget(dock)
        current_of(viewer).scene = None
        scene.close()
        session.close()
        viewer.close()
        # Else napari's own fixture takes it for one that leaked.
        del viewer, window, dock, scene
        QApplication.processEvents()
        gc.collect()
