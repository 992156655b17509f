"""Two segmentations of one sample, object by object: the same, split, merged, or in one only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import shapely
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

SAME = "same"
SPLIT = "split"
MERGED = "merged"
REGROUPED = "regrouped"
ONLY_A = "only_a"
ONLY_B = "only_b"
KINDS = (SAME, SPLIT, MERGED, REGROUPED, ONLY_A, ONLY_B)
"""One in both; one of A is several of B; several of A are one of B; several are several others;
in A alone; in B alone."""

# So many objects of a segmentation are at hand at once: of half a million, polygons take a GB.
_MOST = 20_000
# Two objects belong together where at least this share of the smaller lies in the other: a nucleus
# belongs to its cell although most of the cell is outside the nucleus, and to both of two cells
# whose border runs through its middle.
_TOGETHER = 1 / 3


@dataclass(frozen=True)
class Segmented:
    """One of the two segmentations.

    Attributes
    ----------
    ids
        Of the cells, n of them.
    boxes
        Bounds of the outlines, (n, 4): xmin, ymin, xmax, ymax in full-resolution px.
    geometries
        Gives polygons or multipolygons of some of the cells (their places among `ids`), in a new
        array; full-resolution px.
    umis
        Counts of each cell; None where they were not counted.
    """

    ids: Sequence[str]
    boxes: NDArray[np.float64]
    geometries: Callable[[NDArray[np.intp]], NDArray[np.object_]]
    umis: NDArray[np.floating] | None = None

    def valid(self, rows: NDArray[np.intp]) -> NDArray[np.object_]:
        """Give outlines, those mended that cross themselves: their overlap would be undefined."""
        geometries = self.geometries(rows)
        wrong = ~shapely.is_valid(geometries)
        geometries[wrong] = shapely.make_valid(geometries[wrong])
        return geometries

    def stripes(self) -> list[NDArray[np.intp]]:
        """Part the cells, from top to bottom."""
        order = np.argsort(self.boxes[:, 1], kind="stable")
        return [order[at : at + _MOST] for at in range(0, max(1, len(order)), _MOST)]

    def areas(self) -> NDArray[np.float64]:
        """Measure each cell, in full-resolution px²."""
        areas = np.zeros(len(self.ids))
        for rows in self.stripes():
            areas[rows] = shapely.area(self.valid(rows))
        return areas


def compare(a: Segmented, b: Segmented, um_per_px: float = 1.0) -> pd.DataFrame:
    """Match the objects of two segmentations.

    Objects of which at least a third of the smaller lies in the other belong together; what belongs
    together, directly or through others, is one row.

    Parameters
    ----------
    a, b
        The two; both in full-resolution px.
    um_per_px
        Length of a full-resolution px in µm.

    Returns
    -------
    pandas.DataFrame
        The most disagreeing first. Columns: ``kind`` (see `KINDS`), ``ids_a`` and ``ids_b``
        (lists), ``iou`` (best of the pairs in the row), ``disagreement`` (1 - iou), ``area_a_um2``
        and ``area_b_um2``, ``area_change_um2``, ``umis_a``, ``umis_b``, ``umi_change`` (B - A, NaN
        where not counted), ``x`` and ``y`` (middle, full-resolution px).
    """
    areas = [a.areas(), b.areas()]
    overlaps = [_overlaps(a, rows, b) for rows in a.stripes()]
    first, second, shared = (np.concatenate(part) for part in zip(*overlaps, strict=True))
    smaller = np.minimum(areas[0][first], areas[1][second])
    together = shared >= _TOGETHER * smaller
    first, second, shared = first[together], second[together], shared[together]
    number = len(a.ids) + len(b.ids)
    links = coo_matrix(
        (np.ones(len(first), bool), (first, second + len(a.ids))), shape=(number, number)
    )
    groups, group = connected_components(links, directed=False)
    iou = np.zeros(groups)
    union = areas[0][first] + areas[1][second] - shared
    np.maximum.at(iou, group[first], shared / np.maximum(union, np.finfo(float).tiny))
    return _rows(a, b, areas, group, iou, um_per_px)


def _overlaps(
    a: Segmented, in_a: NDArray[np.intp], b: Segmented
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Find pairs of some of A that overlap with any of B, and the area they share."""
    top = a.boxes[in_a, 1].min(initial=np.inf)
    bottom = a.boxes[in_a, 3].max(initial=-np.inf)
    in_b = np.flatnonzero((b.boxes[:, 3] >= top) & (b.boxes[:, 1] <= bottom))
    first, second = a.valid(in_a), b.valid(in_b)
    one, other = shapely.STRtree(second).query(first, predicate="intersects")
    shared = shapely.area(shapely.intersection(first[one], second[other]))
    some = shared > 0
    return in_a[one[some]], in_b[other[some]], shared[some]


