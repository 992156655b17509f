"""Run what a plan says: each stage in a process group of its own, in the order of their needs."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import traceback
from contextlib import ExitStack
from typing import TYPE_CHECKING, ClassVar

from psygnal import Signal

from napari_vhd import keys
from napari_vhd.exceptions import CancelledError, MemoryShortageError, VhdError
from napari_vhd.io.store import SCRATCH

from . import executor, failures
from .agenda import Agenda, Assignment
from .events import Clock, Failure, Progress, Record, Task
from .process import WorkerProcess
from .recipe import address_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from napari_vhd.io.store import RunStore
    from napari_vhd.stages.stage import Inputs, Stage

    from .plan import Choice, Step
    from .process import Event

    Events = queue.Queue[tuple[WorkerProcess | None, Event]]

SIDE_BY_SIDE = 2
BEAT_SECONDS = 1.0
_CANCELLED = "the run was cancelled; what was finished is kept."


class Runner:
    """Runs the stages of one config on its samples.

    Signals are emitted by the thread that runs: the caller's in `run`, another one after `start`
    (a window connects with ``thread="main"``).

    Parameters
    ----------
    inputs
        One a sample, as they were checked.
    stores
        The run folder of each, in the same order.
    stages
        In order; those left out are not among them.
    choice
        Which of them the user asks for.
    scheduler, workers
        Where patches are computed: address of a dask scheduler, or number of local processes.
    side_by_side
        How many stages may run at once.
    """

    #: Steps of each sample (in the order of `inputs`), before anything starts.
    planned = Signal(tuple)
    started = Signal(Task)
    progressed = Signal(Task, Progress)
    logged = Signal(Task, str)
    noticed = Signal(Task, str)
    #: Id of the sample and version that holds the result.
    published = Signal(Task, str, int)
    #: Id of each sample -> `Record`.
    finished = Signal(Task, dict)
    failed = Signal(Task, Failure)
    cancelled = Signal(Task)
    #: The run is over: None, or the error that ended it.
    ended = Signal(object)

    _STOP: ClassVar[dict[str, Any]] = {"event": "stop"}

    def __init__(
        self,
        inputs: Sequence[Inputs],
        stores: Sequence[RunStore],
        stages: Sequence[Stage],
        choice: Choice | None = None,
        *,
        scheduler: str | None = None,
        workers: int = 1,
        side_by_side: int = SIDE_BY_SIDE,
    ) -> None:
        self.inputs = tuple(inputs)
        self.stores = tuple(stores)
        self.stages = tuple(stages)
        self.choice = choice
        self.scheduler = scheduler
        self.workers = workers
        self.side_by_side = side_by_side
        self.error: VhdError | None = None
        self._events: Events = queue.Queue()
        self._thread: threading.Thread | None = None

    # The verbs

    def plan(self) -> tuple[tuple[Step, ...], ...]:
        """Find what is done and what would run, for each sample.

        Raises
        ------
        BadInputError
            Where the user asks for something that cannot be.
        """
        return Agenda(self.inputs, self.stores, self.stages, self.choice).steps

    def run(self) -> None:
        """Run, and return when all is done.

        Raises
        ------
        VhdError
            The first thing that went wrong; `CancelledError` after Ctrl-C or `cancel`.
        """
        try:
            self._run()
        except KeyboardInterrupt as error:
            self.error = CancelledError(_CANCELLED)
            raise self.error from error
        except VhdError as error:
            self.error = error
            raise
        except Exception as error:
            self._log(traceback.format_exc())
            self.error = failures.sentence_of(error, "the run")
            raise self.error from error
        finally:
            self.ended.emit(self.error)

    def start(self) -> None:
        """Run in a thread; `ended` tells when it is over."""

        def quietly() -> None:
            try:
                self.run()
            except VhdError:
                # Kept in `error`, and told by `ended`.
                return

        self._thread = threading.Thread(target=quietly, name="runner", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """End the stages that run, at once; what was finished is kept. From any thread."""
        self._events.put((None, self._STOP))

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the thread of `start`; False if it still runs after `timeout` seconds."""
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # How

    def _log(self, text: str) -> None:
        """Write to the log of the first sample, if that is still possible."""
        with (
            contextlib.suppress(OSError),
            (self.stores[0].run_dir / keys.LOG_FILE).open("a", encoding="utf-8") as file,
        ):
            file.write(text)

    def _run(self) -> None:
        if self.scheduler is not None:
            executor.check_scheduler(self.scheduler)
        with ExitStack() as stack:
            for store in self.stores:
                stack.enter_context(store.locked())
            agenda = Agenda(self.inputs, self.stores, self.stages, self.choice)
            for store, inputs, recipes in zip(
                self.stores, self.inputs, agenda.recipes, strict=True
            ):
                agenda.describe(store, inputs, recipes)
            self.planned.emit(agenda.steps)
            crew = _Crew(self, agenda, self._events)
            try:
                crew.work()
            finally:
                crew.dismiss()
                for store in self.stores:
                    store.sweep()


