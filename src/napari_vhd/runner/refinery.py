"""ProSeg on one region with corrected nuclei, in a process of its own that can be ended at once."""

from __future__ import annotations

import dataclasses
import json
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_vhd import keys
from napari_vhd.corrections import refine
from napari_vhd.corrections.refine import Request
from napari_vhd.exceptions import BadInputError, CancelledError, VhdError

from . import failures
from .process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_vhd.corrections.editor import Editor
    from napari_vhd.corrections.outlines import Outlines
    from napari_vhd.corrections.refine import Proposal
    from napari_vhd.parameters import ProsegSettings

    from .process import Event

_MODULE = "napari_vhd.runner.refine_worker"
LOG = "refine.log"


class Refinement:
    """One region being grown again. Signals are emitted by a thread of its own.

    Parameters
    ----------
    request
        What ProSeg is asked.
    cells, nuclei
        ProSeg's cells and StarDist's nuclei, corrections applied.
    nucleus_of
        Cell id -> nucleus that it grew from, as computed.
    """

    #: Steps done, steps in all, name of the step.
    progressed = Signal(float, float, str)
    #: The `Proposal`.
    finished = Signal(object)
    failed = Signal(VhdError)

    def __init__(
        self, request: Request, cells: Outlines, nuclei: Outlines, nucleus_of: Mapping[str, str]
    ) -> None:
        self.request = request
        self.proposal: Proposal | None = None
        self.error: VhdError | None = None
        self._cells, self._nuclei, self._nucleus_of = cells, nuclei, nucleus_of
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: WorkerProcess | None = None
        self._over = threading.Event()
        self._last: Event = {}

    @classmethod
    def of(cls, editor: Editor, region: Any, settings: ProsegSettings) -> Refinement:
        """Make one for an open sample.

        Parameters
        ----------
        editor
            Holds the outlines as they are corrected now.
        region
            Shapely polygon, full-resolution px.
        settings
            ProSeg's.

        Raises
        ------
        BadInputError
            Where the sample has no ProSeg cells, no nuclei or no 2 µm bins.
        """
        reviewed = editor.reviewed
        with editor.lock:
            cells, nuclei = reviewed.outlines(keys.PROSEG), reviewed.outlines(keys.STARDIST)
            frame = reviewed.computed.frame(keys.PROSEG)
            opened = reviewed.computed.source
            path = opened.source.table_path(keys.bin_table(2))
        if path is None:
            raise BadInputError(
                f"{opened.sample_id}: there are no 2 µm bins to grow cells from; open a run folder."
            )
        nucleus = frame[keys.NUCLEUS_ID].dropna() if keys.NUCLEUS_ID in frame else {}
        request = Request(
            store=str(path.parent.parent),
            sample_id=opened.sample_id,
            um_per_px=opened.um_per_px,
            region=region.wkt,
            settings=dataclasses.asdict(settings),
        )
        return cls(request, cells, nuclei, {str(c): str(n) for c, n in dict(nucleus).items()})

    def start(self) -> None:
        """Start; `finished` or `failed` follows.

        Raises
        ------
        BadInputError
            For what can be known beforehand.
        """
        self._folder = tempfile.TemporaryDirectory(
            prefix="napari-vhd-refine-", ignore_cleanup_errors=True
        )
        folder = Path(self._folder.name)
        try:
            refine.write_request(folder, self.request, self._nuclei)
        except VhdError:
            self._folder.cleanup()
            raise
        self._process = WorkerProcess("refine", folder / LOG, [], self._hear, module=_MODULE)
        self._process.say(json.dumps({"folder": str(folder)}))

    def cancel(self) -> None:
        """End it at once, with all that it started; the sample is as it was."""
        if self._process is not None:
            self._process.end()

    def wait(self, timeout: float | None = None) -> Proposal:
        """Wait for the proposal.

        Raises
        ------
        VhdError
            What ended it.
        TimeoutError
            Where it takes longer than `timeout` seconds.
        """
        if not self._over.wait(timeout):
            raise TimeoutError("ProSeg is still at work")
        if self.proposal is None:
            raise self.error or CancelledError("The refinement was cancelled.")
        return self.proposal

    def _hear(self, _process: WorkerProcess, event: Event) -> None:
        match event["event"]:
            case "progress":
                self.progressed.emit(event["done"], event["total"], event["what"])
            case "grown" | "failed":
                self._last = event
            case "exited":
                # The thread of the process must end before it can be waited for.
                threading.Thread(target=self._end, args=(event,), name="refine").start()

    def _end(self, exited: Event) -> None:
        """Make the proposal, or say why there is none."""
        if self._process is None or self._folder is None:
            raise RuntimeError("the refinement was never started")
        self._process.wait()
        try:
            self.proposal = self._proposed(Path(self._folder.name), exited)
        except Exception as error:
            self.error = failures.sentence_of(error, "the refinement")
        self._folder.cleanup()
        if self.proposal is None:
            self.failed.emit(self.error)
        else:
            self.finished.emit(self.proposal)
        self._over.set()

    def _proposed(self, folder: Path, exited: Event) -> Proposal:
        if exited.get("cancelled"):
            raise CancelledError("The refinement was cancelled; the sample is as it was.")
        match self._last.get("event"):
            case "grown":
                return refine.proposal(folder, self._cells, self._nuclei, self._nucleus_of)
            case "failed":
                raise failures.retold(self._last)
            case _:
                raise failures.ended("proseg", exited)
