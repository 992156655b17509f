"""Reading a run folder: what is in it, which stages are done, the sample as it is now."""

from __future__ import annotations

import fcntl
import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError

from . import publishing, versions
from .publishing import Done

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spatialdata import SpatialData

    from napari_vhd.config import RunConfig

FORMAT = 1
VERSIONS = ".versions"
STATE = "state.json"


class RunFolder:
    """One run folder, to read from.

    Parameters
    ----------
    run_dir
        The folder; `napari_vhd.io.store.RunStore.open` checks it.
    """

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        # Version -> an open file of it; a plain descriptor, let go of with this object.
        self._leases: dict[int, int] = {}
        weakref.finalize(self, _close_all, self._leases)

    @staticmethod
    def get_ready() -> None:
        """Load what reading and publishing will need, so that they need not wait for it."""
        import spatialdata

        # The package itself loads only what is asked for.
        spatialdata.SpatialData, spatialdata.read_zarr  # noqa: B018

    @property
    def sample_id(self) -> str:
        """Id of the sample; also the name of its coordinate system in full-resolution px."""
        return str(self.run()["sample"])

    def run(self) -> dict[str, Any]:
        """Read ``run.json``.

        Raises
        ------
        BadInputError
            Where it cannot be read, or comes from a later version of napari-vhd.
        """
        path = self.run_dir / keys.RUN_FILE
        run = versions.read_json(path)
        if not isinstance(run.get("format"), int) or not isinstance(run.get("stages"), dict):
            raise BadInputError(f"{path}: is not the {keys.RUN_FILE} of a run; restore a copy.")
        if run["format"] > FORMAT:
            raise BadInputError(
                f"{path}: was written by a later napari-vhd (format {run['format']}, known is "
                f"{FORMAT}); update napari-vhd."
            )
        return run

    def config(self) -> RunConfig:
        """Read the config that the run was last started with."""
        from napari_vhd.config import RunConfig

        return RunConfig.from_dict(self.run().get("config"), str(self.run_dir / keys.RUN_FILE))

    def source(self, what: str) -> Path | None:
        """Find ``outs``, ``image`` or ``reference``, also where run and data moved together."""
        entry = self.run().get("source", {}).get(what)
        if entry is None:
            return None
        absolute = Path(entry["absolute"])
        relative = (self.run_dir / entry["relative"]).resolve()
        return relative if not absolute.exists() and relative.exists() else absolute

    def version(self) -> int:
        """Find the number of the newest version, 0 before the first."""
        return max(self.numbers(), default=0)

    def version_dir(self, number: int) -> Path:
        """Folder of a version."""
        return self.run_dir / VERSIONS / f"{number:04d}"

    def done(self) -> dict[str, Done]:
        """Read which stages are done, from what, and what they made.

        Raises
        ------
        BadInputError
            Where the newest version's state cannot be read.
        """
        number = self.version()
        if number == 0:
            return {}
        path = self.version_dir(number) / STATE
        try:
            return {k: Done(**entry) for k, entry in versions.read_json(path)["stages"].items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise BadInputError(
                f"{path}: is not the state of a run; it is left as it is, restore it from a copy."
            ) from error

    def sdata(self, selection: Sequence[str] | None = None) -> SpatialData:
        """Read the newest version, images lazily.

        It is read from the version's own folder, so that what is loaded later fits what is loaded
        now, and this version stays on disk as long as this object lives or until `close`.

        Parameters
        ----------
        selection
            Kinds of elements to read (``"images"``, ``"shapes"``, ``"tables"`` …); all if None.
        """
        import spatialdata

        number = self.lease()
        if number == 0:
            return spatialdata.SpatialData()
        path = self.version_dir(number) / keys.STORE
        with publishing.quiet():
            chosen = None if selection is None else tuple(selection)
            return spatialdata.read_zarr(path, selection=chosen)

    def close(self) -> None:
        """Let go of the versions that are being read."""
        _close_all(self._leases)

    def numbers(self) -> list[int]:
        """List the versions that are there, in no order."""
        try:
            names = os.listdir(self.run_dir / VERSIONS)
        except FileNotFoundError:
            return []
        return [int(name) for name in names if name.isdecimal()]

    def lease(self) -> int:
        """Keep the newest version on disk until `close`; gives its number, 0 before the first."""
        while number := self.version():
            if number in self._leases:
                break
            try:
                descriptor = os.open(self.version_dir(number) / STATE, os.O_RDONLY)
            except FileNotFoundError:
                continue
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if self.version_dir(number).exists():
                self._leases[number] = descriptor
                break
            os.close(descriptor)
        return number


def _close_all(descriptors: dict[int, int]) -> None:
    while descriptors:
        os.close(descriptors.popitem()[1])