def _rows(
    a: Segmented,
    b: Segmented,
    areas: list[NDArray[np.float64]],
    group: NDArray[np.int32],
    iou: NDArray[np.float64],
    um_per_px: float,
) -> pd.DataFrame:
    """Make a row of each group."""
    groups = len(iou)
    of = (group[: len(a.ids)], group[len(a.ids) :])
    counts = [np.bincount(part, minlength=groups) for part in of]
    sizes = [np.bincount(part, area, groups) for part, area in zip(of, areas, strict=True)]
    umis = [_summed(one.umis, part, groups) for one, part in ((a, of[0]), (b, of[1]))]
    boxes = _boxes(np.concatenate([a.boxes, b.boxes]), group, groups)
    frame = pd.DataFrame(
        {
            "kind": _kinds(*counts),
            "ids_a": _gathered(a.ids, of[0], counts[0]),
            "ids_b": _gathered(b.ids, of[1], counts[1]),
            "iou": iou,
            "disagreement": 1 - iou,
            "area_a_um2": sizes[0] * um_per_px**2,
            "area_b_um2": sizes[1] * um_per_px**2,
            "area_change_um2": (sizes[1] - sizes[0]) * um_per_px**2,
            "umis_a": umis[0],
            "umis_b": umis[1],
            "umi_change": umis[1] - umis[0],
            "x": (boxes[:, 0] + boxes[:, 2]) / 2,
            "y": (boxes[:, 1] + boxes[:, 3]) / 2,
        }
    )
    # Of those that disagree as much, the larger first: they move more counts.
    order = np.lexsort((-(sizes[0] + sizes[1]), -frame["disagreement"].to_numpy()))
    return frame.iloc[order].reset_index(drop=True)


def _kinds(in_a: NDArray[np.intp], in_b: NDArray[np.intp]) -> pd.Categorical:
    """Name what became of each group."""
    codes = np.select(
        [in_b == 0, in_a == 0, (in_a == 1) & (in_b == 1), in_a == 1, in_b == 1],
        [KINDS.index(kind) for kind in (ONLY_A, ONLY_B, SAME, SPLIT, MERGED)],
        KINDS.index(REGROUPED),
    )
    return pd.Categorical.from_codes(codes, list(KINDS))


def _summed(
    values: NDArray[np.floating] | None, group: NDArray[np.int32], groups: int
) -> NDArray[np.float64]:
    """Sum by group; NaN everywhere where nothing was counted."""
    if values is None:
        return np.full(groups, np.nan)
    return np.bincount(group, np.nan_to_num(values), groups).astype(np.float64)


def _gathered(ids: Sequence[str], group: NDArray[np.int32], counts: NDArray[np.intp]) -> pd.Series:
    """Ids of each group, in Arrow's memory: to make and delete a million lists takes a while."""
    order = np.argsort(group, kind="stable")
    sorted_ids = pa.array([str(ids[i]) for i in order], pa.large_string())
    lists = pa.LargeListArray.from_arrays(np.concatenate([[0], np.cumsum(counts)]), sorted_ids)
    return pd.Series(lists, dtype=pd.ArrowDtype(lists.type))


def _boxes(
    bounds: NDArray[np.float64], group: NDArray[np.int32], groups: int
) -> NDArray[np.float64]:
    """Box around each group: xmin, ymin, xmax, ymax."""
    low, high = np.full((groups, 2), np.inf), np.full((groups, 2), -np.inf)
    np.minimum.at(low, group, bounds[:, :2])
    np.maximum.at(high, group, bounds[:, 2:])
    return np.hstack([low, high])
