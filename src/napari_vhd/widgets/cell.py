"""The cell card: what is known of the cell under the mouse, or of the selected ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton

from napari_vhd.exceptions import BadInputError

from .parts.card_text import card_text, cells_text
from .parts.composition_bar import CompositionBar
from .parts.gathering import bring_back, cells_of
from .parts.outline_drawing import HOW, OutlineDrawing
from .parts.scene_dock import SceneDock
from .parts.theme import icon, theme_color

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_vhd.corrections.readings import Card
    from napari_vhd.layers.scene import Scene
    from napari_vhd.session import Session

    from .parts.gathering import Cells

# A mouse that passes over cells asks for the card of those where it rests.
_REST_MS = 60
_HINT = (
    "Move the mouse over a cell to see its card. Click a cell to keep it, Ctrl-click to select "
    "many, or draw a lasso around them."
)


class CellDock(SceneDock):
    """The card of one cell, or the summary of several.

    Parameters
    ----------
    napari_viewer
        The viewer whose sample it is about.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer, "Cell card")
        self.lasso = QPushButton("Lasso")
        self.lasso.setCheckable(True)
        self.lasso.setToolTip("Select the cells inside an outline that you draw")
        self.clear = QPushButton("Clear")
        self.clear.setToolTip("Select nothing")
        self.jump = QPushButton("Go to")
        self.jump.setToolTip("Move the view to the selected cell")
        buttons = QHBoxLayout()
        for button in (self.lasso, self.clear, self.jump):
            button.setIconSize(QSize(16, 16))
            buttons.addWidget(button)
        self.card = QLabel(_HINT)
        self.card.setTextFormat(Qt.TextFormat.RichText)
        self.card.setWordWrap(True)
        self.card.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.card.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.card.setAccessibleName("Cell card")
        self.back = QPushButton("Bring back")
        self.back.setToolTip("Keep the selected cells although quality control left them out")
        self.back.hide()
        self.bar = CompositionBar()
        self.bar.hide()
        self.body.addLayout(buttons)
        self.body.addWidget(self.back)
        self.body.addWidget(self.bar)
        self.body.addWidget(self.card, 1)
        self.drawing = OutlineDrawing(self)
        self._hovered: str | None = None
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._refresh)
        self.lasso.clicked.connect(self._on_lasso)
        self.clear.clicked.connect(self._on_clear)
        self.jump.clicked.connect(self._on_jump)
        self.back.clicked.connect(self._on_back)
        self.drawing.drawn.connect(self._on_drawn)
        self.drawing.ended.connect(self._on_ended)
        self.refresh_theme()
        self.start()

    def show_scene(self, scene: Scene) -> None:
        """Follow the mouse and the selection."""
        self.listen(scene.hovered, self._on_hovered)
        self.listen(scene.selection_changed, self._on_selection)
        self.listen(scene.coloring_changed, self._on_changed)
        self.listen(scene.session.cells_changed, self._on_changed, thread=True)
        self.listen(scene.session.reloaded, self._on_changed, thread=True)
        self._hovered = None
        self._refresh()

    def leave_scene(self) -> None:
        """Stop drawing."""
        self._rest.stop()
        self.drawing.cancel()

    def refresh_theme(self) -> None:
        """Draw in the theme's text colour."""
        ink = theme_color(self.viewer, "text")
        self.lasso.setIcon(icon("lasso", ink))
        self.bar.set_ink(ink)

    def _on_hovered(self, cell_id: str | None) -> None:
        if cell_id != self._hovered:
            self._hovered = cell_id
            if self.scene is not None and not self.scene.selection:
                self._rest.start()

    def _on_selection(self, _ids: tuple[str, ...]) -> None:
        self._refresh()

    def _on_changed(self, _news: Any = None) -> None:
        self._rest.start()

    def _refresh(self) -> None:
        if self.scene is None or not self.isVisible():
            return
        selected = self.scene.selection
        self.clear.setEnabled(bool(selected))
        self.jump.setEnabled(bool(selected))
        session = self.scene.session
        coloring = self.scene.coloring
        if len(selected) > 1:
            show = self._show_cells
            boundaries = coloring.boundaries or session.typed or ""
            self.ask("card", cells_of, session, boundaries, selected, coloring.column, then=show)
            return
        cell_id = selected[0] if selected else self._hovered
        if cell_id is None:
            self.background.forget("card")
            self.bar.set_shares(())
            self.back.hide()
            self.card.setText(_HINT)
            return
        self.ask("card", _card, session, cell_id, then=self._show_card)

    def _show_card(self, found: tuple[Card, str] | None) -> None:
        self.bar.set_shares(())
        picked = self.scene is not None and bool(self.scene.selection)
        self.back.setVisible(picked and found is not None and not found[0].kept)
        self.card.setText("This cell is gone." if found is None else card_text(*found))

    def _show_cells(self, found: tuple[Cells, ...]) -> None:
        self.bar.set_shares(found[0].shares if found else ())
        self.back.setVisible(any(cells.left_out for cells in found))
        texts = [cells_text(cells) for cells in found]
        self.card.setText("<hr>".join(texts) or "These cells are gone.")

    def _on_lasso(self, on: bool) -> None:
        if on and self.scene is not None:
            self.drawing.start(self.scene, "lasso")
            self.card.setText(HOW["lasso"])
        else:
            self.drawing.cancel()

    def _on_drawn(self, polygon: Any) -> None:
        if self.scene is not None:
            self.scene.select_within(polygon)

    def _on_ended(self) -> None:
        self.lasso.setChecked(False)
        self._refresh()

    def _on_clear(self) -> None:
        if self.scene is not None:
            self.scene.select(())

    def _on_back(self) -> None:
        if self.scene is not None:
            self.do(bring_back, self.scene.session, self.scene.selection)

    def _on_jump(self) -> None:
        if self.scene is not None and self.scene.selection:
            try:
                self.scene.go_to_cell(self.scene.selection[0])
            except BadInputError as error:
                show_error(str(error))

    def showEvent(self, event: Any) -> None:
        """Show what was missed while hidden."""
        super().showEvent(event)
        self._refresh()


def _card(session: Session, cell_id: str) -> tuple[Card, str] | None:
    """Read the card of a cell, with the segmentation that it is of."""
    for boundaries in session.segmentations():
        if session.outlines(boundaries).row_of(cell_id) >= 0:
            return session.card(boundaries, cell_id), boundaries
    return None
