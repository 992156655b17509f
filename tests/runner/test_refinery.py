"""ProSeg on one region with corrected nuclei: the real one, in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
import shapely
from spatialdata import SpatialData

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError, CancelledError, MissingEngineError
from napari_vhd.io import frames, proseg_binary
from napari_vhd.io.visium_hd import quiet
from napari_vhd.session import Session
from napari_vhd.stages import aggregation
from napari_vhd.stages.counting import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


@pytest.fixture
def session(reviewed_run: Path) -> Iterator[Session]:
    """A sample with its true nuclei and cells."""
    with Session.open(reviewed_run, author="ab") as opened:
        opened.configure(proseg=FAST)
        yield opened


@pytest.mark.tools
@needs_proseg
def test_corrected_nuclei_are_grown_into_cells_of_the_region_alone(session: Session):
    nuclei, cells = session.outlines(keys.STARDIST), session.outlines(keys.PROSEG)
    inside = nuclei.ids_of(nuclei.within(AREA))
    gone, cut = inside[0], inside[-1]
    session.delete([gone])
    xmin, ymin, xmax, ymax = nuclei.geometry(cut).bounds
    middle = (xmin + xmax) / 2
    _, half = session.split(cut, [(middle, ymin - 5), (middle, ymax + 5)])
    job = session.refinement(AREA)
    steps: list[float] = []
    job.progressed.connect(lambda done, _total, _what: steps.append(done))
    job.start()
    made = job.wait(SECONDS)

    assert max(steps) > 1
    changed = {cell: shape for cell, shape in made.outlines.items() if shape is not None}
    assert made.outlines[f"c{gone[1:]}"] is None
    assert {f"n{cell[1:]}" for cell in changed} <= set(inside)
    assert len(changed) > 0.8 * len(inside)
    assert set(made.made_from) <= {half}
    # Cells stand where their nuclei are.
    own = np.array([nuclei.geometry(f"n{cell[1:]}") for cell in changed])
    apart = shapely.distance(shapely.centroid(own), np.array(list(changed.values())))
    assert np.median(apart) == 0
    assert all(shape.is_valid for shape in changed.values())

    before, state = session.cells, session.state_hash()
    new = session.refine(keys.PROSEG, made.outlines, made.made)
    after = session.cells
    outside = before.obs_names.difference([*made.outlines])
    assert set(after.obs_names) == {*outside, *changed, *new}
    assert (after[outside].X != before[outside].X).nnz == 0
    expected, _ = aggregation.counted(reviewed(session), "demo", Rule.of(session.sdata["table"]))
    assert (after[expected.obs_names].X != expected.X).nnz == 0
    assert list(session.history()["kind"])[-1] == "refine"
    assert cells.row_of(f"c{gone[1:]}") < 0
    session.undo()
    assert session.state_hash() == state


def reviewed(session: Session) -> SpatialData:
    """The sample as it would be counted anew."""
    sdata = SpatialData(shapes=dict(session.sdata.shapes), tables=dict(session.sdata.tables))
    cells = session.outlines(keys.PROSEG).frame()
    with quiet():
        sdata[keys.PROSEG] = frames.full_px_shapes(cells, sdata, "demo")
    return sdata


@pytest.mark.tools
@needs_proseg
def test_a_refinement_is_ended_at_once_and_leaves_nothing_behind(session: Session):
    session.configure(proseg={"samples": 100_000})
    state = session.state_hash()
    job = session.refinement(AREA)
    errors: list[Exception] = []
    job.failed.connect(errors.append)
    job.progressed.connect(lambda done, _total, _what: job.cancel() if done > 2 else None)
    job.start()
    with pytest.raises(CancelledError, match="the sample is as it was"):
        job.wait(SECONDS)
    assert len(errors) == 1
    assert not any("proseg" in child.name() for child in psutil.Process().children(recursive=True))
    assert session.state_hash() == state


def test_a_region_off_the_bins_is_refused_with_a_sentence(session: Session):
    far = shapely.Point(5000, 5000).buffer(20)
    session.refine(keys.STARDIST, {}, [far])  # drawn by hand, it would be refused: no image there
    job = session.refinement(far.buffer(50))
    job.start()
    with pytest.raises(BadInputError, match="no bins under the region"):
        job.wait(SECONDS)


def test_a_region_without_nuclei_is_refused_before_anything_starts(session: Session):
    with pytest.raises(BadInputError, match="no nuclei in the region"):
        session.refinement(shapely.box(5000, 5000, 5100, 5100)).start()
