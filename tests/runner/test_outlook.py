"""What a run would do, before it does: status, problems, about how long."""

from __future__ import annotations

import dataclasses
import json
import shutil
from typing import TYPE_CHECKING

import pytest
import shapely

from napari_vhd import keys
from napari_vhd.config import RunConfig
from napari_vhd.exceptions import BadInputError
from napari_vhd.io import region_size
from napari_vhd.io.reference_columns import text_columns
from napari_vhd.io.store import RunStore
from napari_vhd.runner.outlook import look
from napari_vhd.runner.run import with_needs
from napari_vhd.stages.pipeline import PIPELINE, inputs_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def config(simulated: Path, tmp_path: Path) -> RunConfig:
    data = RunConfig.from_yaml(simulated / "config.yaml").to_dict()
    data["paths"]["processed"] = str(tmp_path / "processed")
    return RunConfig.from_dict(data)


def changed(config: RunConfig, **params: object) -> RunConfig:
    return dataclasses.replace(config, params=dataclasses.replace(config.params, **params))


def with_region(config: RunConfig, region: object) -> RunConfig:
    sample = dataclasses.replace(config.samples[0], region=region)
    return dataclasses.replace(config, samples=(sample,))


def test_before_the_first_run_all_is_to_do_and_estimated_by_size(config: RunConfig) -> None:
    outlook = look(config)
    assert [one.stage for one in outlook.stages] == [stage.name for stage in PIPELINE]
    assert {one.status for one in outlook.stages} == {"missing", "left out"}
    for one in outlook.stages:
        assert one.estimate.seconds is not None and one.estimate.seconds > 0
        assert one.estimate.basis == "by the size of the region"


def test_looking_writes_nothing(config: RunConfig, tmp_path: Path) -> None:
    look(config)
    assert list(tmp_path.iterdir()) == []


def test_a_run_folder_tells_what_is_done_and_what_came_out(finished_run: Path) -> None:
    outlook = look(RunStore.open(finished_run).config(), finished_run)
    stardist = outlook.of("stardist")
    assert stardist.record is not None
    assert "nuclei" in stardist.record.numbers
    assert outlook.of("region").status == "done"
    assert outlook.of("boundaries").status == "left out"
    # What is known of a simulation took no time, which says nothing of a run.
    assert stardist.estimate.basis == "by the size of the region"


def test_an_incomplete_run_file_is_one_sentence_that_names_it(reviewed_run: Path) -> None:
    path = reviewed_run / keys.RUN_FILE
    run = json.loads(path.read_text())
    del run["stages"]["stardist"]["seconds"]
    path.unlink()
    path.write_text(json.dumps(run))
    with pytest.raises(BadInputError, match=r"run\.json: what it tells of the stage stardist"):
        look(RunStore.open(reviewed_run).config(), reviewed_run)


def test_a_changed_parameter_makes_stale_what_hangs_on_it(finished_run: Path) -> None:
    config = RunStore.open(finished_run).config()
    outlook = look(changed(config, pct_mito=3.0), finished_run)
    assert outlook.of("region").status == "done"
    assert outlook.of("qc").status == "stale"
    assert "pct_mito" in outlook.of("qc").reason


def test_an_earlier_run_is_scaled_to_size_and_work(config: RunConfig, tmp_path: Path) -> None:
    whole = look(config)
    bins = whole.size.bins
    folder = tmp_path / "processed" / "earlier"
    folder.mkdir(parents=True)
    params = {**config.to_dict()["params"], "proseg": {"samples": 100, "burnin_samples": 100}}
    records = {"region": {"numbers": {"2 µm bins": bins}}}
    records["proseg"] = records["stardist"] = {"seconds": 80.0, "peak_rss_mb": 900.0}
    run = {"stages": records, "config": {"params": params}}
    (folder / "run.json").write_text(json.dumps(run))
    same = changed(config, proseg=dataclasses.replace(config.params.proseg, **params["proseg"]))
    same = changed(same, proseg=dataclasses.replace(same.params.proseg, hillclimb=50))
    assert look(same).of("proseg").estimate.seconds == pytest.approx(80)
    assert look(same).of("stardist").estimate.basis == "as the last time"
    more = changed(same, proseg=dataclasses.replace(same.params.proseg, samples=1000))
    assert look(more).of("proseg").estimate.seconds > 160
    part = look(with_region(same, (0.0, 0.0, 300.0, 300.0)))
    assert part.size.bins < bins / 2
    assert part.of("stardist").estimate.seconds < 80
    assert "scaled" in part.of("stardist").estimate.basis


def test_a_run_that_tells_nothing_is_no_reason_to_stop(config: RunConfig, tmp_path: Path) -> None:
    folder = tmp_path / "processed" / "broken"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{")
    assert look(config).of("stardist").estimate.basis == "by the size of the region"


def test_what_is_wrong_is_the_sentence_of_the_command_line(config: RunConfig) -> None:
    outlook = look(changed(config, stardist_model="nowhere"))
    told = outlook.of("stardist").problem
    assert "stardist_model 'nowhere'" in told
    assert outlook.first_problem(["stardist"]) == told
    assert outlook.first_problem(["region"]) == ""
    # What comes after waits for it, deconvolution does not.
    assert outlook.first_problem(["domains"]) == told
    assert outlook.first_problem(["flashdeconv"]) == ""


def test_a_folder_that_is_gone_is_told_once(config: RunConfig) -> None:
    gone = dataclasses.replace(config.paths, spaceranger_outs="/nowhere")
    outlook = look(dataclasses.replace(config, paths=gone))
    assert "/nowhere" in outlook.problem
    assert outlook.size is None


def test_contradicting_parameters_are_told(config: RunConfig) -> None:
    wrong = changed(config, boundaries_to_type="stardist", cell_counts="proseg")
    assert "cell_counts" in look(wrong).problem


def test_a_step_runs_with_what_it_needs_and_nothing_else() -> None:
    names = [stage.name for stage in with_needs(PIPELINE, ["flashdeconv"])]
    assert names == ["read", "region", "flashdeconv"]


def test_a_region_is_measured_as_it_will_be_cropped(config: RunConfig, tmp_path: Path) -> None:
    inputs = inputs_of(config)[0]
    image = inputs.sample.fullres_image
    box = region_size.measure(inputs.outs, image, (100, 100, 300, 200))
    assert (box.width, box.height, box.area_px) == (200, 100, 20_000)
    um = look(config).size
    assert box.area_mm2 == pytest.approx(20_000 * um.area_mm2 / um.area_px)
    corners = [(100, 100), (300, 100), (100, 200)]
    file = tmp_path / "areas.geojson"
    file.write_text(json.dumps(shapely.geometry.mapping(shapely.Polygon(corners))))
    half = region_size.measure(inputs.outs, image, str(file))
    assert half.area_px == pytest.approx(10_000)
    assert half.bins == pytest.approx(box.bins / 2, rel=0.1)


def test_columns_of_a_reference_that_could_be_cell_types(simulated: Path, tmp_path: Path) -> None:
    assert "ClusterMidway" in text_columns(simulated / "reference.h5ad")
    broken = tmp_path / "broken.h5ad"
    shutil.copyfile(simulated / "config.yaml", broken)
    with pytest.raises(BadInputError, match=r"broken\.h5ad"):
        text_columns(broken)
