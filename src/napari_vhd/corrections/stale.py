"""What an edit of an outline puts out of date, cell by cell.

The counts of an edited cell follow at once. What a stage computed from them does not: quality,
scores, types and domains of the cell itself, and of the cells around it that were computed from
their neighbours' counts as well (Novae's graph, EnrichMap's smoothing).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .reviewed import Reviewed

QC, SCORES, TYPES, DOMAINS = "qc", "scores", "types", "domains"
ORDER = (QC, SCORES, TYPES, DOMAINS)
# The stages that would compute each anew, in the order in which data passes.
STAGES = {
    QC: ("qc",),
    DOMAINS: ("neighbors", "domains"),
    SCORES: ("enrichment",),
    TYPES: ("celltypist", "enrichment"),
}
_STAGE_ORDER = ("qc", "neighbors", "domains", "celltypist", "enrichment")


@dataclass(frozen=True)
class Stale:
    """What is out of date.

    Attributes
    ----------
    cells
        Id of each cell -> what is out of date for it, in the order of `ORDER`.
    counts
        What -> number of cells.
    rerun
        Stages to run again, in their order; empty: all is up to date.
    """

    cells: Mapping[str, tuple[str, ...]]
    counts: Mapping[str, int]
    rerun: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Say it to a reader; "" where all is up to date."""
        if not self.rerun:
            return ""
        parts = ", ".join(f"{what} of {n}" for what, n in self.counts.items())
        return (
            f"Out of date: {parts} cells. To bring them up to date, rerun {self.rerun[0]} and on."
        )


def find_stale(reviewed: Reviewed, radius_um: float) -> Stale:
    """Find what is out of date.

    Parameters
    ----------
    reviewed
        The sample.
    radius_um
        Within which cells are neighbours.
    """
    typed = reviewed.source.typed
    if typed is None:
        return Stale({}, {}, ())
    segmentation = reviewed.segmentation(typed)
    outlines = segmentation.outlines
    own = set(rows_changed(reviewed))
    gone = [segmentation.computed(c) for c, now in segmentation.edited().items() if now is None]
    if not own and not gone:
        return Stale({}, {}, ())
    there = columns_there(reviewed)
    around = _around(reviewed, own, gone, radius_um) - own
    cells: dict[str, tuple[str, ...]] = {}
    neighbours = tuple(what for what in ORDER if what in there and what != QC)
    for row in sorted(own):
        cells[outlines.id_of(row)] = tuple(what for what in ORDER if what in there)
    if DOMAINS in there or SCORES in there:
        for row in sorted(around):
            cells[outlines.id_of(row)] = neighbours
    counts = {w: sum(w in what for what in cells.values()) for w in ORDER if w in there}
    stages = {stage for what, number in counts.items() if number for stage in STAGES[what]}
    done = reviewed.source.stages_done
    rerun = tuple(stage for stage in _STAGE_ORDER if stage in stages and stage in done)
    return Stale(cells, {what: n for what, n in counts.items() if n}, rerun)


def stale_of(reviewed: Reviewed, radius_um: float, cell: str) -> tuple[str, ...]:
    """Say what is out of date for one typed cell, at a cost that does not grow with the edits.

    Parameters
    ----------
    reviewed
        The sample.
    radius_um
        Within which cells are neighbours.
    cell
        Its id.
    """
    typed = reviewed.source.typed
    if typed is None:
        return ()
    segmentation = reviewed.segmentation(typed)
    outlines, there = segmentation.outlines, columns_there(reviewed)
    row = outlines.row_of(cell)
    if segmentation.is_edited(cell) or _counted_otherwise(reviewed, row):
        return tuple(what for what in ORDER if what in there)
    if DOMAINS not in there and SCORES not in there:
        return ()
    x, y = outlines.centroids[row]
    radius = radius_um / reviewed.source.um_per_px
    near = (np.hypot(*(segmentation.edited_places() - (x, y)).T) <= radius).any()
    if not near:
        rows = outlines.query(x - radius, y - radius, x + radius, y + radius)
        rows = rows[np.hypot(*(outlines.centroids[rows] - (x, y)).T) <= radius]
        near = any(_counted_otherwise(reviewed, one) for one in rows.tolist())
    return tuple(what for what in ORDER if what in there and what != QC) if near else ()


def _counted_otherwise(reviewed: Reviewed, row: int) -> bool:
    """Say whether the counts of a typed cell are not as computed."""
    own = None if reviewed.counts is None else reviewed.counts.of(row)
    return own is not None and not reviewed.computed.is_counted_so(row, own)


def rows_changed(reviewed: Reviewed) -> list[int]:
    """Rows of live typed cells whose counts or outline are not as computed."""
    typed = reviewed.source.typed
    if typed is None:
        return []
    segmentation = reviewed.segmentation(typed)
    outlines = segmentation.outlines
    edited = [cell for cell, now in segmentation.edited().items() if now is not None]
    rows = set(outlines.rows_of(edited).tolist())
    for row in () if reviewed.counts is None else reviewed.counts.rows():
        if row not in rows and _counted_otherwise(reviewed, row):
            rows.add(row)
    return sorted(rows - {-1})


def columns_there(reviewed: Reviewed) -> set[str]:
    """Which kinds of results the table holds."""
    names = [str(name) for name in reviewed.source.obs()]
    there = set()
    if keys.KEPT in names:
        there.add(QC)
    if any(name.endswith("_score") for name in names):
        there.add(SCORES)
    if any(name.startswith("cell_type_") for name in names):
        there.add(TYPES)
    if any(name.startswith(keys.domains(0)[:-1]) for name in names):
        there.add(DOMAINS)
    return there


def _around(reviewed: Reviewed, own: set[int], gone: list[Any], radius_um: float) -> set[int]:
    """Rows of cells within a radius of changed or deleted ones."""
    typed = reviewed.source.typed or ""
    segmentation = reviewed.segmentation(typed)
    outlines = segmentation.outlines
    radius = radius_um / reviewed.source.um_per_px
    places: list[NDArray[np.float64]] = [outlines.centroids[row] for row in own]
    shapes = [*gone, *(segmentation.computed(outlines.id_of(row)) for row in own)]
    places += [np.array([s.centroid.x, s.centroid.y]) for s in shapes if s is not None]
    found: set[int] = set()
    for x, y in places:
        rows = outlines.query(x - radius, y - radius, x + radius, y + radius)
        far = np.hypot(*(outlines.centroids[rows] - (x, y)).T)
        found.update(rows[far <= radius].tolist())
    return found
