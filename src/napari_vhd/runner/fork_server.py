"""A process that has imported what every worker needs; workers are forked from it.

To import spatialdata takes 2 to 3 s of CPU, and a run has a dozen workers. The first one that a
process asks for starts its fork server, which ends when that process does, however it dies. No
engine (TensorFlow, torch, …) is imported in it: what its workers run, they import themselves. (As
`multiprocessing.forkserver`, but a worker has a supervisor, pipes and locks, and never imports the
main module of who asked.)
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO

from . import supervisor

if TYPE_CHECKING:
    from collections.abc import Sequence

_PRELOADED = ("napari_vhd.runner.worker", "napari_vhd.figures")
_MESSAGE_BYTES, _MOST_DESCRIPTORS = 2**20, 253

_ENVIRONMENT = {
    # Figures are drawn without a screen, output reaches the log at once, and what depends on
    # the order of a set is the same in every run.
    "MPLBACKEND": "Agg",
    "PYTHONUNBUFFERED": "1",
    "PYTHONHASHSEED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


class ForkServer:
    """The asking end. One for this process is made by `fork`."""

    def __init__(self) -> None:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MESSAGE_BYTES)
        self.owner = os.getpid()
        self._socket = ours
        with its:
            # -P: the current folder is no place to import from.
            command = [sys.executable, "-P", "-X", "faulthandler", "-m", __name__]
            self._process = subprocess.Popen(
                [*command, str(its.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **_ENVIRONMENT},
                pass_fds=[its.fileno()],
                # Ctrl-C in a terminal goes to the runner alone, which then ends its workers.
                start_new_session=True,
            )

    def ask(self, order: bytes, descriptors: Sequence[int]) -> None:
        """Send an order; raises OSError where the server is gone."""
        socket.send_fds(self._socket, [order], descriptors)

    def close(self) -> None:
        """End the server; workers that it has forked go on. Another process's is let go of."""
        self._socket.close()
        if self.owner == os.getpid():
            self._process.kill()
            self._process.wait()


_lock = threading.Lock()
_server: ForkServer | None = None


def fork(module: str, descriptors: Sequence[int]) -> tuple[BinaryIO, BinaryIO]:
    """Start ``module.main()`` in a worker under a supervisor.

    Parameters
    ----------
    module
        Its address.
    descriptors
        Open files that stay open as long as the worker lives.

    Returns
    -------
    tuple
        Where lines to the supervisor are written, and where those of the worker are read.
    """
    environment = {**os.environ, **_ENVIRONMENT}
    order = json.dumps({"module": module, "environment": environment}).encode()
    hears, to_worker = os.pipe()
    from_worker, says = os.pipe()
    passed = [hears, says, os.open(".", os.O_RDONLY)]
    try:
        _ask(order, [*passed, *descriptors])
    except BaseException:
        os.close(to_worker)
        os.close(from_worker)
        raise
    finally:
        for descriptor in passed:
            os.close(descriptor)
    return os.fdopen(to_worker, "wb", buffering=0), os.fdopen(from_worker, "rb")


def _ask(order: bytes, descriptors: Sequence[int]) -> None:
    """Ask this process's server, a new one where it was killed."""
    global _server
    with _lock:
        if _server is not None and _server.owner == os.getpid():
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                _server.ask(order, descriptors)
                return
        _close()
        _server = ForkServer()
        _server.ask(order, descriptors)


@atexit.register
def _close() -> None:
    if _server is not None:
        _server.close()


def main() -> None:
    """Import, then fork a supervisor for each order until there is nobody left to ask."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    for module in _PRELOADED:
        # What cannot be imported is for the worker to say.
        with contextlib.suppress(ImportError):
            import_module(module)
    with contextlib.suppress(ImportError):
        from napari_vhd.io.store import RunStore

        RunStore.get_ready()
    # What is there now is for all workers: not to be looked through, and so copied, by each.
    gc.collect()
    gc.freeze()
    # Supervisors that have ended leave nothing to be collected.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        order, descriptors, _, _ = socket.recv_fds(connection, _MESSAGE_BYTES, _MOST_DESCRIPTORS)
        if not order:
            return
        if os.fork() == 0:
            connection.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _supervise(json.loads(order), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _supervise(order: dict[str, Any], descriptors: Sequence[int]) -> None:
    """Be a supervisor, in a session of its own, and end."""
    try:
        os.setsid()
        for standard, descriptor in enumerate(descriptors[:2]):
            os.dup2(descriptor, standard)
            os.close(descriptor)
        os.fchdir(descriptors[2])
        os.close(descriptors[2])
        os.environ.clear()
        os.environ.update(order["environment"])
        supervisor.supervise(lambda: _work(order["module"]))
    finally:
        os._exit(0)


def _work(module: str) -> None:
    """Do what a fresh interpreter would do with ``-m module``."""
    places = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [place for place in places if place and place not in sys.path]
    import_module(module).main()


if __name__ == "__main__":
    main()
