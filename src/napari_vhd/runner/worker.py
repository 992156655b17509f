"""In a process of its own: load, run one stage, publish, note provenance, draw.

Its supervisor calls `main`. It is given two lines on stdin: first the stage to get ready for
(``{"stage": "module:NAME", "log": "…/run.log"}``), so that its imports pass while the stage before
still runs; then, when its turn has come, the path of a job (`napari_vhd.runner.job.Job`). It
answers with JSON lines on stdout; whatever else prints goes to ``run.log``.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
import traceback
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from napari_vhd import keys
from napari_vhd.config import RunConfig
from napari_vhd.exceptions import VhdError
from napari_vhd.io.publishing import Provenance
from napari_vhd.io.store import RunStore
from napari_vhd.stages.stage import Sample, Stage

from . import executor, failures
from .job import Job
from .recipe import identity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_vhd.stages.stage import Executor, Outcome

    from .job import SampleJob

REPORT_SECONDS = 0.1


class Lines:
    """The worker's JSON lines; also the `Report` that a stage is given."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = 0.0
        self.notices: list[str] = []

    def say(self, event: str, **more: Any) -> None:
        """Write one event."""
        self._stream.write(json.dumps({"event": event, **more}) + "\n")
        self._stream.flush()

    def progress(self, done: float, total: float, what: str = "") -> None:
        """Say how far the stage is, at most ten times a second."""
        now = time.monotonic()
        if now - self._last >= REPORT_SECONDS or done >= total:
            self._last = now
            self.say("progress", done=float(done), total=float(total), what=what)

    def notice(self, sentence: str) -> None:
        """Say something the user should know of the result."""
        if sentence not in self.notices:
            self.notices.append(sentence)
            self.log(sentence)
            self.say("notice", sentence=sentence)

    def log(self, text: str) -> None:
        """Write to ``run.log`` and to whoever listens."""
        from loguru import logger

        logger.info(text)
        self.say("log", text=text)


def main() -> None:
    """Get ready, wait for the job, do it."""
    lines = Lines(_own_stdout())
    first = json.loads(sys.stdin.readline())
    _log_to([Path(first["log"])])
    name = first["stage"]
    try:
        stage = _load(name)
        name = stage.name
        RunStore.get_ready()
        for module in stage.imports:
            import_module(module)
    except ImportError:
        # What cannot be imported is for the stage itself to say, when it runs.
        traceback.print_exc()
    except Exception as error:
        traceback.print_exc()
        lines.say("failed", **failures.told(failures.sentence_of(error, f"stage {name}")))
        return
    lines.say("ready")
    line = sys.stdin.readline().strip()
    if line:
        _do(Job.read(Path(line)), lines)


def _do(job: Job, lines: Lines) -> None:
    """Do a job and tell how it ended."""
    from loguru import logger

    stage = _load(job.stage)
    _log_to([sample.run_dir / keys.LOG_FILE for sample in job.samples])
    logger.info("stage {} starts", stage.name)
    started = time.monotonic()
    try:
        with ExitStack() as stack:
            records = _run(stage, job, lines, stack)
    except VhdError as error:
        logger.error(error)
        lines.say("failed", **failures.told(error))
    except BaseException as error:
        logger.opt(exception=True).error("stage {} failed", stage.name)
        lines.say("failed", **failures.told(failures.sentence_of(error, f"stage {stage.name}")))
    else:
        logger.info("stage {} ended after {:.1f} s", stage.name, time.monotonic() - started)
        lines.say("finished", records=records)


def _run(stage: Stage, job: Job, lines: Lines, stack: ExitStack) -> dict[str, Any]:
    """Run a stage on its samples, publish and draw.

    Returns
    -------
    dict
        Id of each sample -> record of the stage, as in ``run.json``.
    """
    started = time.monotonic()
    config = RunConfig.from_dict(job.config)
    if job.draws_only:
        return _drawn(stage, job, config, lines, {}, {})
    parameters: Any = config.params.of(stage.parameters)
    where = stack.enter_context(executor.opened(job.scheduler, job.workers))
    samples: list[Sample] = []
    stores: list[RunStore] = []
    for entry in job.samples:
        store = RunStore(entry.run_dir)
        stack.callback(store.close)
        scratch = store.scratch(stage.name)
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        samples.append(_sample(entry, store, config, scratch, lines, where))
        stores.append(store)
    if stage.memory is not None:
        need = sum(stage.memory(sample, parameters) for sample in samples)
        failures.require_memory(stage.name, need)
    outcomes = stage.run(samples, parameters)
    if len(outcomes) != len(samples):
        raise ValueError(f"{len(outcomes)} outcomes for {len(samples)} samples")
    records = {}
    earlier = {}
    for entry, store, outcome in zip(job.samples, stores, outcomes, strict=True):
        told = store.run()["stages"].get(stage.name, {})
        earlier[entry.id] = frozenset(told.get("figures", ()))
        record = _record(entry, outcome, lines.notices, time.monotonic() - started)
        provenance = Provenance(entry.recipe, entry.inputs, record)
        version = store.publish(stage.name, outcome, provenance)
        record["version"] = version
        record["files"] = list(outcome.files)
        records[entry.id] = record
        lines.say("published", sample=entry.id, version=version)
    del samples, outcomes
    return _drawn(stage, job, config, lines, records, earlier)


