"""`napari-vhd run` against the same library calls written by hand, on one sample, in one go.

    python benchmarks/pipeline.py [--size-px 1600] [--samples 50]

Both use the same threads, weights and ProSeg iterations. Prints, as one JSON object on the last
line, wall seconds, the peak memory of the largest single process group, and the ratios to the peer
(`tutorial.py`, two processes as its libraries force).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent


def timed(command: list[str], env: dict[str, str] | None = None) -> float:
    """Run a command to its end; gives wall seconds."""
    start = time.perf_counter()
    subprocess.run(
        command, check=True, env={**os.environ, **(env or {})}, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - start


def peak_of(command: list[str], env: dict[str, str]) -> tuple[float, float]:
    """Run a command in a child of its own; gives wall seconds and the peak RSS of it, MB."""
    code = (
        "import json, resource, subprocess, sys, time; s = time.perf_counter();"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
        "print(json.dumps([time.perf_counter() - s,"
        " resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, *command],
        check=True,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
    )
    seconds, peak = json.loads(answer.stdout.splitlines()[-1])
    return seconds, peak


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size-px", type=int, default=1600)
    parser.add_argument("--samples", type=int, default=50, help="ProSeg iterations of each kind")
    options = parser.parse_args()
    program = str(Path(sys.executable).with_name("napari-vhd"))
    with tempfile.TemporaryDirectory() as folder:
        sample, peer = Path(folder) / "sample", Path(folder) / "peer"
        peer.mkdir()
        timed([program, "simulate", str(sample), "--size-px", str(options.size_px)])
        config = sample / "config.yaml"
        data = yaml.safe_load(config.read_text())
        threads = os.cpu_count() or 1
        data["params"]["proseg"] = {
            "samples": options.samples,
            "burnin_samples": options.samples,
            "threads": threads,
        }
        config.write_text(yaml.safe_dump(data))
        cold = timed([program, "run", str(config)])
        (run_dir,) = (sample / "processed").iterdir()
        nothing = timed([program, "run", str(config), "--run-dir", str(run_dir)])
        stages = json.loads((run_dir / "run.json").read_text())["stages"]
        from napari_vhd.io import proseg_binary, rctd_tables

        tables = sorted(rctd_tables.cache_folder().glob("*.npz"))[-1]
        env = {
            "PROSEG_OPTIONS": f"--samples {options.samples} --burnin-samples {options.samples} "
            f"--nthreads {threads}",
            "PATH": f"{proseg_binary.find_proseg().parent}:{os.environ['PATH']}",
            "RCTD_Q_MATRICES": str(tables),
            "RCTD_K_VAL": tables.stem.rsplit("_", 1)[-1],
        }
        parts = [
            peak_of([sys.executable, str(HERE / "tutorial.py"), part, str(config), str(peer)], env)
            for part in ("segment", "annotate")
        ]
    peer_seconds = sum(seconds for seconds, _ in parts)
    peer_peak = max(peak for _, peak in parts)
    peak = max(record["peak_rss_mb"] for record in stages.values())
    print(
        json.dumps(
            {
                "seconds": round(cold, 1),
                "unchanged_seconds": round(nothing, 2),
                "peak_rss_mb": round(peak),
                "peer_seconds": round(peer_seconds, 1),
                "peer_peak_rss_mb": round(peer_peak),
                "time_ratio": round(cold / peer_seconds, 2),
                "unchanged_ratio": round(nothing / peer_seconds, 3),
                "memory_ratio": round(peak / peer_peak, 2),
                "stage_seconds": {name: round(r["seconds"], 1) for name, r in stages.items()},
                "machine": f"{threads} cores, load {os.getloadavg()[0]:.1f}",
            }
        )
    )


if __name__ == "__main__":
    main()
