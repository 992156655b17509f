"""What a run says while it runs: lines for a person, or JSON for a program."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from napari_vhd.runner.events import Failure, Progress, Record, Task
    from napari_vhd.runner.plan import Step
    from napari_vhd.runner.runner import Runner
    from napari_vhd.stages.pipeline import Selection

_SECONDS_BETWEEN_LINES = 10.0


def _label(task: Task, samples: int) -> str:
    """Name a task, with its sample where there are several."""
    return task.stage if samples == 1 else f"{task.stage} ({', '.join(task.samples)})"


def _span(seconds: float) -> str:
    """Write a time as a person says it."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


class Lines:
    """Sentences on stderr; the run folders, last, on stdout.

    On a terminal the progress of a stage rewrites its line; in a file it is a line now and then.
    """

    def __init__(self) -> None:
        self._samples = 1
        self._terminal = sys.stderr.isatty()
        self._said: dict[str, float] = {}

    def listen(self, runner: Runner, selection: Selection) -> None:
        """Connect to a runner."""
        self._samples = len(runner.inputs)
        for name, why in selection.left_out.items():
            self._say(f"{name}: left out, {why}")
        runner.planned.connect(self._on_planned)
        runner.started.connect(self._on_started)
        runner.progressed.connect(self._on_progressed)
        runner.noticed.connect(self._on_noticed)
        runner.finished.connect(self._on_finished)

    def result(self, folder: Path) -> None:
        """Print where the result is."""
        typer.echo(str(folder.resolve()))

    def _say(self, text: str) -> None:
        typer.echo(f"\r\033[K{text}" if self._terminal else text, err=True)

    def _on_planned(self, plans: tuple[tuple[Step, ...], ...]) -> None:
        steps = [step for plan in plans for step in plan]
        if not any(step.runs for step in steps):
            self._say("nothing to do: every stage that was asked for is done and up to date")
        for step in steps:
            if step.status == "stale" and step.runs:
                self._say(f"{step.stage}: runs again, {step.reason}")

    def _on_started(self, task: Task) -> None:
        self._say(f"{_label(task, self._samples)}: started")

    def _on_progressed(self, task: Task, progress: Progress) -> None:
        label = _label(task, self._samples)
        share = f"{100 * progress.done / progress.total:.0f} %" if progress.total else ""
        left = "" if progress.seconds_left is None else f"{_span(progress.seconds_left)} left"
        text = ", ".join(part for part in (progress.what, share, left) if part)
        if self._terminal:
            typer.echo(f"\r\033[K{label}: {text}", err=True, nl=False)
        elif time.monotonic() - self._said.get(label, -1e9) > _SECONDS_BETWEEN_LINES:
            self._said[label] = time.monotonic()
            self._say(f"{label}: {text}")

    def _on_noticed(self, task: Task, sentence: str) -> None:
        self._say(f"{_label(task, self._samples)}: note: {sentence}")

    def _on_finished(self, task: Task, records: dict[str, Record]) -> None:
        for sample, record in records.items():
            label = task.stage if self._samples == 1 else f"{task.stage} ({sample})"
            numbers = ", ".join(f"{name} {value}" for name, value in record.numbers.items())
            took = f"{_span(record.seconds)}, {record.peak_rss_mb:.0f} MB"
            self._say(f"{label}: done ({took}){': ' + numbers if numbers else ''}")


class JsonLines:
    """One JSON object a line on stdout."""

    def listen(self, runner: Runner, selection: Selection) -> None:
        """Connect to a runner."""
        for name, why in selection.left_out.items():
            self._emit("log", name, text=f"left out, {why}")
        runner.planned.connect(self._on_planned)
        runner.started.connect(lambda task: self._task("started", task))
        runner.progressed.connect(self._on_progressed)
        runner.noticed.connect(lambda task, text: self._task("log", task, text=text))
        runner.logged.connect(lambda task, text: self._task("log", task, text=text))
        runner.finished.connect(self._on_finished)
        runner.failed.connect(self._on_failed)
        runner.cancelled.connect(lambda task: self._task("cancelled", task))

    def result(self, folder: Path) -> None:
        """Print where the result is."""
        self._emit("finished", None, run=str(folder.resolve()))

    def _emit(self, event: str, stage: str | None, **more: Any) -> None:
        typer.echo(json.dumps({"event": event, "stage": stage, **more}, ensure_ascii=False))
        sys.stdout.flush()

    def _task(self, event: str, task: Task, **more: Any) -> None:
        self._emit(event, task.stage, samples=list(task.samples), **more)

    def _on_planned(self, plans: tuple[tuple[Step, ...], ...]) -> None:
        for step in (step for plan in plans for step in plan):
            if not step.runs:
                self._emit("log", step.stage, text=f"not run: {step.status} {step.reason}".strip())

    def _on_progressed(self, task: Task, progress: Progress) -> None:
        self._task(
            "progress",
            task,
            done=progress.done,
            total=progress.total,
            what=progress.what,
            seconds_left=progress.seconds_left,
        )

    def _on_finished(self, task: Task, records: dict[str, Record]) -> None:
        for sample, record in records.items():
            self._emit(
                "finished",
                task.stage,
                samples=[sample],
                seconds=record.seconds,
                peak_rss_mb=record.peak_rss_mb,
                numbers=dict(record.numbers),
                notices=list(record.notices),
            )

    def _on_failed(self, task: Task, failure: Failure) -> None:
        self._task("failed", task, sentence=failure.sentence, exit_code=failure.exit_code)
