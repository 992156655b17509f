"""What an edit of an outline puts out of date, cell by cell.

Counts and quality numbers of an edited cell follow at once. What a stage computed from them does
not: whether quality control keeps the cell and CellTypist's label of it by itself, which an update
works out anew (`napari_vhd.corrections.updating`); scores, types and domains, also of the cells
around it, as they were computed from their neighbours' counts as well (Novae's graph, EnrichMap's
smoothing) and need a run with the corrected outlines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys

from .counts import digest_of
from .updates import DIGEST_LETTERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .reviewed import Reviewed

QC, OWN_TYPE = "qc", "own type"
SCORES, TYPES, DOMAINS = "scores", "types", "domains"
ORDER = (QC, OWN_TYPE, SCORES, TYPES, DOMAINS)
# What depends on the counts of the cell alone, and the column that shows it.
ALONE = {QC: keys.KEPT, OWN_TYPE: keys.TYPE_CELLTYPIST_PER_CELL}
# The stages that would compute each anew, in the order in which data passes.
STAGES = {
    QC: ("qc",),
    OWN_TYPE: ("celltypist",),
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
        Stages that would compute it anew, in their order; empty: all is up to date.
    """

    cells: Mapping[str, tuple[str, ...]]
    counts: Mapping[str, int]
    rerun: tuple[str, ...]

    @property
    def listed(self) -> str:
        """List what is out of date, and of how many cells."""
        whats: dict[int, list[str]] = {}
        for what, number in self.counts.items():
            whats.setdefault(number, []).append(what)
        return ", ".join(
            f"{_and(names)} of {number:,} cell{'' if number == 1 else 's'}"
            for number, names in whats.items()
        )

    @property
    def sentence(self) -> str:
        """Say it to a reader; "" where all is up to date."""
        if not self.rerun:
            return ""
        said = [f"Out of date: {self.listed}."]
        alone = [what for what in ALONE if what in self.counts]
        if alone:
            said.append(f"An update works out {' and '.join(alone)} anew.")
        if set(self.counts) - set(ALONE):
            rest = "The rest needs" if alone else "They need"
            said.append(f"{rest} a run with the corrected outlines.")
        return " ".join(said)


def _and(names: Sequence[str]) -> str:
    """List names."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


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
    updated = outlines.rows_of(segmentation.updates.cells())
    alone = own | set(updated[updated >= 0].tolist())
    if not alone and not gone:
        return Stale({}, {}, ())
    there = columns_there(reviewed)
    around = own.copy()
    if DOMAINS in there or SCORES in there:
        around |= _around(reviewed, own, gone, radius_um)
    cells: dict[str, tuple[str, ...]] = {}
    for row in sorted(alone | around):
        what = _what(reviewed, row, there, alone=row in alone, around=row in around)
        if what:
            cells[outlines.id_of(row)] = what
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
    own = segmentation.is_edited(cell) or _counted_otherwise(reviewed, row)
    around = own or ((DOMAINS in there or SCORES in there) and _is_near(reviewed, row, radius_um))
    alone = own or cell in segmentation.updates
    return _what(reviewed, row, there, alone=alone, around=around)


def is_up_to_date(reviewed: Reviewed, row: int, column: str) -> bool:
    """Say whether a column of the cell alone was computed from the counts that it has now."""
    segmentation = reviewed.segmentation(reviewed.source.typed or "")
    updated = segmentation.updates.of(segmentation.outlines.id_of(row), column)
    if updated is None:
        return not _counted_otherwise(reviewed, row) and reviewed.computed.counts(row) is not None
    counts = counts_now(reviewed, row)
    same = counts is not None and updated.counts == digest_of(counts)[:DIGEST_LETTERS]
    return same and updated.content.recipes.get(column) == reviewed.source.settings.recipe(column)


def counts_now(reviewed: Reviewed, row: int) -> Any:
    """Give counts (1, genes) of a typed cell as they are now, None where it was never counted."""
    own = None if reviewed.counts is None else reviewed.counts.of(row)
    return reviewed.computed.counts(row) if own is None else own


def _what(
    reviewed: Reviewed, row: int, there: set[str], *, alone: bool, around: bool
) -> tuple[str, ...]:
    """Say what is out of date for a cell whose counts changed, or near one."""
    found = set(there - set(ALONE)) if around else set()
    if alone:
        mine = {what: column for what, column in ALONE.items() if what in there}
        found |= {w for w, column in mine.items() if not is_up_to_date(reviewed, row, column)}
    return tuple(what for what in ORDER if what in found)


def _is_near(reviewed: Reviewed, row: int, radius_um: float) -> bool:
    """Say whether a cell lies within a radius of a changed or deleted one."""
    segmentation = reviewed.segmentation(reviewed.source.typed or "")
    outlines = segmentation.outlines
    x, y = outlines.centroids[row]
    radius = radius_um / reviewed.source.um_per_px
    near = (np.hypot(*(segmentation.edited_places() - (x, y)).T) <= radius).any()
    if near:
        return True
    rows = outlines.query(x - radius, y - radius, x + radius, y + radius)
    rows = rows[np.hypot(*(outlines.centroids[rows] - (x, y)).T) <= radius]
    return any(_counted_otherwise(reviewed, one) for one in rows.tolist())


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
    if keys.TYPE_CELLTYPIST_PER_CELL in names:
        there.add(OWN_TYPE)
    if any(name.startswith("cell_type_") and name not in ALONE.values() for name in names):
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
