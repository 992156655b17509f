"""Whole cells by ProSeg, grown from the StarDist nuclei by the transcripts around them.

ProSeg is given the 2 µm bins and the nucleus each lies in, as sopa's `sopa.segmentation.proseg`
does, but in the coordinates of the bins' own grid. ProSeg starts its voxels at the first bin's
*centre*, so that in µm coordinates bins fall into one or the other neighbouring voxel by rounding,
and outlines come out half a bin off; on the grid each bin is one voxel, and the outlines are moved
back by that half. ProSeg has no seed: two runs differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import StageError
from napari_vhd.io import frames
from napari_vhd.io.proseg_binary import find_proseg, run_proseg
from napari_vhd.io.visium_hd import quiet
from napari_vhd.parameters import ProsegParameters, ProsegSettings

from .stage import Inputs, Outcome, Sample, Stage, each

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from geopandas import GeoDataFrame
    from numpy.typing import NDArray

BIN_UM = 2.0
PRIOR, GRID = "nucleus", "grid_um"
INPUT, OUTPUT = "bins.zarr", "cells.zarr"
MIN_NUCLEI = 10
# ProSeg parts genes by their counts in regions of 20 × 20 µm (100 bins), of which it draws 10,000,
# and fails unless some genes reach 500 UMIs in them; twice that to be on the safe side.
REGION_BINS, REGIONS_DRAWN, FACTORIZED_UMIS = 100, 10_000, 1_000
DEFAULTS = {"burnin_samples": 200, "samples": 200, "hillclimb": 50}
RECORDED = 100
DEFAULT_VOXEL_UM = 2.0  # sopa's for Visium HD
# Measured peak of proseg 3.2.0 on simulated regions, in MB, by thousands of nuclei, UMIs and genes:
# 143 (0.2, 56, 2), 163 (1.1, 105, 2), 178 (1.1, 290, 2), 443 (1.1, 290, 12), 480 (3.8, 1160, 6);
# these say them to 7 %. Genes weigh by the 10,000 regions × genes that ProSeg counts first.
MEMORY_BASE = 75e6
MEMORY_BYTES = {"gene": 27e3, "UMI": 80.0, "nucleus": 30e3}
MEMORY_MARGIN = 1.5


def run_one(sample: Sample, parameters: ProsegParameters) -> Outcome:
    """Run ProSeg on one sample."""
    sdata, settings = sample.sdata, parameters.proseg
    nuclei = frames.in_full_px(sdata, keys.STARDIST, sample.id)
    bins = sdata.tables[keys.bin_table(2)]
    grid, to_px = bin_grid(bins)
    prior = nucleus_of_bin(nuclei, bins.obsm[keys.SPATIAL], to_px)
    _check_depth(sample, prior)
    options = [*_options(settings), *_factorization(sample, bins)]
    _write(bins, prior, grid, sample.scratch / INPUT)
    total = sum(_iterations(settings).values())
    sample.report.progress(0, total, "iterations")
    run_proseg(
        [INPUT, "--anndata", *options],
        sample.scratch,
        lambda done: sample.report.progress(min(done, total), total, "iterations"),
        sample.report.log,
    )
    shift = min(settings.voxel_size or DEFAULT_VOXEL_UM, BIN_UM) / 2
    cells, counts = _read(sample.scratch / OUTPUT, to_px, shift)
    cells, counts = _named(cells, counts, nuclei)
    return _outcome(sample, cells, counts, bins, len(nuclei))


def bin_grid(bins: AnnData) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Place the bins on their own grid.

    Returns
    -------
    tuple
        Centres of the bins (n, 2) in µm of the grid (x along columns), even whole numbers; and
        the 3 × 3 matrix from there to full-resolution px.
    """
    index = bins.obs[["array_col", "array_row"]].to_numpy(dtype=float)
    grid = BIN_UM * (index - index.min(axis=0))
    places = np.asarray(bins.obsm[keys.SPATIAL], dtype=float)
    columns = np.column_stack([grid, np.ones(len(grid))])
    solution = np.linalg.lstsq(columns, places, rcond=None)[0]
    return grid, np.vstack([solution.T, [0.0, 0.0, 1.0]])


