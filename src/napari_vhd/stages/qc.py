"""Quality control: which genes and cells are kept, and why the others are not.

The table never changes length: what a filter drops is marked. Metrics are scanpy's
(`scanpy.pp.calculate_qc_metrics`), over the kept genes. Genes are filtered first, then cells by
their counts, by their mitochondrial share (dropped at or above the limit) and by their island.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import StageError
from napari_vhd.parameters import QcParameters

from .islands import number_islands
from .stage import Outcome, Sample, Stage, TablePatch, each

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

MITO, PCT_MITO, N_COUNTS = "mt", "pct_counts_mt", "n_counts"
# EnrichMap looks at six neighbours of each cell.
LEAST_CELLS = 7
_COUNTS_RULE, _MITO_RULE, _SMALL_RULE, _CHOICE_RULE = "counts", "mt", "small", "choice"


def run_one(sample: Sample, parameters: QcParameters) -> Outcome:
    """Filter the genes and cells of one sample.

    Raises
    ------
    StageError
        Where too few cells are left, or an island is named that does not exist.
    """
    table = sample.sdata.tables.get(keys.CELLS)
    if table is None or table.n_obs == 0:
        raise StageError(f"{sample.id}: there are no cells in {keys.CELLS!r} to filter.")
    sample.report.progress(0, 2, "metrics")
    var, genes = _genes(table, parameters)
    obs = metrics(table, genes, var[MITO].to_numpy())
    sample.report.progress(1, 2, "filters")
    if not var[MITO].any():
        sample.report.notice("No gene name starts with MT-, so no cell is dropped by its mt %.")
    rules, reasons = _drop_by_metrics(sample, obs, parameters)
    island = _island(table, rules == "")
    _drop_by_island(sample, island, rules, reasons, parameters)
    kept = rules == ""
    obs[keys.KEPT] = kept
    obs[keys.KEPT_REASON] = _categorical(reasons)
    obs[keys.ISLAND] = _numbers_or_missing(island)
    dropped = {
        "dropped for few counts": int((rules == _COUNTS_RULE).sum()),
        "dropped for mt %": int((rules == _MITO_RULE).sum()),
        "dropped with their island": int(np.isin(rules, (_SMALL_RULE, _CHOICE_RULE)).sum()),
    }
    if kept.sum() < LEAST_CELLS:
        listed = ", ".join(f"{n} {what}" for what, n in dropped.items())
        raise StageError(
            f"{sample.id}: {kept.sum()} of {table.n_obs} cells are left ({listed}), at least "
            f"{LEAST_CELLS} are needed; filter less or choose a larger region."
        )
    sample.report.progress(2, 2, "filters")
    used = obs[kept]
    numbers: dict[str, float | int | str] = {"cells": table.n_obs, "kept": int(kept.sum())}
    numbers |= dropped
    numbers |= {
        "genes": table.n_vars,
        "genes kept": int(genes.sum()),
        "median UMIs": float(used["total_counts"].median()),
        "median genes": float(used["n_genes_by_counts"].median()),
        "median mt %": round(float(used[PCT_MITO].median()), 2),
        "islands": int(island.max(initial=0)),
    }
    return Outcome(patches={keys.CELLS: TablePatch(obs=obs, var=var)}, numbers=numbers)


def _genes(table: AnnData, parameters: QcParameters) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Metrics of every gene, and which are kept."""
    _, var = _calculate(table, [])
    genes = var["total_counts"].to_numpy() >= parameters.filter_genes_counts
    var[MITO] = table.var_names.str.upper().str.startswith("MT-")
    var[keys.KEPT] = genes
    return var, genes


def metrics(table: AnnData, genes: NDArray[np.bool_], mito: NDArray[np.bool_]) -> pd.DataFrame:
    """Work out the metrics of every cell over the kept genes, each cell by itself.

    Parameters
    ----------
    table
        Its counts are read; not changed.
    genes, mito
        Which genes are kept, and which are mitochondrial.

    Returns
    -------
    DataFrame
        scanpy's columns and ``n_counts``; mt % is missing where a cell has no counts.
    """
    part = table if genes.all() else table[:, genes]
    marked = part.copy()
    marked.var[MITO] = mito[genes]
    obs, _ = _calculate(marked, [MITO])
    obs[N_COUNTS] = obs["total_counts"]
    return obs


