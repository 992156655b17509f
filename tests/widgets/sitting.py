"""A sitting at the correction dock: a real viewer, session, Scene and dock, and hands that act."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mouse import drag
from napari_app import own_app
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication
from run_copies import copy_run

from napari_vhd.corrections.correction import SWITCHES
from napari_vhd.layers.corrector import corrector_of
from napari_vhd.layers.scene import Scene
from napari_vhd.session import Session
from napari_vhd.widgets.corrections import CorrectionsDock
from napari_vhd.widgets.current import current_of
from napari_vhd.widgets.parts.dispatch import dispatcher

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pandas as pd
    from napari.viewer import Viewer
    from pytestqt.qtbot import QtBot

LONG = 20_000
AUTHOR = "AB"
COLUMN = "cell_type_domain"
CELLS = "proseg_boundaries"


def one_sitting(run: Path, folder: Path) -> Iterator[Sitting]:
    """A sitting for the tests of one file: napari takes longer to start than they to act.

    Each test begins with `begin` and ends with `clear`, which takes back what it corrected.
    """
    import gc

    import napari

    here = folder / run.name
    copy_run(run, here)
    with own_app(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAPARI_CONFIG", str(folder / "settings.yaml"))
        patch.setenv("XDG_CONFIG_HOME", str(folder))
        viewer = napari.Viewer(show=False)
        sitting = Sitting.open(viewer, here)
        yield sitting
        sitting.close()
        viewer.close()
        # Else napari's own fixture takes it for one that leaked.
        del viewer, sitting
        QApplication.processEvents()
        gc.collect()


@dataclass
class Sitting:
    """What a test works with."""

    viewer: Viewer
    session: Session
    scene: Scene
    dock: CorrectionsDock
    run: Path
    bot: Any = None
    before: int = 0

    @classmethod
    def open(cls, viewer: Viewer, run: Path) -> Sitting:
        """Open a run folder and the dock."""
        session = Session.open(run, author=AUTHOR)
        scene = Scene(viewer, session, dispatch=dispatcher())
        current_of(viewer).scene = scene
        dock = CorrectionsDock(viewer)
        viewer.window.add_dock_widget(dock, name="Corrections")
        dock.show()
        return cls(viewer, session, scene, dock, run)

    def begin(self, bot: QtBot) -> Sitting:
        """Begin a test."""
        self.bot = bot
        self.color()
        self.before = len(self.session.entries())
        return self

    def clear(self) -> None:
        """End a test: everything is as it was, but for the length of the ledger."""
        self.dock.review.turn(False)
        self.dock.deeds.leave()
        self.scene.select(())
        self.dock.head.mend.forget()
        self.dock.labels.note.clear()
        self.dock.labels._extra.clear()
        self.settle()
        self.session.author = AUTHOR
        self.dock.head.author.setText(AUTHOR)
        history = self.session.editor.history
        for entry in reversed(self.session.entries()):
            if entry.correction.kind not in SWITCHES and history.active(entry.entry_id):
                self.session.revert(entry.entry_id)
        for layer in [one for one in self.viewer.layers if one not in self.scene.layers]:
            self.viewer.layers.remove(layer)
        self.settle()
        self.color()

    def color(self) -> None:
        """Show the column that is corrected."""
        self.settle()
        self.scene.color_by(COLUMN, CELLS)
        self.bot.waitUntil(lambda: self.scene.coloring.column == COLUMN, timeout=LONG)
        self.settle()

    def close(self) -> None:
        """Put everything away."""
        self.viewer.window.remove_dock_widget(self.dock)
        current_of(self.viewer).scene = None
        self.scene.close()
        self.session.close()

    @property
    def history(self) -> pd.DataFrame:
        """What was corrected since the test began."""
        return self.session.history().iloc[self.before :].reset_index(drop=True)

    def settle(self) -> None:
        """Wait until what was asked for is written, counted and shown."""

        def is_quiet() -> bool:
            busy = corrector_of(self.scene).is_busy
            dock = self.dock
            return not busy and dock.background.is_idle and dock.parts.card.background.is_idle

        for _ in range(2):  # what was shown may have asked for more
            self.bot.waitUntil(is_quiet, timeout=LONG)
            self.bot.wait(80)
        self.bot.waitUntil(is_quiet, timeout=LONG)

    def cells(self, number: int, label: str | None = None) -> tuple[str, ...]:
        """Name some cells, all of one label if asked for."""
        outlines = self.session.outlines(CELLS)
        rows = np.flatnonzero(outlines.alive)
        if label is not None:
            labels = self.session.labels(CELLS, COLUMN)
            rows = rows[labels.codes[rows] == labels.names.index(label)]
        return tuple(outlines.ids_of(rows[:number]))

    def label(self, cell: str, column: str = COLUMN) -> str | None:
        """Label of a cell now."""
        labels = self.session.labels(CELLS, column)
        code = int(labels.codes[self.session.outlines(CELLS).row_of(cell)])
        return None if code < 0 else labels.names[code]

    def press_key(self, key: str) -> bool:
        """Press a key over the canvas, as napari hands it on; says whether anybody took it."""
        handler = self.viewer.window._qt_viewer.canvas._key_map_handler
        taken = handler.press_key(key)
        self.bot.wait(10)
        return taken

    def release_key(self, key: str) -> None:
        """Let a key go."""
        self.viewer.window._qt_viewer.canvas._key_map_handler.release_key(key)

    def click_row(self, name: str) -> None:
        """Click a label of the palette."""
        table = self.dock.labels.palette_table
        row = [one.name for one in table.rows].index(name)
        index = table.rows_model.index(row, 2)
        table.scrollTo(index)
        self.bot.mouseClick(
            table.viewport(), Qt.MouseButton.LeftButton, pos=table.visualRect(index).center()
        )

    def click(self, button: Any) -> None:
        """Click a button."""
        self.bot.mouseClick(button, Qt.MouseButton.LeftButton)

    def drag(self, layer: Any, px: Sequence[tuple[float, float]]) -> None:
        """Drag the mouse over a layer through places (x, y) in full-resolution px."""
        drag(layer, px, self.session.um_per_px)