def nucleus_of_bin(
    nuclei: GeoDataFrame, centres: NDArray[np.float64], to_px: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Find the nucleus of each bin.

    Parameters
    ----------
    nuclei
        Outlines in full-resolution px.
    centres
        Bin centres (n, 2), full-resolution px.
    to_px
        As `bin_grid` gives it: says how the squares of the bins lie.

    Returns
    -------
    NDArray
        1 + row of the first nucleus that the bin's square meets, 0 for none: sopa's rule.
    """
    import shapely

    corners = BIN_UM / 2 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    squares = shapely.polygons(centres[:, None, :] + (corners @ to_px[:2, :2].T)[None])
    nucleus, inside = shapely.STRtree(squares).query(
        nuclei.geometry.to_numpy(), predicate="intersects"
    )
    prior = np.full(len(centres), len(nuclei), dtype=np.int64)
    np.minimum.at(prior, inside, nucleus)
    return np.where(prior == len(nuclei), 0, prior + 1)


def _check_depth(sample: Sample, prior: NDArray[np.int64]) -> None:
    """Raise where there is too little for ProSeg to work with."""
    nuclei = len(np.unique(prior[prior > 0]))
    if nuclei < MIN_NUCLEI:
        raise StageError(
            f"{sample.id}: only {nuclei} nuclei have bins, ProSeg needs {MIN_NUCLEI}; choose a "
            "larger region, or boundaries_to_type: stardist, which needs no ProSeg."
        )


def _iterations(settings: ProsegSettings) -> dict[str, int]:
    """Say how many iterations each phase has."""
    chosen = {name: getattr(settings, name) for name in DEFAULTS}
    return {name: DEFAULTS[name] if chosen[name] is None else chosen[name] for name in DEFAULTS}


def _options(settings: ProsegSettings) -> list[str]:
    """Command-line options; burn-in voxels are a whole multiple of the voxels, as ProSeg asks."""
    iterations = _iterations(settings)
    voxel = settings.voxel_size or DEFAULT_VOXEL_UM
    options = [
        *("--anndata-coordinate-key", GRID, "--cell-id-column", PRIOR),
        *("--output-spatialdata", OUTPUT, "--overwrite", "--exclude-spatialdata-transcripts"),
        *("--voxel-size", str(voxel)),
        *("--burnin-voxel-size", str(voxel * max(1, round(BIN_UM / voxel)))),
        *("--recorded-samples", str(min(RECORDED, iterations["samples"]))),
    ]
    for name, value in iterations.items():
        options += ["--" + name.replace("_", "-"), str(value)]
    if settings.threads is not None:
        options += ["--nthreads", str(settings.threads)]
    return options


def _factorization(sample: Sample, bins: AnnData) -> list[str]:
    """Leave out ProSeg's factorization of genes where the counts are too few for it."""
    regions = max(bins.n_obs / REGION_BINS, 1.0)
    seen = -np.expm1(-REGIONS_DRAWN / regions)  # share of the regions that ProSeg will look at
    totals = np.asarray(bins.X.sum(axis=0), dtype=float).ravel() * seen
    if np.count_nonzero(totals >= FACTORIZED_UMIS) >= 2:
        return []
    sample.report.notice(
        "The region is shallow: ProSeg ran without its factorization of genes, which needs genes "
        f"with {FACTORIZED_UMIS} UMIs (here at most {totals.max(initial=0):.0f})."
    )
    return ["--no-factorization"]


def _write(bins: AnnData, prior: NDArray[np.int64], grid: NDArray[np.float64], to: Path) -> None:
    """Write what ProSeg reads."""
    import anndata
    import pandas as pd
    from scipy.sparse import csr_matrix

    given = anndata.AnnData(
        csr_matrix(bins.X, dtype=np.int32),
        obs=pd.DataFrame({PRIOR: prior}, index=bins.obs_names.astype(str)),
        var=pd.DataFrame(index=pd.Index(bins.var_names.astype(str), name=None)),
        obsm={GRID: grid},
    )
    # proseg reads no nullable strings; of formats, the older one, which anndata warns about.
    strings = anndata.settings.override(allow_write_nullable_strings=False, zarr_write_format=2)
    with quiet(), strings:
        given.write_zarr(to)


def _read(folder: Path, to_px: NDArray[np.float64], shift: float) -> tuple[GeoDataFrame, AnnData]:
    """Read ProSeg's cells, in full-resolution px and with the row of their nucleus, and counts.

    `shift` is what ProSeg's voxels lie off the bins, in µm.
    """
    import shapely
    import spatialdata

    with quiet():
        result = spatialdata.read_zarr(folder)
    counts, cells = result.tables["table"], result.shapes["cell_boundaries"]
    cells = cells.set_index("cell").loc[counts.obs["cell"].to_numpy()]
    back = to_px @ np.array([[1.0, 0.0, -shift], [0.0, 1.0, -shift], [0.0, 0.0, 1.0]])
    outlines = shapely.make_valid(frames.moved(cells.geometry.to_numpy(), back))
    cells = cells.set_geometry([_plain(outline) for outline in outlines])
    cells["row"] = counts.obs["original_cell_id"].astype(int).to_numpy() - 1
    kept = (~cells.geometry.is_empty & (cells["row"] >= 0)).to_numpy()
    return cells[kept], counts[kept]


def _plain(outline: Any) -> Any:
    """Take a polygon out of a multipolygon of one; several parts stay together.

    A few of ProSeg's cells are in several parts. Their bins are counted, so they are drawn.
    """
    import shapely

    parts = shapely.get_parts(shapely.get_parts([outline]))  # of a collection's members too
    parts = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(list(parts))


def _named(
    cells: GeoDataFrame, counts: AnnData, nuclei: GeoDataFrame
) -> tuple[GeoDataFrame, AnnData]:
    """Order cells by their nuclei and number them alike: ``c000012`` grew from nucleus 12."""
    order = np.argsort(cells["row"].to_numpy(), kind="stable")
    rows = cells["row"].to_numpy()[order]
    if len(np.unique(rows)) != len(rows):
        raise StageError("ProSeg gave two cells of one nucleus; run the stage proseg again.")
    cells = cells.iloc[order].drop(columns="row")
    cells.index = [f"c{row + 1:06d}" for row in rows]
    cells.index.name = None
    cells[keys.NUCLEUS_ID] = nuclei.index.to_numpy()[rows]
    return cells, counts[order]


def _outcome(
    sample: Sample, cells: GeoDataFrame, counts: AnnData, bins: AnnData, nuclei: int
) -> Outcome:
    """Make the elements."""
    sdata = sample.sdata
    cells[keys.AREA_UM2] = cells.area * frames.um_per_px(sdata, sample.id) ** 2
    shapes = frames.full_px_shapes(
        cells[[keys.NUCLEUS_ID, keys.AREA_UM2, "geometry"]], sdata, sample.id
    )
    table = _table(sample, shapes, counts, bins)
    parts = np.array([len(getattr(outline, "geoms", [0])) for outline in shapes.geometry])
    umis = np.asarray(table.X.sum(axis=1)).ravel()
    given = float(bins.X.sum())
    return Outcome(
        elements={keys.PROSEG: shapes, keys.PROSEG_COUNTS: table},
        numbers={
            "cells": len(shapes),
            "nuclei without a cell": nuclei - len(shapes),
            "median cell area (µm²)": round(float(np.median(shapes[keys.AREA_UM2])), 1),
            "cells in several parts (%)": round(100 * float(np.mean(parts > 1)), 1),
            "UMIs in ProSeg's own counts (%)": round(100 * float(umis.sum()) / max(given, 1), 1),
        },
    )


def _table(sample: Sample, shapes: GeoDataFrame, counts: AnnData, bins: AnnData) -> AnnData:
    """ProSeg's own counts, with the genes in the order of the bins' table."""
    import pandas as pd
    from anndata import AnnData
    from scipy.sparse import csr_matrix
    from spatialdata.models import TableModel

    found = bins.var_names.get_indexer(counts.var_names)
    known = found >= 0
    own = csr_matrix(counts.X[:, known]).tocoo()
    matrix = csr_matrix(
        (own.data.astype(np.float32), (own.row, found[known][own.col])),
        shape=(len(shapes), bins.n_vars),
    )
    ids = shapes.index.astype(str)
    table = AnnData(
        matrix,
        obs=pd.DataFrame(
            {
                keys.CELL_ID: ids,
                keys.REGION_KEY: pd.Categorical([keys.PROSEG] * len(ids)),
                keys.AREA_UM2: shapes[keys.AREA_UM2].to_numpy(),
            },
            index=ids,
        ),
        var=bins.var.copy(),
        layers={keys.COUNTS: matrix.copy()},
    )
    centres = np.column_stack([shapes.centroid.x, shapes.centroid.y])
    table.obsm[keys.SPATIAL] = centres
    matrix_um = frames.px_to_um(sample.sdata, sample.id)
    table.obsm[keys.SPATIAL_UM] = frames.points_moved(centres, matrix_um)
    return TableModel.parse(
        table, region=keys.PROSEG, region_key=keys.REGION_KEY, instance_key=keys.CELL_ID
    )


def _check(_inputs: Inputs) -> None:
    """Raise where the executable is missing."""
    find_proseg()


def _memory(sample: Sample, _parameters: ProsegParameters) -> int:
    """Bytes that ProSeg will need for a sample."""
    bins = sample.sdata.tables[keys.bin_table(2)]
    nuclei = len(sample.sdata.shapes[keys.STARDIST])
    return needed_bytes(bins.n_vars, float(bins.X.sum()), nuclei)


def needed_bytes(genes: int, umis: float, nuclei: int) -> int:
    """Bytes that ProSeg will need: measured on simulated regions (see `MEMORY_BYTES`)."""
    amounts = {"gene": genes, "UMI": umis, "nucleus": nuclei}
    needed = MEMORY_BASE + sum(MEMORY_BYTES[one] * amounts[one] for one in amounts)
    return int(MEMORY_MARGIN * needed)


STAGE = Stage(
    name="proseg",
    title="ProSeg cells",
    parameters=ProsegParameters,
    run=each(run_one),
    needs=("stardist",),
    makes=(keys.PROSEG, keys.PROSEG_COUNTS),
    check=_check,
    imports=("spatialdata",),
    memory=_memory,
)
