"""What a run is said to need beforehand is what its stages will ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from napari_vhd.config import RunConfig
from napari_vhd.io.visium_hd import check_outs, read
from napari_vhd.stages import estimates, flashdeconv, pipeline, proseg, rctd

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def config(simulated: Path) -> RunConfig:
    return RunConfig.from_yaml(simulated / "config.yaml")


def test_the_deconvolutions_will_ask_for_as_much(
    simulated: Path, config: RunConfig, make_sample: Any
) -> None:
    (inputs,) = pipeline.inputs_of(config)
    said = estimates.memory_of(inputs)
    sdata = read(check_outs(inputs.outs, "demo", simulated / "tissue_image.tif"), "demo")
    sample = make_sample(sdata, reference=simulated / "reference.h5ad")
    for stage in (flashdeconv.STAGE, rctd.STAGE):
        assert stage.memory is not None
        assert said[stage.name] == stage.memory(sample, config.params.of(stage.parameters))
    bins = sdata.tables["square_002um"]
    exact = proseg.needed_bytes(bins.n_vars, float(bins.X.sum()), bins.n_obs // 25)
    assert said["proseg"] == exact


def test_what_does_not_run_needs_nothing(simulated: Path, config: RunConfig) -> None:
    data = config.to_dict()
    data["params"]["boundaries_to_type"] = "stardist"
    data["paths"]["reference"] = None
    (inputs,) = pipeline.inputs_of(RunConfig.from_dict(data))
    assert estimates.memory_of(inputs) == {}