def _calculate(table: AnnData, qc_vars: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Let scanpy compute the metrics; a cell without counts divides by zero."""
    import scanpy as sc

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        obs, var = sc.pp.calculate_qc_metrics(
            table, qc_vars=qc_vars, percent_top=None, log1p=True, inplace=False
        )
    return obs, var


def filters_each_cell(parameters: QcParameters) -> bool:
    """Say whether a cell is kept or dropped whatever other cells there are."""
    islands = parameters.min_cells_island or parameters.islands_keep or parameters.islands_drop
    # A limit of 0 % drops no cell where none has mitochondrial counts.
    return parameters.percentile_pct_mito is None and parameters.pct_mito > 0 and not islands


def reasons_of_each(obs: pd.DataFrame, parameters: QcParameters) -> NDArray[np.object_]:
    """Say why each cell is dropped, "" where it is kept, where `filters_each_cell`."""
    rules, reasons = _few(obs, parameters)
    share = obs[PCT_MITO].to_numpy(dtype=float)
    _mark_mito(rules, reasons, (rules == "") & (share >= parameters.pct_mito), parameters.pct_mito)
    return reasons


def _few(
    obs: pd.DataFrame, parameters: QcParameters
) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Rules and reasons of cells with few counts."""
    rules = np.full(len(obs), "", dtype=object)
    reasons = rules.copy()
    few = obs[N_COUNTS].to_numpy() < parameters.filter_cells_counts
    rules[few] = _COUNTS_RULE
    reasons[few] = f"fewer than {parameters.filter_cells_counts} counts"
    return rules, reasons


def _mark_mito(
    rules: NDArray[np.object_], reasons: NDArray[np.object_], high: NDArray[np.bool_], limit: float
) -> None:
    """Add cells with a high share of mitochondrial counts."""
    rules[high] = _MITO_RULE
    reasons[high] = f"mitochondrial counts at or above {limit:.3g} %"


def _drop_by_metrics(
    sample: Sample, obs: pd.DataFrame, parameters: QcParameters
) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Give the rule that drops each cell, "" where none does, and the reason in words."""
    rules, reasons = _few(obs, parameters)
    share = obs[PCT_MITO].to_numpy(dtype=float)
    judged = (rules == "") & np.isfinite(share)
    if not judged.any() or not (share[judged] > 0).any():
        return rules, reasons
    limit = parameters.pct_mito
    high = judged & (share >= limit)
    if parameters.percentile_pct_mito is not None:
        limit = float(np.quantile(share[judged], parameters.percentile_pct_mito))
        # Most cells may have none at all: the limit is then 0, which they do not exceed.
        high = judged & ((share >= limit) if limit > 0 else (share > 0))
        sample.report.notice(
            f"The limit of mt % is {limit:.3g}, the {parameters.percentile_pct_mito:g} quantile."
        )
    _mark_mito(rules, reasons, high, limit)
    return rules, reasons


def _island(table: AnnData, kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Find the islands of the cells that are still kept; 0 elsewhere."""
    island = np.zeros(table.n_obs, dtype=np.int64)
    island[kept] = number_islands(np.asarray(table.obsm[keys.SPATIAL_UM], dtype=float)[kept])
    return island


def _drop_by_island(
    sample: Sample,
    island: NDArray[np.int64],
    rules: NDArray[np.object_],
    reasons: NDArray[np.object_],
    parameters: QcParameters,
) -> None:
    """Add to rules and reasons those cells whose island is left out."""
    last = int(island.max(initial=0))
    for key in ("islands_keep", "islands_drop"):
        unknown = [n for n in getattr(parameters, key) if not 1 <= n <= last]
        if unknown:
            raise StageError(
                f"{sample.id}: {key} names island {unknown[0]}, but there are 1 to {last}; see "
                "islands.png."
            )
    chosen = np.zeros(len(island), dtype=bool)
    if parameters.islands_keep:
        chosen = ~np.isin(island, parameters.islands_keep)
    chosen |= np.isin(island, parameters.islands_drop)
    small = np.zeros(len(island), dtype=bool)
    if parameters.min_cells_island is not None:
        small = np.bincount(island)[island] < parameters.min_cells_island
    present = island > 0
    rules[present & chosen], reasons[present & chosen] = _CHOICE_RULE, "island left out by choice"
    small &= present & ~chosen
    rules[small] = _SMALL_RULE
    reasons[small] = f"isolated island of fewer than {parameters.min_cells_island} cells"


def _categorical(reasons: NDArray[np.object_]) -> pd.Categorical:
    """Reasons as categories, in the order of their names."""
    import pandas as pd

    return pd.Categorical(reasons, categories=sorted(set(reasons)))


def _numbers_or_missing(island: NDArray[np.int64]) -> pd.arrays.IntegerArray:
    """Island numbers, missing for cells that were dropped before."""
    import pandas as pd

    return pd.arrays.IntegerArray(island.astype(np.int32), island == 0)


STAGE = Stage(
    name="qc",
    title="Quality control",
    parameters=QcParameters,
    run=each(run_one),
    needs=("aggregation",),
    makes=(keys.CELLS,),
    imports=("scanpy",),
)
