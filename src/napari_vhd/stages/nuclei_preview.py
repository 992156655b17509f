"""StarDist on a small picture, with thresholds that can be turned while one looks.

The network runs once, with a low threshold, and its candidates are kept. Choosing among them is
what StarDist itself does after the network (threshold, then non-maximum suppression): a candidate
below a threshold never suppresses one above it, so the choice is the same as if the network had
been run with these thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import stardist
from .stardist import Nuclei, Patch
from .stardist import _downloaded as download
from .stardist import _model as load_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

FLOOR = 0.05
"""Candidates below this probability are not kept: there would be millions."""


@dataclass(frozen=True)
class Candidates:
    """What the network saw in one picture, before any choice.

    Attributes
    ----------
    probability, distances, points
        Of each candidate: (n,), (n, rays) and (n, 2) as y, x in px.
    shape
        Height and width of the picture.
    prob_thresh, nms_thresh
        The model's own.
    """

    probability: NDArray[np.float32]
    distances: NDArray[np.float32]
    points: NDArray[Any]
    shape: tuple[int, int]
    prob_thresh: float
    nms_thresh: float

    def choose(
        self, prob_thresh: float | None, nms_thresh: float | None, min_area: float
    ) -> Nuclei:
        """Choose nuclei; None: the model's own threshold.

        Returns
        -------
        Nuclei
            In px of the picture (corner convention), the most probable first.
        """
        import shapely
        from sopa.shapes import ensure_polygon
        from stardist.geometry import dist_to_coord
        from stardist.nms import non_maximum_suppression_sparse

        least = self.prob_thresh if prob_thresh is None else max(prob_thresh, FLOOR)
        which = self.probability > least
        points, probability, distances, _ = non_maximum_suppression_sparse(
            self.distances[which],
            self.probability[which],
            self.points[which],
            nms_thresh=self.nms_thresh if nms_thresh is None else nms_thresh,
        )
        if not len(points):
            return Nuclei(np.array([], dtype=object), np.array([]))
        corners = dist_to_coord(distances, points)[:, ::-1, :].transpose(0, 2, 1) + 0.5
        outlines = np.array([ensure_polygon(polygon) for polygon in shapely.polygons(corners)])
        outlines = shapely.intersection(outlines, shapely.box(0, 0, *self.shape[::-1]))
        area = shapely.area(outlines)
        kept = (area > 0) & (area >= min_area)
        return Nuclei(outlines[kept], np.asarray(probability, dtype=float)[kept])


def find_candidates(picture: NDArray[np.uint8], model_name: str) -> Candidates:
    """Run the network on a picture (y, x, 3), normalised as a patch of the run is."""
    from csbdeep.utils import normalize

    model = load_model(_folder(model_name))
    pixels = normalize(picture, clip=True)
    found = model.predict_sparse(pixels, prob_thresh=FLOOR, verbose=0)
    probability, distances, points = found[0], found[1], found[-1]
    return Candidates(
        probability,
        distances,
        points,
        (picture.shape[0], picture.shape[1]),
        float(model.thresholds.prob),
        float(model.thresholds.nms),
    )


def segment_picture(
    picture: Path,
    shape: tuple[int, int],
    model_name: str,
    prob_thresh: float | None,
    nms_thresh: float | None,
    min_area: float,
    patch_width: int,
    patch_overlap: int,
    report: Callable[[int, int], None],
) -> Nuclei:
    """Segment a whole picture, patch by patch, as a run does.

    Parameters
    ----------
    picture
        ``.npy`` file (3, y, x), 8-bit.
    shape
        Height and width.
    report
        Called with the patches done and the patches in all.

    Returns
    -------
    Nuclei
        In px of the picture (corner convention).
    """
    folder = _folder(model_name)
    boxes = list(_boxes(shape, patch_width, patch_overlap))
    pixels = np.load(picture, mmap_mode="r")
    found = []
    report(0, len(boxes))
    for number, (x0, y0, x1, y1) in enumerate(boxes, start=1):
        file = picture.with_name(f"patch_{number:06d}.npy")
        np.save(file, pixels[:, y0:y1, x0:x1])
        patch = Patch(
            image=str(file),
            bounds=(x0, y0, x1, y1),
            inside=None,
            model=folder,
            prob_thresh=prob_thresh,
            nms_thresh=nms_thresh,
            min_area=min_area,
        )
        found.append(stardist.segment(patch))
        file.unlink()
        report(number, len(boxes))
    return stardist.joined(found, min_area)


def _boxes(shape: tuple[int, int], width: int, overlap: int) -> Iterator[tuple[int, int, int, int]]:
    """Cut a picture into overlapping patches."""
    step = width - overlap
    for y in range(0, max(shape[0] - overlap, 1), step):
        for x in range(0, max(shape[1] - overlap, 1), step):
            yield x, y, min(x + width, shape[1]), min(y + width, shape[0])


def _folder(model_name: str) -> str:
    """Folder of a model; fetched where it is not here yet."""
    from napari_vhd.io import models

    folder = models.stardist_folder(model_name)
    return str(folder) if folder else download(model_name)
