"""About how long a stage will take and how much memory, before it runs.

By the nearest earlier run in the same folder, scaled to the size of the region and to the work the
parameters ask for; without one by measured rates. It is never more than about.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_vhd import keys
from napari_vhd.exceptions import VhdError
from napari_vhd.io import versions
from napari_vhd.stages import proseg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from napari_vhd.config import RunConfig
    from napari_vhd.io.region_size import RegionSize

# Seconds and MB that a stage takes: fixed, and for 100,000 2 µm bins under tissue. Measured on the
# simulated sample (45,469 bins, 2 cores); real ones differ, which is why earlier runs come first.
_RATES: Mapping[str, tuple[float, float, float, float]] = {
    "read": (1, 0.2, 500, 10),
    "region": (1, 1.5, 500, 300),
    "patches": (1.5, 0.2, 450, 50),
    "stardist": (9, 22, 1100, 500),
    "proseg": (10, 330, 400, 500),
    "boundaries": (2, 2, 500, 100),
    "aggregation": (3, 12, 600, 300),
    "qc": (3, 3, 600, 200),
    "neighbors": (2, 2, 500, 100),
    "domains": (15, 70, 1200, 300),
    "flashdeconv": (4, 5, 550, 300),
    "rctd": (20, 40, 1200, 900),
    "celltypist": (10, 15, 700, 300),
    "enrichment": (12, 40, 900, 300),
}
_RATE_BINS = 100_000
# Iterations and epochs that these were measured with.
_RATE_ITERATIONS, _RATE_EPOCHS = 225, 8
_BINS = f"{keys.BIN_SIZES_UM[0]} µm bins"
_RUNS_LOOKED_AT = 20


@dataclass(frozen=True)
class Estimate:
    """About what a stage will take.

    Attributes
    ----------
    seconds, memory_mb
        None where there is nothing to estimate from.
    basis
        Where it comes from, in words.
    """

    seconds: float | None = None
    memory_mb: float | None = None
    basis: str = ""


NO_ESTIMATE = Estimate()


@dataclass(frozen=True)
class Earlier:
    """An earlier run: its 2 µm bins, its stages' records, and how much work it asked for."""

    bins: float
    records: Mapping[str, Any]
    params: Mapping[str, Any]


def earlier_runs(config: RunConfig, run_dir: Path | None) -> list[Earlier]:
    """Find earlier runs, this run folder first."""
    folder = Path(config.paths.processed)
    files = sorted(folder.glob(f"*/{keys.RUN_FILE}"), key=_modified, reverse=True)
    chosen = files[:_RUNS_LOOKED_AT]
    if run_dir is not None:
        chosen.insert(0, run_dir / keys.RUN_FILE)
    found = []
    for path in chosen:
        try:
            run = versions.read_json(path)
            records = run["stages"]
            bins = float(records["region"]["numbers"][_BINS])
            found.append(Earlier(bins, records, run["config"]["params"]))
        except (VhdError, KeyError, TypeError, ValueError):
            # An earlier run that tells nothing is no reason to stop here.
            continue
    return found


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def estimate(
    stage: str, params: Mapping[str, Any], size: RegionSize | None, earlier: Sequence[Earlier]
) -> Estimate:
    """Scale the nearest earlier run, or the measured rates, to the size of the region."""
    if size is None:
        return Estimate()
    seconds, memory = _by_rate(stage, params, size.bins)
    known = [run for run in earlier if run.bins > 0 and _has_figures(run.records.get(stage))]
    if not known or size.bins <= 0:
        return Estimate(seconds, memory, "by the size of the region")
    nearest = min(known, key=lambda run: abs(math.log(run.bins / size.bins)))
    record = nearest.records[stage]
    then_s, then_mb = _by_rate(stage, nearest.params, nearest.bins)
    same = nearest.bins == size.bins and then_s == seconds
    return Estimate(
        float(record["seconds"]) * seconds / then_s,
        float(record["peak_rss_mb"]) * memory / then_mb,
        "as the last time" if same else "by an earlier run, scaled to this one",
    )


def _has_figures(record: Any) -> bool:
    """Say whether a stage was measured; what is known of a simulation took no time."""
    if not isinstance(record, dict):
        return False
    figures = [record.get(one) for one in ("seconds", "peak_rss_mb")]
    return all(isinstance(one, int | float) and one > 0 for one in figures)


def _by_rate(stage: str, params: Mapping[str, Any], bins: float) -> tuple[float, float]:
    """Seconds and MB by the measured rates."""
    fixed_s, rate_s, fixed_mb, rate_mb = _RATES[stage]
    amount = bins / _RATE_BINS
    return fixed_s + rate_s * amount * _work(stage, params), fixed_mb + rate_mb * amount


def _work(stage: str, params: Mapping[str, Any]) -> float:
    """Tell how much of the measured work the parameters ask for."""
    if stage == "proseg":
        given = params.get("proseg") or {}
        asked = {name: given.get(name) for name in proseg.DEFAULTS}
        counts = [proseg.DEFAULTS[name] if n is None else n for name, n in asked.items()]
        return sum(counts) / _RATE_ITERATIONS
    if stage == "domains":
        # Without any epoch there is still the embedding to be computed.
        return (1 + float(params.get("novae_max_epochs", _RATE_EPOCHS))) / (1 + _RATE_EPOCHS)
    return 1.0


def with_nuclei(known: Estimate, records: Mapping[str, Any], size: RegionSize | None) -> Estimate:
    """Take ProSeg's memory from the stage's own figures too, once nuclei and counts are known."""
    try:
        amounts = {
            "gene": float(records["read"]["numbers"]["genes"]),
            "UMI": float(records["region"]["numbers"]["UMIs"]),
            "nucleus": float(records["stardist"]["numbers"]["nuclei"]),
        }
        cropped = float(records["region"]["numbers"][_BINS])
    except (KeyError, TypeError, ValueError):
        return known
    if size is None or cropped != size.bins:
        return known
    bytes_ = proseg.MEMORY_BASE + sum(proseg.MEMORY_BYTES[one] * n for one, n in amounts.items())
    return replace(known, memory_mb=max(bytes_ / 2**20, known.memory_mb or 0.0))
