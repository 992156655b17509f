"""Where the patches of a stage are computed: here, in local processes, or on a dask cluster.

The same function and the same items give the same results in each; only the order in which they
arrive differs, so every result comes with its index.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from napari_vhd.exceptions import BadInputError, StageError, require_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future, ProcessPoolExecutor

    from napari_vhd.stages.stage import Executor

Item = TypeVar("Item")
Result = TypeVar("Result")

TRIES = 3
CONNECT_SECONDS = 10
_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_TENSORFLOW_LIMITS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@contextlib.contextmanager
def opened(scheduler: str | None, workers: int) -> Iterator[Executor]:
    """Open the executor that the user asked for, for the time of a stage.

    Parameters
    ----------
    scheduler
        Address of a running dask scheduler (``"tcp://host:8786"``), or None.
    workers
        Local processes where there is no scheduler; 1 computes in this process.

    Raises
    ------
    BadInputError
        Where the scheduler cannot be reached.
    """
    if scheduler is not None:
        with Cluster(scheduler) as cluster:
            yield cluster
    elif workers > 1:
        with Processes(workers) as processes:
            yield processes
    else:
        yield Serial()


def check_scheduler(address: str) -> None:
    """Find out beforehand, and cheaply, whether a dask scheduler answers.

    Raises
    ------
    BadInputError
        Where the address is none or nobody answers; also where ``distributed`` is missing.
    """
    require_engine("distributed", "cluster")
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise BadInputError(
            f"--scheduler {address}: is not an address; write it as tcp://host:8786."
        )
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise _unreachable(address) from error


class Serial:
    """One item after the other, in this process."""

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[tuple[int, Result]]:
        """Apply `function` to each item in order."""
        for index, item in enumerate(items):
            yield index, function(item)


class Processes:
    """Local processes, started with the first item and kept until the stage ends."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[tuple[int, Result]]:
        """Apply `function` in the processes; items of a process that was killed are repeated.

        Raises
        ------
        StageError
            Where processes were killed again and again.
        """
        from concurrent.futures import as_completed
        from concurrent.futures.process import BrokenProcessPool

        left = dict(enumerate(items))
        for _ in range(TRIES):
            futures: dict[Future[Result], int] = {}
            # A pool that breaks while it is being filled refuses the rest.
            with contextlib.suppress(BrokenProcessPool):
                pool = self._pool or self._start()
                for index, item in left.items():
                    futures[pool.submit(function, item)] = index
            for future in as_completed(futures):
                try:
                    result = future.result()
                except BrokenProcessPool:
                    self._pool = None
                    continue
                del left[futures[future]]
                yield futures[future], result
            if not left:
                return
            self._pool = None
        raise StageError(
            f"local processes were killed {TRIES} times, most likely for want of memory; choose "
            "fewer --workers or a smaller region."
        )

    def _start(self) -> ProcessPoolExecutor:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        # Each process takes its share of the cores; libraries read these when they are loaded.
        share = str(max((os.cpu_count() or 1) // self.workers, 1))
        for name in (*_THREAD_LIMITS, *_TENSORFLOW_LIMITS):
            os.environ.setdefault(name, share)
        # A fork would take over the threads and locks of the libraries loaded here.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(self.workers, mp_context=context)
        return self._pool


class Cluster:
    """A dask cluster that runs already, by the address of its scheduler."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._client: Any = None

    def __enter__(self) -> Cluster:
        check_scheduler(self.address)
        from distributed import Client

        try:
            self._client = Client(self.address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError) as error:
            raise _unreachable(self.address) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[tuple[int, Result]]:
        """Apply `function` on the cluster; items of a worker that was lost are repeated.

        Raises
        ------
        StageError
            Where an item lost its worker again and again, or there is no worker.
        """
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        if not self._client.scheduler_info()["workers"]:
            raise StageError(
                f"the dask scheduler {self.address} has no workers; start some with: "
                f"dask worker {self.address}"
            )
        futures = [self._client.submit(function, item, pure=False) for item in items]
        index = {future.key: number for number, future in enumerate(futures)}
        try:
            for future in as_completed(futures, loop=self._client.loop):
                try:
                    yield index[future.key], future.result()
                except KilledWorker as error:
                    raise StageError(
                        f"workers of {self.address} were killed again and again, most likely for "
                        "want of memory; start fewer or bigger ones, or choose a smaller region."
                    ) from error
        finally:
            self._client.cancel(futures)


def _unreachable(address: str) -> BadInputError:
    return BadInputError(
        f"--scheduler {address}: no dask scheduler answers there; start one with "
        "'dask scheduler' and give the address that it prints."
    )
