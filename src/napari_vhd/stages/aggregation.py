"""Counting 2 µm bins into cells: the table that follows the drawn outlines.

A bin belongs to a cell when its centre lies within the cell's outline, grown by
``expand_radius_ratio`` times the mean radius of all cells (`sopa.aggregation.aggregate_bins`).
With ``no_overlap`` a bin within several cells goes to the one with the nearest profile (sopa's
rule too, here seeded and with its components kept). What is needed to count one edited cell again
exactly as all were counted is a `Rule`, in ``uns["vhd_aggregation"]``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import StageError
from napari_vhd.io import frames
from napari_vhd.io.visium_hd import quiet
from napari_vhd.parameters import AggregationParameters

from .stage import Outcome, Sample, Stage, each

if TYPE_CHECKING:
    from anndata import AnnData
    from geopandas import GeoDataFrame
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix
    from spatialdata import SpatialData

MAX_COMPONENTS = 50  # sopa's
DEFAULT_RATIO = {keys.STARDIST: 1.0, keys.PROSEG: 0.0}


@dataclass(frozen=True)
class Rule:
    """How bins were counted into cells.

    Attributes
    ----------
    boundaries
        Name of the counted outlines.
    expand_radius_ratio
        As computed: never None.
    mean_radius_px, expansion_px
        Mean radius of all cells when the table was made, and what every outline grew by; both in
        full-resolution px. An edit of a cell changes neither.
    no_overlap
        A bin within several cells was given to the one with the nearest profile: log1p counts per
        million of the bins that are in this cell only, times ``varm["vhd_aggregation"]`` (genes ×
        components); the cells' profiles are ``obsm["vhd_aggregation"]``.
    """

    boundaries: str
    expand_radius_ratio: float
    mean_radius_px: float
    expansion_px: float
    no_overlap: bool

    @classmethod
    def of(cls, table: AnnData) -> Rule:
        """Read back how a table was counted."""
        kept = table.uns[keys.AGGREGATION]
        return cls(
            boundaries=str(kept["boundaries"]),
            expand_radius_ratio=float(kept["expand_radius_ratio"]),
            mean_radius_px=float(kept["mean_radius_px"]),
            expansion_px=float(kept["expansion_px"]),
            no_overlap=bool(kept["no_overlap"]),
        )


def bins_within(
    outlines: Any, centres: NDArray[np.float64], expansion_px: float = 0.0
) -> csr_matrix:
    """Say which bins lie within which outlines, the edge included.

    Parameters
    ----------
    outlines
        Shapely geometries (n,), full-resolution px.
    centres
        Bin centres (m, 2), full-resolution px.
    expansion_px
        What the outlines grow by first.

    Returns
    -------
    csr_matrix
        (n, m), int8, 1 where the bin is in the cell.
    """
    import shapely
    from scipy.sparse import csr_matrix

    grown = shapely.buffer(outlines, expansion_px) if expansion_px else outlines
    cell, inside = shapely.STRtree(shapely.points(centres)).query(grown, predicate="intersects")
    ones = np.ones(len(cell), dtype=np.int8)
    return csr_matrix((ones, (cell, inside)), shape=(len(outlines), len(centres)))


def profiles(counts: csr_matrix, components: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log1p counts per million (rows) in the given components (genes, k)."""
    from scipy.sparse import diags

    totals = np.asarray(counts.sum(axis=1), dtype=float).ravel()
    scaled = diags(1e6 / (totals + 1e-8)) @ counts.astype(np.float64)
    result: NDArray[np.float32] = (scaled.log1p() @ components).astype(np.float32)
    return result


def shared(membership: csr_matrix) -> NDArray[np.bool_]:
    """Say which bins (columns) lie within several cells."""
    return np.asarray(membership.sum(axis=0, dtype=int)).ravel() > 1


def unshared(membership: csr_matrix) -> csr_matrix:
    """Leave out the bins that lie within several cells."""
    kept = membership.copy()
    kept.data[shared(membership)[kept.indices]] = 0
    kept.eliminate_zeros()
    return kept


