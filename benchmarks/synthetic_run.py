"""A run folder of any size without engines: bins, cells and their counts, nothing of tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy import sparse
from spatialdata import SpatialData
from spatialdata.models import Image2DModel, ShapesModel, TableModel
from spatialdata.transformations import Identity, Scale

from napari_vhd import keys
from napari_vhd.config import Paths, RunConfig, SampleConfig
from napari_vhd.corrections import ledger
from napari_vhd.io.publishing import Provenance
from napari_vhd.io.store import RunStore
from napari_vhd.io.visium_hd import quiet
from napari_vhd.stages import aggregation, counting
from napari_vhd.stages.stage import Outcome

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = "synthetic"
UM_PER_PX = 0.2737  # of the tutorial's slide
BIN_PX = 2 / UM_PER_PX
TURN = np.deg2rad(0.4)  # bins lie a little askew on the image
ENTRIES_A_BIN = 9.0
BINS_A_CELL = 39  # 470,000 bins for 12,000 cells
MOST_BINS = 8_000_000  # of a slide
VERTICES = 30
# Squares take more memory than all the rest; those left out of large runs are only looked at.
SQUARES = 500_000


def make(folder: Path, cells: int, genes: int, *, no_overlap: bool = False) -> RunStore:
    """Make a run folder with everything up to the cells' counts.

    Parameters
    ----------
    folder
        Where to make it.
    cells, genes
        How many; 12,000 cells have 470,000 bins, and so on, but no more than a slide has.
    no_overlap
        Count every bin in one cell only.
    """
    rng = np.random.default_rng(0)
    config = RunConfig(
        paths=Paths(str(folder / "outs"), processed=str(folder)),
        samples=(SampleConfig(id=SAMPLE),),
    )
    store = RunStore.create(folder, SAMPLE, config, SAMPLE, folder / "outs")
    side = int(np.ceil(np.sqrt(min(cells * BINS_A_CELL, MOST_BINS))))
    bins, squares = _bins(rng, side, genes)
    outlines = _cells(rng, cells, side)
    image = _image()
    empty = Provenance(record={})
    elements = {
        keys.full_image(SAMPLE): image,
        keys.bin_shapes(SAMPLE, 2): squares,
        keys.bin_table(2): bins,
    }
    with quiet():
        store.publish("region", Outcome(elements=elements), empty)
        store.publish("proseg", Outcome(elements={keys.PROSEG: outlines}), empty)
        sdata = SpatialData(
            shapes={keys.PROSEG: outlines, keys.bin_shapes(SAMPLE, 2): squares},
            tables={keys.bin_table(2): bins},
        )
        rule = counting.Rule.made(outlines, keys.PROSEG, 0.0, no_overlap)
        table, _ = aggregation.counted(sdata, SAMPLE, rule)
        store.publish("aggregation", Outcome(elements={keys.CELLS: table}), empty)
    ledger.create(store.run_dir / keys.LEDGER)
    return store


def to_px(grid: Any) -> Any:
    """Places on the bins' grid (column, row) in full-resolution px."""
    turn = np.array([[np.cos(TURN), -np.sin(TURN)], [np.sin(TURN), np.cos(TURN)]])
    return 500.0 + BIN_PX * np.asarray(grid, dtype=float) @ turn.T


def _frames() -> dict[str, Any]:
    return {SAMPLE: Identity(), keys.MICRONS: Scale([UM_PER_PX] * 2, ("x", "y"))}


def _bins(rng: np.random.Generator, side: int, genes: int) -> tuple[Any, Any]:
    """Bins in the order of Space Ranger's barcodes, row by row."""
    row, col = (axis.astype(np.int32) for axis in np.divmod(np.arange(side**2), side))
    many = rng.poisson(ENTRIES_A_BIN, side**2)
    indptr = np.concatenate([[0], np.cumsum(many)])
    # Few genes have most of the counts.
    drawn = (genes * rng.random(indptr[-1], dtype=np.float32) ** 3).astype(np.int32)
    values = np.ones(len(drawn), dtype=np.float32)
    counts = sparse.csr_matrix((values, drawn, indptr), shape=(side**2, genes))
    counts.sum_duplicates()
    name = keys.bin_shapes(SAMPLE, 2)
    places = to_px(np.column_stack([col, row]) + 0.5)
    table = anndata.AnnData(
        counts,
        obs=pd.DataFrame(
            {
                keys.LOCATION_ID: np.arange(side**2),
                keys.REGION_KEY: pd.Categorical.from_codes(np.zeros(side**2, np.int8), [name]),
                keys.ARRAY_ROW: row,
                keys.ARRAY_COL: col,
            },
            index=pd.RangeIndex(side**2).astype(str),
        ),
        var=pd.DataFrame(index=[f"G{i}" for i in range(genes)]),
        obsm={keys.SPATIAL: places, keys.SPATIAL_UM: places * UM_PER_PX},
    )
    table = TableModel.parse(
        table, region=name, region_key=keys.REGION_KEY, instance_key=keys.LOCATION_ID
    )
    squares = shapely.buffer(shapely.points(places[:SQUARES]), BIN_PX / 2, cap_style="square")
    frame = gpd.GeoDataFrame(geometry=squares)
    return table, ShapesModel.parse(frame, transformations=_frames())


def _cells(rng: np.random.Generator, cells: int, side: int) -> Any:
    """Bumpy discs on a jittered grid, so that some overlap."""
    across = int(np.ceil(np.sqrt(cells)))
    step = side / across
    place = np.column_stack(np.divmod(np.arange(cells), across)) + 0.5
    centres = (place + rng.uniform(-0.2, 0.2, place.shape)) * step
    angle = np.linspace(0, 2 * np.pi, VERTICES, endpoint=False)
    radii = step * rng.uniform(0.4, 0.55, (cells, 1)) * rng.uniform(0.9, 1.1, (cells, VERTICES))
    way = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    outlines = shapely.polygons(to_px(centres[:, None] + radii[..., None] * way))
    frame = gpd.GeoDataFrame(
        {keys.AREA_UM2: shapely.area(outlines) * UM_PER_PX**2},
        geometry=outlines,
        index=[f"c{i + 1:06d}" for i in range(cells)],
    )
    return ShapesModel.parse(frame, transformations=_frames())


def _image() -> Any:
    """Make a stand-in: corrections do not look at the image."""
    pixels = np.full((3, 256, 256), 220, dtype=np.uint8)
    return Image2DModel.parse(
        pixels, dims=("c", "y", "x"), scale_factors=[2], transformations=_frames()
    )
