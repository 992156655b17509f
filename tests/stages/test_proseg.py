"""ProSeg cells around nuclei: with the real ProSeg, on a small simulated sample."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import psutil
import pytest
import shapely
from spatialdata import SpatialData, get_centroids

from napari_vhd import keys
from napari_vhd.exceptions import MemoryShortageError, MissingEngineError, StageError
from napari_vhd.io import frames, proseg_binary
from napari_vhd.io.visium_hd import quiet
from napari_vhd.parameters import ProsegParameters, ProsegSettings, RegionParameters
from napari_vhd.stages import proseg, region

if TYPE_CHECKING:
    from pathlib import Path

    from napari_vhd.stages.stage import Outcome, Sample

FAST = ProsegParameters(proseg=ProsegSettings(burnin_samples=10, samples=10, hillclimb=5))
REGION = (60.0, 100.0, 460.0, 480.0)
BIN_UM2 = 4.0


def installed() -> bool:
    try:
        proseg_binary.find_proseg()
    except MissingEngineError:
        return False
    return True


needs_proseg = pytest.mark.skipif(not installed(), reason="proseg is not installed: make venv")


@dataclass(frozen=True)
class Grown:
    """A region with its true nuclei, and what ProSeg made of it."""

    sample: Sample
    outcome: Outcome

    @property
    def cells(self) -> gpd.GeoDataFrame:
        return self.outcome.elements[keys.PROSEG]

    @property
    def nuclei(self) -> gpd.GeoDataFrame:
        return self.sample.sdata[keys.STARDIST]

    @property
    def table(self) -> Any:
        return self.outcome.elements[keys.PROSEG_COUNTS]

    @property
    def bins(self) -> Any:
        return self.sample.sdata[keys.bin_table(2)]


@pytest.fixture
def cropped(simulated: Path, make_sample: Any) -> Sample:
    """A region of the simulated sample, with the true nuclei in place of StarDist's."""
    given = {"outs": simulated / "outs", "image": simulated / "tissue_image.tif"}
    elements = region.STAGE.run([make_sample(region=REGION, **given)], RegionParameters())
    sdata = SpatialData.init_from_elements(dict(elements[0].elements))
    truth = gpd.read_parquet(simulated / "truth" / "nuclei.parquet")
    nuclei = truth[truth.within(shapely.box(*REGION))][["geometry"]]
    nuclei.index = [f"n{number:06d}" for number in range(1, len(nuclei) + 1)]
    sdata[keys.STARDIST] = frames.full_px_shapes(nuclei, sdata, "demo")
    return make_sample(sdata)


KEPT: list[Grown] = []


@pytest.fixture
def grown(cropped: Sample) -> Grown:
    """ProSeg's cells; run once for all tests here."""
    if not KEPT:
        KEPT.append(Grown(cropped, proseg.STAGE.run([cropped], FAST)[0]))
    return KEPT[0]


@pytest.mark.tools
@needs_proseg
def test_every_cell_names_the_nucleus_it_grew_from(grown):
    assert set(grown.cells[keys.NUCLEUS_ID]) <= set(grown.nuclei.index)
    assert grown.cells[keys.NUCLEUS_ID].is_unique
    assert len(grown.cells) > 0.9 * len(grown.nuclei)
    assert [f"c{n[1:]}" for n in grown.cells[keys.NUCLEUS_ID]] == list(grown.cells.index)
    own = grown.nuclei.loc[grown.cells[keys.NUCLEUS_ID]].geometry.to_numpy()
    apart = shapely.distance(shapely.centroid(own), grown.cells.geometry.to_numpy())
    assert np.median(apart) == 0
    assert np.quantile(apart, 0.95) < 5 / frames.um_per_px(grown.sample.sdata, "demo")


@pytest.mark.tools
@needs_proseg
def test_outlines_are_whole_bins(grown):
    """ProSeg's voxels lie on the bins: no bin is cut, none is counted half a bin away."""
    bins = grown.sample.sdata[keys.bin_shapes("demo", 2)].geometry.to_numpy()
    outlines = grown.cells.geometry.to_numpy()
    cell, square = shapely.STRtree(bins).query(outlines, predicate="intersects")
    common = shapely.area(shapely.intersection(outlines[cell], bins[square]))
    share = common / shapely.area(bins[square])
    assert ((share < 1e-3) | (share > 0.999)).all()
    counted = np.bincount(cell[share > 0.5], minlength=len(outlines))
    assert grown.cells[keys.AREA_UM2].to_numpy() == pytest.approx(BIN_UM2 * counted, rel=1e-3)


@pytest.mark.tools
@needs_proseg
def test_own_counts_have_the_bins_genes_and_no_more_umis_than_there_are(grown):
    assert list(grown.table.var_names) == list(grown.bins.var_names)
    own = np.asarray(grown.table.X.sum(axis=0)).ravel()
    given = np.asarray(grown.bins.X.sum(axis=0)).ravel()
    assert (own <= given).all()
    assert own.sum() > 0.1 * given.sum()
    assert (grown.table.X.data % 1 == 0).all()


@pytest.mark.tools
@needs_proseg
def test_the_table_is_of_the_cells_at_their_places(grown):
    assert list(grown.table.obs_names) == list(grown.cells.index)
    assert list(grown.table.obs[keys.CELL_ID]) == list(grown.cells.index)
    places = get_centroids(grown.cells, coordinate_system="demo").compute().to_numpy()
    assert np.allclose(grown.table.obsm[keys.SPATIAL], places)
    assert np.allclose(
        grown.table.obsm[keys.SPATIAL_UM],
        get_centroids(grown.cells, coordinate_system=keys.MICRONS).compute().to_numpy(),
    )


