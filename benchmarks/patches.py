"""StarDist patches in one against two local processes, start-up excluded.

    python benchmarks/patches.py [--size-px 3000] [--patch-width 700]

Prints one JSON object on its last line. Start-up (imports, the model) is taken off by running
each with one patch alone first.
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


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size-px", type=int, default=3000)
    parser.add_argument("--patch-width", type=int, default=700)
    options = parser.parse_args()
    program = str(Path(sys.executable).with_name("napari-vhd"))

    def call(*arguments: object) -> str:
        answer = subprocess.run(
            [program, *map(str, arguments)], check=True, capture_output=True, text=True
        )
        return answer.stdout.splitlines()[-1]

    seconds: dict[str, float] = {}
    nuclei: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(call("simulate", Path(folder) / "sample", "--size-px", options.size_px))
        config = sample / "config.yaml"
        data = yaml.safe_load(config.read_text())
        for label, region, workers in (
            ("start_1", [0, 0, options.patch_width, options.patch_width], 1),
            ("start_2", [0, 0, options.patch_width, options.patch_width], 2),
            ("whole_1", None, 1),
            ("whole_2", None, 2),
        ):
            data["samples"][0]["region"] = region
            data["params"]["patch_width"] = options.patch_width
            config.write_text(yaml.safe_dump(data))
            run_dir = Path(call("run", config, "--until", "stardist", "--workers", workers))
            record = json.loads((run_dir / "run.json").read_text())["stages"]["stardist"]
            seconds[label] = record["seconds"]
            nuclei[label] = record["numbers"]["nuclei"]
    one = seconds["whole_1"] - seconds["start_1"]
    two = seconds["whole_2"] - seconds["start_2"]
    print(
        json.dumps(
            {
                "one_worker_s": round(one, 1),
                "two_workers_s": round(two, 1),
                "speed_up": round(one / two, 2),
                "same_nuclei": nuclei["whole_1"] == nuclei["whole_2"],
                "machine": f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
            }
        )
    )


if __name__ == "__main__":
    main()
