"""What corrections need of a run folder, read once and kept."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.io import frames

from .recount import Counter

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from geopandas import GeoDataFrame
    from numpy.typing import NDArray
    from spatialdata import SpatialData

    from napari_vhd.io.run_folder import RunFolder


class RunSource:
    """Computed data of a run folder, as of the newest version when it was made.

    Parameters
    ----------
    store
        The run folder.
    sdata
        Its sample.
    """

    def __init__(self, sample_id: str, sdata: SpatialData, store: RunFolder | None) -> None:
        self.sample_id = sample_id
        self._sdata = sdata
        self._store = store

    @cached_property
    def um_per_px(self) -> float:
        """Side of a full-resolution pixel in µm."""
        return frames.um_per_px(self._sdata, self.sample_id)

    @cached_property
    def typed(self) -> str | None:
        """Boundaries that ``table`` counts."""
        if keys.CELLS not in self._sdata.tables:
            return None
        table = self._sdata.tables[keys.CELLS]
        names = (
            table.obs[keys.REGION_KEY].astype(str).unique() if keys.REGION_KEY in table.obs else []
        )
        return next((name for name in names if name in self._sdata.shapes), None)

    def segmentation_names(self) -> Sequence[str]:
        """Names of the boundaries that are there."""
        return [name for name in (keys.PROSEG, keys.STARDIST) if name in self._sdata.shapes]

    def outlines(self, name: str) -> tuple[list[str], Any, pd.DataFrame]:
        """Ids, geometries (full-resolution px) and columns of boundaries."""
        shapes = frames.in_full_px(self._sdata, name, self.sample_id)
        frame = shapes.drop(columns="geometry").reset_index(drop=True)
        return [str(cell) for cell in shapes.index], shapes.geometry.to_numpy(), frame

    def obs(self) -> pd.DataFrame:
        """Columns of ``table``; index: cell ids."""
        return self._sdata.tables[keys.CELLS].obs

    def uns_colors(self, column: str) -> Sequence[str] | None:
        """Recorded colours of a column, by category."""
        if keys.CELLS not in self._sdata.tables:
            return None
        colors = self._sdata.tables[keys.CELLS].uns.get(f"{column}_colors")
        return None if colors is None else [str(color) for color in colors]

    def gene(self, symbol: str) -> NDArray[Any]:
        """Counts of a gene by row of ``table``."""
        table = self._sdata.tables[keys.CELLS]
        column = table.X[:, self.genes().index(symbol)]
        return np.asarray(column.toarray()).ravel()

    def genes(self) -> tuple[str, ...]:
        """Gene symbols, in the order of the counts."""
        if keys.CELLS not in self._sdata.tables:
            return ()
        return tuple(self._sdata.tables[keys.CELLS].var_names.astype(str))

    def counts_of(self, row: int) -> Any:
        """Counts (1, genes) of a row of ``table``."""
        return self._sdata.tables[keys.CELLS].X[row]

    def stages_done(self) -> Sequence[str]:
        """Names of the stages whose results are there."""
        return [] if self._store is None else list(self._store.done())

    def regions(self) -> GeoDataFrame | None:
        """Regions that the store holds."""
        if keys.REGIONS not in self._sdata.shapes:
            return None
        return frames.in_full_px(self._sdata, keys.REGIONS, self.sample_id)

    def counter(self) -> Counter | None:
        """What counts cells again; None where no cells were counted from bins."""
        path = self._sdata.path
        return None if path is None else Counter.open(path)

    def known_types(self) -> tuple[str, ...]:
        """Cell types of the reference, as deconvolution has named them."""
        prefix = keys.flashdeconv("")
        found: dict[str, None] = {}
        for size in (8, 16):
            table = self._sdata.tables.get(keys.bin_table(size))
            names = [] if table is None else [str(name) for name in table.obs]
            for name in names:
                for start in (prefix, keys.proportion("")):
                    if name.startswith(start) and name != keys.FLASHDECONV_DOMINANT:
                        found[name.removeprefix(start)] = None
        return tuple(found)
