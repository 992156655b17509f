"""The demo run is whole: every stage done, what is known said to be known."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003

import geopandas as gpd
import numpy as np
import pytest

from napari_vhd import cli, keys
from napari_vhd.io.store import RunStore
from napari_vhd.runner import known_run
from napari_vhd.runner.outlook import look
from napari_vhd.runner.run import status_of


def test_every_stage_of_the_demo_is_done(finished_run: Path) -> None:
    assert {step.status for step in status_of(finished_run).steps} == {"done"}


def test_a_run_is_looked_at_where_its_sources_and_engines_are_not(
    reviewed_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NAPARI_VHD_PROSEG", "/nowhere/proseg")
    assert {step.status for step in status_of(reviewed_run).steps} == {"done"}
    assert status_of(reviewed_run).problem == ""
    path = reviewed_run / keys.RUN_FILE
    run = json.loads(path.read_text())
    run["config"]["paths"]["spaceranger_outs"] = "/nowhere/outs"
    path.write_text(json.dumps(run))
    found = status_of(reviewed_run)
    assert {step.status for step in found.steps} == {"done"}
    assert "/nowhere/outs" in found.problem
    outlook = look(RunStore.open(reviewed_run).config(), reviewed_run)
    assert {one.status for one in outlook.stages} == {"done", "left out"}
    assert outlook.problem == found.problem
    monkeypatch.setattr("sys.argv", ["napari-vhd", "status", str(reviewed_run)])
    cli.main()
    out, err = capsys.readouterr()
    assert out.split()[:2] == ["read", "done"]
    assert "/nowhere/outs" in err


def test_what_is_known_and_not_computed_is_said_to_be(finished_run: Path) -> None:
    stages = json.loads((finished_run / keys.RUN_FILE).read_text())["stages"]
    known = {name for name, record in stages.items() if known_run.NOTICE in record["notices"]}
    real = {"read", "region", "patches", "aggregation", "qc"}
    assert set(stages) - known == real


def test_labels_are_the_truth_of_each_cell(simulated: Path, finished_run: Path) -> None:
    truth = gpd.read_parquet(simulated / "truth" / "cells.parquet")
    table = RunStore.open(finished_run).sdata()[keys.CELLS]
    numbers = [int(name[1:]) - 1 for name in table.obs_names]
    kept = table.obs[keys.KEPT].to_numpy(bool)
    types = truth["cell_type"].astype(str).to_numpy()[numbers]
    assert (table.obs[keys.TYPE_DOMAIN].astype(str).to_numpy()[kept] == types[kept]).all()
    scores = table.obs[keys.score("Tumor")].to_numpy()
    tumor = types == "Tumor"
    assert scores[tumor & kept].mean() > scores[~tumor & kept].mean() + 1
    graph = table.obsp["spatial_connectivities"]
    assert (graph != graph.T).nnz == 0
    assert not np.diff(graph.indptr)[~kept].any()


def test_an_interrupted_demo_is_made_again_and_a_made_one_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_run, "SIZE_PX", 600)

    def stop(text: str) -> None:
        if text == "Region":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        known_run.make_demo(tmp_path, stop)
    assert not (tmp_path / "runs").exists()
    run = known_run.make_demo(tmp_path)
    assert (run / keys.RUN_FILE).is_file()
    assert RunStore.open(run).config().paths.processed == str(tmp_path / "runs")
    said: list[str] = []
    assert known_run.make_demo(tmp_path, said.append) == run
    assert said == []
