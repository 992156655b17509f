"""The compare dock: two segmentations over each other, and the list of their differences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QRadioButton,
)
from superqt.utils import signals_blocked

from napari_vhd.review.compare import KINDS, SAME

from .parts.difference_table import KIND_WORDS, DifferenceTable
from .parts.gathering import differences
from .parts.review_keys import LayerKeys
from .parts.scene_dock import SceneDock
from .parts.wording import title_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd
    from napari.viewer import Viewer

    from napari_vhd.layers.scene import Scene

_MODES = {
    "off": ("Off", "Show the segmentations as the legend says"),
    "outlines": ("Outlines", "Both outlines over each other, each in its colour"),
    "blink": ("Blink", "One at a time; hold the button below, or the key K, to see the other"),
    "side": ("Side by side", "Two views with linked cameras"),
}
_BLINK_KEY = "K"
_DIFFERENT = "all differences"
_ASK = "Press “List differences” to match the objects of A and B."


class CompareDock(SceneDock):
    """Two segmentations of the sample, one against the other.

    Parameters
    ----------
    napari_viewer
        The viewer whose sample it is about.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer, "Compare segmentations")
        self.first, self.second = QComboBox(), QComboBox()
        self.first.setAccessibleName("Segmentation A")
        self.second.setAccessibleName("Segmentation B")
        self.modes = {mode: QRadioButton(words) for mode, (words, _) in _MODES.items()}
        self._group = QButtonGroup(self)
        self.hold = QPushButton(f"Hold to see the other ({_BLINK_KEY})")
        self.list_button = QPushButton("List differences")
        self.told = QLabel(_ASK)
        self.told.setWordWrap(True)
        self.kind = QComboBox()
        self.kind.setAccessibleName("Kind of difference")
        self.table = DifferenceTable()
        self.previous, self.next = QPushButton("Previous"), QPushButton("Next")
        self._found: pd.DataFrame | None = None
        self._keys = LayerKeys({_BLINK_KEY: _held(self)})
        self._lay_out()
        self._connect()
        self.start()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("A", self.first)
        form.addRow("B", self.second)
        modes = QGridLayout()
        for place, (mode, button) in enumerate(self.modes.items()):
            button.setToolTip(_MODES[mode][1])
            button.setProperty("mode", mode)
            self._group.addButton(button)
            modes.addWidget(button, place // 2, place % 2)
        self.modes["off"].setChecked(True)
        steps = QHBoxLayout()
        steps.addWidget(self.previous)
        steps.addWidget(self.next)
        self.body.addLayout(form)
        self.body.addLayout(modes)
        self.body.addWidget(self.hold)
        self.body.addWidget(self.list_button)
        self.body.addWidget(self.told)
        self.body.addWidget(self.kind)
        self.body.addWidget(self.table, 1)
        self.body.addLayout(steps)

    def _connect(self) -> None:
        self.first.activated.connect(self._on_pair)
        self.second.activated.connect(self._on_pair)
        self._group.buttonClicked.connect(self._on_mode)
        self.hold.pressed.connect(self._on_pressed)
        self.hold.released.connect(self._on_released)
        self.list_button.clicked.connect(self._on_list)
        self.kind.activated.connect(self._show_kind)
        self.table.went.connect(self._on_went)
        self.previous.clicked.connect(self._on_previous)
        self.next.clicked.connect(self._on_next)

    def show_scene(self, scene: Scene) -> None:
        """Offer the sample's segmentations."""
        self.listen(scene.session.reloaded, self._on_reloaded, thread=True)
        self.listen(scene.session.cells_changed, self._on_edited, thread=True)
        self.listen(scene.layers_changed, self._take_key)
        self._on_reloaded()

    def leave_scene(self) -> None:
        """Forget the differences."""
        self.modes["off"].setChecked(True)
        self._keys.give_back()
        self._forget()

    def _on_reloaded(self) -> None:
        if self.scene is None:
            return
        names = self.scene.session.segmentations()
        if len(names) < 2:
            self.show_empty(
                "Comparing needs two segmentations.\n\nRun StarDist and ProSeg in the "
                "Segmentation step of the workflow dock, or import boundaries made elsewhere."
            )
            return
        self.show_body()
        for place, choice in enumerate((self.first, self.second)):
            with signals_blocked(choice):
                choice.clear()
                for name in names:
                    choice.addItem(title_of(name), name)
                # Nuclei come before the cells that are made of them.
                choice.setCurrentIndex(len(names) - 1 - place)
        self._forget()

    def _forget(self) -> None:
        self.background.forget("differences")
        self._found = None
        self.table.rows_model.set_frame(None)
        self.kind.clear()
        self.told.setText(_ASK)
        self._enable()

    def _enable(self) -> None:
        some = self.table.rows_model.rowCount() > 0
        self.kind.setEnabled(self._found is not None)
        self.previous.setEnabled(some)
        self.next.setEnabled(some)
        self.hold.setEnabled(self.modes["blink"].isChecked())

    def _on_edited(self, _news: Any = None) -> None:
        if self._found is not None:
            self.told.setText("Cells were edited since; list the differences again.")

    def _pair(self) -> tuple[str, str]:
        return self.first.currentData(), self.second.currentData()

    def _on_pair(self) -> None:
        self._forget()
        self._on_mode()

    def _on_mode(self, _button: Any = None) -> None:
        if self.scene is not None:
            mode = self._group.checkedButton().property("mode")
            self.scene.compare(mode, *self._pair())
            self._take_key()
            self._enable()

    def _take_key(self) -> None:
        """Take the key on our layers while it is of use."""
        blinks = self.modes["blink"].isChecked() and self.scene is not None
        self._keys.take(self.scene.layers if blinks and self.scene is not None else ())

    def _on_pressed(self) -> None:
        if self.scene is not None:
            self.scene.blink(True)

    def _on_released(self) -> None:
        if self.scene is not None:
            self.scene.blink(False)

    def _on_list(self) -> None:
        if self.scene is None:
            return
        if self.first.currentData() == self.second.currentData():
            self.told.setText("A and B are the same segmentation; choose two.")
            return
        self.told.setText("Matching objects …")
        session = self.scene.session
        self.ask("differences", differences, session, *self._pair(), then=self._show_found)

    def _show_found(self, found: pd.DataFrame) -> None:
        self._found = found
        counts = found["kind"].value_counts()
        self.kind.clear()
        self.kind.addItem(f"{_DIFFERENT} ({len(found) - counts[SAME]:,})", "")
        for kind in KINDS:
            self.kind.addItem(f"{KIND_WORDS[kind]} ({counts[kind]:,})", kind)
        if len(found) == counts[SAME]:
            # Where nothing differs in kind, the least alike are what there is to look at.
            self.kind.setCurrentIndex(self.kind.findData(SAME))
        said = (f"{counts[kind]:,} {KIND_WORDS[kind]}" for kind in KINDS if counts[kind])
        self.told.setText(", ".join(said) or "Neither has an object.")
        self._show_kind()

    def _show_kind(self, _place: int = 0) -> None:
        if self._found is None:
            return
        kind = self.kind.currentData()
        chosen = self._found["kind"] == kind if kind else self._found["kind"] != SAME
        self.table.rows_model.set_frame(self._found[chosen])
        self._enable()

    def _on_went(self, row: int) -> None:
        if self.scene is not None:
            difference = self.table.rows_model.row(row)
            self.scene.go_to(difference.x, difference.y)
            self.scene.select((*difference.ids_a, *difference.ids_b))

    def _on_previous(self) -> None:
        self.table.step(-1)

    def _on_next(self) -> None:
        self.table.step(1)


def _held(dock: CompareDock) -> Callable[[Any], Iterator[None]]:
    """Make what a held key does; the dock is not kept alive by it."""
    weak = ref(dock)

    def blink(_layer: Any) -> Iterator[None]:
        for on in (True, False):
            held = weak()
            if held is not None and held.scene is not None:
                held.scene.blink(on)
            if on:
                yield

    return blink
