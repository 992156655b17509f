"""What every dock about the open sample has: an empty state, and ears that are let go of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from psygnal.qt import start_emitting_from_queue
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QFrame, QLabel, QScrollArea, QStackedLayout, QVBoxLayout, QWidget

from napari_vhd.exceptions import VhdError
from napari_vhd.layers.corrector import corrector_of
from napari_vhd.widgets.current import current_of

from .background import Background
from .dispatch import dispatcher
from .dock_title import shorten_title
from .ears import Ears
from .text_size import TextSize

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer
    from qtpy.QtGui import QShowEvent

    from napari_vhd.layers.scene import Scene

# Signals of threads reach the window within this time; 0 would keep one core busy.
_POLL_MS = 10
_NOTHING_OPEN = (
    "No sample is open.\n\nOpen a run folder, a Space Ranger folder or a SpatialData zarr with "
    "File → Open Folder…, or try File → Open Sample → napari-vhd."
)


class SceneDock(QWidget):
    """A dock that shows something of the open sample.

    A subclass fills `body`, calls `start` when its parts are made, and says in `show_scene` what
    to do with a newly opened sample, in `leave_scene` what to forget when it is closed.

    Parameters
    ----------
    napari_viewer
        The viewer; kept unwrapped.
    title
        What a screen reader calls the dock.

    Attributes
    ----------
    scene
        The open sample, None while nothing is open.
    background
        For what is too slow for the GUI thread.
    """

    def __init__(self, napari_viewer: Viewer, title: str) -> None:
        super().__init__()
        start_emitting_from_queue(_POLL_MS)
        self.viewer: Viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self.scene: Scene | None = None
        self.background = Background()
        self._to_scene, self._to_viewer = Ears(), Ears()
        self._asked: set[str] = set()
        # By these objects, not by methods of this one: when Qt says so the widget is gone.
        self.destroyed.connect(self._to_scene.let_go)
        self.destroyed.connect(self._to_viewer.let_go)
        self.destroyed.connect(self.background.close)
        self.setAccessibleName(title)
        self.setObjectName(title)
        self.setMinimumWidth(270)
        TextSize(self)

        self._empty = QLabel(_NOTHING_OPEN)
        self._empty.setWordWrap(True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._empty.setMargin(12)
        inside = QWidget()
        self.body = QVBoxLayout(inside)
        self.body.setContentsMargins(8, 8, 8, 8)
        self.body.setSpacing(6)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidget(inside)
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self._empty)
        self._pages.addWidget(scroll)

        self._current = current_of(self.viewer)
        self._to_viewer.listen(self._current.scene_changed, self._on_scene_changed)
        self._to_viewer.listen(self.viewer.events.theme, self._on_theme)

    def start(self) -> None:
        """Show what is open."""
        self._begin_showing()

    def show_scene(self, scene: Scene) -> None:
        """Show a sample that was opened."""

    def leave_scene(self) -> None:
        """Forget the sample that was shown; its Scene may be closed already."""

    def refresh_theme(self) -> None:
        """Draw icons anew after the theme has changed."""

    def listen(self, signal: Any, slot: Callable[..., Any], thread: bool = False) -> None:
        """Hear a signal for as long as this sample is open, as `Ears.listen`."""
        self._to_scene.listen(signal, slot, thread)

    def ask(
        self, topic: str, function: Callable[..., Any], *arguments: Any, then: Callable[[Any], None]
    ) -> None:
        """Call a function beside the GUI thread; `then` is given what it found.

        A newer question about the same topic, or another sample, makes it void. The error of a
        user is shown as a notification, any other is raised.
        """
        self._asked.add(topic)
        self.background.ask(topic, function, *arguments, then=then, failed=self._on_failed)

    def do(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        then: Callable[[Any], None] | None = None,
    ) -> None:
        """Correct something, in one line with all others who correct this sample."""
        if self.scene is not None:
            corrector_of(self.scene).do(function, *arguments, then=then)

    def _on_failed(self, error: Exception) -> None:
        if not isinstance(error, VhdError):
            raise error
        show_error(str(error))

    def show_empty(self, sentence: str) -> None:
        """Say what to do next instead of showing empty controls."""
        self._empty.setText(sentence)
        self._pages.setCurrentIndex(0)

    def show_body(self) -> None:
        """Show the controls."""
        self._pages.setCurrentIndex(1)

    @property
    def empty_sentence(self) -> str:
        """What the empty state says, "" while the controls are shown."""
        return self._empty.text() if self._pages.currentIndex() == 0 else ""

    def _on_scene_changed(self) -> None:
        """Forget the sample before at once, and show another in a turn of this dock's own."""
        self._to_scene.let_go()
        if self.scene is not None:
            self.leave_scene()
        for topic in self._asked:
            self.background.forget(topic)
        self.scene = None
        if self._current.scene is None:
            self.show_empty(_NOTHING_OPEN)
        else:
            dispatcher()(self._begin_showing)

    def _begin_showing(self) -> None:
        scene = self._current.scene
        if scene is None or scene is self.scene or not isalive(self):
            return
        self.scene = scene
        self.show_body()
        self.show_scene(scene)

    def let_go(self) -> None:
        """Hear nothing any more; called before it goes."""
        self._to_scene.let_go()
        self._to_viewer.let_go()
        self.background.close()

    def _on_theme(self, _event: Any = None) -> None:
        self.refresh_theme()

    def changeEvent(self, event: QEvent) -> None:
        """Go when napari takes the widget out of its dock: it is never put back."""
        super().changeEvent(event)
        if event.type() != QEvent.Type.ParentChange:
            return
        shorten_title(self)
        if self.parent() is None:
            self.let_go()
            self.deleteLater()

    def showEvent(self, event: QShowEvent) -> None:
        """Have a title that its tab shows in full."""
        super().showEvent(event)
        shorten_title(self)
