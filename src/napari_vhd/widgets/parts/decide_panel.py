"""What waits for a decision, with the buttons that decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_vhd.corrections.correction import REGION
from napari_vhd.exceptions import BadInputError

from .conflicts import Lost, Opinion, ToDecide, lost_of, opinions_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_vhd.session import Session

    from .desk import Desk

_NOTHING = (
    "Nothing to decide. Cells on which people differ are listed here, and corrections whose cell "
    "is not found in a new segmentation."
)


class DecidePanel(QWidget):
    """Shows conflicts and lost corrections, and decides.

    Parameters
    ----------
    desk
        Whose sample it is about.

    Attributes
    ----------
    counted
        How many wait for a decision.
    """

    counted = Signal(int)

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.told = QLabel(_NOTHING)
        self.told.setWordWrap(True)
        self.told.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.tree = ToDecide()
        self.go = QPushButton("Go there")
        self.take = QPushButton("Take this")
        self.take.setToolTip("Let this opinion be in force; all stay in the history.")
        self.move = QPushButton("To selected cell")
        self.move.setToolTip("Give the label of this lost cell to the selected cell instead.")
        self.drop = QPushButton("Give up")
        self.drop.setToolTip(
            "Let the marked cells of this correction go; it stays for its other cells. Undo lists "
            "them again."
        )
        buttons = QHBoxLayout()
        for button in (self.go, self.take, self.move, self.drop):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.told, 1)
        layout.addWidget(self.tree, 1)
        layout.addLayout(buttons)
        self.tree.go_asked.connect(self._on_go)
        self.tree.currentItemChanged.connect(self._refresh)
        self.tree.itemSelectionChanged.connect(self._refresh)
        self.go.clicked.connect(lambda: self._on_go(self.tree.current))
        self.take.clicked.connect(self._on_take)
        self.move.clicked.connect(self._on_move)
        self.drop.clicked.connect(self._on_drop)
        self.number = 0
        self.show_all((), ())

    def refresh(self) -> None:
        """Look for what waits for a decision again."""
        if self._desk.scene is not None:
            session = self._desk.scene.session
            self._desk.ask("decide", _to_decide, session, then=lambda f: self.show_all(*f))

    def show_all(self, opinions: Sequence[Opinion], lost: Sequence[Lost]) -> None:
        """List other things to decide."""
        self.number = len({(o.boundaries, o.what, o.cell_id) for o in opinions}) + len(lost)
        self.counted.emit(self.number)
        self.told.setVisible(not self.number)
        self.tree.setVisible(bool(self.number))
        self.tree.show_all(opinions, lost)
        self._refresh()

    def _on_go(self, found: Opinion | Lost | None) -> None:
        scene = self._desk.scene
        if scene is None or found is None:
            return
        if isinstance(found, Lost):
            scene.go_to(found.x, found.y)
        elif found.what == REGION:
            regions = scene.session.regions().geometry
            if found.cell_id in regions.index:
                scene.show_box(*regions[found.cell_id].bounds)
        elif scene.session.outlines(found.boundaries).row_of(found.cell_id) >= 0:
            scene.go_to_cell(found.cell_id)

    def _on_take(self) -> None:
        found = self.tree.current
        if self._desk.scene is not None and isinstance(found, Opinion):
            self._desk.correct(
                self._desk.scene.session.take_opinion,
                *(found.boundaries, found.what, found.cell_id, found.entry_id),
            )

    def _on_move(self) -> None:
        found, scene = self.tree.current, self._desk.scene
        if scene is not None and isinstance(found, Lost):
            self._desk.correct(_move, scene.session, found, scene.selection)

    def _on_drop(self) -> None:
        if self._desk.scene is not None:
            cells: dict[str, list[str]] = {}
            for one in self.tree.lost:
                cells.setdefault(one.entry_id, []).append(one.cell_id)
            for entry_id, lost in cells.items():
                self._desk.correct(self._desk.scene.session.settle, entry_id, lost)

    def _refresh(self, *_ignored: Any) -> None:
        found = self.tree.current
        for button in (self.go, self.take, self.move, self.drop):
            button.setVisible(bool(self.number))
        self.go.setEnabled(found is not None)
        self.take.setVisible(bool(self.number) and not isinstance(found, Lost))
        self.take.setEnabled(isinstance(found, Opinion))
        for button in (self.move, self.drop):
            button.setVisible(isinstance(found, Lost))
        self.move.setEnabled(len(self.tree.lost) == 1)
        self.drop.setEnabled(bool(self.tree.lost))


def _to_decide(session: Session) -> tuple[tuple[Opinion, ...], tuple[Lost, ...]]:
    return opinions_of(session.conflicts()), lost_of(session.unmatched())


def _move(session: Session, lost: Lost, selection: tuple[str, ...]) -> Any:
    """Give the label of a lost cell to the selected one."""
    if len(selection) != 1:
        raise BadInputError("Select the one cell that this label is to go to.")
    return session.settle(lost.entry_id, lost.cell_id, to=selection[0])
