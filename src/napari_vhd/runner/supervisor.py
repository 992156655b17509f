"""Watch over one worker: pass lines on, measure memory, and leave nothing behind.

This file is run by itself in a bare interpreter (standard library only, no site packages), so it is
there in some 20 ms and never blocked: a worker may hold the interpreter lock for minutes or sit in
C code, and would notice neither a wish to stop nor that its parent is gone.

Usage: ``python -I -S supervisor.py FDS COMMAND…`` where FDS are descriptors to hand on ("3,4" or
"-"). Lines on stdin go to the worker, but for ``cancel``. That line, or the end of stdin (the
parent is gone, however it died), kills the worker's process group and all that descends from it.
The worker's lines go to stdout; the last one there is the supervisor's own::

    {"event": "exited", "code": 0, "signal": 0, "cancelled": false, "peak_rss_mb": 512.3,
     "oom_kills": 0}
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLE_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PAGE = os.sysconf("SC_PAGE_SIZE")


def main(arguments: list[str]) -> int:
    """Run the worker to its end."""
    keep = [int(fd) for fd in arguments[0].split(",") if fd != "-"]
    prctl = _prctl()
    # What a tool leaves running when its own parent dies comes to us, not to init.
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    oom_before = oom_kills()
    worker = subprocess.Popen(
        arguments[1:],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=keep,
        start_new_session=True,
        # Should somebody kill the supervisor, the worker goes too.
        preexec_fn=lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
    )
    watch = Watch(worker)
    watch.run()
    code = worker.wait()
    kill_descendants()
    watch.drain()
    last = {
        "event": "exited",
        "code": max(code, 0),
        "signal": max(-code, 0),
        "cancelled": watch.cancelled,
        "peak_rss_mb": round(watch.peak_bytes / 2**20, 1),
        "oom_kills": oom_kills() - oom_before,
    }
    # The worker may have died within a line of its own.
    _write(b"\n" + json.dumps(last).encode() + b"\n")
    return 0


class Watch:
    """The lines between parent and worker, and the worker's memory."""

    def __init__(self, worker: subprocess.Popen[bytes]) -> None:
        if worker.stdin is None or worker.stdout is None:
            raise ValueError("the worker must be started with pipes")
        self.worker = worker
        self.cancelled = False
        self.peak_bytes = 0
        self._to_worker = worker.stdin
        self._from_worker = worker.stdout.fileno()
        os.set_blocking(self._from_worker, False)
        self._line = b""

    def run(self) -> None:
        """Watch until the worker ends or is killed."""
        selector = selectors.PollSelector()
        selector.register(0, selectors.EVENT_READ)
        selector.register(self._from_worker, selectors.EVENT_READ)
        next_sample = 0.0
        while self.worker.poll() is None and not self.cancelled:
            for key, _ in selector.select(SAMPLE_SECONDS):
                if key.fd == 0:
                    self._obey()
                elif not self._pass_on():
                    selector.unregister(self._from_worker)
            if time.monotonic() >= next_sample:
                self.peak_bytes = max(self.peak_bytes, resident_bytes(descendants()))
                next_sample = time.monotonic() + SAMPLE_SECONDS
        if self.cancelled:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.worker.pid, signal.SIGKILL)

    def drain(self) -> None:
        """Pass on what the worker had still said."""
        while self._pass_on():
            pass

    def _obey(self) -> None:
        """Take lines of the parent."""
        data = os.read(0, 65536)
        self._line += data
        *lines, self._line = self._line.split(b"\n")
        self.cancelled = not data or b"cancel" in lines
        with contextlib.suppress(BrokenPipeError):
            for line in lines:
                if line != b"cancel":
                    self._to_worker.write(line + b"\n")
                    self._to_worker.flush()

    def _pass_on(self) -> bool:
        """Give the worker's output to the parent; False when there is no more for now."""
        try:
            data = os.read(self._from_worker, 65536)
        except BlockingIOError:
            return False
        _write(data)
        return bool(data)


def descendants() -> list[int]:
    """List all processes that descend from this one."""
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                children = Path(f"/proc/{pid}/task/{task}/children").read_bytes().split()
                waiting += map(int, children)
                found += map(int, children)
    return found


def resident_bytes(pids: list[int]) -> int:
    """Add up the resident memory of processes."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError):
            total += int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE
    return total


def kill_descendants() -> None:
    """Kill all that descends from this process and collect it, until there is nobody left."""
    while True:
        for pid in descendants():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.002)
        except ChildProcessError:
            return


def oom_kills() -> int:
    """Count what the system has killed for want of memory since it started."""
    try:
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def _prctl() -> Callable[..., int]:
    """Give Linux's prctl, or nothing to call where there is none."""
    try:
        import ctypes

        prctl: Callable[..., int] = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return lambda *_: -1
    return prctl


def _write(data: bytes) -> None:
    """Write to the parent, who may be gone."""
    with contextlib.suppress(BrokenPipeError):
        while data:
            data = data[os.write(1, data) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