def _drawn(
    stage: Stage,
    job: Job,
    config: RunConfig,
    lines: Lines,
    records: dict[str, Any],
    earlier: Mapping[str, frozenset[str]],
) -> dict[str, Any]:
    """Draw the figures of each sample and add their names to the records.

    Figures that the stage drew for an earlier result and no longer draws are removed.
    """
    for entry in job.samples:
        store = RunStore(entry.run_dir)
        record = records.get(entry.id) or dict(store.done()[stage.name].record)
        record["figures"] = _draw(stage.name, entry, store, config, lines)
        record["notices"] = list(lines.notices) or record["notices"]
        records[entry.id] = record
        for name in earlier.get(entry.id, frozenset()).difference(record["figures"]):
            for folder in _figure_folders(entry, config):
                (folder / name).unlink(missing_ok=True)
        store.close()
    return records


def _sample(
    entry: SampleJob,
    store: RunStore,
    config: RunConfig,
    scratch: Path,
    report: Lines,
    where: Executor,
) -> Sample:
    """Load a sample as a stage sees it."""
    chosen = next(sample for sample in config.samples if sample.id == entry.id)
    image, reference = chosen.fullres_image, config.paths.reference
    return Sample(
        id=entry.id,
        name=chosen.name or entry.id,
        sdata=store.sdata(),
        outs=entry.outs,
        image=None if image is None else Path(image),
        region=chosen.region,
        run_dir=entry.run_dir,
        scratch=scratch,
        reference=None if reference is None else Path(reference),
        marker_genes=config.marker_genes,
        report=report,
        executor=where,
    )


def _record(
    entry: SampleJob, outcome: Outcome, notices: Sequence[str], seconds: float
) -> dict[str, Any]:
    """Make what ``run.json`` tells of a stage."""
    # Linux counts in KiB; the largest process counts until the supervisor knows the whole group.
    peak = max(resource.getrusage(who).ru_maxrss for who in (0, resource.RUSAGE_CHILDREN))
    return {
        "seconds": round(seconds, 3),
        "peak_rss_mb": round(peak / 1024, 1),
        "hash": entry.hash,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "numbers": _plain(outcome.numbers),
        "notices": list(notices),
        "weights": {name: identity(path) for name, path in outcome.weights.items()},
    }


def _plain(numbers: Mapping[str, Any]) -> dict[str, float | int | str | None]:
    """Turn numbers of NumPy into those of JSON; there is no NaN there."""
    plain: dict[str, float | int | str | None] = {}
    for name, value in numbers.items():
        value = value.item() if hasattr(value, "item") else value
        finite = not isinstance(value, float) or abs(value) < float("inf")
        plain[name] = value if finite else None
    return plain


def _draw(
    stage: str, entry: SampleJob, store: RunStore, config: RunConfig, lines: Lines
) -> list[str]:
    """Draw a stage's figures; a figure that fails does not undo the result."""
    from loguru import logger

    from napari_vhd.figures import draw

    try:
        own, *copies = _figure_folders(entry, config)
        drawn = draw(stage, store.sdata(), entry.id, own, config)
        for folder in copies:
            folder.mkdir(parents=True, exist_ok=True)
            for path in drawn:
                shutil.copyfile(path, folder / path.name)
        return [path.name for path in drawn]
    except Exception as error:
        logger.opt(exception=True).error("the figures of stage {} failed", stage)
        lines.notice(
            f"The figures of stage {stage} could not be drawn ({type(error).__name__}: {error}); "
            f"the details are in {keys.LOG_FILE}."
        )
        return []


def _figure_folders(entry: SampleJob, config: RunConfig) -> list[Path]:
    """Where the figures of a sample go: its run folder, then where the config wants copies."""
    copies = config.paths.figures
    folders = [entry.run_dir / keys.FIGURES]
    return folders if copies is None else [*folders, Path(copies) / entry.run_dir.name]


def _load(address: str) -> Stage:
    """Import a stage from ``"module:attribute"``."""
    module, _, name = address.partition(":")
    stage: Stage = getattr(import_module(module), name)
    return stage


def _own_stdout() -> TextIO:
    """Keep stdout for the JSON lines; what anyone else prints goes to stderr."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return stream


def _log_to(paths: Sequence[Path]) -> None:
    """Send the log to files, and all that is printed to the first of them."""
    from loguru import logger

    descriptor = os.open(paths[0], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    os.close(descriptor)
    logger.remove()
    for path in paths:
        logger.add(path, level="INFO", format="{time:YYYY-MM-DD HH:mm:ss} {level: <7} {message}")
