"""Watch over one worker: pass lines on, measure memory, and leave nothing behind.

A supervisor is a small process between the runner and a worker, never blocked: a worker may hold
the interpreter lock for minutes or sit in C code, and would notice neither a wish to stop nor that
its parent is gone.

Lines on stdin go to the worker, but for ``cancel``. That line, or the end of stdin (the parent is
gone, however it died), kills the worker's process group and all that descends from it. The worker's
lines go to stdout; the last one there is the supervisor's own::

    {"event": "exited", "code": 0, "signal": 0, "cancelled": false, "peak_rss_mb": 512.3,
     "oom_kills": 0}
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLE_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PAGE = os.sysconf("SC_PAGE_SIZE")


def supervise(work: Callable[[], None]) -> None:
    """Run `work` in a worker, a process forked from this one, to its end.

    This process must have no other child, and nothing to do afterwards.
    """
    prctl = _prctl()
    # What a tool leaves running when its own parent dies comes to us, not to init.
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    oom_before = oom_kills()
    # Should somebody kill the supervisor, the worker goes too.
    watch = Watch.over(work, lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL))
    watch.run()
    kill_descendants()
    watch.drain()
    last = {
        "event": "exited",
        "code": max(watch.code, 0),
        "signal": max(-watch.code, 0),
        "cancelled": watch.cancelled,
        "peak_rss_mb": round(watch.peak_bytes / 2**20, 1),
        "oom_kills": oom_kills() - oom_before,
    }
    # Who hears the end may rely on it: what was kept open for the worker is no longer.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    # The worker may have died within a line of its own.
    _write(b"\n" + json.dumps(last).encode() + b"\n")


class Watch:
    """The lines between parent and worker, and the worker's memory.

    Attributes
    ----------
    code
        Once it has ended: its exit code, or the signal that killed it, negative.
    cancelled
        Whether it was ended from here.
    peak_bytes
        The most that was seen of the worker and all that descends from it.
    """

    def __init__(self, pid: int, to_worker: int, from_worker: int) -> None:
        self.code = 0
        self.cancelled = False
        self.peak_bytes = 0
        self._pid = pid
        self._over = False
        self._to_worker = to_worker
        self._from_worker = from_worker
        os.set_blocking(from_worker, False)
        self._line = b""

    @classmethod
    def over(cls, work: Callable[[], None], prepare: Callable[[], object]) -> Watch:
        """Fork a worker, in a session of its own."""
        hears, to_worker = os.pipe()
        from_worker, says = os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.setsid()
            prepare()
            if os.getppid() != parent:
                os._exit(1)
            os.dup2(hears, 0)
            os.dup2(says, 1)
            for descriptor in (hears, to_worker, from_worker, says):
                os.close(descriptor)
            _work_and_exit(work)
        os.close(hears)
        os.close(says)
        return cls(pid, to_worker, from_worker)

    def run(self) -> None:
        """Watch until the worker ends or is killed."""
        selector = selectors.PollSelector()
        selector.register(0, selectors.EVENT_READ)
        selector.register(self._from_worker, selectors.EVENT_READ)
        next_sample = 0.0
        while not self._ended() and not self.cancelled:
            for key, _ in selector.select(SAMPLE_SECONDS):
                if key.fd == 0:
                    self._obey()
                elif not self._pass_on():
                    selector.unregister(self._from_worker)
            if time.monotonic() >= next_sample:
                self.peak_bytes = max(self.peak_bytes, resident_bytes(descendants()))
                next_sample = time.monotonic() + SAMPLE_SECONDS
        if not self._over:
            # A worker that has only just been forked has no group of its own yet.
            for kill in (os.killpg, os.kill):
                with contextlib.suppress(ProcessLookupError):
                    kill(self._pid, signal.SIGKILL)
            self._ended(wait=True)

    def drain(self) -> None:
        """Pass on what the worker had still said."""
        while self._pass_on():
            pass

    def _ended(self, wait: bool = False) -> bool:
        """Say whether the worker has ended, and note how."""
        if not self._over:
            pid, status = os.waitpid(self._pid, 0 if wait else os.WNOHANG)
            if pid:
                self._over = True
                self.code = os.waitstatus_to_exitcode(status)
        return self._over

    def _obey(self) -> None:
        """Take lines of the parent."""
        data = os.read(0, 65536)
        self._line += data
        *lines, self._line = self._line.split(b"\n")
        self.cancelled = not data or b"cancel" in lines
        for line in lines:
            if line != b"cancel":
                _write(line + b"\n", self._to_worker)

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


def _work_and_exit(work: Callable[[], None]) -> None:
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        # Some libraries take seconds to say goodbye, or never do; everything is on disk by now.
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _prctl() -> Callable[..., int]:
    """Give Linux's prctl, or nothing to call where there is none."""
    try:
        import ctypes

        prctl: Callable[..., int] = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return lambda *_: -1
    return prctl


def _write(data: bytes, descriptor: int = 1) -> None:
    """Write to the parent or the worker, who may be gone."""
    with contextlib.suppress(BrokenPipeError):
        while data:
            data = data[os.write(descriptor, data) :]
