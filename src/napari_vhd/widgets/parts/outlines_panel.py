"""The outlines of each segmentation: shown or not, colour, opacity, as shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QGroupBox, QLabel, QVBoxLayout, QWidget

from .outline_row import OutlineRow
from .wording import title_of

if TYPE_CHECKING:
    from qtpy.QtGui import QColor

    from napari_vhd.layers.scene import Scene


class OutlinesPanel(QGroupBox):
    """A row for each segmentation of the open sample."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Outlines", parent)
        self._scene: Scene | None = None
        self._ink: QColor | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(6, 6, 6, 6)
        self.rows: dict[str, OutlineRow] = {}
        self.awaited = QLabel()
        self.awaited.setWordWrap(True)
        self.awaited.hide()
        self._column.addWidget(self.awaited)

    def show_scene(self, scene: Scene | None) -> None:
        """Show another sample's segmentations."""
        self._scene = scene
        self.refresh()

    def set_ink(self, ink: QColor) -> None:
        """Follow the theme."""
        self._ink = ink
        for row in self.rows.values():
            row.set_ink(ink)

    def refresh(self) -> None:
        """Show what is drawn now."""
        # What the session has after a run is drawn a few turns later.
        names = () if self._scene is None else tuple(self._scene.cells)
        if tuple(self.rows) != names:
            self._remake(names)
        awaited = [] if self._scene is None else [title_of(name) for name in self._scene.awaited]
        self.awaited.setText(f"Still being read: {', '.join(awaited)}")
        self.awaited.setVisible(bool(awaited))
        for name, row in self.rows.items():
            if self._scene is not None:
                style = self._scene.outline_style(name)
                row.show_state(style.visible, style.color, style.opacity, style.shapes)

    def _remake(self, names: tuple[str, ...]) -> None:
        for row in self.rows.values():
            self._column.removeWidget(row)
            row.setParent(None)
            row.deleteLater()
        self.rows = {name: OutlineRow(name, title_of(name)) for name in names}
        for row in self.rows.values():
            self._column.insertWidget(self._column.count() - 1, row)
            row.shown_toggled.connect(self._on_shown)
            row.style_changed.connect(self._on_style)
            row.shapes_toggled.connect(self._on_shapes)
            if self._ink is not None:
                row.set_ink(self._ink)

    def _on_shown(self, name: str, shown: bool) -> None:
        if self._scene is not None:
            self._scene.show_outlines(name, shown)

    def _on_style(self, name: str, color: str, opacity: float) -> None:
        if self._scene is not None:
            self._scene.set_outline_style(name, color, opacity)

    def _on_shapes(self, name: str, shown: bool) -> None:
        if self._scene is not None:
            self._scene.show_shapes(name, shown)
