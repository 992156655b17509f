"""What the figures look at: which part of the slide, its H&E, and where cells and bins lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image

from napari_vhd import keys

from .raster import BinGrid, Box, Rings, raster_of_rings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray
    from spatialdata import SpatialData

    from napari_vhd.config import RunConfig

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
    draw
        Rasterises the rows for a figure of the given longest side.
    """

    table: AnnData
    noun: str
    draw: Callable[[int], NDArray[np.int32]]
    _drawn: dict[int, NDArray[np.int32]] = field(default_factory=dict, repr=False)

    def raster(self, longest: int) -> NDArray[np.int32]:
        """Row numbers on the fine grid over the view; made once for each size."""
        if longest not in self._drawn:
            self._drawn[longest] = self.draw(longest)
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
        image, around = self.image_box, None
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
    def image_box(self) -> Box | None:
        """Where the full-resolution H&E lies."""
        if self._levels is None:
            return None
        corner, scale = self._placement
        height, width = self._levels[0].shape[-2:]
        return Box(*corner, corner[0] + width * scale[0], corner[1] + height * scale[1])

    @cached_property
    def _levels(self) -> list[Any] | None:
        """The H&E from fine to coarse, each (channel, y, x), lazy."""
        element = self.sdata.images.get(keys.full_image(self.sample_id))
        if element is None:
            return None
        if hasattr(element, "dims"):
            return [element]
        return [next(iter(element[level].values())) for level in element.children]

    @cached_property
    def _placement(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Corner and side of the image's finest pixels in full-resolution px."""
        from spatialdata.transformations import get_transformation

        element = self.sdata.images[keys.full_image(self.sample_id)]
        placed = get_transformation(element, to_coordinate_system=self.sample_id)
        matrix = placed.to_affine_matrix(("x", "y"), ("x", "y"))
        return (float(matrix[0, 2]), float(matrix[1, 2])), (
            float(matrix[0, 0]),
            float(matrix[1, 1]),
        )

    def picture(self, box: Box, longest: int) -> NDArray[np.uint8] | None:
        """Read the H&E in a box from the coarsest level that is fine enough.

        Parameters
        ----------
        box
            Full-resolution px; what lies outside the image stays white.
        longest
            Longest side of the picture in pixels.

        Returns
        -------
        RGB of shape (height, width, 3), or None where there is no H&E.
        """
        if self._levels is None or self.image_box is None:
            return None
        width, height = box.size(longest)
        finest = self._levels[0].shape
        fine_enough = [
            level
            for level in self._levels
            if level.shape[-1] / finest[-1] * box.width >= 0.9 * width
        ]
        level = fine_enough[-1] if fine_enough else self._levels[0]
        step_x = self.image_box.width / level.shape[-1]
        step_y = self.image_box.height / level.shape[-2]
        shown = box.within(self.image_box)
        first_x = int((shown.x0 - self.image_box.x0) / step_x)
        first_y = int((shown.y0 - self.image_box.y0) / step_y)
        last_x = int(np.ceil((shown.x1 - self.image_box.x0) / step_x))
        last_y = int(np.ceil((shown.y1 - self.image_box.y0) / step_y))
        pixels = np.asarray(level[:3, first_y:last_y, first_x:last_x]).transpose(1, 2, 0)
        source = (
            (box.x0 - self.image_box.x0) / step_x - first_x,
            (box.y0 - self.image_box.y0) / step_y - first_y,
            (box.x1 - self.image_box.x0) / step_x - first_x,
            (box.y1 - self.image_box.y0) / step_y - first_y,
        )
        return _resized(pixels.astype(np.uint8), source, (width, height))

    def rings(self, boundaries: str, index: pd.Index | None = None) -> Rings | None:
        """Outlines of cells, in the order of `index` (cell ids), or of the boundaries."""
        from spatialdata import transform

        if boundaries not in self.sdata.shapes:
            return None
        shapes = transform(self.sdata.shapes[boundaries], to_coordinate_system=self.sample_id)
        geometry = shapes.geometry if index is None else shapes.geometry.reindex(index)
        rings = Rings.of(geometry)
        return rings if len(rings) else None

    @cached_property
    def cells(self) -> Places | None:
        """The cells of `table`, drawn by the boundaries that it annotates."""
        table = self.sdata.tables.get(keys.CELLS)
        if table is None or self.box is None or table.n_obs == 0:
            return None
        box, region = self.box, table.obs.get(keys.REGION_KEY)
        name = str(region.iloc[0]) if region is not None else keys.PROSEG
        rings = self.rings(name, table.obs_names)
        if rings is None:
            return None
        return Places(table, "cells", lambda longest: raster_of_rings(rings, box, longest))

    def bins(self, size: int) -> Places | None:
        """The bins of one size (µm)."""
        grid, box = self._grid(size), self.box
        if grid is None or box is None:
            return None
        if size not in self._bins:
            table = self.sdata.tables[keys.bin_table(size)]
            self._bins[size] = Places(
                table, f"{size} µm bins", lambda longest: grid.raster(box, longest)
            )
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


def _resized(
    pixels: NDArray[np.uint8], source: tuple[float, float, float, float], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Resample the part `source` (x0, y0, x1, y1 in its pixels) to `size`, white outside."""
    x0, y0, x1, y1 = source
    height, width = pixels.shape[:2]
    pad = [
        (max(0, int(np.ceil(-y0))), max(0, int(np.ceil(y1 - height)))),
        (max(0, int(np.ceil(-x0))), max(0, int(np.ceil(x1 - width)))),
    ]
    if any(side for both in pad for side in both):
        pixels = np.pad(pixels, [*pad, (0, 0)], constant_values=255)
        x0, x1 = x0 + pad[1][0], x1 + pad[1][0]
        y0, y1 = y0 + pad[0][0], y1 + pad[0][0]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, box=(x0, y0, x1, y1)))
