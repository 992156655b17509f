"""Previews: StarDist and ProSeg on what is in view, in a process of their own.

One `Preview` keeps one worker, with the network loaded and the candidates of the last picture, so
that turning a threshold is answered at once. Only the newest wish counts: what is asked while the
worker is busy takes the place of what waited, and answers to older wishes are dropped.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_vhd.exceptions import VhdError

from . import failures
from .process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from .process import Event

_MODULE = "napari_vhd.runner.preview_worker"
LOG = "preview.log"
# What an answer tells of the model.
PROBABILITY_OWN = "model's own probability"
OVERLAP_OWN = "model's own overlap"


@dataclass(frozen=True)
class FindNuclei:
    """Run StarDist's network on a picture (``.npy``, y × x × 3) and choose nuclei."""

    picture: str
    model: str
    prob_thresh: float | None
    nms_thresh: float | None
    min_area: float


@dataclass(frozen=True)
class ChooseNuclei:
    """Choose again among the candidates of the last picture."""

    prob_thresh: float | None
    nms_thresh: float | None
    min_area: float


@dataclass(frozen=True)
class SegmentPicture:
    """Segment a whole picture (``.npy``, 3 × y × x) by StarDist, patch by patch."""

    picture: str
    shape: tuple[int, int]
    model: str
    prob_thresh: float | None
    nms_thresh: float | None
    min_area: float
    patch_width: int
    patch_overlap: int


@dataclass(frozen=True)
class GrowCells:
    """Run ProSeg on a box of a run folder, with few iterations.

    The labels that are drawn cover the box, at `step` full-resolution px a pixel.
    """

    run_dir: str
    config: Mapping[str, Any]
    box: tuple[int, int, int, int]
    iterations: int
    step: int = 1


Wish = FindNuclei | ChooseNuclei | SegmentPicture | GrowCells
WISHES = {kind.__name__: kind for kind in (FindNuclei, ChooseNuclei, SegmentPicture, GrowCells)}


@dataclass(frozen=True)
class Answer:
    """What came out.

    Attributes
    ----------
    wish
        What it answers.
    labels
        ``.npy`` file with a picture of labels, 0 for none; None for a whole picture.
    outlines
        ``.npz`` file with the outlines, see `read_outlines`.
    numbers
        What came out, in words and numbers.
    """

    wish: Wish
    labels: Path | None
    outlines: Path
    numbers: Mapping[str, float | int | str]


class Preview:
    """One worker for previews. Signals are emitted by a thread of its own."""

    answered = Signal(Answer)
    #: The wish, steps done and steps in all, name of the step.
    progressed = Signal(object, float, float, str)
    #: The wish and the error that ended it.
    failed = Signal(object, VhdError)

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: WorkerProcess | None = None
        self._lock = threading.Lock()
        self._number = 0
        self._asked: dict[int, Wish] = {}
        self._waiting: Wish | None = None
        self._last: Event | None = None

    @property
    def folder(self) -> Path:
        """A folder for pictures, as long as this object is not closed."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(
                prefix="napari-vhd-preview-", ignore_cleanup_errors=True
            )
        return Path(self._folder.name)

    @property
    def is_busy(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._asked) or self._waiting is not None

    def ask(self, wish: Wish) -> None:
        """Ask; while the worker is busy, only the newest wish waits. From any thread."""
        with self._lock:
            if self._asked:
                self._waiting = wish
                return
            self._send(wish)

    def cancel(self) -> None:
        """Forget all wishes and end the worker, at once."""
        with self._lock:
            process, self._process = self._process, None
            self._asked.clear()
            self._waiting = None
        if process is not None:
            process.end()
            process.wait()

    def close(self) -> None:
        """Cancel, and remove all files."""
        self.cancel()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _send(self, wish: Wish) -> None:
        if self._process is None:
            self._process = WorkerProcess(
                "preview", self.folder / LOG, [], self._on_event, module=_MODULE
            )
        self._number += 1
        self._asked = {self._number: wish}
        line = {
            "number": self._number,
            "kind": type(wish).__name__,
            "wish": dataclasses.asdict(wish),
            "folder": str(self.folder),
        }
        self._process.say(json.dumps(line))

    def _on_event(self, process: WorkerProcess, event: Event) -> None:
        """Take what a worker says; what an ended one still says is dropped."""
        with self._lock:
            if process is not self._process:
                return
            if event["event"] == "exited":
                self._process = None
                wishes, self._asked = self._asked, {}
                self._waiting = None
            elif event["event"] == "progress":
                wishes = dict(self._asked)
            else:
                number = event.get("number", 0)
                wishes = {number: self._asked.pop(number)} if number in self._asked else {}
                following, self._waiting = self._waiting, None
                if following is not None and not self._asked:
                    self._send(following)
        for wish in wishes.values():
            self._tell(wish, event)

    def _tell(self, wish: Wish, event: Event) -> None:
        match event["event"]:
            case "answer":
                labels = event["labels"]
                self.answered.emit(
                    Answer(
                        wish,
                        None if labels is None else Path(labels),
                        Path(event["outlines"]),
                        event["numbers"],
                    )
                )
            case "progress":
                self.progressed.emit(wish, event["done"], event["total"], event["what"])
            case "failed":
                self.failed.emit(wish, failures.retold(event))
            case "exited":
                self.failed.emit(wish, failures.ended("preview", event))


def write_outlines(outlines: NDArray[Any], path: Path) -> None:
    """Write polygons (none of them empty) without loss."""
    import numpy as np
    import shapely

    # An empty array has no kind of its own.
    given = outlines if len(outlines) else np.array([shapely.Polygon()])
    kind, coordinates, offsets = shapely.to_ragged_array(given)
    parts = {f"offsets_{number}": part for number, part in enumerate(offsets)}
    np.savez(path, kind=int(kind), coordinates=coordinates, **parts)


def read_outlines(path: Path) -> NDArray[np.object_]:
    """Read what `write_outlines` wrote."""
    import numpy as np
    import shapely

    with np.load(path) as file:
        offsets = tuple(file[f"offsets_{number}"] for number in range(len(file.files) - 2))
        kind = shapely.GeometryType(int(file["kind"]))
        read: NDArray[np.object_] = shapely.from_ragged_array(kind, file["coordinates"], offsets)
    return read[~shapely.is_empty(read)]
