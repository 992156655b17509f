"""A finished run of a simulated sample, made from what is known of it: no engine, in seconds.

Bins, picture, counts and quality are made by the real stages. Nuclei, cells, domains, types and
proportions are the simulation's own truth, in the places where StarDist, ProSeg, Novae, EnrichMap,
CellTypist, FlashDeconv and RCTD would put theirs; ``run.json`` says so of each. Something to look
at and to correct at once, and what such a run must look like.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.config import RunConfig
from napari_vhd.corrections import ledger
from napari_vhd.exceptions import VhdError
from napari_vhd.io import frames, versions
from napari_vhd.io.publishing import Provenance, quiet
from napari_vhd.io.store import RunStore
from napari_vhd.palettes import colors_for
from napari_vhd.stages import aggregation, neighbors, patches, pipeline, qc, read, region
from napari_vhd.stages.kept import all_rows_categorical
from napari_vhd.stages.silent import Silent
from napari_vhd.stages.stage import Outcome, Sample, Stage, TablePatch

from .executor import Serial
from .recipe import recipe_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

    from napari_vhd.stages.stage import Inputs

NOTICE = "Known from the simulation, not computed; run this step to see what the method finds."
SIZE_PX = 1200
_SAMPLE, _RUNS = "sample", "runs"


def make_demo(folder: Path, say: Callable[[str], None] = lambda _: None) -> Path:
    """Give the demo's run folder, made there the first time.

    Parameters
    ----------
    folder
        Where the demo is kept: ``sample`` (Space Ranger's files), ``runs``.
    say
        Told what is being done, a few words each.

    Returns
    -------
    Path
        The run folder.
    """
    from napari_vhd.io.simulate import simulate

    for run in sorted((folder / _RUNS).glob(f"*/{keys.RUN_FILE}")):
        return run.parent
    sample = folder / _SAMPLE
    if not (sample / "config.yaml").is_file():
        say("drawing a tissue")
        versions.remove(sample)
        simulate(sample, size_px=SIZE_PX, sample_id="demo")
    # Under a name of its own until it is whole, so that an interrupted one is not taken for done.
    partial = folder / f".{_RUNS}"
    versions.remove(partial)
    run = make_known_run(sample, partial, say, processed=folder / _RUNS)
    versions.remove(folder / _RUNS)
    partial.rename(folder / _RUNS)
    return folder / _RUNS / run.name


def make_known_run(
    simulated: Path,
    parent: Path,
    say: Callable[[str], None] = lambda _: None,
    *,
    processed: Path | None = None,
) -> Path:
    """Make a finished run folder from a folder that `simulate` made.

    Parameters
    ----------
    simulated
        That folder.
    parent
        Where the run folder goes.
    say
        Told what is being done, a few words each.
    processed
        Where further runs go, as ``run.json`` says; None: to `parent`.

    Returns
    -------
    Path
        The run folder: ``stardist_boundaries`` (n000001 …), ``proseg_boundaries`` (c000001 …),
        ``table`` with counts, quality, domains, types and scores, proportions in the 8 µm bins;
        an empty ledger.
    """
    domains = len(set(_truth(simulated, "cells")["domain"]))
    data = RunConfig.from_yaml(simulated / "config.yaml").to_dict()
    data["params"] |= {"domain_range": [domains, domains]}
    data["params"]["clustering_col"] = keys.domains(domains)
    data["paths"]["processed"] = str((processed or parent).absolute())
    config = RunConfig.from_dict(data)
    inputs = pipeline.inputs_of(config)[0]
    image = Path(inputs.sample.fullres_image or "")
    store = RunStore.create(parent, "known", config, inputs.sample.id, inputs.outs, image)
    maker = _Maker(store, config, inputs, simulated)
    stages = {stage.name: stage for stage in pipeline.PIPELINE}
    steps: tuple[tuple[Stage, Callable[[_Maker], Outcome] | None], ...] = (
        (read.STAGE, None),
        (region.STAGE, None),
        (patches.STAGE, None),
        (stages["stardist"], _nuclei),
        (stages["proseg"], _cells),
        (aggregation.STAGE, None),
        (qc.STAGE, None),
        (neighbors.STAGE, _neighbors),
        (stages["domains"], _domains),
        (stages["flashdeconv"], lambda made: _proportions(made, keys.flashdeconv)),
        (stages["rctd"], lambda made: _proportions(made, keys.proportion)),
        (stages["celltypist"], _typed_cells),
        (stages["enrichment"], _types),
    )
    for stage, known in steps:
        say(stage.title)
        maker.real(stage) if known is None else maker.publish(stage, known(maker), NOTICE)
    ledger.create(store.run_dir / keys.LEDGER)
    store.close()
    return store.run_dir


def _truth(simulated: Path, kind: str) -> Any:
    import geopandas as gpd

    return gpd.read_parquet(simulated / "truth" / f"{kind}.parquet")


class _Maker:
    """Runs one stage after the other, or publishes what is known in its place."""

    def __init__(self, store: RunStore, config: RunConfig, inputs: Inputs, simulated: Path) -> None:
        self.store, self.config, self.inputs, self.simulated = store, config, inputs, simulated

    def real(self, stage: Stage) -> None:
        """Run a stage in this process."""
        report = _Notices()
        with quiet():
            sample = Sample(
                id=self.store.sample_id,
                name="known",
                sdata=self.store.sdata(),
                outs=self.inputs.outs,
                image=Path(self.inputs.sample.fullres_image or ""),
                region=None,
                run_dir=self.store.run_dir,
                scratch=self.store.scratch(stage.name),
                reference=None,
                marker_genes=self.config.marker_genes,
                report=report,
                executor=Serial(),
            )
            outcome = stage.run([sample], self.config.params.of(stage.parameters))[0]
        self.publish(stage, outcome, *report.notices)

    def publish(self, stage: Stage, outcome: Outcome, *notices: str) -> None:
        """Make a result part of the sample."""
        recipe = recipe_of(stage, self.inputs)
        done = self.store.done()
        needs = {name: done[name].version for name in stage.needs if name in done}
        numbers = {k: v if isinstance(v, str) else float(v) for k, v in outcome.numbers.items()}
        record = {
            "seconds": 0.0,
            "peak_rss_mb": 0.0,
            "hash": recipe.digest(needs),
            "numbers": numbers,
            "notices": list(notices),
            # Else the next run would draw those of all stages before it does what was asked for.
            "figures": [],
        }
        self.store.publish(stage.name, outcome, Provenance(recipe.to_dict(), needs, record))
        self.store.close()  # else no version before the last would ever be removed

    def outlines(self, kind: str, letter: str) -> Any:
        """Give true outlines with ids like those that the methods give."""
        frame = _truth(self.simulated, kind)
        frame.index = [f"{letter}{number:06d}" for number in range(1, len(frame) + 1)]
        return frame

    def element(self, frame: Any) -> Any:
        """Make outlines an element of the sample, with their areas."""
        sdata = self.store.sdata(("shapes",))
        frame[keys.AREA_UM2] = frame.area * frames.um_per_px(sdata, self.store.sample_id) ** 2
        return frames.full_px_shapes(frame, sdata, self.store.sample_id)

    @property
    def table(self) -> Any:
        """The cells."""
        return self.table_of(keys.CELLS)

    def table_of(self, name: str) -> Any:
        """Read one table, and none of the others."""
        import anndata

        with quiet():
            store = self.store.version_dir(self.store.version()) / keys.STORE
            return anndata.read_zarr(store / "tables" / name)

    def of_cells(self, column: str) -> pd.Series:
        """Read a column of the truth, by the cells of the table."""
        truth = self.outlines("cells", "c")[column].astype(str)
        return truth.loc[self.table.obs_names]


class _Notices(Silent):
    """A report that keeps notices."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, sentence: str) -> None:
        """Keep it."""
        self.notices.append(sentence)


def _nuclei(made: _Maker) -> Outcome:
    frame = made.outlines("nuclei", "n")[["geometry"]]
    frame[keys.PROBABILITY] = np.linspace(0.5, 0.95, len(frame))
    return Outcome(elements={keys.STARDIST: made.element(frame)}, numbers={"nuclei": len(frame)})


def _cells(made: _Maker) -> Outcome:
    frame = made.outlines("cells", "c")[["geometry"]]
    frame[keys.NUCLEUS_ID] = [f"n{name[1:]}" for name in frame.index]
    return Outcome(elements={keys.PROSEG: made.element(frame)}, numbers={"cells": len(frame)})


def _labelled(made: _Maker, columns: dict[str, pd.Series], more: dict[str, Any]) -> TablePatch:
    """Give labels, missing for what quality control dropped, and their colours."""
    import pandas as pd

    table = made.table
    kept = table.obs[keys.KEPT].to_numpy(dtype=bool)
    obs = pd.DataFrame(more, index=table.obs_names)
    uns = {}
    for name, values in columns.items():
        names = sorted(set(values))
        codes = np.where(kept, [names.index(value) for value in values], -1)
        obs[name] = pd.Categorical.from_codes(codes, names)
        uns[f"{name}_colors"] = colors_for(names)
    return TablePatch(obs=obs, uns=uns)


def _domains(made: _Maker) -> Outcome:
    domain = made.of_cells("domain")
    order = {name: f"D{number}" for number, name in enumerate(sorted(set(domain)))}
    # Of all the truth: a domain may have lost its cells to quality control.
    number = len(set(_truth(made.simulated, "cells")["domain"]))
    patch = _labelled(made, {keys.domains(number): domain.map(order)}, {})
    return Outcome(patches={keys.CELLS: patch}, numbers={"domains": len(order)})


def _neighbors(made: _Maker) -> Outcome:
    """Connect cells as Novae does: Delaunay's triangles without edges over the radius."""
    from scipy.sparse import coo_matrix
    from scipy.spatial import Delaunay

    table = made.table
    um = np.asarray(table.obsm[keys.SPATIAL_UM], dtype=float)
    rows = np.flatnonzero(table.obs[keys.KEPT].to_numpy(dtype=bool))
    corners = rows[Delaunay(um[rows]).simplices]
    pairs = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    lengths = np.linalg.norm(um[pairs[:, 0]] - um[pairs[:, 1]], axis=1)
    near = lengths <= made.config.params.radius
    one, other = np.concatenate([pairs[near], pairs[near][:, ::-1]]).T
    both = np.concatenate([lengths[near], lengths[near]])
    shape = (len(um), len(um))
    obsp = {
        neighbors.CONNECTIVITIES: coo_matrix((np.ones(len(both)), (one, other)), shape).tocsr(),
        neighbors.DISTANCES: coo_matrix((both, (one, other)), shape).tocsr(),
    }
    numbers = {"cells": len(rows), "neighbours (mean)": round(len(both) / len(rows), 2)}
    used, slide = np.isin(np.arange(len(um)), rows), made.store.sample_id
    obs = table.obs[[]].copy()
    obs[neighbors.SLIDE] = all_rows_categorical([slide] * len(rows), used, [slide])
    uns = {"spatial_neighbors": neighbors.described(made.config.params, on_bins=False)}
    return Outcome(patches={keys.CELLS: TablePatch(obs=obs, obsp=obsp, uns=uns)}, numbers=numbers)


def _typed_cells(made: _Maker) -> Outcome:
    kinds = made.of_cells("cell_type")
    columns = {keys.TYPE_CELLTYPIST: kinds, keys.TYPE_CELLTYPIST_PER_CELL: kinds}
    more = {keys.CONFIDENCE_CELLTYPIST: np.ones(len(kinds), dtype=np.float32)}
    patch = _labelled(made, columns, more)
    return Outcome(patches={keys.CELLS: patch}, numbers={"cell types": len(set(kinds))})


def _types(made: _Maker) -> Outcome:
    kinds = made.of_cells("cell_type")
    scores: dict[str, Any] = {}
    for name, values in _scores(made):
        scores |= {keys.score(name): values, keys.raw_score(name): values}
    columns = {keys.TYPE_DOMAIN: kinds, keys.TYPE_ENRICHMAP: kinds}
    numbers = {"cell types": len(set(kinds))}
    return Outcome(patches={keys.CELLS: _labelled(made, columns, scores)}, numbers=numbers)


def _scores(made: _Maker) -> Iterator[tuple[str, Any]]:
    """Score each signature by the mean of its genes' normalised counts, standardised."""
    from scipy.sparse import csr_matrix, diags

    table = made.table
    counts = csr_matrix(table.layers.get(keys.COUNTS, table.X), dtype=np.float64)
    totals = np.maximum(np.asarray(counts.sum(axis=1)).ravel(), 1.0)
    logs = (diags(1e4 / totals) @ counts).tocsc()
    logs.data = np.log1p(logs.data)
    for name, genes in made.config.marker_genes.items():
        there = np.flatnonzero(table.var_names.isin(genes))
        if len(there):
            means = np.asarray(logs[:, there].mean(axis=1), dtype=float).ravel()
            yield name, ((means - means.mean()) / (means.std() or 1.0)).astype(np.float32)


def _proportions(made: _Maker, column: Callable[[str], str]) -> Outcome:
    import pandas as pd

    bins = made.table_of(keys.bin_table(8))
    truth = pd.read_parquet(made.simulated / "truth" / "bins_008um.parquet")
    kinds = [name for name in made.config.marker_genes if name in truth]
    truth = truth.loc[bins.obs_names]
    obs = truth[kinds].rename(columns=column)
    by_rctd = column is keys.proportion
    dominant = keys.RCTD_DOMINANT if by_rctd else keys.FLASHDECONV_DOMINANT
    obs[dominant] = pd.Categorical(truth["dominant"].astype(str), kinds)
    uns = {f"{dominant}_colors": colors_for(kinds)}
    patch = TablePatch(obs=obs, uns=uns)
    return Outcome(patches={keys.bin_table(8): patch}, numbers={"cell types": len(kinds)})


def main(arguments: list[str]) -> int:
    """Make the demo in the folder given; a line for each step, then the run folder."""
    try:
        run = make_demo(Path(arguments[0]), lambda text: print(text, flush=True))  # noqa: T201
    except (VhdError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    print(run, flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
