"""Session: one open sample, from a notebook, the command line or a window.

Needs no window: what a dock or a script does with a sample goes through here. What it can read and
correct stands in `corrections`: `Readings`, `LabelVerbs`, `OutlineVerbs`, `RegionVerbs`,
`SettleVerbs`, `UpdateVerbs`.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_vhd import keys
from napari_vhd.config import Paths, RunConfig, SampleConfig, check_name
from napari_vhd.corrections import ledger
from napari_vhd.corrections.author import saved_author
from napari_vhd.corrections.catalogue import Column
from napari_vhd.corrections.cells import reviewed_cells
from napari_vhd.corrections.columns import Labels
from napari_vhd.corrections.editor import Editor
from napari_vhd.corrections.label_verbs import LabelVerbs
from napari_vhd.corrections.numbers import Numbers
from napari_vhd.corrections.opened import Opened
from napari_vhd.corrections.outline_verbs import OutlineVerbs
from napari_vhd.corrections.readings import Card, Readings
from napari_vhd.corrections.region_verbs import RegionVerbs
from napari_vhd.corrections.reviewed import CellsChanged
from napari_vhd.corrections.settle_verbs import SettleVerbs
from napari_vhd.corrections.updating import UpdateVerbs
from napari_vhd.exceptions import BadInputError
from napari_vhd.io.source import open_source, outs_folder
from napari_vhd.io.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from anndata import AnnData
    from geopandas import GeoDataFrame
    from spatialdata import SpatialData

    from napari_vhd.corrections.correction import Entry
    from napari_vhd.corrections.reviewed import Change
    from napari_vhd.io.source import Source
    from napari_vhd.runner.refinery import Refinement

__all__ = ["Card", "CellsChanged", "Column", "Labels", "Numbers", "Session"]


class Session(Readings, LabelVerbs, OutlineVerbs, RegionVerbs, SettleVerbs, UpdateVerbs):
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

    def __init__(self, source: Source, config: RunConfig | None = None, author: str = "") -> None:
        self.sample_id = source.sample_id
        self.config = config
        self._author = author or saved_author()
        self._path = source.path
        self._source: Source | None = source
        self._sdata: SpatialData | None = None
        self._lock = RLock()
        self._editor: Editor | None = None

    @classmethod
    def open(cls, path: str | Path, author: str = "") -> Session:
        """Open a run folder, a Space Ranger folder or a SpatialData store.

        Without `author`, the name in the user's settings corrects. A Space Ranger folder that is
        only looked at gets no files: a run folder is made, in ``processed`` beside it, when
        something is first run.

        Raises
        ------
        BadInputError
            If the path is none of these, or cannot be read.
        """
        source = open_source(path)
        config = None
        if source.kind == "run":
            ledger.check(source.path / keys.LEDGER)
            config = RunStore.open(source.path).config()
        elif source.kind == "space_ranger":
            config = _config_of(outs_folder(source.path), source.sample_id, source.image_path)
        return cls(source, config, author)

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

        config, run_dir = self._required_config(), self.run_dir
        self.close()
        results = run_config(
            config,
            run_dir=run_dir,
            until=until,
            only=only,
            from_=from_,
            force=force,
            workers=workers,
            scheduler=scheduler,
        )
        # Whoever read meanwhile has opened what was computed before.
        self.close()
        self._path = results[0]
        self.reloaded.emit()
        return results[0]

    @property
    def source(self) -> Source:
        """What is computed of the sample, read-only; opened again where it was closed."""
        with self._lock:
            if self._source is None:
                self._source = open_source(self._path)
            return self._source

    @property
    def run_dir(self) -> Path | None:
        """The run folder, None before anything was run or for a plain SpatialData store."""
        return self._path if self.source.kind == "run" else None

    @property
    def sdata(self) -> SpatialData:
        """The sample as computed, images lazily loaded; not to be changed in place.

        Raises
        ------
        BadInputError
            If nothing was run yet.
        """
        with self._lock:
            if self._sdata is None:
                self._sdata = self.source.sdata()
            if self._sdata is None:
                raise BadInputError(f"{self.sample_id}: nothing is computed yet; call run() first.")
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
                book, refusal = None, ""
                if self.run_dir is None:
                    refusal = (
                        f"{self.sample_id}: is only looked at, and gets no files; corrections are "
                        "kept in a run folder: make one by running a stage on its Space Ranger "
                        "folder."
                    )
                else:
                    book = ledger.Ledger.open(self.run_dir / keys.LEDGER)
                self._editor = Editor(Opened.of(self.source), book, refusal, self._tell)
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
        return tuple(dict.fromkeys((*signatures, *source.known_types)))

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

    def refinement(self, region: Any) -> Refinement:
        """Give the corrected nuclei of a region (polygon, full-resolution px) back to ProSeg.

        It has yet to be started; what it proposes is taken over by `refine`, or dropped.
        """
        from napari_vhd.runner.refinery import Refinement

        return Refinement.of(self.editor, region, self._required_config().params.proseg)

    def poll(self) -> bool:
        """Take in what another window or person has corrected; says whether there was anything."""
        return self.editor.poll()

    def reload(self) -> None:
        """Read what is computed anew, after a stage has published; corrections stay."""
        with self._lock:
            self._let_go()
            if self._editor is not None:
                self._editor.reload(Opened.of(self.source))
        self.reloaded.emit()
        self.columns_changed.emit()

    def close(self) -> None:
        """Let go of the files. The session can still be used: it opens them again when needed."""
        with self._lock:
            if self._editor is not None:
                self._editor.close()
                self._editor = None
            self._let_go()

    def _let_go(self) -> None:
        self._sdata = None
        if self._source is not None:
            self._source.close()
            self._source = None

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


def _config_of(outs: Path, name: str, image: Path | None) -> RunConfig:
    """Make the config by which a Space Ranger folder would be run."""
    check_name(name, f"{outs}: the folder's name")
    return RunConfig(
        paths=Paths(str(outs), processed=str(outs.parent / "processed")),
        samples=(SampleConfig(id=name, fullres_image=None if image is None else str(image)),),
    )
