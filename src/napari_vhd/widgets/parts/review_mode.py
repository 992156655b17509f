"""Review mode: keys that label and correct, on our layers only, while it is on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from .active_layer import activate
from .palette import DIGITS, UNSURE_KEY
from .peek import Peek
from .review_keys import LayerKeys
from .tools import BY_NAME, DELETE, TOOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.layers import Layer

    from napari_vhd.layers.scene import Scene

PEEK_KEY = "H"
UNDO, REDO = "Control-Z", "Control-Shift-Z"
LISTED = (
    ("1 – 9", "give the label with that key"),
    (UNSURE_KEY, "give Unsure"),
    *((tool.key, tool.title) for tool in TOOLS),
    (f"{PEEK_KEY} (hold)", "look at the H&E without overlays"),
    ("Enter", "take over what was edited"),
    ("Esc", "leave the tool, then Review mode"),
    ("Ctrl-Z, Ctrl-Shift-Z", "undo, redo; also outside Review mode"),
)
"""Keys and what they do, as the dock lists them."""


class ReviewMode(QObject):
    """Takes the keys, and gives them back.

    Attributes
    ----------
    toggled
        Whether Review mode is on.
    label_asked
        The palette's key that was pressed.
    tool_asked
        Name of a tool.
    commit_asked, escape_asked, undo_asked, redo_asked
        A key that says so was pressed.
    """

    toggled = Signal(bool)
    label_asked = Signal(str)
    tool_asked = Signal(str)
    commit_asked = Signal()
    escape_asked = Signal()
    undo_asked = Signal()
    redo_asked = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._scene: Scene | None = None
        self._on = False
        self._peek = Peek()
        self._always = LayerKeys({UNDO: self._undo, REDO: self._redo})
        self._keys = LayerKeys(self._actions())
        for taken in (self._always, self._keys):
            parent.destroyed.connect(taken.give_back)

    @property
    def is_on(self) -> bool:
        """Whether Review mode is on."""
        return self._on

    def set_scene(self, scene: Scene | None) -> None:
        """Follow another sample; Review mode is off again."""
        self.turn(False)
        self._scene = scene
        self._always.give_back()
        self.refresh()

    def turn(self, on: bool) -> None:
        """Take the keys, or give them back."""
        on = on and self._scene is not None
        if on == self._on:
            return
        self._on = on
        self.refresh()
        if not on:
            self._keys.give_back()
            self._peek.end()
        elif self._scene is not None:
            activate(self._scene, ours=True)
        self.toggled.emit(on)

    def refresh(self) -> None:
        """Take the keys on layers that have come, too."""
        layers = () if self._scene is None else self._scene.layers
        self._always.take(layers)
        if self._on:
            self._keys.take(layers)

    def let_go(self) -> None:
        """Give every key back."""
        self._keys.give_back()
        self._always.give_back()

    def _actions(self) -> dict[str, Callable[[Layer], Any]]:
        found: dict[str, Callable[[Layer], Any]] = {}
        for key in (*DIGITS, UNSURE_KEY):
            found[key] = _emitting(self.label_asked, key)
        for tool in TOOLS:
            found[tool.key] = _emitting(self.tool_asked, tool.name)
        found["Delete"] = _emitting(self.tool_asked, BY_NAME[DELETE].name)
        found["Enter"] = _emitting(self.commit_asked)
        found["Escape"] = _emitting(self.escape_asked)
        found[PEEK_KEY] = self._peeking
        return found

    def _peeking(self, _layer: Layer) -> Iterator[None]:
        if self._scene is not None:
            self._peek.start(self._scene)
        yield
        self._peek.end()

    def _undo(self, _layer: Layer) -> None:
        self.undo_asked.emit()

    def _redo(self, _layer: Layer) -> None:
        self.redo_asked.emit()


def _emitting(signal: Any, *values: str) -> Callable[[Layer], None]:
    """Tell of a key after napari is done with it: tools take layers away and bring others."""

    def call(_layer: Layer) -> None:
        QTimer.singleShot(0, lambda: signal.emit(*values))

    return call