def share_out(
    membership: csr_matrix, of_cells: NDArray[np.float32], of_bins: NDArray[np.float32]
) -> csr_matrix:
    """Give each shared bin to the cell with the nearest profile (the first of equals).

    Parameters
    ----------
    membership
        As `bins_within` gives it (n, m).
    of_cells
        `profiles` of the cells' unshared bins (n, k).
    of_bins
        `profiles` of the shared bins (number of shared bins, k), in their order.
    """
    from scipy.sparse import csr_matrix

    where = shared(membership)
    position = np.cumsum(where) - 1
    entries = membership.tocoo()
    asked = where[entries.col]
    cell, column = entries.row[asked], entries.col[asked]
    apart = of_cells[cell].astype(float) - of_bins[position[column]]
    distance = (apart**2).sum(axis=1)
    order = np.lexsort((cell, distance, column))
    first = order[np.unique(column[order], return_index=True)[1]]
    won = csr_matrix(
        (np.ones(len(first), dtype=np.int8), (cell[first], column[first])), membership.shape
    )
    result: csr_matrix = (unshared(membership) + won).tocsr()
    return result


def run_one(sample: Sample, parameters: AggregationParameters) -> Outcome:
    """Count the bins of one sample into the cells that are typed."""
    name = keys.boundaries(parameters.boundaries_to_type)
    if name not in sample.sdata.shapes:
        raise StageError(
            f"{sample.id}: there are no {name} to count; run the stage "
            f"{parameters.boundaries_to_type}, or set boundaries_to_type to what was segmented."
        )
    ratio = parameters.expand_radius_ratio
    table, doubly = counted(
        sample.sdata,
        sample.id,
        name,
        DEFAULT_RATIO[name] if ratio is None else ratio,
        parameters.no_overlap,
    )
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
    sdata: SpatialData, sample_id: str, name: str, ratio: float, no_overlap: bool
) -> tuple[AnnData, float]:
    """Count the 2 µm bins of a sample into the named outlines.

    Returns
    -------
    tuple
        The table: X and ``layers["counts"]`` are whole numbers in float32, as in the bins' own
        table (scanpy and Novae would convert integers anyway); and the share of counted bins that
        are counted in more than one cell.
    """
    from anndata import AnnData
    from scipy.sparse import csr_matrix
    from sopa.aggregation import aggregate_bins
    from spatialdata import SpatialData
    from spatialdata.models import TableModel

    bins_name, shapes_name = keys.bin_table(2), keys.bin_shapes(sample_id, 2)
    bins = sdata.tables[bins_name]
    cells = frames.full_px_shapes(frames.in_full_px(sdata, name, sample_id), sdata, sample_id)
    rule = _rule(cells, name, ratio, no_overlap)
    # A store of its own, because sopa renames the cells it counts.
    with quiet():
        small = SpatialData(
            shapes={name: cells, shapes_name: sdata.shapes[shapes_name]}, tables={bins_name: bins}
        )
        whole = aggregate_bins(small, name, bins_name, expand_radius_ratio=ratio)
    membership = csr_matrix(whole.obsm[keys.BINS_ASSIGNMENTS], dtype=np.int8)
    extra: dict[str, Any] = {"obsm": {}, "varm": {}}
    if no_overlap and shared(membership).any():
        components = _components(membership, bins.X)
        of_cells = profiles(unshared(membership) @ bins.X, components)
        of_bins = profiles(bins.X[shared(membership)], components)
        membership = share_out(membership, of_cells, of_bins)
        extra = {"obsm": {keys.AGGREGATION: of_cells}, "varm": {keys.AGGREGATION: components}}
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


def _rule(cells: GeoDataFrame, name: str, ratio: float, no_overlap: bool) -> Rule:
    """Work out what every outline grows by, as `sopa.shapes.expand_radius` does."""
    radius = float(np.mean(np.sqrt(cells.area / np.pi)))
    return Rule(name, float(ratio), radius, float(ratio) * radius, no_overlap)


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


def _components(membership: csr_matrix, counts: csr_matrix) -> NDArray[np.float32]:
    """Principal components (genes, k) of the profiles of the cells' unshared bins."""
    from sklearn.decomposition import PCA

    cells = unshared(membership) @ counts
    number = min(
        MAX_COMPONENTS, cells.shape[1] - 1, int(shared(membership).sum()) - 1, cells.shape[0] - 1
    )
    if number < 1:
        return np.zeros((cells.shape[1], 1), dtype=np.float32)
    totals = np.asarray(cells.sum(axis=1), dtype=float).ravel()
    scaled = cells.multiply(1e6 / (totals + 1e-8)[:, None]).tocsr().log1p()
    result: NDArray[np.float32] = (
        PCA(n_components=number, random_state=0).fit(scaled).components_.T.astype(np.float32)
    )
    return result


STAGE = Stage(
    name="aggregation",
    title="Counts of cells",
    parameters=AggregationParameters,
    run=each(run_one),
    needs=("stardist", "proseg", "boundaries"),
    makes=(keys.CELLS,),
    imports=("sopa",),
)
