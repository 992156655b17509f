"""The regions dock: draw, name, order and describe regions of interest; run inside them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QPushButton

from napari_vhd.export.regions import write_regions

from .docks import raise_dock
from .parts import region_verbs as verbs
from .parts.gathering import region_stats
from .parts.outline_drawing import AREAS, HOW, OutlineDrawing
from .parts.region_buttons import RegionButtons
from .parts.region_table import RegionTable
from .parts.scene_dock import SceneDock
from .parts.theme import icon, theme_color
from .run_control import control_of

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_vhd.layers.scene import Scene

    from .parts.gathering import RegionStats

_FILES = "GeoJSON (*.geojson *.json)"
_NONE_YET = "No regions yet: choose a shape above and draw one on the tissue."


class RegionsDock(SceneDock):
    """Regions of interest, kept in the sample.

    Parameters
    ----------
    napari_viewer
        The viewer whose sample it is about.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer, "Regions")
        self.draw_buttons = {how: QPushButton(how.capitalize()) for how in AREAS}
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.table = RegionTable()
        self.buttons = RegionButtons()
        self.drawing = OutlineDrawing(self)
        self._to_name = self._to_select = ""
        self._lay_out()
        self._connect()
        self.refresh_theme()
        self.start()

    def _lay_out(self) -> None:
        drawn = QHBoxLayout()
        for how, button in self.draw_buttons.items():
            button.setCheckable(True)
            button.setIconSize(QSize(16, 16))
            button.setToolTip(f"Draw a region: {HOW[how]}")
            button.setProperty("how", how)
            drawn.addWidget(button)
        self.body.addLayout(drawn)
        self.body.addWidget(self.told)
        self.body.addWidget(self.table, 1)
        self.body.addWidget(self.buttons)

    def _connect(self) -> None:
        for button in self.draw_buttons.values():
            button.clicked.connect(self._on_draw)
        self.drawing.drawn.connect(self._on_drawn)
        self.drawing.ended.connect(self._on_ended)
        self.table.color_chosen.connect(self._on_color)
        self.table.visibility_toggled.connect(self._on_visible)
        self.table.rows_model.rename_requested.connect(self._on_rename)
        self.table.picked.connect(self._go_to)
        self.table.selectionModel().selectionChanged.connect(self._on_chosen)
        self.buttons.up.clicked.connect(self._on_up)
        self.buttons.down.clicked.connect(self._on_down)
        self.buttons.rename.clicked.connect(self._on_edit_name)
        self.buttons.delete.clicked.connect(self._on_delete)
        self.buttons.jump.clicked.connect(self._on_jump)
        self.buttons.load.clicked.connect(self._on_load)
        self.buttons.save.clicked.connect(self._on_save)
        self.buttons.run.clicked.connect(self._on_run)

    def show_scene(self, scene: Scene) -> None:
        """List the sample's regions."""
        session = scene.session
        self.listen(session.regions_changed, self.refresh, thread=True)
        self.listen(session.reloaded, self.refresh, thread=True)
        self.listen(session.cells_changed, self.refresh, thread=True)
        self.listen(scene.coloring_changed, self.refresh)
        self.refresh()

    def leave_scene(self) -> None:
        """Stop drawing, forget the list."""
        self.drawing.cancel()
        self.table.rows_model.set_rows(())

    def refresh_theme(self) -> None:
        """Draw in the theme's text colour."""
        ink = theme_color(self.viewer, "text")
        self.table.set_ink(ink)
        for how, button in self.draw_buttons.items():
            button.setIcon(icon(how, ink))
        self.buttons.set_ink(ink)

    def refresh(self, _news: Any = None) -> None:
        """Count what lies in each region, beside the GUI thread."""
        if self.scene is None:
            return
        coloring, session = self.scene.coloring, self.scene.session
        names = session.segmentations()
        boundaries = coloring.boundaries or session.typed or next(iter(names), None)
        show = self._show_regions
        self.ask("regions", region_stats, session, boundaries, coloring.column, then=show)

    def _show_regions(self, found: tuple[str, tuple[RegionStats, ...]]) -> None:
        column, regions = found
        self.table.rows_model.set_rows(regions)
        counted = f"Composition: {column}." if column else ""
        self.told.setText(counted if regions else _NONE_YET)
        if self._to_select:
            name, self._to_select = self._to_select, ""
            self.table.select(name)
        if self._to_name:
            name, self._to_name = self._to_name, ""
            self.table.edit_name(name)
        self._on_chosen()

    def _on_chosen(self, *_changes: Any) -> None:
        self.buttons.show_state(len(self.table.chosen), len(self.table.rows_model.rows))

    def _on_draw(self, on: bool) -> None:
        how = self.sender().property("how")
        if not on or self.scene is None:
            self.drawing.cancel()
            return
        self.drawing.start(self.scene, how)
        self.draw_buttons[how].setChecked(True)
        self.told.setText(HOW[how])

    def _on_drawn(self, polygon: Any) -> None:
        if self.scene is not None:
            self.do(verbs.add, self.scene.session, polygon, then=self._on_added)

    def _on_added(self, name: str) -> None:
        self._to_name = name
        self.refresh()

    def _on_ended(self) -> None:
        for button in self.draw_buttons.values():
            button.setChecked(False)
        self.refresh()

    def _edit(self, name: str, **changes: Any) -> None:
        if self.scene is not None:
            self.do(verbs.edit, self.scene.session, name, changes)

    def _on_color(self, name: str, color: str) -> None:
        self._edit(name, color=color)

    def _on_visible(self, name: str, visible: bool) -> None:
        self._edit(name, visible=visible)

    def _on_rename(self, old: str, new: str) -> None:
        self._to_select = new
        self._edit(old, new_name=new)

    def _on_edit_name(self) -> None:
        self.table.edit_name(self.table.chosen[0])

    def _on_up(self) -> None:
        self._move(-1)

    def _on_down(self) -> None:
        self._move(1)

    def _move(self, step: int) -> None:
        names = [row.name for row in self.table.rows_model.rows]
        name = self.table.chosen[0]
        place = names.index(name) + step
        if 0 <= place < len(names):
            self._to_select = name
            self._edit(name, order=place)

    def _on_delete(self) -> None:
        if self.scene is not None:
            self.do(verbs.delete, self.scene.session, self.table.chosen)

    def _on_jump(self) -> None:
        self._go_to(self.table.chosen[0])

    def _go_to(self, name: str) -> None:
        if self.scene is not None:
            self.do(verbs.bounds, self.scene.session, name, then=self._show_box)

    def _show_box(self, box: tuple[float, float, float, float]) -> None:
        if self.scene is not None:
            self.scene.show_box(*box)

    def _on_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load regions", filter=_FILES)
        if path:
            self.load_regions(Path(path))

    def load_regions(self, path: Path) -> None:
        """Add the regions of a GeoJSON file (full-resolution px)."""
        if self.scene is not None:
            self.do(verbs.load, self.scene.session, path)

    def _on_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save regions", "regions.geojson", _FILES)
        if path:
            self.save_regions(Path(path))

    def save_regions(self, path: Path) -> None:
        """Save the selected regions, or all, as GeoJSON (full-resolution px)."""
        if self.scene is not None:
            regions = self.scene.session.regions()
            chosen = list(self.table.chosen) or list(regions.index)
            self.do(write_regions, regions.loc[chosen], path)

    def _on_run(self) -> None:
        control_of(self.viewer)  # who runs stages, and hears of it
        names = self.table.chosen
        ask = partial(self._current.region_run_requested.emit, names)
        # A step of it is opened, and that hears of it when it is there.
        raise_dock(self.viewer, "Workflow").when_filled(ask)
