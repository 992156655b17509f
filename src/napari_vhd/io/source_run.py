"""A run folder as a source: its newest version, and the slide that it was cut from."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError

from .source import Kind, Source
from .source_bins import slide_bins
from .source_space_ranger import SpaceRangerSource
from .source_zarr import ZarrSource
from .store import RunStore

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from geopandas import GeoDataFrame
    from numpy.typing import NDArray
    from spatialdata import SpatialData

    from .source import Outlined, Overview
    from .source_bins import Bins
    from .source_image import Pyramid

_OF_THE_SLIDE_UM = (8, 16)


class RunSource(Source):
    """The newest version of a run folder, kept on disk until `close`.

    Attributes
    ----------
    version
        Number of the version that is read, 0 where nothing is computed yet.
    """

    kind: ClassVar[Kind] = "run"

    def __init__(self, run_dir: Path) -> None:
        self.path = run_dir
        self._folder = RunStore.open(run_dir)
        self.version = self._folder.lease()
        self._done = self._folder.done()
        self.sample_id = self._folder.sample_id
        self._store: ZarrSource | None = None
        if self.version:
            store = self._folder.version_dir(self.version) / keys.STORE
            self._store = ZarrSource(store, self.sample_id)
        self.notices = ()
        slide = self._slide
        scales = [one.um_per_px for one in (self._store, slide) if one is not None]
        self.um_per_px = next((scale for scale in scales if scale is not None), None)
        self.typed = None if self._store is None else self._store.typed

    @cached_property
    def _slide(self) -> SpaceRangerSource | None:
        """The Space Ranger folder that ``run.json`` names, None where it cannot be used."""
        outs = self._folder.source("outs")
        if outs is None:
            return None
        try:
            return SpaceRangerSource(outs, self.sample_id, self._folder.source("image"))
        except BadInputError as error:
            self.notices = (
                *self.notices,
                f"Only the run's region is shown, the rest of the slide is not there: {error}",
            )
            return None

    # Pictures

    def image(self) -> Pyramid | None:
        """Open the H&E of the run's region."""
        return None if self._store is None else self._store.image()

    def slide_image(self) -> Pyramid | None:
        """Open the H&E of the slide, where the run holds a region of it only."""
        slide = None if self._slide is None else self._slide.image()
        own = self.image()
        return None if slide is None or (own is not None and own.box == slide.box) else slide

    def hires(self) -> Overview | None:
        """Read the overview picture of the slide."""
        found = None if self._store is None else self._store.hires()
        return found or (None if self._slide is None else self._slide.hires())

    # Cells

    def segmentation_names(self) -> tuple[str, ...]:
        """Name the boundaries, those that `obs` describes first."""
        return () if self._store is None else self._store.segmentation_names()

    def outlines(self, name: str) -> Outlined:
        """Read boundaries in full-resolution px."""
        if self._store is None:
            raise BadInputError(f"{self.path}: holds no {name} yet; run the segmentation first.")
        return self._store.outlines(name)

    def epoch(self, name: str) -> int:
        """Version in which these boundaries were made."""
        made = [done.version for done in self._done.values() if name in done.made["elements"]]
        return max(made, default=0)

    def obs(self) -> pd.DataFrame:
        """Read the cells' table without its counts."""
        return super().obs() if self._store is None else self._store.obs()

    def uns_colors(self, column: str) -> tuple[str, ...]:
        """Colours recorded for a column's categories."""
        return () if self._store is None else self._store.uns_colors(column)

    def obsm(self, name: str) -> Any:
        """Read an array by cell."""
        return None if self._store is None else self._store.obsm(name)

    def genes(self) -> tuple[str, ...]:
        """Name the genes."""
        return () if self._store is None else self._store.genes()

    def gene(self, symbol: str) -> NDArray[Any]:
        """Read the counts of one gene in each cell."""
        return super().gene(symbol) if self._store is None else self._store.gene(symbol)

    def regions(self) -> GeoDataFrame | None:
        """Read the regions that are part of the store."""
        return None if self._store is None else self._store.regions()

    # Bins

    def bins(self, size_um: int) -> Bins | None:
        """Open bins: 8 and 16 µm of the slide, 2 µm of the region."""
        own = self._store
        if self._slide is not None and (own is None or size_um in _OF_THE_SLIDE_UM):
            described = (lambda: None) if own is None else lambda: own.described_bins(size_um)
            found = slide_bins(self._slide.outs, size_um, described)
            if found is not None:
                return found
        return None if own is None else own.bins(size_um)

    # For others

    def sdata(self) -> SpatialData | None:
        """Open the version that is read with SpatialData."""
        return None if self._store is None else self._store.sdata()

    def table_path(self, name: str) -> Path | None:
        """Folder of a table."""
        return None if self._store is None else self._store.table_path(name)

    def close(self) -> None:
        """Let go of the version."""
        self._folder.close()
