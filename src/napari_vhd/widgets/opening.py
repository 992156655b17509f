"""Opening a sample in a viewer: read beside the window, then shown; and closing it again."""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from napari.utils.notifications import show_error, show_info, show_warning
from psygnal import Signal
from psygnal.qt import start_emitting_from_queue

from napari_vhd.exceptions import VhdError
from napari_vhd.io.view_file import read_view
from napari_vhd.layers.prepared import Prepared
from napari_vhd.layers.scanline import compile_ahead
from napari_vhd.layers.scene import Scene
from napari_vhd.layers.view_state import looked_at_first
from napari_vhd.session import Session

from .current import current_of
from .parts.background import Background
from .parts.dispatch import dispatcher
from .parts.garbage import GarbageTimer
from .parts.settings import settings
from .parts.view_keeper import ViewKeeper
from .parts.window_end import WindowEnd
from .run_control import known_control

if TYPE_CHECKING:
    from napari.viewer import Viewer

_POLL_MS = 10
_READING = ("napari_vhd.io.source_run", "spatialdata", "spatialdata._io")


@dataclass(frozen=True)
class Opened:
    """A sample as it comes from the thread that read it.

    Attributes
    ----------
    session
        The open sample.
    prepared
        What its Scene needs.
    view
        How it was looked at last, None where that is not known.
    notices
        What the user should be told.
    """

    session: Session
    prepared: Prepared
    view: dict[str, Any] | None
    notices: tuple[str, ...]


def read_sample(path: Path, author: str = "", runs_folder: Path | None = None) -> Opened:
    """Read what showing a sample needs; slow, touches neither Qt nor napari.

    Parameters
    ----------
    path
        Run folder, Space Ranger folder or SpatialData store.
    author
        Who corrects; "": as saved.
    runs_folder
        Where a run folder will be proposed, None: beside the Space Ranger folder.

    Raises
    ------
    VhdError
        In one sentence.
    """
    _get_ready()
    _make_labels()
    GarbageTimer.set_aside(before_sample=True)
    session = Session.open(path, author)
    if session.source.kind == "space_ranger" and session.config is not None and runs_folder:
        paths = dataclasses.replace(session.config.paths, processed=str(runs_folder))
        session.config = dataclasses.replace(session.config, paths=paths)
    try:
        view = None if session.run_dir is None else read_view(session.run_dir)
        prepared = _prepared(session, view)
        notices = (*session.source.notices, *session.notices)
    except BaseException:
        session.close()
        raise
    return Opened(session, prepared, view, notices)


@cache
def _get_ready() -> None:
    """Import what reading needs, and compile what draws cells: seconds, once."""
    for name in _READING:
        import_module(name)
    compile_ahead()


@cache
def _make_labels() -> None:
    """Have napari compile what draws labels: half a second, once.

    Not before a sample is asked for: two threads that make the first layer of a process fall over
    each other in the units of its scale.
    """
    import numpy as np
    from napari.layers import Labels
    from napari.utils import DirectLabelColormap

    colors = {None: (0, 0, 0, 0), 0: (0, 0, 0, 0), 1: (1, 1, 1, 1)}
    for kind in (np.uint8, np.uint16):
        Labels(np.zeros((2, 2), kind), colormap=DirectLabelColormap(color_dict=colors))


def _prepared(session: Session, view: dict[str, Any] | None) -> Prepared:
    """Prepare the column that was shown last, or, where that is gone, what suits."""
    coloring = {} if view is None else view.get("coloring", {})
    names = session.segmentations()
    shown = looked_at_first(view or {})
    if view is not None and names and coloring.get("boundaries", names[0]) == names[0]:
        with contextlib.suppress(VhdError):
            return Prepared.of(session, coloring.get("column"), looked_at=shown)
    return Prepared.of(session, looked_at=shown)


