"""Previews: in a process of their own, the newest wish counts, the real StarDist and ProSeg."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import shapely
import tifffile

from napari_vhd.exceptions import VhdError
from napari_vhd.io.models import SHIPPED
from napari_vhd.io.store import RunStore
from napari_vhd.runner.preview import (
    PROBABILITY_OWN,
    Answer,
    ChooseNuclei,
    FindNuclei,
    GrowCells,
    Preview,
    SegmentPicture,
    read_outlines,
    write_outlines,
)
from napari_vhd.runner.preview_worker import draw_labels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_vhd.runner.executor import Processes

SECONDS = 120


class Asker:
    """Asks, and waits for what comes."""

    def __init__(self) -> None:
        self.preview = Preview()
        self.heard: list[Any] = []
        self._come = threading.Event()
        self.preview.answered.connect(self._hear)
        self.preview.failed.connect(lambda _wish, error: self._hear(error))

    def _hear(self, what: Any) -> None:
        self.heard.append(what)
        self._come.set()

    def ask(self, wish: Any) -> Any:
        self._come.clear()
        self.preview.ask(wish)
        assert self._come.wait(SECONDS)
        return self.heard[-1]

    def picture(self, pixels: Any, name: str = "view.npy") -> str:
        path = self.preview.folder / name
        np.save(path, pixels)
        return str(path)


@pytest.fixture(scope="module")
def asker() -> Iterator[Asker]:
    made = Asker()
    yield made
    made.preview.close()


@pytest.fixture(scope="module")
def h_and_e(simulated: Path) -> Any:
    return tifffile.imread(simulated / "tissue_image.tif")


def test_outlines_are_kept_without_loss(tmp_path: Path) -> None:
    hole = shapely.box(0.123456789, 0, 10, 10).difference(shapely.box(2, 2, 4, 4))
    many = np.array([hole, shapely.MultiPolygon([shapely.box(20, 0, 21, 1), hole])])
    write_outlines(many, tmp_path / "outlines.npz")
    again = read_outlines(tmp_path / "outlines.npz")
    assert shapely.equals(again, many).all()
    assert (shapely.get_coordinates(again) == shapely.get_coordinates(many)).all()


def test_no_outlines_are_kept_too(tmp_path: Path) -> None:
    write_outlines(np.array([], dtype=object), tmp_path / "none.npz")
    assert len(read_outlines(tmp_path / "none.npz")) == 0


def test_labels_lie_on_the_pixels_whose_centre_is_inside() -> None:
    square = shapely.box(12, 21, 15, 23)
    ring = shapely.box(20, 20, 26, 26).difference(shapely.box(22, 22, 24, 24))
    labels = draw_labels(np.array([square, ring]), (10, 20), (10, 20))
    assert np.argwhere(labels == 1).tolist() == [[y, x] for y in (1, 2) for x in (2, 3, 4)]
    assert (labels == 2).sum() == 36 - 4
    coarse = draw_labels(np.array([shapely.box(10, 20, 18, 24)]), (5, 10), (10, 20), step=2)
    assert np.argwhere(coarse == 1).tolist() == [[y, x] for y in (0, 1) for x in range(4)]


@pytest.mark.tools
def test_thresholds_choose_as_a_run_with_them_would(
    asker: Asker, h_and_e: Any, beside: Processes
) -> None:
    from napari_vhd.io import models
    from napari_vhd.stages.stardist import Patch, segment

    view = h_and_e[100:400, 100:400]
    first = asker.ask(FindNuclei(asker.picture(view), SHIPPED, None, None, 20.0))
    assert isinstance(first, Answer)
    assert np.load(first.labels).shape == (300, 300)
    patch_file = asker.picture(np.moveaxis(view, 2, 0), "patch.npy")
    for prob, nms in ((None, None), (0.3, 0.4), (0.8, 0.2)):
        answer = asker.ask(ChooseNuclei(prob, nms, 20.0))
        folder = str(models.stardist_folder(SHIPPED))
        patch = Patch(patch_file, (0, 0, 300, 300), None, folder, prob, nms, 20.0)
        ((_, nuclei),) = beside.map(segment, [patch])
        assert answer.numbers["nuclei"] == len(nuclei.outlines) > 10
        mine = shapely.unary_union(read_outlines(answer.outlines))
        whole = shapely.unary_union(nuclei.outlines)
        assert mine.symmetric_difference(whole).area < 1e-3 * whole.area
    assert 0 < first.numbers[PROBABILITY_OWN] < 1


@pytest.mark.tools
def test_a_whole_picture_is_segmented_as_a_run_does(asker: Asker, h_and_e: Any) -> None:
    picture = asker.picture(np.moveaxis(h_and_e[:400, :500], 2, 0), "whole.npy")
    steps = []
    asker.preview.progressed.connect(lambda _w, done, total, _what: steps.append((done, total)))
    answer = asker.ask(SegmentPicture(picture, (400, 500), SHIPPED, None, None, 20.0, 300, 50))
    outlines = read_outlines(answer.outlines)
    assert answer.labels is None
    assert steps[-1][0] == steps[-1][1] == 4
    tree = shapely.STRtree(outlines)
    a, b = tree.query(outlines, predicate="overlaps")
    assert (shapely.area(shapely.intersection(outlines[a], outlines[b])) < 0.01).all()


@pytest.mark.tools
def test_proseg_grows_cells_in_a_box_with_few_iterations(asker: Asker, finished_run: Path) -> None:
    config = RunStore.open(finished_run).config().to_dict()
    before = sorted(path.name for path in finished_run.iterdir())
    answer = asker.ask(GrowCells(str(finished_run), config, (100, 100, 500, 500), 6))
    assert isinstance(answer, Answer), answer
    outlines = read_outlines(answer.outlines)
    assert answer.numbers["cells"] == len(outlines) > 10
    assert np.load(answer.labels).shape == (400, 400)
    centres = shapely.get_coordinates(shapely.centroid(outlines))
    assert centres.min() > 80
    assert centres.max() < 520
    assert sorted(path.name for path in finished_run.iterdir()) == before


@pytest.mark.tools
def test_what_cannot_be_granted_is_one_sentence_and_the_worker_lives_on(
    asker: Asker, h_and_e: Any
) -> None:
    error = asker.ask(FindNuclei("/nowhere.npy", SHIPPED, None, None, 20.0))
    assert isinstance(error, VhdError)
    assert "\n" not in str(error)
    view = asker.picture(h_and_e[:64, :64])
    assert isinstance(asker.ask(FindNuclei(view, SHIPPED, None, None, 20.0)), Answer)


def test_of_wishes_that_wait_only_the_newest_is_granted() -> None:
    """Whatever the worker says to them: here it fails, without any picture."""
    preview = Preview()
    told = []
    done = threading.Event()

    def hear(wish: ChooseNuclei, _error: VhdError) -> None:
        told.append(wish.min_area)
        if wish.min_area == 9.0:
            done.set()

    preview.failed.connect(hear)
    for number in range(10):
        preview.ask(ChooseNuclei(None, None, float(number)))
    assert done.wait(SECONDS)
    assert told == [0.0, 9.0]
    assert not preview.is_busy
    preview.close()


def test_cancel_ends_the_worker_at_once_and_closing_leaves_no_file() -> None:
    asker = Asker()
    preview, folder = asker.preview, asker.preview.folder
    before = set(psutil.Process().children(recursive=True))
    asker.ask(ChooseNuclei(None, None, 1.0))
    new = set(psutil.Process().children(recursive=True)) - before
    # The fork server stays.
    own = {one for one in new if one.ppid() != os.getpid()}
    assert own
    asker.preview.ask(ChooseNuclei(None, None, 1.0))
    preview.cancel()
    assert not preview.is_busy
    assert not psutil.wait_procs(own, timeout=5)[1]
    preview.close()
    assert not folder.exists()
