"""ProSeg on one region with corrected nuclei: the real one, in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import psutil
import pytest
import shapely
from spatialdata import SpatialData

from napari_vhd import keys
from napari_vhd.corrections.outlines import Outlines
from napari_vhd.corrections.refine import Request
from napari_vhd.exceptions import BadInputError, CancelledError, MissingEngineError
from napari_vhd.io import proseg_binary
from napari_vhd.io.visium_hd import quiet
from napari_vhd.parameters import RegionParameters
from napari_vhd.runner.refinery import Refinement
from napari_vhd.stages import region

if TYPE_CHECKING:
    from pathlib import Path

CROP = (0.0, 0.0, 600.0, 600.0)
AREA = shapely.box(150, 150, 450, 450)
FAST = {"burnin_samples": 10, "samples": 10, "hillclimb": 5}
SECONDS = 240


def installed() -> bool:
    try:
        proseg_binary.find_proseg()
    except MissingEngineError:
        return False
    return True


needs_proseg = pytest.mark.skipif(not installed(), reason="proseg is not installed: make venv")


class Bench:
    """Bins of a simulated sample in a store, true nuclei, and a cell around each."""

    def __init__(self, simulated: Path, folder: Path, make_sample: Any) -> None:
        given = {"outs": simulated / "outs", "image": simulated / "tissue_image.tif"}
        outcome = region.STAGE.run([make_sample(region=CROP, **given)], RegionParameters())[0]
        small = {
            name: element
            for name, element in outcome.elements.items()
            if name in {keys.bin_table(2), keys.bin_shapes("demo", 2)}
        }
        self.store = folder / keys.STORE
        with quiet():
            SpatialData.init_from_elements(small).write(self.store)
        truth = gpd.read_parquet(simulated / "truth" / "nuclei.parquet")
        nuclei = truth[truth.within(shapely.box(*CROP))].geometry.to_numpy()
        names = [f"{number:06d}" for number in range(1, len(nuclei) + 1)]
        self.nuclei = Outlines(keys.STARDIST, [f"n{name}" for name in names], nuclei)
        self.cells = Outlines(
            keys.PROSEG, [f"c{name}" for name in names], shapely.buffer(nuclei, 6)
        )
        self.nucleus_of = {f"c{name}": f"n{name}" for name in names}

    def refinement(self, area: Any = AREA, **settings: Any) -> Refinement:
        request = Request(str(self.store), "demo", 0.2737, area.wkt, FAST | settings)
        return Refinement(request, self.cells, self.nuclei, self.nucleus_of)


@pytest.fixture
def bench(simulated: Path, tmp_path: Path, make_sample: Any) -> Bench:
    return Bench(simulated, tmp_path, make_sample)


@pytest.mark.tools
@needs_proseg
def test_corrected_nuclei_are_grown_into_cells_of_the_region_alone(bench: Bench):
    inside = bench.nuclei.ids_of(bench.nuclei.within(AREA))
    gone = inside[0]
    bench.nuclei.remove(gone)
    job = bench.refinement()
    steps: list[float] = []
    job.progressed.connect(lambda done, _total, _what: steps.append(done))
    job.start()
    made = job.wait(SECONDS)
    assert steps == sorted(steps)
    changed = {cell: shape for cell, shape in made.outlines.items() if shape is not None}
    assert made.outlines[f"c{gone[1:]}"] is None
    assert {f"n{cell[1:]}" for cell in changed} <= set(inside)
    assert len(changed) > 0.8 * len(inside)
    # Cells stand where their nuclei are.
    nuclei = np.array([bench.nuclei.geometry(f"n{cell[1:]}") for cell in changed])
    apart = shapely.distance(shapely.centroid(nuclei), np.array(list(changed.values())))
    assert np.median(apart) == 0
    assert all(shape.is_valid for shape in changed.values())
    for cell in made.outlines:
        assert bench.cells.row_of(cell) >= 0


@pytest.mark.tools
@needs_proseg
def test_a_refinement_is_ended_at_once_and_leaves_nothing_behind(bench: Bench):
    job = bench.refinement(samples=100_000)
    errors: list[Exception] = []
    job.failed.connect(errors.append)
    job.progressed.connect(lambda done, _total, _what: job.cancel() if done > 2 else None)
    job.start()
    with pytest.raises(CancelledError, match="the sample is as it was"):
        job.wait(SECONDS)
    assert len(errors) == 1
    assert not any("proseg" in child.name() for child in psutil.Process().children(recursive=True))


def test_a_region_off_the_bins_is_refused_with_a_sentence(bench: Bench):
    far = shapely.Point(5000, 5000).buffer(20)
    bench.nuclei.put("far", far)
    job = bench.refinement(far.buffer(50))
    job.start()
    with pytest.raises(BadInputError, match="no bins under the region"):
        job.wait(SECONDS)
