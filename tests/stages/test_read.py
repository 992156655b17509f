"""Reading and checking a sample."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from PIL import Image

from napari_vhd.config import Paths, RunConfig, SampleConfig
from napari_vhd.exceptions import BadInputError
from napari_vhd.parameters import Params, ReadParameters
from napari_vhd.stages.read import STAGE
from napari_vhd.stages.stage import Inputs

if TYPE_CHECKING:
    from pathlib import Path

    from napari_vhd.stages.stage import Outcome, Sample


@pytest.fixture
def sample(simulated: Path, make_sample: Any) -> Sample:
    return make_sample(outs=simulated / "outs", image=simulated / "tissue_image.tif")


def _run(sample: Sample) -> Outcome:
    return STAGE.run([sample], ReadParameters())[0]


def _inputs(outs: Path, image: Path | None, reference: str | None = None, **params: Any) -> Inputs:
    config = RunConfig(
        Paths(str(outs.parent), reference=reference),
        (SampleConfig("demo", fullres_image=None if image is None else str(image)),),
        Params(**params),
    )
    return Inputs(config, config.samples[0], outs)


def test_the_overviews_are_taken_over(sample: Sample, simulated: Path) -> None:
    outcome = _run(sample)
    assert set(outcome.elements) == {"demo_hires_image", "demo_lowres_image"}
    picture = np.asarray(Image.open(simulated / "outs/spatial/tissue_hires_image.png"))
    assert np.array_equal(outcome.elements["demo_hires_image"].values, picture.transpose(2, 0, 1))


def test_numbers_say_what_the_sample_holds(sample: Sample, simulated: Path) -> None:
    numbers = _run(sample).numbers
    path = simulated / "outs/binned_outputs/square_002um/filtered_feature_bc_matrix.h5"
    with h5py.File(path) as file:
        assert numbers["UMIs"] == file["matrix/data"][:].sum()
        assert numbers["2 µm bins"] == len(file["matrix/barcodes"])
        assert numbers["genes"] == len(file["matrix/features/id"])
    assert numbers["image (px)"] == "600 x 600"


def test_missing_bins_overviews_and_equal_names_are_said(
    sample: Sample, simulated: Path, tmp_path: Path
) -> None:
    outs = shutil.copytree(simulated / "outs", tmp_path / "given")
    shutil.rmtree(outs / "binned_outputs/square_016um")
    (outs / "spatial/tissue_hires_image.png").unlink()
    with h5py.File(outs / "binned_outputs/square_002um/filtered_feature_bc_matrix.h5", "a") as file:
        names = file["matrix/features/name"]
        names[1] = names[0]
    sample = replace(sample, outs=outs)
    outcome = _run(sample)
    assert set(outcome.elements) == {"demo_lowres_image"}
    notices = " ".join(sample.report.notices)
    assert "There are no 16 µm bins" in notices
    assert "1 gene names stand for several genes" in notices


def test_bins_are_needed_only_for_what_runs(simulated: Path, tmp_path: Path) -> None:
    outs = shutil.copytree(simulated / "outs", tmp_path / "outs")
    image = simulated / "tissue_image.tif"
    shutil.rmtree(outs / "binned_outputs/square_008um")
    STAGE.check(_inputs(outs, image))
    STAGE.check(_inputs(outs, image, reference="r.h5ad", deconvolution_bins=16))
    for wanted in (
        _inputs(outs, image, reference="r.h5ad"),
        _inputs(outs, image, domains_on="bins"),
    ):
        with pytest.raises(BadInputError, match="no 8 µm bins"):
            STAGE.check(wanted)


def test_the_image_is_an_input_of_the_stage(simulated: Path) -> None:
    image = simulated / "tissue_image.tif"
    files = list(STAGE.files(_inputs(simulated / "outs", image)))
    assert image in files
    assert len(files) > 10
