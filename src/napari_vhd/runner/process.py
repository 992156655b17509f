"""The runner's end of a worker: start it under a supervisor, hear it, end it."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import TYPE_CHECKING, Any

from . import fork_server

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Event = dict[str, Any]


class WorkerProcess:
    """A worker in a process group of its own.

    Parameters
    ----------
    stage, log
        What the worker gets ready for: ``"module:attribute"`` and the log of its run folder.
    descriptors
        Open files that must stay open as long as the worker lives (the locks of run folders).
    hear
        Called with each of its events, from a thread of its own; the last is ``exited``.
    module
        What the worker runs: its ``main``.
    """

    def __init__(
        self,
        stage: str,
        log: Path,
        descriptors: Sequence[int],
        hear: Callable[[WorkerProcess, Event], None],
        module: str = "napari_vhd.runner.worker",
    ) -> None:
        self.stage = stage
        self._to_worker, self._from_worker = fork_server.fork(module, descriptors)
        self._hear = hear
        self._thread = threading.Thread(target=self._listen, name=f"worker {stage}", daemon=True)
        self._thread.start()
        self.say(json.dumps({"stage": stage, "log": str(log)}))

    def go(self, job: Path) -> None:
        """Let the worker do a job."""
        self.say(str(job))

    def end(self) -> None:
        """Kill the worker and all it started; ``exited`` follows."""
        self.say("cancel")

    def wait(self) -> None:
        """Wait until worker and supervisor are gone."""
        self._thread.join()
        for stream in (self._to_worker, self._from_worker):
            stream.close()

    def say(self, line: str) -> None:
        """Give the worker a line; one that is gone does not hear it."""
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._to_worker.write(f"{line}\n".encode())

    def _listen(self) -> None:
        last: Event = {"event": "exited", "code": 1, "signal": 0, "peak_rss_mb": 0.0}
        for line in self._from_worker:
            try:
                event = json.loads(line)
            except ValueError:
                # The worker died within a line, or within the break between two.
                continue
            if event["event"] == "exited":
                last = event
            else:
                self._hear(self, event)
        self._hear(self, last)
