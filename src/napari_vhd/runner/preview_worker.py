"""In a process of its own: answers the wishes of `napari_vhd.runner.preview.Preview`.

Its supervisor calls `main`. It is given a line with the log, then a line of JSON a wish; it answers
with JSON lines.
"""

from __future__ import annotations

import json
import shutil
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd.config import RunConfig
from napari_vhd.io.store import RunStore
from napari_vhd.stages.stage import Sample

from . import executor, failures
from .preview import (
    OVERLAP_OWN,
    PROBABILITY_OWN,
    WISHES,
    FindNuclei,
    GrowCells,
    SegmentPicture,
    Wish,
    write_outlines,
)
from .worker import Lines, _log_to, _own_stdout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_vhd.stages.nuclei_preview import Candidates


class Previewer:
    """Answers one wish after the other."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._candidates: Candidates | None = None

    def answer(self, wish: Wish, number: int, folder: Path) -> None:
        """Answer a wish, with an error where it cannot be granted."""
        try:
            outlines, shape, origin, step, numbers = self._granted(wish, folder)
            path = folder / f"outlines_{number}.npz"
            write_outlines(outlines, path)
            labels = None
            if shape is not None:
                labels = str(folder / f"labels_{number}.npy")
                np.save(labels, draw_labels(outlines, shape, origin, step))
        except Exception as error:
            traceback.print_exc()
            told = failures.told(failures.sentence_of(error, "the preview"))
            self._lines.say("failed", number=number, **told)
        else:
            self._lines.say(
                "answer", number=number, labels=labels, outlines=str(path), numbers=numbers
            )

    def _granted(self, wish: Wish, folder: Path) -> tuple[Any, Any, Any, int, Mapping[str, Any]]:
        from napari_vhd.stages import nuclei_preview

        if isinstance(wish, SegmentPicture):
            nuclei = nuclei_preview.segment_picture(
                Path(wish.picture),
                (wish.shape[0], wish.shape[1]),
                wish.model,
                wish.prob_thresh,
                wish.nms_thresh,
                wish.min_area,
                wish.patch_width,
                wish.patch_overlap,
                lambda done, total: self._lines.progress(done, total, "patches"),
            )
            return nuclei.outlines, None, None, 1, _numbers("nuclei", nuclei.outlines)
        if isinstance(wish, GrowCells):
            outlines, numbers = self._grown(wish, folder)
            x0, y0, x1, y1 = wish.box
            shape = (-(-(y1 - y0) // wish.step), -(-(x1 - x0) // wish.step))
            return outlines, shape, (x0, y0), wish.step, numbers
        if isinstance(wish, FindNuclei):
            picture = np.load(wish.picture)
            self._candidates = nuclei_preview.find_candidates(picture, wish.model)
        if self._candidates is None:
            raise ValueError("no picture was looked at yet")
        nuclei = self._candidates.choose(wish.prob_thresh, wish.nms_thresh, wish.min_area)
        numbers = {
            **_numbers("nuclei", nuclei.outlines),
            PROBABILITY_OWN: round(self._candidates.prob_thresh, 3),
            OVERLAP_OWN: round(self._candidates.nms_thresh, 3),
        }
        return nuclei.outlines, self._candidates.shape, (0, 0), 1, numbers

    def _grown(self, wish: GrowCells, folder: Path) -> tuple[Any, Mapping[str, Any]]:
        from napari_vhd.stages import proseg_preview
        from napari_vhd.stages.proseg import STAGE

        config = RunConfig.from_dict(wish.config)
        store = RunStore.open(wish.run_dir)
        scratch = folder / "proseg"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            with executor.opened(None, 1) as where:
                sample = Sample(
                    id=store.sample_id,
                    name=store.sample_id,
                    sdata=store.sdata(),
                    outs=Path(),
                    image=None,
                    region=None,
                    run_dir=store.run_dir,
                    scratch=scratch,
                    reference=None,
                    marker_genes={},
                    report=self._lines,
                    executor=where,
                )
                parameters: Any = config.params.of(STAGE.parameters)
                return proseg_preview.preview(sample, parameters, wish.box, wish.iterations)
        finally:
            store.close()
            shutil.rmtree(scratch, ignore_errors=True)


def draw_labels(
    outlines: NDArray[Any], shape: tuple[int, int], origin: tuple[float, float], step: int = 1
) -> NDArray[np.int32]:
    """Draw outlines (corner convention) into a picture of labels, 1 for the first.

    Parameters
    ----------
    shape
        Height and width of the picture.
    origin
        x, y of its corner.
    step
        Side of a pixel.
    """
    import shapely
    from skimage.draw import polygon

    labels = np.zeros(shape, np.int32)
    parts, rows = shapely.get_parts(outlines, return_index=True)
    for part, row in zip(parts, rows, strict=True):
        x, y = (np.asarray(part.exterior.coords) - origin).T / step - 0.5
        inside = polygon(y, x, shape)
        before = labels[inside]
        labels[inside] = row + 1
        for hole in part.interiors:
            x, y = (np.asarray(hole.coords) - origin).T / step - 0.5
            empty = np.zeros(shape, bool)
            empty[polygon(y, x, shape)] = True
            within = empty[inside]
            labels[inside[0][within], inside[1][within]] = before[within]
    return labels


def _numbers(what: str, outlines: NDArray[Any]) -> dict[str, float | int]:
    import shapely

    area = shapely.area(outlines)
    median = round(float(np.median(area)), 1) if len(area) else 0
    return {what: len(outlines), "median area (px)": median}


def main() -> None:
    """Answer wishes until there are no more."""
    lines = Lines(_own_stdout())
    _log_to([Path(json.loads(sys.stdin.readline())["log"])])
    previewer = Previewer(lines)
    for line in sys.stdin:
        data = json.loads(line)
        wish = WISHES[data["kind"]](**data["wish"])
        previewer.answer(wish, data["number"], Path(data["folder"]))
