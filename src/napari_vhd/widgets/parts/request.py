"""One wish to run: checked, prepared and run in a thread."""

from __future__ import annotations

import dataclasses
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_vhd.exceptions import CancelledError, VhdError
from napari_vhd.runner import failures
from napari_vhd.runner.run import prepare

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari_vhd.config import RunConfig
    from napari_vhd.runner.plan import Choice
    from napari_vhd.runner.runner import Runner

_PASSED_ON = (
    "started",
    "progressed",
    "logged",
    "noticed",
    "published",
    "finished",
    "failed",
    "cancelled",
)


class RunRequest:
    """Checks a config, makes the run folder where there is none, and runs.

    Parameters
    ----------
    config, run_dir, choice, wanted
        As for `napari_vhd.runner.run.prepare`.
    """

    #: Name of an event of the Runner, or ``prepared`` or ``ended``, and its values. Emitted by
    #: threads of the run.
    said = Signal(str, tuple)

    def __init__(
        self,
        config: RunConfig,
        run_dir: Path | None,
        choice: Choice,
        wanted: Collection[str] | None = None,
    ) -> None:
        self.config = config
        self.wanted = wanted
        self.run_dir = run_dir
        self.choice = choice
        self.error: VhdError | None = None
        self._runner: Runner | None = None
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._work, name="run request", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self) -> None:
        """End it, at once if it runs already."""
        self._cancelled.set()
        if self._runner is not None:
            self._runner.cancel()

    def wait(self, seconds: float) -> bool:
        """Wait for its end; False if it still runs after that time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            self._run()
        except VhdError as error:
            self.error = error
        except Exception as error:
            self.error = failures.sentence_of(error, "the run")
        self.said.emit("ended", (self.error,))

    def _run(self) -> None:
        runner = self._prepared()
        for name in _PASSED_ON:
            getattr(runner, name).connect(
                lambda *values, name=name: self.said.emit(name, values), check_nargs=False
            )
        self._runner = runner
        if self._cancelled.is_set():
            raise CancelledError("the run was cancelled; nothing was started.")
        self.said.emit("prepared", (self.config, runner.stores[0].run_dir))
        runner.run()

    def _prepared(self) -> Runner:
        """Check, and bring the drawn region into the run folder."""
        given = self.run_dir
        if given is not None and len(self.config.samples) > 1:
            given = given.parent
        runner, _ = prepare(self.config, given, self.choice, wanted=self.wanted)
        kept = kept_regions(self.config, [store.run_dir for store in runner.stores])
        if kept != self.config:
            self.config = kept
            folder = runner.stores[0].run_dir
            given = folder if len(kept.samples) == 1 else folder.parent
            runner, _ = prepare(kept, given, self.choice, wanted=self.wanted)
        return runner


def kept_regions(config: RunConfig, folders: list[Path]) -> RunConfig:
    """Copy regions that were drawn before there was a run folder into it.

    Parameters
    ----------
    folders
        The run folder of each sample.
    """
    from .drawn_region import is_drawn

    samples = []
    for sample, folder in zip(config.samples, folders, strict=False):
        region = sample.region
        if isinstance(region, str) and is_drawn(region) and Path(region).parent != folder:
            target = folder / Path(region).name
            shutil.copyfile(region, target)
            sample = dataclasses.replace(sample, region=str(target))
        samples.append(sample)
    return dataclasses.replace(config, samples=(*samples, *config.samples[len(samples) :]))