class _Crew:
    """The workers of one run."""

    def __init__(self, runner: Runner, agenda: Agenda, events: Events) -> None:
        self.runner = runner
        self.agenda = agenda
        self.events = events
        self.at_work: dict[WorkerProcess, Assignment] = {}
        self.clocks: dict[WorkerProcess, Clock] = {}
        self.last: dict[WorkerProcess, Event] = {}
        # Their result is published: what follows may start while they draw their figures.
        self.drawing: set[WorkerProcess] = set()
        self.warm: WorkerProcess | None = None
        self.error: VhdError | None = None

    def work(self) -> None:
        """Work until the agenda is empty, something failed, or the user cancels."""
        while True:
            if self.error is None:
                self._start_ready()
            if not self.at_work:
                break
            self._beat()
            try:
                process, event = self.events.get(timeout=BEAT_SECONDS)
            except queue.Empty:
                continue
            if process is None:
                raise CancelledError(_CANCELLED)
            elif process in self.at_work:
                self._take(process, event)
            elif process is self.warm and event["event"] == "exited":
                # It could not get ready; the next attempt, when its turn has come, will say why.
                self.warm = None
        if self.error is not None:
            raise self.error

    def dismiss(self) -> None:
        """End all workers and wait until they are gone."""
        processes = [*self.at_work, *([self.warm] if self.warm is not None else [])]
        for process in processes:
            process.end()
        for process in processes:
            process.wait()
        for assignment in self.at_work.values():
            self.runner.cancelled.emit(assignment.task)
        self.at_work.clear()
        self.warm = None

    def _start_ready(self) -> None:
        """Start what can start, and get the next one ready."""
        while len(busy := self._busy()) < self.runner.side_by_side:
            assignment = self.agenda.next_ready(busy)
            if assignment is None:
                break
            self._start(assignment)
        following = self.agenda.next_up()
        if self.at_work and self.warm is None and following is not None:
            self.warm = self._employ(following)

    def _beat(self) -> None:
        """Let the seconds left go down where a stage says nothing."""
        for process, clock in self.clocks.items():
            if time.monotonic() - clock.told >= BEAT_SECONDS and process not in self.drawing:
                progress = clock.progress()
                if progress.seconds_left is not None:
                    self.runner.progressed.emit(self.at_work[process].task, progress)

    def _busy(self) -> list[Assignment]:
        """List what is at work on a result."""
        return [one for process, one in self.at_work.items() if process not in self.drawing]

    def _start(self, assignment: Assignment) -> None:
        address = address_of(assignment.stage)
        if self.warm is not None and self.warm.stage == address:
            process, self.warm = self.warm, None
        else:
            process = self._employ(assignment)
        self.agenda.take(assignment)
        job = self.agenda.job(assignment, self.runner.scheduler, self.runner.workers)
        store = self.agenda.stores[assignment.samples[0]]
        folder = store.run_dir / SCRATCH
        folder.mkdir(exist_ok=True)
        path = folder / f"{assignment.stage.name}.json"
        job.write(path)
        self.at_work[process] = assignment
        if assignment.draws_only:
            self.drawing.add(process)
        self.clocks[process] = Clock(self.agenda.earlier_seconds(assignment))
        self.runner.started.emit(assignment.task)
        process.go(path)

    def _employ(self, assignment: Assignment) -> WorkerProcess:
        """Start a process that gets ready for a stage."""
        stores = [self.agenda.stores[index] for index in assignment.samples]
        return WorkerProcess(
            address_of(assignment.stage),
            stores[0].run_dir / keys.LOG_FILE,
            # All locks: the worker may be given the same stage on another sample.
            [store.lock_descriptor() for store in self.agenda.stores],
            lambda process, event: self.events.put((process, event)),
        )

    def _take(self, process: WorkerProcess, event: Event) -> None:
        """Pass on what a worker says."""
        task = self.at_work[process].task
        runner = self.runner
        match event["event"]:
            case "progress":
                progress = self.clocks[process].progress(
                    event["done"], event["total"], event["what"]
                )
                runner.progressed.emit(task, progress)
            case "notice":
                runner.noticed.emit(task, event["sentence"])
            case "log":
                runner.logged.emit(task, event["text"])
            case "published":
                if self.agenda.published(self.at_work[process], event["sample"]):
                    self.drawing.add(process)
                runner.published.emit(task, event["sample"], event["version"])
            case "finished" | "failed":
                self.last[process] = event
            case "exited":
                self._end(process, event)

    def _end(self, process: WorkerProcess, exited: Event) -> None:
        """Note how a worker's task ended."""
        process.wait()
        assignment = self.at_work.pop(process)
        del self.clocks[process]
        event = self.last.pop(process, {"event": "silence"})
        drew = process in self.drawing
        self.drawing.discard(process)
        if event["event"] == "finished" or drew:
            records = event.get("records", {})
            if not records:
                self.runner.noticed.emit(
                    assignment.task,
                    f"The figures of stage {assignment.stage.name} could not be drawn; the "
                    f"details are in {keys.LOG_FILE}.",
                )
            records = self.agenda.finish(assignment, records, exited["peak_rss_mb"])
            told = {name: Record.from_dict(record) for name, record in records.items()}
            self.runner.finished.emit(assignment.task, told)
            return
        error = (
            failures.retold(event)
            if event["event"] == "failed"
            else failures.ended(assignment.stage.name, exited)
        )
        if isinstance(error, MemoryShortageError) and self.at_work:
            # It may fit once what runs beside it is through.
            self.agenda.put_back(assignment)
            return
        self.runner.failed.emit(assignment.task, Failure(str(error), error.exit_code, error))
        self.error = self.error or error