@pytest.mark.tools
@needs_proseg
def test_progress_counts_every_iteration(grown):
    steps = grown.sample.report.steps
    assert steps == [(done, 25, "iterations") for done in range(26)]


@pytest.mark.tools
@needs_proseg
def test_a_shallow_region_runs_without_factorization_and_says_so(cropped):
    bins = cropped.sdata[keys.bin_table(2)]
    bins.X = bins.X.multiply(np.random.default_rng(0).random(bins.shape) < 0.02).tocsr()
    fast = ProsegParameters(proseg=ProsegSettings(burnin_samples=2, samples=2, hillclimb=0))
    outcome = proseg.STAGE.run([cropped], fast)[0]
    assert "factorization" in cropped.report.notices[0]
    assert len(outcome.elements[keys.PROSEG]) > 10


@pytest.mark.tools
@needs_proseg
def test_killed_by_the_system_is_a_shortage_of_memory(cropped, monkeypatch):
    def kill(_done: int, _total: int, _what: str = "") -> None:
        for child in psutil.Process().children(recursive=True):
            if "proseg" in child.name():
                child.send_signal(signal.SIGKILL)

    monkeypatch.setattr(cropped.report, "progress", kill)
    with pytest.raises(MemoryShortageError, match="voxel_size"):
        proseg.STAGE.run([cropped], FAST)


@pytest.mark.tools
@needs_proseg
def test_what_proseg_says_last_reaches_the_user(tmp_path):
    with pytest.raises(StageError, match=r"File/directory not found: nothing\.zarr"):
        proseg_binary.run_proseg(
            ["nothing.zarr", "--anndata"], tmp_path, lambda _n: None, lambda _line: None
        )


def test_too_few_nuclei_are_refused(cropped):
    nuclei = cropped.sdata[keys.STARDIST].iloc[:3]
    del cropped.sdata.shapes[keys.STARDIST]
    cropped.sdata[keys.STARDIST] = nuclei
    with pytest.raises(StageError, match="only 3 nuclei"):
        proseg.STAGE.run([cropped], FAST)


def test_bins_of_a_nucleus_are_those_that_sopa_takes(cropped):
    bins, shapes = cropped.sdata[keys.bin_table(2)], cropped.sdata[keys.bin_shapes("demo", 2)]
    nuclei = cropped.sdata[keys.STARDIST]
    _, to_px = proseg.bin_grid(bins)
    found = proseg.nucleus_of_bin(nuclei, bins.obsm[keys.SPATIAL], to_px)
    with quiet():
        joined = shapes.sjoin(nuclei.reset_index(drop=True)).sort_values("index_right")
    first = joined[~joined.index.duplicated()]["index_right"] + 1
    expected = first.reindex(bins.obs[keys.LOCATION_ID]).fillna(0).to_numpy()
    assert (found == expected).all()


def test_a_turned_slide_is_followed():
    """Bins lie on a grid that is turned and moved against the picture."""
    import pandas as pd
    from anndata import AnnData

    row, col = np.divmod(np.arange(600), 30)
    angle, px = 0.03, 7.3
    turn = px * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    places = np.column_stack([col, row]) @ turn.T + [5000.0, 300.0]
    bins = AnnData(
        obs=pd.DataFrame({"array_row": row + 40, "array_col": col + 7}).set_index(
            pd.Index([str(i) for i in range(600)])
        ),
        obsm={keys.SPATIAL: places},
    )
    grid, to_px = proseg.bin_grid(bins)
    assert set(grid[:, 0]) == set(2.0 * np.arange(30))
    assert np.allclose(frames.points_moved(grid, to_px), places)


def test_the_executable_is_looked_for_where_it_is_said(monkeypatch, tmp_path):
    named = tmp_path / "proseg"
    named.write_text("#!/bin/sh\n")
    monkeypatch.setenv(proseg_binary.VARIABLE, str(named))
    with pytest.raises(MissingEngineError, match="not an executable"):
        proseg_binary.find_proseg()
    named.chmod(0o755)
    assert proseg_binary.find_proseg() == named


def test_a_missing_executable_is_said_with_the_command(monkeypatch, tmp_path):
    monkeypatch.delenv(proseg_binary.VARIABLE, raising=False)
    for variable in ("XDG_CACHE_HOME", "HOME", "PATH"):
        monkeypatch.setenv(variable, str(tmp_path))
    with pytest.raises(MissingEngineError, match=r"cargo install proseg --version 3\.2\.0"):
        proseg_binary.find_proseg()
    found = proseg_binary.proseg_folder() / "bin" / "proseg"
    found.parent.mkdir(parents=True)
    found.touch(mode=0o755)
    assert proseg_binary.find_proseg() == found
    assert os.path.commonpath([found, tmp_path]) == str(tmp_path)


def test_memory_is_estimated_from_what_is_there(cropped):
    """Measured: 143 MB with 198 nuclei and 56,000 UMIs of 2,000 genes."""
    small = proseg.STAGE.memory(cropped, FAST)
    assert 143e6 < small < 2 * 143e6
    cropped.sdata[keys.bin_table(2)].X *= 1000
    assert proseg.STAGE.memory(cropped, FAST) > 10 * small
