"""How right a finished run is, against the truth of its simulated sample.

    python benchmarks/accuracy.py RUN TRUTH

RUN is a run folder, TRUTH the ``truth`` folder that ``napari-vhd simulate`` wrote. Prints a line
for each figure and all of them as one JSON object on the last line. A predicted cell stands for
the true cell whose nucleus its own nucleus overlaps most; a cell without one is wrong.
"""

from __future__ import annotations

import argparse
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.io import frames
from napari_vhd.stages.aggregation import DEFAULT_RATIO
from napari_vhd.stages.counting import bins_within

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix
    from spatialdata import SpatialData

SAME = 0.5  # IoU from which two outlines are the same nucleus
CELL_TYPES = (
    keys.TYPE_CELLTYPIST_PER_CELL,
    keys.TYPE_CELLTYPIST,
    keys.TYPE_ENRICHMAP,
    keys.TYPE_DOMAIN,
)


@dataclass(frozen=True)
class Truth:
    """What the simulator knows, for the bins of one run.

    Attributes
    ----------
    nuclei, cells
        Outlines in full-resolution px.
    kind, domain
        Type and domain of each cell.
    origin
        Bins × (1 + cells): UMIs of each bin by the cell they come from; column 0 is ambient.
    bins_8um
        Types of the 8 µm bins, by barcode.
    """

    nuclei: NDArray[Any]
    cells: NDArray[Any]
    kind: NDArray[Any]
    domain: NDArray[Any]
    origin: csr_matrix
    bins_8um: Any

    @classmethod
    def read(cls, folder: Path, barcodes: Any) -> Truth:
        """Read a ``truth`` folder."""
        import geopandas as gpd
        import pandas as pd
        from scipy.sparse import load_npz

        nuclei = gpd.read_parquet(folder / "nuclei.parquet")
        rows = pd.read_parquet(folder / "bins_002um.parquet").index.get_indexer(barcodes)
        if (rows < 0).any():
            raise SystemExit(f"{folder}: the run has bins that this truth does not know")
        return cls(
            nuclei=nuclei.geometry.to_numpy(),
            cells=gpd.read_parquet(folder / "cells.parquet").geometry.to_numpy(),
            kind=nuclei["cell_type"].astype(str).to_numpy(),
            domain=nuclei["domain"].astype(str).to_numpy(),
            origin=load_npz(folder / "umi_origin_002um.npz").tocsr()[rows],
            bins_8um=pd.read_parquet(folder / "bins_008um.parquet"),
        )


@dataclass(frozen=True)
class Run:
    """A finished run: its store, sample id, bin centres (px) and what each nucleus stands for."""

    sdata: SpatialData
    sample_id: str
    centres: NDArray[np.float64]
    stands_for: dict[str, int]

    def true_cells(self, name: str) -> NDArray[np.int64]:
        """Row of the true cell of each cell of the named outlines, -1 for none."""
        cells = self.sdata[name]
        nuclei = cells.get(keys.NUCLEUS_ID, cells.index)
        return np.array([self.stands_for.get(str(n), -1) for n in nuclei])


