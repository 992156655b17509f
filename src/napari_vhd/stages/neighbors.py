"""Which cells are neighbours: a Delaunay graph pruned by a radius, or the grid of bins (Novae)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import StageError, require_engine
from napari_vhd.parameters import NeighborsParameters

from .kept import all_rows_categorical, kept
from .stage import Inputs, Outcome, Sample, Stage, TablePatch, each

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

SLIDE = "novae_sid"
CONNECTIVITIES = "spatial_connectivities"
DISTANCES = "spatial_distances"

_MIN_CELLS = 4
_MIN_BINS = 10
_SAMPLE_COLUMN = "sample"


def run(sample: Sample, parameters: NeighborsParameters) -> Outcome:
    """Connect neighbouring cells, or bins, of one sample.

    Returns
    -------
    Outcome
        A patch of ``table`` (or of the bins' table): ``obsp`` connectivities (0 or 1) and
        distances (µm), cells × cells with empty rows for what is not kept; ``obs["novae_sid"]``,
        the sample id.

    Raises
    ------
    StageError
        Where there are too few cells, or none is near another.
    """
    on_bins = parameters.domains_on == "bins"
    name = keys.bin_table(parameters.deconvolution_bins) if on_bins else keys.CELLS
    if name not in sample.sdata.tables:
        raise StageError(f"{sample.id}: there is no table {name!r} to find neighbours in.")
    table = sample.sdata.tables[name]
    used = used_bins(table) if on_bins else kept(table.obs)
    least, what = (_MIN_BINS, "bins") if on_bins else (_MIN_CELLS, "cells")
    if used.sum() < least:
        raise StageError(
            f"{sample.id}: {used.sum()} {what} are too few to find neighbours ({least} are "
            "needed); choose a larger region or filter less."
        )
    sample.report.progress(0, 1, "neighbours")
    if on_bins:
        coordinates = grid_um(table, parameters.deconvolution_bins)[used]
    else:
        coordinates = np.asarray(table.obsm[keys.SPATIAL_UM], dtype=float)[used]
    graph = _novae_graph(sample, coordinates, None if on_bins else parameters.radius)
    numbers = _numbers(graph, what)
    if numbers[f"{what} without neighbours"]:
        share = numbers[f"{what} without neighbours"] / used.sum()
        sample.report.notice(
            f"{numbers[f'{what} without neighbours']} of {used.sum()} {what} ({share:.1%}) have no "
            "neighbour; they get no domain."
        )
    obs = table.obs[[]].copy()
    obs[SLIDE] = all_rows_categorical([sample.id] * int(used.sum()), used, [sample.id])
    obsp = {
        CONNECTIVITIES: _all_cells(graph.obsp[CONNECTIVITIES], used),
        DISTANCES: _all_cells(graph.obsp[DISTANCES], used),
    }
    uns = {"spatial_neighbors": described(parameters, on_bins)}
    sample.report.progress(1, 1, "neighbours")
    return Outcome(patches={name: TablePatch(obs=obs, obsp=obsp, uns=uns)}, numbers=numbers)


def used_bins(table: AnnData) -> NDArray[np.bool_]:
    """Say which bins are parted into domains: those that hold any count.

    Not those that are ``kept``: that says which of them a deconvolution fitted, and domains must
    not depend on whether one ran before.
    """
    return np.asarray(table.X.sum(axis=1) > 0).ravel()


def grid_um(table: AnnData, size_um: int) -> NDArray[np.float64]:
    """Place bins on their own grid, (x, y) in µm from the capture area's corner."""
    return table.obs[["array_col", "array_row"]].to_numpy(dtype=float) * size_um


def _novae_graph(sample: Sample, um: NDArray[np.float64], radius: float | None) -> AnnData:
    """Let Novae connect points, (n, 2) in µm; on a grid where there is no radius."""
    import novae
    import pandas as pd
    from anndata import AnnData
    from scipy.spatial import QhullError

    obs = pd.DataFrame(
        {_SAMPLE_COLUMN: sample.id}, index=pd.RangeIndex(len(um)).astype(str), dtype="category"
    )
    graph = AnnData(obs=obs, obsm={keys.SPATIAL: um})
    how = (
        {"technology": "visium_hd"}
        if radius is None
        else {"coord_type": "generic", "radius": float(radius)}
    )
    try:
        novae.spatial_neighbors([graph], slide_key=_SAMPLE_COLUMN, **how)
    except QhullError as error:
        raise StageError(
            f"{sample.id}: {len(um)} cells lie on a line, so that neighbours cannot be found; "
            "choose a larger region."
        ) from error
    except AssertionError as error:  # Novae's way to say that no edge is left
        raise StageError(
            f"{sample.id}: no two cells are within radius {radius:g} µm of each other; set a "
            "larger radius."
        ) from error
    return graph


def _numbers(graph: AnnData, what: str) -> dict[str, float]:
    """Count neighbours."""
    degree = np.diff(graph.obsp[CONNECTIVITIES].tocsr().indptr)
    lengths = graph.obsp[DISTANCES].data
    return {
        what: len(degree),
        "neighbours (mean)": round(float(degree.mean()), 2),
        f"{what} without neighbours": int((degree == 0).sum()),
        "distance (median µm)": round(float(np.median(lengths)), 2),
    }


def _all_cells(matrix: csr_matrix, used: NDArray[np.bool_]) -> csr_matrix:
    """Spread a matrix of the used rows over all rows and columns."""
    from scipy import sparse

    rows = np.flatnonzero(used)
    entries = matrix.tocoo()
    where = (rows[entries.row], rows[entries.col])
    return sparse.csr_matrix((entries.data, where), shape=(len(used), len(used)))


def described(parameters: NeighborsParameters, on_bins: bool) -> dict[str, object]:
    """Say how the graph was made, where scanpy and squidpy look for it."""
    how: dict[str, object] = {"coord_type": "grid" if on_bins else "generic"}
    if not on_bins:
        how["radius_um"] = float(parameters.radius)
    return {"connectivities_key": CONNECTIVITIES, "distances_key": DISTANCES, "params": how}


def check(_inputs: Inputs) -> None:
    """Raise where Novae is missing."""
    require_engine("novae", "novae")


STAGE = Stage(
    name="neighbors",
    title="Neighbours",
    parameters=NeighborsParameters,
    run=each(run),
    needs=("qc",),
    makes=(keys.CELLS, keys.bin_table(8), keys.bin_table(16)),
    check=check,
    imports=("novae",),
)
