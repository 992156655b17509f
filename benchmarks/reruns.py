"""What changes when ProSeg, which has no seed, runs again; and when the other counts are typed.

    python benchmarks/reruns.py RUN TRUTH [--reruns 3]

RUN is a finished run folder with ProSeg cells, TRUTH the ``truth`` folder of its simulated sample.
Works on copies. Prints one JSON object on its last line: how far the counts of the cells lie from
those of the first ProSeg run (relative L1), how the figures of `accuracy.py` spread, and the types
by both choices of ``cell_counts``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from accuracy import assignment, cells_typed, open_run

from napari_vhd import Session, keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

OUTLINES = "table as the run made it"


def again(run: Path, to: Path, first: str, last: str, **parameters: object) -> Path:
    """Copy a run folder and run some of its stages anew."""
    shutil.copytree(run, to, symlinks=True)
    with Session.open(to) as session:
        if parameters:
            session.configure(**parameters)
        session.run(from_=first, until=last, force=True)
    return to


def measured(run: Path, truth: Path) -> tuple[dict[str, float], pd.DataFrame]:
    """Figures of one run that may spread, and its counts: genes of each nucleus's cell."""
    import pandas as pd

    opened, known = open_run(run, truth)
    cells = opened.sdata[keys.CELLS]
    nuclei = opened.sdata[keys.PROSEG].loc[cells.obs_names, keys.NUCLEUS_ID].astype(str)
    umis = assignment(opened, known)[OUTLINES]
    counts = cells.layers[keys.COUNTS].toarray()
    typed = cells_typed(opened, known)
    figures = {f"UMIs {name}": value for name, value in umis.items()}
    figures |= {f"types {name}": value for name, value in typed.items() if name != "cells"}
    return figures, pd.DataFrame(counts, index=nuclei.to_numpy())


def spread(figures: Sequence[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Lowest, mean and highest of each figure."""
    names = sorted(set.intersection(*(set(one) for one in figures)))
    result = {}
    for name in names:
        values = [one[name] for one in figures]
        result[name] = {
            "lowest": round(min(values), 4),
            "mean": round(float(np.mean(values)), 4),
            "highest": round(max(values), 4),
        }
    return result


def distance(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """Relative L1 of the counts of the cells that both have."""
    common = one.index.intersection(other.index)
    a, b = one.loc[common].to_numpy(), other.loc[common].to_numpy()
    return float(np.abs(a - b).sum() / a.sum())


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a finished run folder")
    parser.add_argument("truth", type=Path, help="the truth folder of its simulated sample")
    parser.add_argument("--reruns", type=int, default=2, help="how often ProSeg runs again")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    figures, counts = measured(given.run, given.truth)
    every, distances = [figures], []
    with tempfile.TemporaryDirectory(dir=given.run.parent) as folder:
        for number in range(given.reruns):
            run = again(given.run, Path(folder) / f"rerun_{number}", "proseg", "enrichment")
            figures, other = measured(run, given.truth)
            every.append(figures)
            distances.append(round(distance(counts, other), 3))
        types: dict[str, Any] = {}
        for choice in ("boundaries", "proseg"):
            run = again(
                given.run, Path(folder) / choice, "celltypist", "enrichment", cell_counts=choice
            )
            found = measured(run, given.truth)[0]
            types[choice] = {
                name.removeprefix("types "): round(value, 4)
                for name, value in found.items()
                if name.startswith("types cell_type")
            }
    result = {
        "proseg_runs": len(every),
        "relative_l1_of_counts": distances,
        "spread": spread(every),
        "types_by_cell_counts": types,
    }
    for name, values in result["spread"].items():
        print(name, values)
    for choice, values in types.items():
        print(f"cell_counts: {choice}", values)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