def overlaps(found: NDArray[Any], true: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Pairs of touching outlines (rows of both), the area they share and their IoU."""
    import shapely

    a, b = shapely.STRtree(true).query(found, predicate="intersects")
    common = shapely.area(shapely.intersection(found[a], true[b]))
    return a, b, common, common / (shapely.area(found[a]) + shapely.area(true[b]) - common)


def nuclei_found(run: Run, truth: Truth) -> dict[str, float]:
    """F1, precision and recall of the nuclei at IoU 0.5, within the region."""
    import shapely

    found = frames.in_full_px(run.sdata, keys.STARDIST, run.sample_id).geometry.to_numpy()
    region = shapely.box(*shapely.total_bounds(shapely.points(run.centres)))
    wanted = truth.nuclei[shapely.covers(region, shapely.centroid(truth.nuclei))]
    right = int((overlaps(found, wanted)[3] >= SAME).sum())
    return {
        "f1": 2 * right / (len(found) + len(wanted)),
        "precision": right / len(found),
        "recall": right / len(wanted),
    }


def umis(inside: csr_matrix, true_cell: NDArray[np.int64], truth: Truth) -> dict[str, float]:
    """Share of UMIs in the right cell: of those assigned, and of all."""
    from scipy.sparse import csr_matrix

    per_cell = csr_matrix(inside.astype(np.int64) @ truth.origin)
    known = np.flatnonzero(true_cell >= 0)
    right = float(np.asarray(per_cell[known, true_cell[known] + 1]).sum())
    assigned, everything = float(per_cell.sum()), float(truth.origin.sum())
    return {
        "right_of_assigned": right / max(assigned, 1),
        "right_of_all": right / everything,
        "times_counted": assigned / everything,
    }


def own_counts(run: Run, truth: Truth) -> dict[str, float]:
    """Bound on ProSeg's own table, whose UMIs cannot be traced to their bins.

    What a cell has in common with what its true cell is expected to have, gene by gene: a bin's
    genes are shared among the cells as its UMIs are.
    """
    from scipy.sparse import diags

    table, bins = run.sdata[keys.PROSEG_COUNTS], run.sdata[keys.bin_table(2)]
    per_bin = np.asarray(truth.origin.sum(axis=1), dtype=float).ravel()
    share = diags(1 / np.maximum(per_bin, 1)) @ truth.origin
    true_cell = run.true_cells(keys.PROSEG)
    known = np.flatnonzero(true_cell >= 0)
    expected = (share[:, 1:].T @ bins.X).tocsr()[true_cell[known]]
    right = float(table.X[known].minimum(expected).sum())
    return {
        "right_of_assigned_at_most": right / float(table.X.sum()),
        "right_of_all_at_most": right / float(truth.origin.sum()),
    }


def assignment(run: Run, truth: Truth) -> dict[str, dict[str, float]]:
    """UMIs in the right cell by each outline and way of counting, and by the true outlines."""
    import shapely

    result = {}
    for name in (keys.STARDIST, keys.PROSEG):
        if name not in run.sdata.shapes:
            continue
        outlines = frames.in_full_px(run.sdata, name, run.sample_id).geometry.to_numpy()
        radius = float(np.sqrt(shapely.area(outlines) / np.pi).mean())
        for ratio in sorted({0.0, DEFAULT_RATIO[name], 1.0}):
            inside = bins_within(outlines, run.centres, ratio * radius)
            result[f"{name}, expand {ratio:g}"] = umis(inside, run.true_cells(name), truth)
    if keys.PROSEG_COUNTS in run.sdata.tables:
        result["ProSeg's own table"] = own_counts(run, truth)
    as_counted = run.sdata[keys.CELLS].obsm[keys.BINS_ASSIGNMENTS]
    name = str(run.sdata[keys.CELLS].uns[keys.AGGREGATION]["boundaries"])
    result["table as the run made it"] = umis(as_counted, run.true_cells(name), truth)
    true = bins_within(truth.cells, run.centres)
    result["bound: true outlines"] = umis(true, np.arange(len(truth.cells)), truth)
    return result


def cells_typed(run: Run, truth: Truth) -> dict[str, float]:
    """Share of kept cells with the right type, by method; ARI of every column of domains."""
    from sklearn.metrics import adjusted_rand_score

    table = run.sdata[keys.CELLS]
    true_cell = run.true_cells(str(table.uns[keys.AGGREGATION]["boundaries"]))
    kept = np.asarray(table.obs.get(keys.KEPT, np.ones(table.n_obs)), dtype=bool)
    rows = np.flatnonzero(kept & (true_cell >= 0))
    kind, domain = truth.kind[true_cell[rows]], truth.domain[true_cell[rows]]
    result = {"cells": float(len(rows))}
    for column in CELL_TYPES:
        if column in table.obs:
            result[column] = float((table.obs[column].astype(str).to_numpy()[rows] == kind).mean())
    for column in table.obs.columns:
        if str(column).startswith(keys.domains(0)[:-1]):
            labels = table.obs[column].astype(str).to_numpy()[rows]
            result[f"ARI {column}"] = float(adjusted_rand_score(domain, labels))
    return result


def bins_typed(run: Run, truth: Truth) -> dict[str, float]:
    """Share of fitted 8 µm bins with the right dominant type, by method."""
    if keys.bin_table(8) not in run.sdata.tables:
        return {}
    obs = run.sdata[keys.bin_table(8)].obs
    right = truth.bins_8um["dominant"].reindex(obs.index).astype(str).to_numpy()
    result = {}
    for column in (keys.FLASHDECONV_DOMINANT, keys.RCTD_DOMINANT):
        if column in obs:
            said = obs[column].astype(str).to_numpy()
            fitted = ~np.isin(said, [keys.NOT_FITTED, "nan"]) & (right != "nan")
            result[column] = float((said == right)[fitted].mean())
            result[f"{column} bins"] = float(fitted.sum())
    return result


def open_run(folder: Path, truth_folder: Path) -> tuple[Run, Truth]:
    """Open a run folder and the truth of its bins."""
    import spatialdata

    sdata = spatialdata.read_zarr(folder / keys.STORE)
    ending = keys.full_image("")
    sample_id = next(n.removesuffix(ending) for n in sdata.images if n.endswith(ending))
    bins = sdata[keys.bin_table(2)]
    truth = Truth.read(truth_folder, bins.obs_names)
    stands_for: dict[str, int] = {}
    if keys.STARDIST in sdata.shapes:
        nuclei = frames.in_full_px(sdata, keys.STARDIST, sample_id)
        found, true, common, _ = overlaps(nuclei.geometry.to_numpy(), truth.nuclei)
        for pair in np.argsort(common, kind="stable"):  # the largest overlap comes last
            stands_for[str(nuclei.index[found[pair]])] = int(true[pair])
    return Run(sdata, sample_id, np.asarray(bins.obsm[keys.SPATIAL]), stands_for), truth


def main() -> None:
    """Print the figures of one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a finished run folder")
    parser.add_argument("truth", type=Path, help="the truth folder of the simulated sample")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    run, truth = open_run(given.run, given.truth)
    result = {
        "nuclei": nuclei_found(run, truth),
        "umis": assignment(run, truth),
        "cells": cells_typed(run, truth),
        "bins_8um": bins_typed(run, truth),
    }
    for group, figures in result.items():
        for name, figure in figures.items():
            values = figure.items() if isinstance(figure, dict) else [("", figure)]
            said = ", ".join(f"{key} {value:.3f}".strip() for key, value in values)
            print(f"{group:10s} {name}: {said}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
