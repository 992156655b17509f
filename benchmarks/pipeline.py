"""`napari-vhd run` against the same library calls written by hand, on one sample, in one go.

    python benchmarks/pipeline.py [--size-px 1600] [--samples 50]

Both use the same threads, weights and ProSeg iterations. Prints, as one JSON object on the last
line, wall and CPU seconds, the peak memory (of napari-vhd: of the largest stage with all its
processes; of the peer: of its largest single process), and the ratios to the peer (`tutorial.py`,
two processes as its libraries force). CPU seconds say more than wall where the machine is shared.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent


def timed(command: list[str], env: dict[str, str] | None = None) -> tuple[float, float, float]:
    """Run a command in a child of its own; gives wall and CPU seconds, and its peak RSS, MB."""
    code = (
        "import json, resource, subprocess, sys, time; s = time.perf_counter();"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(json.dumps([time.perf_counter() - s, used.ru_utime + used.ru_stime,"
        " used.ru_maxrss / 1024]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, *command],
        check=True,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        text=True,
    )
    wall, processor, peak = json.loads(answer.stdout.splitlines()[-1])
    return wall, processor, peak


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
        cold, cold_cpu, _ = timed([program, "run", str(config)])
        (run_dir,) = (sample / "processed").iterdir()
        nothing, _, _ = timed([program, "run", str(config), "--run-dir", str(run_dir)])
        stages = json.loads((run_dir / "run.json").read_text())["stages"]
        from napari_vhd.io import proseg_binary, rctd_tables

        tables = sorted(rctd_tables.cache_folder().glob("*.npz"))[-1]
        env = {
            "PROSEG_OPTIONS": f"--samples {options.samples} --burnin-samples {options.samples} "
            f"--recorded-samples {min(options.samples, 100)} --nthreads {threads}",
            "PATH": f"{proseg_binary.find_proseg().parent}:{os.environ['PATH']}",
            "RCTD_Q_MATRICES": str(tables),
            "RCTD_K_VAL": tables.stem.rsplit("_", 1)[-1],
        }
        parts = [
            timed([sys.executable, str(HERE / "tutorial.py"), part, str(config), str(peer)], env)
            for part in ("segment", "annotate")
        ]
    peer_seconds, peer_cpu = (sum(part[i] for part in parts) for i in (0, 1))
    peer_peak = max(peak for _, _, peak in parts)
    peak = max(record["peak_rss_mb"] for record in stages.values())
    print(
        json.dumps(
            {
                "seconds": round(cold, 1),
                "cpu_seconds": round(cold_cpu, 1),
                "unchanged_seconds": round(nothing, 2),
                "peak_rss_mb": round(peak),
                "peer_seconds": round(peer_seconds, 1),
                "peer_cpu_seconds": round(peer_cpu, 1),
                "peer_part_seconds": [round(part[0], 1) for part in parts],
                "peer_peak_rss_mb": round(peer_peak),
                "time_ratio": round(cold / peer_seconds, 2),
                "cpu_ratio": round(cold_cpu / peer_cpu, 2),
                "unchanged_ratio": round(nothing / peer_seconds, 3),
                "memory_ratio": round(peak / peer_peak, 2),
                "stage_seconds": {name: round(r["seconds"], 1) for name, r in stages.items()},
                "machine": f"{threads} cores, load {os.getloadavg()[0]:.1f}",
            }
        )
    )


if __name__ == "__main__":
    main()
