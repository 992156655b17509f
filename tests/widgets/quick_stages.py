"""The pipeline with quick stages in place of the engines; imported by name in real workers.

What they give is taken from a finished run folder (``QUICK_RUN``). A stage named in ``QUICK_FAIL``
fails, one in ``QUICK_SLEEP`` takes long.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError, StageError
from napari_vhd.stages import pipeline
from napari_vhd.stages.stage import Inputs, Outcome, Sample, TablePatch, each

_REAL = {stage.name: stage for stage in pipeline.PIPELINE}


def _stored() -> Any:
    import spatialdata

    return spatialdata.read_zarr(Path(os.environ["QUICK_RUN"]) / keys.STORE)


def _work(sample: Sample, name: str) -> None:
    """Say how far it is; fail or take long where a test wants that."""
    if name in os.environ.get("QUICK_FAIL", "").split(","):
        raise StageError("no nuclei were found; choose another region.")
    steps = 600 if name in os.environ.get("QUICK_SLEEP", "").split(",") else 4
    for step in range(steps):
        sample.report.progress(step, steps, "patches")
        time.sleep(0.1 if steps > 4 else 0.02)
    sample.report.log(f"{name} looked at {sample.id}")


def _with_columns(sample: Sample, name: str, like: tuple[str, ...]) -> Outcome:
    _work(sample, name)
    obs = _stored().tables[keys.CELLS].obs
    columns = [column for column in obs if str(column).startswith(like)]
    here = sample.sdata.tables[keys.CELLS].obs_names
    return Outcome(
        patches={keys.CELLS: TablePatch(obs=obs.loc[here, columns])},
        numbers={"columns": len(columns)},
    )


def run_patches(sample: Sample, _parameters: Any) -> Outcome:
    _work(sample, "patches")
    return Outcome(numbers={"patches": 1})


def run_stardist(sample: Sample, _parameters: Any) -> Outcome:
    _work(sample, "stardist")
    nuclei = _stored().shapes[keys.STARDIST]
    return Outcome(elements={keys.STARDIST: nuclei}, numbers={"nuclei": len(nuclei)})


def run_proseg(sample: Sample, _parameters: Any) -> Outcome:
    _work(sample, "proseg")
    cells = _stored().shapes[keys.PROSEG]
    return Outcome(elements={keys.PROSEG: cells}, numbers={"cells": len(cells)})


def run_neighbors(sample: Sample, _parameters: Any) -> Outcome:
    _work(sample, "neighbors")
    return Outcome(numbers={"neighbours a cell": 6.0})


def run_domains(sample: Sample, _parameters: Any) -> Outcome:
    return _with_columns(sample, "domains", (keys.domains(0)[:-1],))


def run_flashdeconv(sample: Sample, _parameters: Any) -> Outcome:
    _work(sample, "flashdeconv")
    return Outcome(numbers={"bins fitted": 100})


def run_rctd(sample: Sample, _parameters: Any) -> Outcome:
    _work(sample, "rctd")
    return Outcome(numbers={"bins fitted": 90})


def run_celltypist(sample: Sample, _parameters: Any) -> Outcome:
    _work(sample, "celltypist")
    return Outcome(numbers={"types found": 5})


def run_enrichment(sample: Sample, _parameters: Any) -> Outcome:
    return _with_columns(sample, "enrichment", ("cell_type_",))


def refuse(_inputs: Inputs) -> None:
    """Stand for an engine that is not installed."""
    raise BadInputError("novae is not installed; add it with: pip install 'napari-vhd[novae]'")


def _nothing(_inputs: Inputs) -> None:
    return None


def _no_files(_inputs: Inputs) -> tuple[Path, ...]:
    return ()


def _quick(name: str, run: Any) -> Any:
    return replace(
        _REAL[name],
        run=each(run),
        check=_nothing,
        files=_no_files,
        imports=(),
        memory=None,
        joint=False,
    )


PATCHES = _quick("patches", run_patches)
STARDIST = _quick("stardist", run_stardist)
PROSEG = _quick("proseg", run_proseg)
NEIGHBORS = _quick("neighbors", run_neighbors)
DOMAINS = _quick("domains", run_domains)
FLASHDECONV = _quick("flashdeconv", run_flashdeconv)
RCTD = _quick("rctd", run_rctd)
CELLTYPIST = _quick("celltypist", run_celltypist)
ENRICHMENT = _quick("enrichment", run_enrichment)
_QUICK = {
    stage.name: stage
    for stage in (
        PATCHES,
        STARDIST,
        PROSEG,
        NEIGHBORS,
        DOMAINS,
        FLASHDECONV,
        RCTD,
        CELLTYPIST,
        ENRICHMENT,
    )
}
PIPELINE = tuple(_QUICK.get(stage.name, stage) for stage in pipeline.PIPELINE)
