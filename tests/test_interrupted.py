"""A real run that is killed, or finds its disk full: nothing that was finished is lost."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import spatialdata
import yaml
from run_copies import copy_run

from napari_vhd import keys
from napari_vhd.io.store import RunStore
from napari_vhd.runner.run import status_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.tools, pytest.mark.timeout(3000)]

PATIENCE = 600  # seconds; a busy machine is no failure

PROGRAM = Path(sys.executable).with_name("napari-vhd")
QUICK = {
    "proseg": {"samples": 10, "burnin_samples": 10, "hillclimb": 5},
    "novae_max_epochs": 3,
    "domain_range": [4, 5],
    "clustering_col": "novae_domains_5",
}
STAGES = (
    "read",
    "region",
    "patches",
    "stardist",
    "proseg",
    "aggregation",
    "qc",
    "neighbors",
    "domains",
    "flashdeconv",
    "rctd",
    "celltypist",
    "enrichment",
)


def written(simulated: Path, folder: Path, **paths: object) -> Path:
    """Write a quick config into a folder, whose run folders go to ``folder/processed``."""
    data = yaml.safe_load((simulated / "config.yaml").read_text())
    data["paths"] = {
        "spaceranger_outs": str(simulated),
        "reference": str(simulated / "reference.h5ad"),
        "processed": str(folder / "processed"),
    } | paths
    data["samples"][0]["fullres_image"] = str(simulated / "tissue_image.tif")
    data["params"] |= QUICK
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def start(config: Path, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PROGRAM, "run", config, "--json", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(config: Path, *arguments: object) -> tuple[int, Path | None, str]:
    """Run to the end: exit code, run folder, what was said on stderr."""
    process = start(config, *arguments)
    out, err = process.communicate()
    last = json.loads(out.splitlines()[-1]) if out else {}
    return process.returncode, Path(last["run"]) if "run" in last else None, err


@pytest.fixture(scope="module")
def finished(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with every stage done; its config lies beside ``processed``."""
    config = written(simulated, tmp_path_factory.mktemp("finished"))
    code, folder, err = run(config)
    assert code == 0, err
    assert folder is not None
    return folder


def kill_within(process: subprocess.Popen[str], seconds: float, chance: random.Random) -> str:
    """Kill the command, its supervisor, its worker or a tool, some time after the stage began."""
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line).get("event") == "started":
            break
    time.sleep(chance.uniform(0, 1.1 * seconds))
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
        # A worker gets ready for a stage that never comes: not the one that is meant.
        victim = chance.choice([psutil.Process(process.pid), *family])
        name = " ".join(victim.cmdline()[:6])
        victim.kill()
        process.communicate(timeout=PATIENCE)
        _gone, alive = psutil.wait_procs(family, timeout=PATIENCE)
        assert not alive, alive
        return name
    process.communicate(timeout=PATIENCE)
    return "nothing"


@pytest.mark.parametrize("stage", STAGES)
def test_a_kill_at_any_moment_of_a_stage_loses_nothing(
    finished: Path, tmp_path: Path, stage: str
) -> None:
    config = finished.parent.parent / "config.yaml"
    chance = random.Random(stage)
    run_dir = tmp_path / finished.name
    copy_run(finished, run_dir)
    seconds = json.loads((run_dir / keys.RUN_FILE).read_text())["stages"][stage]["seconds"]
    before = RunStore.open(run_dir)
    done, version = before.done(), before.version()
    elements = {name for _, name, _ in spatialdata.read_zarr(run_dir / keys.STORE).gen_elements()}

    process = start(config, "--run-dir", run_dir, "--only", stage, "--force")
    victim = kill_within(process, seconds, chance)

    # Before anyone mends anything: the store opens with plain spatialdata, whole.
    sdata = spatialdata.read_zarr(run_dir / keys.STORE)
    assert {name for _, name, _ in sdata.gen_elements()} == elements, victim
    for _, _, table in sdata.gen_elements():
        getattr(table, "X", None)
    store = RunStore.open(run_dir)
    now = store.done()
    assert set(now) == set(done), victim
    others = {name for name in done if name != stage}
    assert {n: now[n].version for n in others} == {n: done[n].version for n in others}, victim
    assert now[stage].version in {done[stage].version, version + 1}, victim
    # And the run goes on from there.
    code, _, err = run(config, "--run-dir", run_dir, "--only", stage, "--force")
    assert code == 0, err
    assert not (run_dir / ".scratch").exists() or not any((run_dir / ".scratch").iterdir())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Any]:
    """A file system of a few MB, and a way to give it another size; needs root."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(*options: str) -> int:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
        return subprocess.run(command, check=False, capture_output=True).returncode

    if os.geteuid() != 0 or mount("size=16m") != 0:
        pytest.skip("only root can mount a small file system here")
    try:
        yield folder, lambda size: mount("remount", f"size={size}")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_said_in_a_sentence_and_costs_nothing(
    simulated: Path, tmp_path: Path, small_disk: Any
) -> None:
    disk, resize = small_disk
    config = written(simulated, tmp_path, processed=str(disk / "processed"))
    code, _, err = run(config)
    assert code == 1, err
    sentence = err.strip().splitlines()[-1]
    assert "disk" in sentence
    assert "full" in sentence
    assert "Traceback" not in err
    (run_dir,) = (disk / "processed").iterdir()
    done = set(RunStore.open(run_dir).done())
    assert done
    spatialdata.read_zarr(run_dir / keys.STORE)

    assert resize("512m") == 0
    code, _, err = run(config, "--run-dir", run_dir)
    assert code == 0, err
    assert done <= set(RunStore.open(run_dir).done())
    assert all(step.status == "done" for step in status_of(run_dir).steps)
