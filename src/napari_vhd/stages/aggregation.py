"""Counting 2 µm bins into cells: the table that follows the drawn outlines.

The rule stands in `napari_vhd.stages.counting`; the table keeps what is needed to count an edited
cell again exactly as all were counted.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import StageError
from napari_vhd.io import frames
from napari_vhd.io.bin_grid import BinGrid
from napari_vhd.parameters import AggregationParameters

from .counting import Rule, grown, shared, shared_out
from .stage import Outcome, Sample, Stage, each

if TYPE_CHECKING:
    from anndata import AnnData
    from geopandas import GeoDataFrame
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix
    from spatialdata import SpatialData

DEFAULT_RATIO = {keys.STARDIST: 1.0, keys.PROSEG: 0.0}


def run_one(sample: Sample, parameters: AggregationParameters) -> Outcome:
    """Count the bins of one sample into the cells that are typed."""
    name = keys.boundaries(parameters.boundaries_to_type)
    if name not in sample.sdata.shapes:
        raise StageError(
            f"{sample.id}: there are no {name} to count; run the stage "
            f"{parameters.boundaries_to_type}, or set boundaries_to_type to what was segmented."
        )
    ratio = parameters.expand_radius_ratio
    rule = Rule.made(
        frames.in_full_px(sample.sdata, name, sample.id),
        name,
        DEFAULT_RATIO[name] if ratio is None else ratio,
        parameters.no_overlap,
    )
    table, doubly = counted(sample.sdata, sample.id, rule)
    file = sample.scratch / keys.SEGMENTED_H5AD
    table.write_h5ad(file)
    umis = np.asarray(table.X.sum(axis=1)).ravel()
    once = np.asarray(table.obsm[keys.BINS_ASSIGNMENTS].max(axis=0).todense()).ravel() > 0
    bins = sample.sdata.tables[keys.bin_table(2)]
    per_bin = np.asarray(bins.X.sum(axis=1), dtype=float).ravel()
    return Outcome(
        elements={keys.CELLS: table},
        files={keys.SEGMENTED_H5AD: file},
        numbers={
            "cells": table.n_obs,
            "median UMIs a cell": float(np.median(umis)),
            "bins counted in several cells (%)": round(100 * doubly, 2),
            "UMIs inside cells (%)": round(100 * float(per_bin[once].sum() / per_bin.sum()), 2),
        },
    )


def counted(
    sdata: SpatialData,
    sample_id: str,
    rule: Rule,
    components: NDArray[np.float32] | None = None,
) -> tuple[AnnData, float]:
    """Count the 2 µm bins of a sample into its cells.

    Parameters
    ----------
    sdata, sample_id
        The sample.
    rule
        As `Rule.made` of these cells, or as it was recorded before some of them were edited.
    components
        With a recorded rule that has ``no_overlap``: as `recorded_components` gives them.

    Returns
    -------
    tuple
        The table: X and ``layers["counts"]`` are whole numbers in float32, as in the bins' own
        table (scanpy and Novae would convert integers anyway); and the share of counted bins that
        are counted in more than one cell.
    """
    from anndata import AnnData
    from scipy.sparse import csr_matrix
    from spatialdata.models import TableModel

    name, bins = rule.boundaries, sdata.tables[keys.bin_table(2)]
    cells = frames.full_px_shapes(frames.in_full_px(sdata, name, sample_id), sdata, sample_id)
    outlines = grown(cells.geometry.to_numpy(), rule.expansion_px)
    membership = BinGrid.of(bins).within(outlines)
    extra: dict[str, Any] = {"obsm": {}, "varm": {}}
    if rule.no_overlap and shared(membership).any():
        shares = shared_out(membership, bins.X, cells.index.astype(str), components)
        membership = shares.membership
        extra["obsm"][keys.AGGREGATION] = shares.of_cells
        extra["varm"][keys.AGGREGATION] = shares.components
    counts = csr_matrix(membership @ bins.X, dtype=np.float32)
    table = AnnData(
        counts,
        obs=_obs(cells, name, membership, sdata, sample_id),
        var=bins.var.copy(),
        layers={keys.COUNTS: counts.copy()},
        uns={keys.AGGREGATION: dataclasses.asdict(rule)},
        **extra,
    )
    centres = np.column_stack([cells.centroid.x, cells.centroid.y])
    table.obsm[keys.SPATIAL] = centres
    table.obsm[keys.SPATIAL_UM] = frames.points_moved(centres, frames.px_to_um(sdata, sample_id))
    table.obsm[keys.BINS_ASSIGNMENTS] = membership
    table = TableModel.parse(
        table, region=name, region_key=keys.REGION_KEY, instance_key=keys.CELL_ID
    )
    several = shared(membership).sum()
    return table, float(several / max(len(np.unique(membership.indices)), 1))


def _obs(
    cells: GeoDataFrame, name: str, membership: csr_matrix, sdata: SpatialData, sample_id: str
) -> Any:
    """Columns of the cells; areas are of the outlines as drawn."""
    import pandas as pd

    ids = cells.index.astype(str)
    area = cells.area.to_numpy() * frames.um_per_px(sdata, sample_id) ** 2
    return pd.DataFrame(
        {
            keys.CELL_ID: ids,
            keys.REGION_KEY: pd.Categorical([name] * len(ids)),
            keys.AREA_UM2: area,
            "n_bins": np.diff(membership.indptr).astype(int),
        },
        index=pd.Index(ids, name=None),
    )


STAGE = Stage(
    name="aggregation",
    title="Counts of cells",
    parameters=AggregationParameters,
    run=each(run_one),
    needs=("stardist", "proseg", "boundaries"),
    makes=(keys.CELLS,),
    imports=("spatialdata",),
)