class Opening:
    """Opens and closes samples in one viewer. Get it with `opening_of`.

    Attributes
    ----------
    opened
        Told the Scene, when it is shown.
    failed
        Told the sentence, when a sample could not be opened.
    """

    opened = Signal(object)
    failed = Signal(str)

    def __init__(self, viewer: Viewer) -> None:
        start_emitting_from_queue(_POLL_MS)
        # Weak: this object lives as long as the viewer, and must not be what keeps it alive.
        self._viewer = ref(viewer)
        self._current = current_of(viewer)
        self._background = Background()
        # What is there before the first sample need not be looked at for garbage with it.
        self._background.ask("ready", _get_ready, then=_ignore, failed=_ignore)
        self._dispatcher = dispatcher()
        self._keeper: ViewKeeper | None = None
        self._end: WindowEnd | None = None
        self._busy: Any = None
        self._making: Scene | None = None
        self._untold: Scene | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a sample is being read, or its layers made."""
        return any(one is not None for one in (self._busy, self._making, self._untold))

    def open(self, path: Path, author: str = "") -> None:
        """Read a sample beside the window and show it; returns at once."""
        from napari.utils import progress

        chosen = settings()
        self._done()
        if (viewer := self._viewer()) is not None:
            GarbageTimer.begin(viewer)
        self._busy = progress(total=0, desc=f"opening {path.name}")
        self._background.ask(
            "open",
            read_sample,
            path,
            author or chosen.author,
            chosen.runs_folder,
            then=self.show,
            failed=self._on_failed,
        )

    def show(self, opened: Opened) -> None:
        """Show a sample that was read, in place of the one before; `opened` tells when it is done.

        Layers are made one in each turn of the event loop. Until all are there, docks have the
        sample before.
        """
        self._done()
        self._drop()
        viewer = self._viewer()
        if viewer is None:
            opened.session.close()
            return
        view = opened.view or self._view_of_same(opened.session)
        self._end_view()
        self._making = Scene(
            viewer,
            opened.session,
            prepared=opened.prepared,
            dispatch=self._dispatcher,
            view=view,
            then=partial(self._on_made, opened, self._current.scene),
        )
        self._making.failed.connect(self._on_scene_failed)

    def _on_made(self, opened: Opened, before: Scene | None, scene: Scene) -> None:
        """Hand over a Scene whose layers are all there."""
        self._making = None
        viewer = self._viewer()
        if before is not None:
            before.session.close()
        if opened.session.run_dir is not None:
            self._keeper = ViewKeeper(scene, opened.session.run_dir, self._background)
        if self._end is None and viewer is not None:
            self._end = WindowEnd.of(viewer, self.end)
        self._current.scene = scene
        # Docks have much to lay out now; who shows another dock does so in a turn of its own.
        self._untold = scene
        self._dispatcher(partial(self._tell, scene, opened.notices))

    def _tell(self, scene: Scene, notices: tuple[str, ...]) -> None:
        """Say that a sample is shown, unless it is gone again."""
        if self._untold is not scene:
            return
        self._untold = None
        for sentence in notices:
            show_warning(sentence)
        self.opened.emit(scene)

    def close_sample(self) -> None:
        """Close what is shown; its view is kept. Docks are told when another one is shown."""
        self._drop()
        self._end_view()
        if (scene := self._current.scene) is not None:
            scene.close()
            scene.session.close()

    def _drop(self) -> None:
        """Let go of a sample whose layers are being made."""
        self._untold = None
        scene, self._making = self._making, None
        if scene is not None:
            scene.close()
            scene.session.close()

    def _end_view(self) -> None:
        """Keep how the sample was looked at."""
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None

    def close(self) -> None:
        """Close what is shown, and tell the docks that nothing is open."""
        self._background.forget("open")
        self._done()
        self.close_sample()
        self._current.scene = None

    def end(self) -> None:
        """Close what is shown, for good: the window goes."""
        self.close()
        self._background.close()

    def _view_of_same(self, session: Session) -> dict[str, Any] | None:
        """Give the view of the Scene that is shown, where it shows the same sample."""
        scene = self._current.scene
        same = scene is not None and scene.session.sample_id == session.sample_id
        return scene.view_state() if same else None

    def _done(self) -> None:
        if self._busy is not None:
            self._busy.close()
            self._busy = None

    def _on_failed(self, error: Exception) -> None:
        self._done()
        if not isinstance(error, VhdError):
            raise error
        show_error(str(error))
        self.failed.emit(str(error))

    def _on_scene_failed(self, error: Exception) -> None:
        """Show what was raised beside the window."""
        if self._making is not None:
            self._drop()
        if not isinstance(error, VhdError):
            raise error
        show_error(str(error))


def _ignore(_answer: object) -> None:
    """Take no notice of what was made ready: who needs it is told what is wrong with it."""


# Kept with the unwrapped viewer: napari hands docks a proxy that dies with the dock.
_KNOWN: WeakKeyDictionary[Any, Opening] = WeakKeyDictionary()


def opening_of(viewer: Viewer) -> Opening:
    """Give the one `Opening` of a viewer, made when first asked for."""
    unwrapped = getattr(viewer, "__wrapped__", viewer)
    if unwrapped not in _KNOWN:
        _KNOWN[unwrapped] = Opening(unwrapped)
    return _KNOWN[unwrapped]


def open_path(viewer: Viewer, path: str | Path, author: str = "") -> None:
    """Open a sample in a viewer, in place of the one that is open; returns at once.

    Docks learn of it from `current_of(viewer).scene_changed`; what is wrong with the path is told
    in a notification.

    Parameters
    ----------
    viewer
        napari's.
    path
        Run folder, Space Ranger folder or SpatialData store.
    author
        Who corrects; "": as set.
    """
    control = known_control(viewer)
    path = Path(path).expanduser().absolute()
    if control is not None and control.is_running and control.run_dir != path:
        show_info("A run is going on; wait for it or cancel it before you open another sample.")
        return
    opening_of(viewer).open(path, author)
