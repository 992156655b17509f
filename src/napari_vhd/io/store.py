"""The run folder: open, publish one stage's result whole, never overwrite.

Behind ``sample.zarr`` lie versions, ``.versions/0007/`` for example:

- ``sample.zarr/``: a whole store; files that did not change are hard links to the version before,
- ``files/``: what that stage left for the run folder (``segmented.h5ad`` …),
- ``state.json``: the truth of which stages are done, from what, and what each of them made,
- ``run.json``: as the run folder's will be.

Publishing builds all this beside, brings it to the disk and renames the version's folder to its
number: from that moment it is the newest and counts. What follows (`RunStore.settle`: the link
``sample.zarr``, the files, ``run.json``) can be repeated at will and is, if it was interrupted.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError, BusyError, StageError

from . import publishing, versions
from .run_folder import FORMAT, STATE, VERSIONS, RunFolder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import IO

    from napari_vhd.config import RunConfig
    from napari_vhd.stages.stage import Outcome

    from .publishing import Provenance

KEPT_VERSIONS = 3
GRACE_SECONDS = 15.0
SCRATCH = ".scratch"
RUN_LOCK = ".lock"
_PUBLISH_LOCK = ".publish.lock"
_PARTIAL = ".partial"


class RunStore(RunFolder):
    """One run folder, to read from and to publish to.

    Make one with `create` or `open`.
    """

    def __init__(self, run_dir: Path) -> None:
        super().__init__(run_dir)
        self._run_lock: IO[str] | None = None

    # Creating and opening

    @classmethod
    def create(
        cls,
        parent: Path,
        name: str,
        config: RunConfig,
        sample_id: str,
        outs: Path,
        image: Path | None = None,
        *,
        now: datetime | None = None,
    ) -> RunStore:
        """Make a new run folder ``<parent>/<name>_<ddmmYYYY_HHMM>``, ``_2`` if that is taken.

        Raises
        ------
        BadInputError
            Where the folder cannot be made.
        """
        parent = parent.absolute()
        stem = f"{name}_{(now or datetime.now()):%d%m%Y_%H%M}"
        with _writing(parent):
            parent.mkdir(parents=True, exist_ok=True)
            number = 1
            while True:
                run_dir = parent / (stem if number == 1 else f"{stem}_{number}")
                try:
                    run_dir.mkdir()
                    break
                except FileExistsError:
                    number += 1
            with versions.removed_on_error(run_dir):
                (run_dir / VERSIONS).mkdir()
                run = {"format": FORMAT, "name": name, "sample": sample_id}
                run["created"] = _utc_now()
                run["stages"] = {}
                versions.write_json(run_dir / keys.RUN_FILE, run)
                store = cls(run_dir)
                store.describe(config, outs, image)
                versions.sync(parent)
        return store

    @classmethod
    def open(cls, run_dir: str | Path) -> RunStore:
        """Open a run folder, to read or to go on with.

        Raises
        ------
        BadInputError
            Where it is no run folder, or one of its files cannot be read.
        """
        run_dir = Path(run_dir).absolute()
        if not run_dir.is_dir():
            raise BadInputError(f"{run_dir}: there is no such folder; check the path.")
        if not (run_dir / keys.RUN_FILE).is_file():
            raise BadInputError(
                f"{run_dir}: is not a run folder (it has no {keys.RUN_FILE}); give the folder that "
                "'napari-vhd run' named on its last line."
            )
        store = cls(run_dir)
        run = store.run()
        store.done()
        if run.get("version", 0) != store.version():
            store._settle_if_free()
        return store

    # Locks

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs away, and clear what an interrupted one left behind.

        Raises
        ------
        BusyError
            Where another process runs stages on this folder; names it.
        BadInputError
            Where the folder cannot be written to.
        """
        with _writing(self.run_dir):
            file = (self.run_dir / RUN_LOCK).open("a+", encoding="utf-8")
        with file:
            _take(file, self.run_dir)
            with _writing(self.run_dir):
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}")
                file.flush()
                self.sweep()
            self._run_lock = file
            try:
                yield
            finally:
                self._run_lock = None

    def lock_descriptor(self) -> int:
        """Descriptor of the run's lock; it holds as long as a process that inherited it lives."""
        if self._run_lock is None:
            raise RuntimeError("the run folder is not locked")
        return self._run_lock.fileno()

    def sweep(self) -> None:
        """Clear what an interrupted run left behind. Only for the holder of the run's lock."""
        with self._publishing():
            versions.remove(self.run_dir / SCRATCH)
            for path in (self.run_dir / VERSIONS).glob(f"*{_PARTIAL}"):
                versions.remove(path)

    @contextlib.contextmanager
    def _publishing(self) -> Iterator[None]:
        """Let one process at a time change the folder; finishes what another left half settled."""
        with (self.run_dir / _PUBLISH_LOCK).open("a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.settle()
            yield

    def _settle_if_free(self) -> None:
        """Settle unless someone is at it, or the folder can only be read."""
        with contextlib.suppress(OSError):
            path = self.run_dir / _PUBLISH_LOCK
            with path.open("a", encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.settle()

    # Writing

    def scratch(self, name: str) -> Path:
        """Make an empty folder on the run's own disk, for one stage."""
        path = self.run_dir / SCRATCH / name
        versions.remove(path)
        path.mkdir(parents=True)
        return path

    def describe(self, config: RunConfig, outs: Path, image: Path | None = None) -> None:
        """Write down what the run is now started with: config, sources, versions, seed."""
        reference = config.paths.reference
        sources = {"outs": outs, "image": image, "reference": reference and Path(reference)}
        changes: dict[str, Any] = {
            "config": config.to_dict(),
            "seed": config.params.seed,
            "source": {
                what: path
                and {
                    "absolute": str(path),
                    "relative": os.path.relpath(path, self.run_dir.resolve()),
                }
                for what, path in sources.items()
            },
        }
        self.update(changes)

    def update(self, changes: Mapping[str, Any]) -> None:
        """Replace entries of ``run.json`` (all but ``stages``)."""
        with _writing(self.run_dir), self._publishing():
            path = self.run_dir / keys.RUN_FILE
            run = self.run()
            if {**run, **changes} != run:
                versions.write_json(path, {**run, **changes})

    def note(self, stage: str, version: int, **more: Any) -> dict[str, Any]:
        """Add to what ``run.json`` tells of a published stage, unless it was published again.

        Returns
        -------
        dict
            What it tells now.
        """
        with _writing(self.run_dir), self._publishing():
            run = self.run()
            record: dict[str, Any] = run["stages"][stage]
            if record["version"] == version:
                record.update(more)
                versions.write_json(self.run_dir / keys.RUN_FILE, run)
        return record

    def publish(self, stage: str, outcome: Outcome, provenance: Provenance) -> int:
        """Make a stage's result part of the sample, whole and at once.

        The result is merged with the newest version, which another stage may have published
        meanwhile. What the stage made before and no longer gives is dropped.

        Returns
        -------
        int
            Number of the new version.
        """
        (self.run_dir / SCRATCH).mkdir(exist_ok=True)
        with (
            publishing.quiet(),
            tempfile.TemporaryDirectory(
                dir=self.run_dir / SCRATCH, prefix=f"publish-{stage}-", ignore_cleanup_errors=True
            ) as scratch,
        ):
            written = publishing.write_elements(outcome, Path(scratch) / keys.STORE)
            with self._publishing():
                base = self.version()
                number = base + 1
                partial = self.version_dir(number).with_suffix(_PARTIAL)
                versions.remove(partial)
                with versions.removed_on_error(partial):
                    partial.mkdir()
                    before = self.version_dir(base) if base else None
                    done = self.done()
                    made = publishing.build(partial, before, written, stage, outcome, done)
                    state = publishing.advance(done, stage, made, number, provenance)
                    removed = publishing.files_gone(done, state)
                    versions.write_json(
                        partial / STATE,
                        {"format": FORMAT, "stages": state, "removed": removed},
                    )
                    versions.write_json(partial / keys.RUN_FILE, self._run_after(state, number))
                    versions.sync_tree(partial)
                    partial.rename(self.version_dir(number))
                versions.sync(self.run_dir / VERSIONS)
                self.settle()
                self.prune(KEPT_VERSIONS)
        return number

    def _run_after(self, state: Mapping[str, Any], number: int) -> dict[str, Any]:
        """Build ``run.json`` as it will be with a version."""
        run = self.run()
        known = run["stages"]
        run["version"] = number
        run["stages"] = {
            # What was noted after publishing stays, as long as it is about the same result.
            name: {**entry["record"], **known[name]}
            if known.get(name, {}).get("version") == entry["version"]
            else entry["record"]
            for name, entry in state.items()
        }
        return run

    def settle(self) -> None:
        """Bring the run folder's own files in line with the newest version."""
        number = self.version()
        if number == 0 or self.run().get("version", 0) == number:
            return
        here = self.version_dir(number)
        versions.point(self.run_dir / keys.STORE, here / keys.STORE)
        for name in versions.read_json(here / STATE)["removed"]:
            versions.remove(self.run_dir / publishing.checked_name(name))
        if (here / publishing.FILES).is_dir():
            for path in (here / publishing.FILES).iterdir():
                versions.place(path, self.run_dir / publishing.checked_name(path.name))
        versions.place(here / keys.RUN_FILE, self.run_dir / keys.RUN_FILE)
        versions.sync(self.run_dir)

    def prune(self, keep: int = 1) -> list[int]:
        """Remove all but the newest versions, and none that is being read.

        Returns
        -------
        list of int
            The versions that were removed.
        """
        removed = []
        for number in sorted(self.numbers())[: -max(keep, 1)]:
            path = self.version_dir(number)
            with contextlib.suppress(FileNotFoundError), (path / STATE).open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                gone = path.rename(path.with_suffix(_PARTIAL))
                versions.remove(gone)
                removed.append(number)
        return removed


def _take(file: IO[str], run_dir: Path) -> None:
    """Take the lock of a run; a process that is gone may need a moment to let go of it."""
    deadline = time.monotonic() + GRACE_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            who = file.read().strip() or "another process"
            # Its workers hold the lock, too, until the supervisor has ended them.
            going = who.endswith(f" on {socket.gethostname()}") and not _alive(int(who.split()[1]))
            if not going or time.monotonic() > deadline:
                raise BusyError(
                    f"{run_dir}: {who} is running stages here; wait for it or end it."
                ) from error
            time.sleep(0.05)
        else:
            return


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Say in a sentence why a folder cannot be written to."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StageError(
                f"{folder}: the disk is full; free some space and run again."
            ) from error
        if error.errno not in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}:
            raise
        raise BadInputError(
            f"{folder}: cannot be written to ({error.strerror}); choose another folder or change "
            "its permissions."
        ) from error
