"""What the figures look at: which part of the slide, its H&E, and where cells and bins lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_vhd import keys

from .geometry import BinGrid, Box, Rings
from .pyramid import Pyramid
from .raster import Raster

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray
    from spatialdata import SpatialData

    from napari_vhd.config import RunConfig

    from .raster import Numbered

# The bins' corners are half a bin outside their centres; a little air around shows the rim.
_MARGIN_UM = 8.0


@dataclass(frozen=True)
class Places:
    """A table and where its rows lie.

    Attributes
    ----------
    table
        Cells or bins.
    noun
        What a row is, for titles and legends.
    where
        Outlines of cells or grid of bins.
    box
        What is shown, full-resolution px.
    """

    table: AnnData
    noun: str
    where: Numbered
    box: Box
    _drawn: dict[int, Raster] = field(default_factory=dict, repr=False)

    def raster(self, longest: int) -> Raster:
        """Rasterise the rows, once for each size (longest side in pixels)."""
        if longest not in self._drawn:
            self._drawn[longest] = Raster.of(self.where, self.box, longest)
        return self._drawn[longest]

    @cached_property
    def kept(self) -> NDArray[np.bool_]:
        """Which rows the filters kept; all, where nothing was filtered yet."""
        if keys.KEPT not in self.table.obs:
            return np.ones(self.table.n_obs, bool)
        return self.table.obs[keys.KEPT].fillna(False).to_numpy(bool)


@dataclass(frozen=True)
class View:
    """One sample, seen from above.

    Coordinates are full-resolution px in the frame named by the sample id.

    Attributes
    ----------
    sdata, sample_id, config
        As given to `napari_vhd.figures.draw`.
    run_dir
        The run folder.
    """

    sdata: SpatialData
    sample_id: str
    config: RunConfig
    run_dir: Path

    @cached_property
    def name(self) -> str:
        """The sample's name, for titles."""
        names = {s.id: s.name for s in self.config.samples}
        return names.get(self.sample_id) or self.sample_id

    @cached_property
    def box(self) -> Box | None:
        """The part of the slide that all maps show: the bins' extent, within the H&E."""
        image, around = self.image.box if self.image else None, None
        for size in (8, 16, 2):
            grid = self._grid(size)
            if grid is not None:
                xy = self.sdata.tables[keys.bin_table(size)].obsm[keys.SPATIAL]
                margin = grid.pitch * (0.5 + _MARGIN_UM / size)
                around = Box(*map(float, (*xy.min(0), *xy.max(0)))).grown(margin)
                break
        if around is None and image is None:
            rings = [r for r in map(self.rings, (keys.STARDIST, keys.PROSEG)) if r is not None]
            return rings[0].bounds().grown(10) if rings else None
        if around is None or image is None:
            return around or image
        return around.within(image)

    @cached_property
    def um_per_px(self) -> float | None:
        """Length of a full-resolution px in µm; None where no bins say it."""
        for size in (8, 16, 2):
            grid = self._grid(size)
            if grid is not None:
                return size / grid.pitch
        return None

    @cached_property
    def image(self) -> Pyramid | None:
        """The full-resolution H&E."""
        return Pyramid.of(self.sdata, keys.full_image(self.sample_id), self.sample_id)

    def picture(self, box: Box, longest: int) -> NDArray[np.uint8] | None:
        """Read the H&E in a box, as `Pyramid.read`; None where there is no H&E."""
        return None if self.image is None else self.image.read(box, longest)

    def rings(self, boundaries: str, index: pd.Index | None = None) -> Rings | None:
        """Outlines of cells, in the order of `index` (cell ids), or of the boundaries."""
        from spatialdata import transform
        from spatialdata.transformations import Identity, get_transformation

        shapes = self.sdata.shapes.get(boundaries)
        if shapes is None:
            return None
        if not isinstance(get_transformation(shapes, self.sample_id), Identity):
            shapes = transform(shapes, to_coordinate_system=self.sample_id)
        geometry = shapes.geometry if index is None else shapes.geometry.reindex(index)
        rings = Rings.of(geometry)
        return rings if len(rings) else None

    @cached_property
    def marker_genes(self) -> dict[str, tuple[str, ...]]:
        """Genes of each signature, by the name that stands in columns of scores."""
        table = self.sdata.tables.get(keys.CELLS)
        found = {} if table is None else table.uns.get(keys.SIGNATURES, {})
        return {str(name): tuple(map(str, genes)) for name, genes in found.items()}

    @cached_property
    def cells(self) -> Places | None:
        """The cells of `table`, drawn by the boundaries that it annotates."""
        table = self.sdata.tables.get(keys.CELLS)
        if table is None or self.box is None or table.n_obs == 0:
            return None
        region = table.obs.get(keys.REGION_KEY)
        name = str(region.iloc[0]) if region is not None else keys.PROSEG
        rings = self.rings(name, table.obs_names)
        if rings is None:
            return None
        return Places(table, "cells", rings, self.box)

    def bins(self, size: int) -> Places | None:
        """Find the bins of one size (µm)."""
        grid, box = self._grid(size), self.box
        if grid is None or box is None:
            return None
        if size not in self._bins:
            table = self.sdata.tables[keys.bin_table(size)]
            self._bins[size] = Places(table, f"{size} µm bins", grid, box)
        return self._bins[size]

    def holding(self, column: str) -> Places | None:
        """Cells or deconvolved bins, whichever have the column."""
        for places in (self.cells, self.bins(self.config.params.deconvolution_bins)):
            if places is not None and column in places.table.obs:
                return places
        return None

    @cached_property
    def _bins(self) -> dict[int, Places]:
        return {}

    @cached_property
    def _grids(self) -> dict[int, BinGrid | None]:
        return {}

    def _grid(self, size: int) -> BinGrid | None:
        if size not in self._grids:
            table = self.sdata.tables.get(keys.bin_table(size))
            self._grids[size] = None
            if table is not None and table.n_obs and {"array_row", "array_col"} <= set(table.obs):
                self._grids[size] = BinGrid.of(
                    table.obs["array_row"].to_numpy(np.int64),
                    table.obs["array_col"].to_numpy(np.int64),
                    np.asarray(table.obsm[keys.SPATIAL], float),
                )
        return self._grids[size]
