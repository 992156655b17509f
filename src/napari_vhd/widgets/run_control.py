"""The run of one viewer: the config as it stands in the forms, what it would do, and doing it.

All steps of a viewer share one `RunControl`. It never blocks the window: looking ahead, checking
and running happen in threads, stages in processes of their own, and what they say is handed over
on the GUI thread. News of an older request than the last one is dropped.
"""

from __future__ import annotations

import dataclasses
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from psygnal import Signal
from psygnal.qt import start_emitting_from_queue
from qtpy.QtCore import QTimer

from napari_vhd.exceptions import CancelledError, VhdError
from napari_vhd.runner.outlook import look
from napari_vhd.runner.plan import Choice

from .current import current_of
from .parts import draft, drawn_region
from .parts.background import Background
from .parts.request import RunRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from geopandas import GeoDataFrame
    from napari.viewer import Viewer
    from shapely.geometry.base import BaseGeometry

    from napari_vhd.config import RunConfig, SampleConfig
    from napari_vhd.runner.events import Failure, Record, Task
    from napari_vhd.runner.outlook import Outlook
    from napari_vhd.session import Session

QUEUE_MS = 10
_LOOK_MS = 200
_KEPT_MESSAGES = 2000


class RunControl:
    """What the steps of one viewer share. Get it with `control_of`.

    Attributes
    ----------
    outlook
        What a run would do now; None while nothing is open or not yet known.
    running
        Name of each stage at work -> its task.
    failed
        Name of each stage that failed in the last run -> why.
    region_names
        Regions of interest that are run inside, where it was these that were chosen.
    background, session_work
        Threads: for reading files, and for what asks the session.
    messages
        (level, text), the newest last; levels are ``log``, ``note``, ``error``.
    """

    config_changed = Signal()
    outlook_changed = Signal()
    #: A run began or ended, or a stage of it did.
    run_changed = Signal()
    progressed = Signal(object, object)
    #: Level and text.
    told = Signal(str, str)
    #: The run is over: None or the error.
    ended = Signal(object)

    def __init__(self, viewer: Viewer) -> None:
        start_emitting_from_queue(QUEUE_MS)
        # Weak: this object lives as long as the viewer, and must not be what keeps it alive.
        self._viewer = weakref.ref(viewer)
        self._current = current_of(viewer)
        self.outlook: Outlook | None = None
        self.running: dict[str, Task] = {}
        self.failed: dict[str, str] = {}
        self.messages: deque[tuple[str, str]] = deque(maxlen=_KEPT_MESSAGES)
        self.background = Background()
        self.session_work = Background()
        self.region_names: tuple[str, ...] = ()
        self._config: RunConfig | None = None
        # A config, and what is wrong with it: all steps ask.
        self._checked: tuple[RunConfig | None, str] = (None, "")
        self._run_dir: Path | None = None
        self._request: RunRequest | None = None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._current.scene_changed.connect(self._on_scene)
        self._current.parameter_chosen.connect(self.change)
        self._current.region_run_requested.connect(self.choose_regions)
        self._on_scene()

    # What is open, and how it is set

    @property
    def session(self) -> Session | None:
        """The open sample."""
        scene = self._current.scene
        return None if scene is None else scene.session

    @property
    def config(self) -> RunConfig | None:
        """As it stands in the forms; may not be valid, see `problem`."""
        return self._config

    @property
    def sample(self) -> SampleConfig | None:
        """The open sample's part of the config."""
        if self._config is None:
            return None
        return draft.sample_of(
            self._config, None if self.session is None else self.session.sample_id
        )

    @property
    def run_dir(self) -> Path | None:
        """The run folder that a run goes on with, None where one has yet to be made."""
        if self._run_dir is not None:
            return self._run_dir
        return None if self.session is None else self.session.run_dir

    @property
    def problem(self) -> str:
        """What is wrong with the config as it stands; empty where nothing is."""
        if self._checked[0] is not self._config:
            found = "" if self._config is None else draft.problem_of(self._config)
            self._checked = (self._config, found)
        return self._checked[1]

    def set_config(self, config: RunConfig) -> None:
        """Take another config."""
        if config == self._config:
            return
        self._config = config
        if self.session is not None:
            self.session.config = config
        self.config_changed.emit()
        self.look_again()

    def change(self, name: str, value: Any) -> None:
        """Change one parameter."""
        if self._config is not None:
            self.set_config(draft.with_parameter(self._config, name, value))

    def change_sample(self, **changes: Any) -> None:
        """Change the open sample: ``fullres_image``, ``region`` or ``name``."""
        if self._config is not None and self.sample is not None:
            self.region_names = ()
            self.set_config(draft.with_sample(self._config, self.sample.id, **changes))

    def change_paths(self, **changes: Any) -> None:
        """Change ``reference``, ``processed`` or ``figures``."""
        if self._config is not None:
            self.set_config(draft.with_paths(self._config, **changes))

    def change_markers(self, markers: dict[str, tuple[str, ...]]) -> None:
        """Change the marker genes."""
        if self._config is not None:
            self.set_config(dataclasses.replace(self._config, marker_genes=markers))

    def draw_region(self, areas: Sequence[tuple[str, BaseGeometry]]) -> None:
        """Run inside drawn areas, in full-resolution px; over their union, if several."""
        self.change_sample(region=str(drawn_region.write(areas, self.run_dir)))

    def choose_regions(self, names: Sequence[str]) -> None:
        """Run inside regions of interest; returns at once."""
        if self.session is not None and names:
            self.session_work.ask(
                "regions to run",
                self.session.regions,
                then=lambda frame: self._take_regions(frame, names),
            )

    def _take_regions(self, frame: GeoDataFrame, names: Sequence[str]) -> None:
        areas = [(name, frame.geometry[name]) for name in names if name in frame.index]
        if areas:
            self.draw_region(areas)
            self.region_names = tuple(name for name, _ in areas)
            self.config_changed.emit()

    def look_again(self) -> None:
        """Find out anew what a run would do, soon."""
        self._timer.start()

    # Running

    @property
    def is_running(self) -> bool:
        """Whether a run is on, or is being checked before it starts."""
        return self._request is not None

    def run(self, wanted: Sequence[str] | None = None, *, again: bool = False) -> None:
        """Run what is missing or out of date; `ended` tells when it is over.

        Parameters
        ----------
        wanted
            Names of stages: these, and what they need; all of the config if None.
        again
            Run the wanted ones also where nothing changed.
        """
        if self.is_running:
            return
        if self._config is None:
            self._tell("error", "Nothing is open; choose a sample first.")
            return
        if self.problem:
            self._tell("error", self.problem)
            return
        self.failed.clear()
        choice = Choice()
        if again and wanted:
            choice = Choice(from_=wanted[0], until=wanted[-1], force=True)
        request = RunRequest(self._config, self.run_dir, choice, wanted)
        self._request = request
        # A closure keeps the request: news of an older one is told apart by it.
        request.said.connect(
            lambda event, values: self._on_said(request, event, values), thread="main"
        )
        self.run_changed.emit()
        request.start()

    def cancel(self) -> None:
        """End what runs, at once; what was finished is kept."""
        if self._request is not None:
            self._request.cancel()

    def abandon(self, seconds: float = 10.0) -> bool:
        """Cancel and wait until all processes are gone; False if that takes longer."""
        request = self._request
        if request is None:
            return True
        request.cancel()
        gone = request.wait(seconds)
        self._on_said(request, "ended", (request.error,))
        return gone

    def _on_said(self, request: RunRequest, event: str, values: tuple[Any, ...]) -> None:
        """Take news of a run, on the GUI thread."""
        if request is not self._request:
            return
        match event:
            case "prepared":
                self._on_prepared(*values)
            case "started":
                self.running[values[0].stage] = values[0]
                self.run_changed.emit()
            case "progressed":
                self.progressed.emit(*values)
            case "logged":
                self._note("log", f"{values[0].stage}: {values[1]}")
            case "noticed":
                self._note("note", f"{values[0].title}: {values[1]}")
            case "published":
                self._on_published()
            case "finished":
                self._on_finished(*values)
            case "failed":
                self._on_failed(*values)
            case "cancelled":
                self.running.pop(values[0].stage, None)
            case "ended":
                self._on_ended(*values)

    def _on_prepared(self, config: RunConfig, run_dir: Path) -> None:
        """Take over the run folder."""
        self._run_dir = run_dir
        if self._config is not None and config != self._config:
            # Where the region is kept has changed, and nothing else.
            samples = config.samples
            self._config = dataclasses.replace(self._config, samples=samples)
            if self.session is not None:
                self.session.config = self._config
            self.config_changed.emit()
        self._note("log", f"run folder: {run_dir}")

    def _on_published(self) -> None:
        """Show the new result: in the open session, or by opening the run folder just made."""
        session, run_dir = self.session, self._run_dir
        if session is not None and session.run_dir is not None:
            self.session_work.ask("reload", session.reload, then=lambda _: None)
        elif run_dir is not None and (viewer := self._viewer()) is not None:
            from .opening import open_path

            open_path(viewer, run_dir)
        self.look_again()

    def _on_finished(self, task: Task, records: dict[str, Record]) -> None:
        self.running.pop(task.stage, None)
        for record in records.values():
            numbers = ", ".join(f"{name} {value}" for name, value in record.numbers.items())
            self._note("log", f"{task.title}: done in {record.seconds:.0f} s: {numbers}")
        self.look_again()
        self.run_changed.emit()

    def _on_failed(self, task: Task, failure: Failure) -> None:
        self.running.pop(task.stage, None)
        self.failed[task.stage] = failure.sentence
        self.run_changed.emit()

    def _on_ended(self, error: VhdError | None) -> None:
        self._request = None
        self.running.clear()
        if isinstance(error, CancelledError):
            self._tell("note", "The run was cancelled; what was finished is kept.")
        elif error is not None:
            self._tell("error", str(error))
        else:
            self._note("log", "the run is done")
        self.look_again()
        self.run_changed.emit()
        self.ended.emit(error)

    def _note(self, level: str, text: str) -> None:
        """Keep a message for the log."""
        self.messages.append((level, text))
        self.told.emit(level, text)

    def _tell(self, level: str, text: str) -> None:
        """Keep a message, and show it over the window."""
        from napari.utils import notifications

        self._note(level, text)
        show = notifications.show_error if level == "error" else notifications.show_info
        show(text)

    # Looking

    def _on_scene(self) -> None:
        """Another sample was opened, or the run folder of this one."""
        session = self.session
        same = (
            session is not None
            and self._run_dir is not None
            and session.run_dir == self._run_dir
            and self._config is not None
        )
        if session is not None and same:
            # What was changed in the forms meanwhile stays.
            session.config = self._config
        else:
            self.outlook = None
            self.failed.clear()
            self.region_names = ()
            self._config = None if session is None else session.config
            self._run_dir = None if session is None else session.run_dir
        # Who shows the outlook hears of this as well: it is gone, or as it was.
        self.config_changed.emit()
        self.look_again()

    def _look(self) -> None:
        if self._config is None:
            self.background.forget("look")
            self._on_look(None)
            return
        self.background.ask(
            "look", look, self._config, self.run_dir, then=self._on_look, failed=self._on_blind
        )

    def _on_look(self, outlook: Outlook | None) -> None:
        self.outlook = outlook
        self.outlook_changed.emit()

    def _on_blind(self, error: Exception) -> None:
        """Say why looking ahead failed, without taking the window down."""
        if not isinstance(error, VhdError | OSError):
            raise error
        self._note("error", str(error))
        self._on_look(None)


# Kept with the unwrapped viewer: napari hands docks a proxy that dies with the dock.
_KNOWN: WeakKeyDictionary[Any, RunControl] = WeakKeyDictionary()


def control_of(viewer: Viewer) -> RunControl:
    """Give the one `RunControl` of a viewer, made when first asked for."""
    unwrapped = getattr(viewer, "__wrapped__", viewer)
    if unwrapped not in _KNOWN:
        _KNOWN[unwrapped] = RunControl(unwrapped)
    return _KNOWN[unwrapped]


def known_control(viewer: Viewer) -> RunControl | None:
    """Give it only where it was made already."""
    return _KNOWN.get(getattr(viewer, "__wrapped__", viewer))
