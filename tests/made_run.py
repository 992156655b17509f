"""A finished run folder without an engine: real stages where they are quick, known truth elsewhere.

The nuclei, cells, domains and types of a simulated sample stand in for StarDist, ProSeg, Novae and
EnrichMap; bins, image, counts and quality are made by the real stages.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.config import RunConfig
from napari_vhd.corrections import ledger
from napari_vhd.io.publishing import Provenance, quiet
from napari_vhd.io.store import RunStore
from napari_vhd.palettes import colors_for
from napari_vhd.runner.recipe import recipe_of
from napari_vhd.stages import aggregation, pipeline, qc, read, region
from napari_vhd.stages.stage import Outcome, Sample, Stage, TablePatch

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

DOMAINS = 5


def make_run(simulated: Path, parent: Path, report: Any, executor: Any) -> Path:
    """Make a run folder in `parent` from a folder that `simulate` made.

    Holds image, bins, ``stardist_boundaries`` (n000001 …) and ``proseg_boundaries`` (c000001 …) of
    about 240 cells, ``table`` with counts, quality, ``novae_domains_5``, ``cell_type_domain``,
    ``cell_type_enrichmap``, two scores, and proportions in the 8 µm bins; and an empty ledger.
    """
    config = RunConfig.from_yaml(simulated / "config.yaml")
    data = config.to_dict()
    data["params"] |= {"domain_range": [DOMAINS, DOMAINS]}
    data["params"]["clustering_col"] = keys.domains(DOMAINS)
    data["paths"]["processed"] = str(parent)
    config = RunConfig.from_dict(data)
    inputs = pipeline.inputs_of(config)[0]
    image = Path(inputs.sample.fullres_image or "")
    store = RunStore.create(parent, "made", config, inputs.sample.id, inputs.outs, image)
    made = _Maker(store, config, inputs, simulated, report, executor)
    made.real(read.STAGE)
    made.real(region.STAGE)
    stages = {stage.name: stage for stage in pipeline.PIPELINE}
    made.publish(stages["stardist"], _nuclei(made))
    made.publish(stages["proseg"], _cells(made))
    made.real(aggregation.STAGE)
    made.real(qc.STAGE)
    made.publish(stages["domains"], _domains(made))
    made.publish(stages["flashdeconv"], _proportions(made))
    made.publish(stages["enrichment"], _types(made))
    ledger.create(store.run_dir / keys.LEDGER)
    store.close()
    return store.run_dir


class _Maker:
    """Runs or imitates one stage after the other."""

    def __init__(
        self,
        store: RunStore,
        config: RunConfig,
        inputs: Any,
        simulated: Path,
        report: Any,
        executor: Any,
    ) -> None:
        self.store, self.config, self.inputs = store, config, inputs
        self.truth = simulated / "truth"
        self.report, self.executor = report, executor

    def sample(self, scratch: Path) -> Sample:
        return Sample(
            id=self.store.sample_id,
            name="made",
            sdata=self.store.sdata(),
            outs=self.inputs.outs,
            image=Path(self.inputs.sample.fullres_image or ""),
            region=None,
            run_dir=self.store.run_dir,
            scratch=scratch,
            reference=None,
            marker_genes=self.config.marker_genes,
            report=self.report,
            executor=self.executor,
        )

    def real(self, stage: Stage) -> None:
        """Run a stage in this process."""
        scratch = self.store.scratch(stage.name)
        with quiet():
            sample = self.sample(scratch)
            outcome = stage.run([sample], self.config.params.of(stage.parameters))[0]
        self.publish(stage, outcome)

    def publish(self, stage: Stage, outcome: Outcome) -> None:
        recipe = recipe_of(stage, self.inputs)
        done = self.store.done()
        needs = {name: done[name].version for name in stage.needs if name in done}
        record = {
            "seconds": 1.0,
            "peak_rss_mb": 100.0,
            "hash": recipe.digest(needs),
            "finished": "2026-01-01T00:00:00+00:00",
            "numbers": {
                k: v if isinstance(v, str) else float(v) for k, v in outcome.numbers.items()
            },
            "notices": [],
        }
        self.store.publish(stage.name, outcome, Provenance(recipe.to_dict(), needs, record))

    def outlines(self, kind: str, letter: str) -> Any:
        import geopandas as gpd

        frame = gpd.read_parquet(self.truth / f"{kind}.parquet")
        frame.index = [f"{letter}{number:06d}" for number in range(1, len(frame) + 1)]
        return frame

    def element(self, frame: Any) -> Any:
        from napari_vhd.io import frames

        sdata = self.store.sdata()
        frame[keys.AREA_UM2] = frame.area * frames.um_per_px(sdata, self.store.sample_id) ** 2
        return frames.full_px_shapes(frame, sdata, self.store.sample_id)

    def table_of(self, column: str) -> tuple[Any, pd.Series]:
        """The cells' table, and a column of the truth by its rows."""
        table = self.store.sdata()[keys.CELLS]
        truth = self.outlines("cells", "c")[column].astype(str)
        return table, truth.loc[table.obs_names]


