"""Session: one open sample, from a notebook, the command line or a window.

Needs no window: what a dock or a script does with a sample goes through here. What it can read and
correct stands in `corrections`: `Readings`, `LabelVerbs`, `OutlineVerbs`, `RegionVerbs`.
"""

from __future__ import annotations

from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_vhd import keys
from napari_vhd.config import Paths, RunConfig, SampleConfig, check_name
from napari_vhd.corrections import ledger
from napari_vhd.corrections.author import saved_author
from napari_vhd.corrections.cells import reviewed_cells
from napari_vhd.corrections.editor import Editor
from napari_vhd.corrections.label_verbs import LabelVerbs
from napari_vhd.corrections.outline_verbs import OutlineVerbs
from napari_vhd.corrections.readings import Readings
from napari_vhd.corrections.region_verbs import RegionVerbs
from napari_vhd.corrections.run_source import RunSource
from napari_vhd.exceptions import BadInputError
from napari_vhd.io import untrusted, visium_hd
from napari_vhd.io.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from anndata import AnnData
    from geopandas import GeoDataFrame
    from spatialdata import SpatialData

    from napari_vhd.corrections.correction import Entry
    from napari_vhd.corrections.reviewed import Change


class Session(Readings, LabelVerbs, OutlineVerbs, RegionVerbs):
    """One open sample. Make one with `open`; use it in a ``with`` block, or `close` it.

    Corrections are durable when the call that makes one returns. Signals are emitted by the thread
    that made the change.

    Attributes
    ----------
    sample_id
        Id of the sample; also names its coordinate system of full-resolution px.
    config
        What `run` runs; None for a SpatialData store that no run of ours made.
    cells_changed
        Told `CellsChanged`: cells that have another label or outline.
    regions_changed, columns_changed, history_changed
        There are other regions; other columns, categories or colours; another history.
    saved
        Told each `Entry` that is durable now, of others, too.
    reloaded
        What is computed was read anew.
    """

    cells_changed = Signal(object)
    regions_changed = Signal()
    columns_changed = Signal()
    history_changed = Signal()
    saved = Signal(object)
    reloaded = Signal()

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
        self.config = config
        self._author = author or saved_author()
        self._store = store
        self._sdata = sdata
        self._lock = RLock()
        self._editor: Editor | None = None

    @classmethod
    def open(cls, path: str | Path, author: str = "") -> Session:
        """Open a run folder, a Space Ranger folder or a SpatialData store.

        Without `author`, the name in the user's settings corrects. A Space Ranger folder that is only looked at gets no files: a run folder is made, in
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
        self._sdata = None
        self.reloaded.emit()
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
                raise BadInputError(
                    f"{self.sample_id}: nothing is computed yet, and corrections are kept in a run "
                    "folder; call run() first, which makes one."
                )
            untrusted.check_store(self._store.run_dir / keys.STORE)
            self._sdata = self._store.sdata()
        return self._sdata

    @property
    def author(self) -> str:
        """Who corrects: initials or an id; "" is refused at the first correction."""
        return self._author

    @author.setter
    def author(self, author: str) -> None:
        self._author = author
        if self._editor is not None:
            self._editor.author = author

    @property
    def editor(self) -> Editor:
        """What holds the reviewed sample and takes corrections; opened the first time.

        Raises
        ------
        BadInputError
            Where nothing is computed yet, or the ledger cannot be read.
        """
        with self._lock:
            if self._editor is None:
                source = RunSource(self.sample_id, self.sdata, self._store)
                book, refusal = None, ""
                if self._store is None:
                    refusal = (
                        f"{self.sample_id}: this store is only looked at; corrections are kept in "
                        "a run folder. Make one with run() from its Space Ranger folder."
                    )
                else:
                    book = ledger.Ledger.open(self._store.run_dir / keys.LEDGER)
                self._editor = Editor(source, book, refusal, self._tell)
                self._editor.author = self._author
            return self._editor

    @property
    def radius_um(self) -> float:
        """Within which cells are neighbours, as configured."""
        return 50.0 if self.config is None else float(self.config.params.radius)

    @property
    def notices(self) -> tuple[str, ...]:
        """What a user should know about where the corrections are kept."""
        book = self.editor.ledger
        return () if book is None or not book.notice else (book.notice,)

    @property
    def cells(self) -> AnnData:
        """Every cell, reviewed: counts that follow the outlines, labels and who gave them.

        ``obs_names`` are the cell ids; reviewed labels of column X are ``X_reviewed`` and
        ``X_reviewed_by``, ``stale`` names what is out of date for a cell. ``obsm["spatial"]`` is in
        full-resolution px, ``obsm["spatial_um"]`` in µm.

        Raises
        ------
        BadInputError
            If there are no cells yet.
        """
        if keys.CELLS not in self.sdata.tables:
            raise BadInputError(
                f"{self.sample_id}: there are no cells yet; call run(until='aggregation') first."
            )
        table = self.sdata.tables[keys.CELLS]
        editor = self.editor
        with editor.lock:
            if editor.reviewed.source.typed is None:
                return table.copy()
            return reviewed_cells(table, editor.reviewed, self.radius_um)

    def boundaries(self, name: str = keys.PROSEG) -> GeoDataFrame:
        """Give cell boundaries in full-resolution px, corrections applied.

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
        with self.editor.lock:
            return self.editor.reviewed.boundaries_frame(name)

    def known_types(self) -> tuple[str, ...]:
        """Cell types that a label may name: of signatures and of the reference."""
        signatures = () if self.config is None else tuple(self.config.marker_genes)
        source = self.editor.reviewed.source
        return tuple(dict.fromkeys((*signatures, *source.known_types())))

    def undo(self) -> Entry | None:
        """Take back your last correction in force; None where there is none.

        Also after reopening, and however many.
        """
        return self.editor.undo()

    def redo(self) -> Entry | None:
        """Bring back what you undid last; None where there is nothing."""
        return self.editor.redo()

    def revert(self, entry_id: str, note: str = "") -> Entry:
        """Take back any one correction; later ones on the same cells stay (`later_entries`)."""
        return self.editor.revert(entry_id, note)

    def poll(self) -> bool:
        """Take in what another window or person has corrected; says whether there was anything."""
        return self.editor.poll()

    def reload(self) -> None:
        """Read what is computed anew, after a stage has published; corrections stay."""
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._sdata = None
            if self._editor is not None:
                self._editor.reload(RunSource(self.sample_id, self.sdata, self._store))
        self.reloaded.emit()
        self.columns_changed.emit()

    def close(self) -> None:
        """Let go of the files. The session can still be used: it opens them again when needed."""
        with self._lock:
            if self._editor is not None:
                self._editor.close()
                self._editor = None
            if self._store is not None:
                self._sdata = None
                self._store.close()

    def _tell(self, change: Change, entries: Sequence[Entry]) -> None:
        """Tell who listens what changed."""
        for cells in change.cells:
            self.cells_changed.emit(cells)
        if change.regions:
            self.regions_changed.emit()
        if change.columns:
            self.columns_changed.emit()
        for entry in entries:
            self.saved.emit(entry)
        self.history_changed.emit()

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
