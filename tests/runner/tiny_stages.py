"""Small real stages on a small real sample; imported by name in real workers."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from napari_vhd import parameters
from napari_vhd.exceptions import StageError
from napari_vhd.stages.stage import Outcome, Sample, Stage, TablePatch, each

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CELLS = 60
GENES = 8


def tiny_elements(seed: int = 0) -> dict:
    """A picture, boundaries of cells and their table."""
    import anndata as ad
    import geopandas as gpd
    import numpy as np
    import pandas as pd
    import scipy.sparse as sp
    from shapely import Point
    from spatialdata.models import Image2DModel, ShapesModel, TableModel

    names = [f"cell_{i}" for i in range(CELLS)]
    circles = [Point(3 * (i % 10) + 2, 3 * (i // 10) + 2).buffer(1.2, 4) for i in range(CELLS)]
    shapes = ShapesModel.parse(gpd.GeoDataFrame(geometry=circles, index=names))
    counts = np.random.default_rng(seed).poisson(1.0, (CELLS, GENES)).astype("float32")
    obs = pd.DataFrame({"region": pd.Categorical(["cells"] * CELLS), "cell_id": names}, index=names)
    table = ad.AnnData(sp.csr_matrix(counts), obs=obs)
    table.var_names = [f"G{i}" for i in range(GENES)]
    table = TableModel.parse(table, region="cells", region_key="region", instance_key="cell_id")
    image = Image2DModel.parse(
        np.full((3, 64, 64), 7, np.uint8), dims=("c", "y", "x"), chunks=(3, 32, 32)
    )
    return {"image": image, "cells": shapes, "table": table}


def mark(sample: Sample, name: str) -> None:
    """Count how often a stage ran, where a test wants to know."""
    with (sample.run_dir.parent / "ran.txt").open("a") as file:
        file.write(f"{name} {sample.id}\n")


def run_make(sample: Sample, _parameters: parameters.ReadParameters) -> Outcome:
    mark(sample, "make")
    (sample.scratch / "made.txt").write_text("made")
    return Outcome(
        elements=tiny_elements(),
        attrs={"made_by": "make"},
        files={"made.txt": sample.scratch / "made.txt"},
        numbers={"cells": CELLS},
    )


def run_filter(sample: Sample, chosen: parameters.QcParameters) -> Outcome:
    mark(sample, "filter")
    table = sample.sdata["table"]
    frame = table.obs[[]].copy()
    frame["counts"] = table.X.sum(axis=1).A1 if hasattr(table.X, "A1") else table.X.sum(axis=1)
    frame[f"kept_{chosen.filter_cells_counts}"] = frame["counts"] > 3
    for step in range(3):
        sample.report.progress(step + 1, 3, "steps")
    sample.report.notice("All is well.")
    return Outcome(patches={"table": TablePatch(obs=frame)}, numbers={"kept": 5})


def run_left(sample: Sample, chosen: parameters.NeighborsParameters) -> Outcome:
    import numpy as np

    mark(sample, "left")
    time.sleep(float(os.environ.get("TINY_SECONDS", "0")))
    values = np.full((CELLS, 2), chosen.radius)
    frame = sample.sdata["table"].obs[[]].assign(left=chosen.radius)
    patch = TablePatch(obs=frame, obsm={"left": values}, layers={"left": sample.sdata["table"].X})
    return Outcome(patches={"table": patch})


def run_right(sample: Sample, chosen: parameters.FlashdeconvParameters) -> Outcome:
    mark(sample, "right")
    time.sleep(float(os.environ.get("TINY_SECONDS", "0")))
    frame = sample.sdata["table"].obs[[]].assign(right=float(chosen.umi_min))
    return Outcome(patches={"table": TablePatch(obs=frame, uns={"right": {"n": 1}})})


def run_last(sample: Sample, _parameters: parameters.RegionParameters) -> Outcome:
    mark(sample, "last")
    obs = sample.sdata["table"].obs
    frame = obs[[]].assign(both=obs["left"] + obs["right"])
    return Outcome(patches={"table": TablePatch(obs=frame)})


def run_joint(samples: Sequence[Sample], _parameters: parameters.RegionParameters) -> list[Outcome]:
    outcomes = []
    total = sum(float(s.sdata["table"].obs["counts"].sum()) for s in samples)
    for sample in samples:
        mark(sample, "joint")
        frame = sample.sdata["table"].obs[[]].assign(total=total)
        outcomes.append(Outcome(patches={"table": TablePatch(obs=frame)}))
    return outcomes


def run_fail(sample: Sample, _parameters: parameters.RegionParameters) -> Outcome:
    (sample.scratch / "half.txt").write_text("half")
    raise StageError("no cells were found; choose another region.")


def run_crash(_sample: Sample, _parameters: parameters.RegionParameters) -> Outcome:
    return {}["missing"]


def run_abort(_sample: Sample, _parameters: parameters.RegionParameters) -> Outcome:
    os.abort()


def run_sleep(sample: Sample, _parameters: parameters.RegionParameters) -> Outcome:
    """Sleep with a child in a session of its own, as a tool that is started might."""
    import subprocess

    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    (sample.run_dir.parent / "pids.txt").write_text(f"{os.getpid()} {child.pid}")
    sample.report.progress(0, 1, "asleep")
    time.sleep(600)
    return Outcome()


def run_fill(_sample: Sample | None, _parameters: parameters.RegionParameters) -> Outcome:
    """Give more than there is room for."""
    import resource

    import numpy as np
    from spatialdata.models import Labels2DModel

    if _sample is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    noise = np.random.default_rng(0).integers(0, 2**31, (2048, 2048), dtype="int32")
    return Outcome(elements={"noise": Labels2DModel.parse(noise, dims=("y", "x"))})


def square(x: int) -> int:
    return x * x


def refuse(item: int) -> int:
    raise StageError(f"patch {item} is empty; choose another region.")


def run_map(sample: Sample, _parameters: parameters.RegionParameters) -> Outcome:
    squares = dict(sample.executor.map(square, range(10)))
    return Outcome(attrs={"squares": [squares[i] for i in range(10)]})


def need_much(_sample: Sample, _parameters: parameters.RegionParameters) -> int:
    return 2**50


def no_files(_inputs: object) -> list[Path]:
    return []


_R = parameters.RegionParameters
MAKE = Stage("make", "Make", parameters.ReadParameters, each(run_make))
FILTER = Stage("filter", "Filter", parameters.QcParameters, each(run_filter), needs=("make",))
LEFT = Stage("left", "Left", parameters.NeighborsParameters, each(run_left), needs=("filter",))
RIGHT = Stage(
    "right", "Right", parameters.FlashdeconvParameters, each(run_right), needs=("filter",)
)
LAST = Stage("last", "Last", _R, each(run_last), needs=("left", "right"))
JOINT = Stage("joint", "Joint", _R, run_joint, needs=("filter",), joint=True)
FAIL = Stage("fail", "Fail", _R, each(run_fail), needs=("make",))
CRASH = Stage("crash", "Crash", _R, each(run_crash), needs=("make",))
ABORT = Stage("abort", "Abort", _R, each(run_abort), needs=("make",))
SLEEP = Stage("sleep", "Sleep", _R, each(run_sleep), needs=("make",))
FILL = Stage("fill", "Fill", _R, each(run_fill), needs=("make",))
MAP = Stage("map", "Map", _R, each(run_map), needs=("make",))
GREEDY = Stage("greedy", "Greedy", _R, each(run_map), needs=("make",), memory=need_much)
ALL = (MAKE, FILTER, LEFT, RIGHT, LAST)