def _nuclei(made: _Maker) -> Outcome:
    frame = made.outlines("nuclei", "n")[["geometry"]]
    frame[keys.PROBABILITY] = np.linspace(0.5, 0.95, len(frame))
    return Outcome(elements={keys.STARDIST: made.element(frame)}, numbers={"nuclei": len(frame)})


def _cells(made: _Maker) -> Outcome:
    frame = made.outlines("cells", "c")[["geometry"]]
    frame[keys.NUCLEUS_ID] = [f"n{name[1:]}" for name in frame.index]
    return Outcome(elements={keys.PROSEG: made.element(frame)}, numbers={"cells": len(frame)})


def _labelled(made: _Maker, columns: dict[str, pd.Series], more: dict[str, Any]) -> TablePatch:
    """A patch of labels, missing for what quality control dropped, and their colours."""
    import pandas as pd

    table = made.store.sdata()[keys.CELLS]
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
    _, domain = made.table_of("domain")
    order = {name: f"D{number}" for number, name in enumerate(sorted(set(domain)))}
    patch = _labelled(made, {keys.domains(DOMAINS): domain.map(order)}, {})
    return Outcome(patches={keys.CELLS: patch})


def _types(made: _Maker) -> Outcome:
    table, kinds = made.table_of("cell_type")
    rng = np.random.default_rng(0)
    scores: dict[str, Any] = {}
    for name in ("Tumor", "Fibroblasts"):
        own = (kinds == name).to_numpy() + rng.normal(0, 0.1, table.n_obs)
        scores |= {keys.score(name): own.astype("f4"), keys.raw_score(name): own.astype("f4")}
    columns: dict[str, Callable[[Any], Any] | Any] = {
        keys.TYPE_DOMAIN: kinds,
        keys.TYPE_ENRICHMAP: kinds,
    }
    return Outcome(patches={keys.CELLS: _labelled(made, columns, scores)})


def _proportions(made: _Maker) -> Outcome:
    import pandas as pd

    bins = made.store.sdata()[keys.bin_table(8)]
    kinds = sorted(made.config.marker_genes)
    shares = np.random.default_rng(0).dirichlet(np.ones(len(kinds)), bins.n_obs)
    obs = pd.DataFrame(shares, bins.obs_names, [keys.flashdeconv(name) for name in kinds])
    dominant = np.array(kinds, dtype=object)[shares.argmax(axis=1)]
    obs[keys.FLASHDECONV_DOMINANT] = pd.Categorical(dominant, kinds)
    uns = {f"{keys.FLASHDECONV_DOMINANT}_colors": colors_for(kinds)}
    return Outcome(patches={keys.bin_table(8): TablePatch(obs=obs, uns=uns)})
