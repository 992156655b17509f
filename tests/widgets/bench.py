"""What the tests of the steps share: an open sample, quick stages, a watch on the GUI thread."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import quick_stages
from qtpy.QtCore import QTimer
from run_copies import copy_run

from napari_vhd.config import RunConfig
from napari_vhd.layers import Scene
from napari_vhd.session import Session
from napari_vhd.widgets.current import current_of
from napari_vhd.widgets.parts.dispatch import dispatcher

LONG = 60_000


def use_quick_stages(monkeypatch: Any, finished_run: Path) -> None:
    """Run the quick pipeline, in this process and in real workers."""
    from napari_vhd.stages import pipeline

    monkeypatch.setattr(pipeline, "PIPELINE", quick_stages.PIPELINE)
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.setenv("QUICK_RUN", str(finished_run))


class OpenSession:
    """A scene without layers, where only the docks are measured."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def close(self) -> None:
        """Nothing is shown."""


def open_session(viewer: Any, path: Path) -> Session:
    """Open a sample in a viewer."""
    session = Session.open(path, author="ab")
    current_of(viewer).scene = Scene(viewer, session, dispatch=dispatcher())
    return session


def space_ranger_folder(simulated: Path, folder: Path) -> Path:
    """A Space Ranger folder of one test alone (links to a shared one)."""
    here = folder / simulated.name
    here.mkdir()
    for path in simulated.iterdir():
        (here / path.name).symlink_to(path)
    return here


def configured(simulated: Path, processed: Path) -> RunConfig:
    """The settings of the simulated sample, with run folders in a place of the test."""
    data = RunConfig.from_yaml(simulated / "config.yaml").to_dict()
    data["paths"]["processed"] = str(processed)
    data["params"] |= {"domain_range": [5, 5], "clustering_col": "novae_domains_5"}
    return RunConfig.from_dict(data)


def copied(run: Path, folder: Path) -> Path:
    """A run folder of one test alone."""
    target = folder / run.name
    copy_run(run, target)
    return target


class GuiWatch:
    """Measures how long the GUI thread works without a pause, as CPU time of that thread.

    On a machine that is shared, the time on the wall says how busy others are; what this thread
    itself computed between two turns of the event loop is what the window waited for.
    """

    def __init__(self) -> None:
        self.longest_ms = 0.0
        self._last = time.thread_time()
        self._timer = QTimer()
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._tick)

    def _tick(self) -> None:
        now = time.thread_time()
        self.longest_ms = max(self.longest_ms, 1000 * (now - self._last))
        self._last = now

    def __enter__(self) -> GuiWatch:
        self._last = time.thread_time()
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._tick()
        self._timer.stop()
