"""Session: one open sample, from a notebook, the command line or a window.

Needs no window: what a dock or a script does with a sample goes through here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_vhd import keys
from napari_vhd.config import Paths, RunConfig, SampleConfig, check_name
from napari_vhd.corrections import ledger
from napari_vhd.exceptions import BadInputError
from napari_vhd.io import untrusted, visium_hd
from napari_vhd.io.store import RunStore

if TYPE_CHECKING:
    from types import TracebackType

    from anndata import AnnData
    from geopandas import GeoDataFrame
    from spatialdata import SpatialData


class Session:
    """One open sample. Make one with `open`; use it in a ``with`` block, or `close` it.

    Attributes
    ----------
    sample_id
        Id of the sample; also names its coordinate system of full-resolution px.
    author
        Who corrects: initials or an id.
    config
        What `run` runs; None for a SpatialData store that no run of ours made.
    """

    def __init__(
        self,
        sample_id: str,
        *,
        author: str = "",
        config: RunConfig | None = None,
        store: RunStore | None = None,
        sdata: SpatialData | None = None,
    ) -> None:
        self.sample_id = sample_id
        self.author = author
        self.config = config
        self._store = store
        self._sdata = sdata

    @classmethod
    def open(cls, path: str | Path, author: str = "") -> Session:
        """Open a run folder, a Space Ranger folder or a SpatialData store.

        A Space Ranger folder that is only looked at gets no files: a run folder is made, in
        ``processed`` beside it, when something is first run.

        Raises
        ------
        BadInputError
            If the path is none of these, or cannot be read.
        """
        path = Path(path).expanduser().absolute()
        if not path.exists():
            raise BadInputError(f"{path}: there is no such file or folder; check the path.")
        if (path / keys.RUN_FILE).is_file():
            store = RunStore.open(path)
            ledger.check(path / keys.LEDGER)
            return cls(store.sample_id, author=author, config=store.config(), store=store)
        if (path / "zarr.json").is_file() or (path / ".zgroup").is_file():
            return cls._open_zarr(path, author)
        if (path / "outs").is_dir() or (path / "binned_outputs").is_dir():
            return cls._open_space_ranger(path, author)
        raise BadInputError(
            f"{path}: neither a run folder ({keys.RUN_FILE}), a Space Ranger folder (outs) nor a "
            "SpatialData store (zarr); check the path."
        )

    @classmethod
    def _open_zarr(cls, path: Path, author: str) -> Session:
        import spatialdata

        untrusted.check_store(path)
        sdata = spatialdata.read_zarr(path)
        suffix = keys.full_image("")
        names = [*sdata.images, *sdata.shapes]
        ids = [name.removesuffix(suffix) for name in names if name.endswith(suffix)]
        ids += [
            name.removesuffix(keys.bin_shapes("", size))
            for size in keys.BIN_SIZES_UM
            for name in names
            if name.endswith(keys.bin_shapes("", size))
        ]
        if not ids:
            raise BadInputError(
                f"{path}: holds neither a '<id>{suffix}' image nor Visium HD bins; "
                "open a Visium HD sample."
            )
        return cls(ids[0], author=author, sdata=sdata)

    @classmethod
    def _open_space_ranger(cls, path: Path, author: str) -> Session:
        outs = path / "outs" if (path / "outs").is_dir() else path
        name = outs.parent.name if outs.name == "outs" else outs.name
        check_name(name, f"{path}: the folder's name")
        config = RunConfig(
            paths=Paths(str(outs), processed=str(outs.parent / "processed")),
            samples=(SampleConfig(id=name),),
        )
        visium_hd.check_outs(outs, name, None)
        return cls(name, author=author, config=config)

    def configure(self, **params: Any) -> None:
        """Change parameters for the next `run`; names and values as in the config file.

        Raises
        ------
        BadInputError
            For an unknown name or a value that does not fit.
        """
        config = self._required_config()
        data = config.to_dict()
        data["params"].update(params)
        self.config = RunConfig.from_dict(data, source="configure")

    def run(
        self,
        *,
        until: str | None = None,
        only: str | None = None,
        from_: str | None = None,
        force: bool = False,
        workers: int = 1,
        scheduler: str | None = None,
    ) -> Path:
        """Run the stages that are missing or out of date.

        Parameters
        ----------
        until, only, from_
            Names of stages (see `napari_vhd.stages.pipeline`).
        force
            Run stages also where nothing changed.
        workers, scheduler
            Local processes, or the address of a dask scheduler, for the patches of a stage.

        Returns
        -------
        Path
            The run folder.

        Raises
        ------
        VhdError
            In one sentence; the sample is as it was before the stage that failed.
        """
        from napari_vhd.runner.run import run_config

        self.close()
        results = run_config(
            self._required_config(),
            run_dir=None if self._store is None else self._store.run_dir,
            until=until,
            only=only,
            from_=from_,
            force=force,
            workers=workers,
            scheduler=scheduler,
        )
        self._store = RunStore.open(results[0])
        return results[0]

    @property
    def run_dir(self) -> Path | None:
        """The run folder, None before anything was run or for a plain SpatialData store."""
        return None if self._store is None else self._store.run_dir

    @property
    def sdata(self) -> SpatialData:
        """The sample as computed, images lazily loaded; not to be changed in place.

        Raises
        ------
        BadInputError
            If nothing was run yet.
        """
        if self._sdata is None:
            if self._store is None:
                raise BadInputError(f"{self.sample_id}: nothing is computed yet; call run() first.")
            untrusted.check_store(self._store.run_dir / keys.STORE)
            self._sdata = self._store.sdata()
        return self._sdata

    @property
    def cells(self) -> AnnData:
        """Every cell, with counts, labels and ``kept``; ``obs_names`` are the cell ids.

        ``obsm["spatial"]`` is in full-resolution px, ``obsm["spatial_um"]`` in µm.

        Raises
        ------
        BadInputError
            If there are no cells yet.
        """
        if keys.CELLS not in self.sdata.tables:
            raise BadInputError(
                f"{self.sample_id}: there are no cells yet; call run(until='aggregation') first."
            )
        return self.sdata.tables[keys.CELLS].copy()

    def boundaries(self, name: str = keys.PROSEG) -> GeoDataFrame:
        """Give cell boundaries in full-resolution px.

        Parameters
        ----------
        name
            ``"proseg_boundaries"`` or ``"stardist_boundaries"``.

        Returns
        -------
        GeoDataFrame
            Polygons; the index is the cell id.

        Raises
        ------
        BadInputError
            If there are none of that name; names those that are there.
        """
        import spatialdata

        if name not in self.sdata.shapes:
            there = [key for key in (keys.STARDIST, keys.PROSEG) if key in self.sdata.shapes]
            raise BadInputError(
                f"{self.sample_id}: there are no {name!r}; there are: {', '.join(there) or 'none'}."
            )
        shapes = spatialdata.transform(self.sdata.shapes[name], to_coordinate_system=self.sample_id)
        return shapes.copy()

    def close(self) -> None:
        """Let go of the store. The session can still be used: it opens again when needed."""
        if self._store is not None:
            self._sdata = None
            self._store.close()

    def _required_config(self) -> RunConfig:
        if self.config is None:
            raise BadInputError(
                f"{self.sample_id}: a plain SpatialData store cannot be run; open its Space Ranger "
                "folder or a run folder."
            )
        return self.config

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
