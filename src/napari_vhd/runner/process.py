"""The runner's end of a worker: start it under a supervisor, hear it, end it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Event = dict[str, Any]

_ENVIRONMENT = {
    # Figures are drawn without a screen, output reaches the log at once, and what depends on
    # the order of a set is the same in every run.
    "MPLBACKEND": "Agg",
    "PYTHONUNBUFFERED": "1",
    "PYTHONHASHSEED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


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
        What the worker runs.
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
        kept = ",".join(map(str, descriptors)) or "-"
        command = [sys.executable, "-I", "-S", str(Path(supervisor.__file__)), kept]
        # -P: the current folder is no place to import from.
        command += [sys.executable, "-P", "-X", "faulthandler", "-m", module]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_ENVIRONMENT},
            pass_fds=descriptors,
            # Ctrl-C in a terminal goes to the runner alone, which then ends its workers.
            start_new_session=True,
        )
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
        self._process.wait()
        self._thread.join()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def say(self, line: str) -> None:
        """Give the worker a line; one that is gone does not hear it."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError, ValueError):
                self._process.stdin.write(f"{line}\n".encode())
                self._process.stdin.flush()

    def _listen(self) -> None:
        last: Event = {"event": "exited", "code": 1, "signal": 0, "peak_rss_mb": 0.0}
        if self._process.stdout is not None:
            for line in self._process.stdout:
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
