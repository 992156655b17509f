"""Knowing corrected cells again in a new segmentation.

ProSeg gives other cells each time it runs, and no id means the same cell in two segmentations. The
ledger keeps the computed outline of every cell from its first correction. After a new run:

- A corrected cell is matched to the new cell with which its outline as computed has the largest
  overlap (area in common over area of both together, IoU), if that is 0.5 or more; so at most one
  new cell can match. Where it has no such match, its outline as a person left it is tried.
- Of two old cells with the same best match, the larger overlap has it.
- Labels follow to the matched cell, and outlines that a person drew are its outline again.
- A cell that a person made and that has no match stays a cell of its own, with its id.
- Everything else is unmatched: listed for a decision, kept in the ledger, in force again when a
  segmentation matches.
- What a person settles (`Session.settle`) is not listed any longer, in later segmentations either:
  it was given up, or its label went to another cell, by an entry that stands for itself.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from .correction import OUTLINE_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .correction import Entry
    from .outlines import Outlines

LEAST_OVERLAP = 0.5


class Rings:
    """Outlines as rings of vertices; parts and holes are just rings (even-odd)."""

    def __init__(self, ids: list[str], counts: Any, lengths: Any, coords: Any) -> None:
        self._ids = ids
        self._counts = [counts]
        self._lengths = [lengths]
        self._coords = [coords]

    def append(self, cell: str, outline: Any) -> None:
        """Add a polygon."""
        import shapely

        coords, _ = shapely.get_rings(shapely.get_parts(outline), return_index=True)
        self._ids.append(cell)
        self._counts.append(np.array([len(coords)]))
        self._lengths.append(shapely.get_num_coordinates(coords))
        self._coords.append(shapely.get_coordinates(coords))

    def packed(self) -> bytes | None:
        """Write them in single precision from the corner of all; None: there are none."""
        if not self._ids:
            return None
        coords = np.concatenate(self._coords)
        corner = np.floor(coords.min(axis=0))
        file = io.BytesIO()
        np.savez(
            file,
            ids=np.array(self._ids, dtype=np.str_),
            corner=corner,
            coords=(coords - corner).astype(np.float32),
            lengths=np.concatenate(self._lengths).astype(np.int32),
            counts=np.concatenate(self._counts).astype(np.int32),
        )
        return file.getvalue()


def rings_of(outlines: Outlines, rows: Any) -> Rings:
    """Take the rings of rows as they stand, without making a polygon."""
    with outlines.lock:
        first, last = outlines.row_first_ring[rows], outlines.row_last_ring[rows]
        rings = _ranges(first, last)
        start, stop = outlines.ring_start[rings], outlines.ring_stop[rings]
        coords = outlines.coords[_ranges(start, stop)]
    return Rings(outlines.ids_of(rows), last - first, stop - start, coords)


def unpack_rings(body: bytes) -> dict[str, Any]:
    """Make polygons of what `Rings.packed` wrote."""
    import shapely

    found = {}
    with np.load(io.BytesIO(body), allow_pickle=False) as data:
        coords = data["coords"].astype(float) + data["corner"]
        stops = np.cumsum(data["lengths"])
        rings = [coords[stop - n : stop] for n, stop in zip(data["lengths"], stops, strict=True)]
        place = 0
        for cell, count in zip(data["ids"].tolist(), data["counts"].tolist(), strict=True):
            parts = shapely.make_valid(
                np.array([shapely.Polygon(ring) for ring in rings[place : place + count]])
            )
            found[cell] = parts[0]
            for part in parts[1:]:
                found[cell] = shapely.symmetric_difference(found[cell], part)
            place += count
    return found


def places_of(
    entries: Iterable[Entry], kept: Mapping[str, bytes]
) -> dict[tuple[str, str], tuple[float, float]]:
    """Say where cells lay as computed (full-resolution px), by epoch and id."""
    found = {}
    for entry in entries:
        if entry.entry_id in kept:
            for cell, shape in unpack_rings(kept[entry.entry_id]).items():
                found[entry.epoch, cell] = (float(shape.centroid.x), float(shape.centroid.y))
    return found


def match_epochs(
    entries: Iterable[Entry],
    kept: Mapping[str, bytes],
    outlines: Outlines,
    epoch: str,
    active: Any,
) -> dict[str, dict[str, str | None]]:
    """Match the cells of entries from earlier epochs to computed outlines.

    Parameters
    ----------
    entries
        On one segmentation, in order.
    kept
        Entry -> packed outlines of the cells that it touched first.
    outlines
        Of the new segmentation as computed.
    epoch
        Of the new segmentation: entries of it need no match.
    active
        Says of an entry id whether it is in force.

    Returns
    -------
    dict
        Epoch -> id in it -> id now, None where there is no match.
    """
    import shapely

    computed: dict[str, dict[str, Any]] = {}
    drawn: dict[str, dict[str, Any]] = {}
    touched: dict[str, dict[str, None]] = {}
    for entry in entries:
        if entry.epoch in ("", epoch):
            continue
        body = kept.get(entry.entry_id)
        if body is not None:
            computed.setdefault(entry.epoch, {}).update(unpack_rings(body))
        touched.setdefault(entry.epoch, {}).update(dict.fromkeys(entry.correction.cell_ids))
        if entry.correction.kind in OUTLINE_KINDS and active(entry.entry_id):
            own = drawn.setdefault(entry.epoch, {})
            for cell, wkb in entry.correction.outlines_after.items():
                if wkb is not None:
                    own[cell] = shapely.from_wkb(wkb)
    found = {}
    for old, cells in touched.items():
        asked = {cell: computed.get(old, {}).get(cell) for cell in cells}
        first = best_matches({c: s for c, s in asked.items() if s is not None}, outlines, set())
        left = {
            cell: shape
            for cell, shape in drawn.get(old, {}).items()
            if cell in cells and cell not in first
        }
        second = best_matches(left, outlines, set(first.values()))
        found[old] = {
            # A cell that a person made stays one; what was computed then is gone.
            cell: first.get(cell)
            or second.get(cell)
            or (cell if asked[cell] is None and cell in left else None)
            for cell in cells
        }
    return found


def best_matches(shapes: Mapping[str, Any], outlines: Outlines, taken: set[str]) -> dict[str, str]:
    """Match outlines to computed cells one to one, the largest overlaps first.

    Parameters
    ----------
    shapes
        Id -> outline, full-resolution px.
    outlines
        The computed cells.
    taken
        Ids of computed cells that are not to be had.
    """
    import shapely

    pairs: list[tuple[float, str, str]] = []
    for cell, shape in shapes.items():
        rows = np.asarray(outlines.query(*shape.bounds))
        if not len(rows):
            continue
        others = outlines.geometries(rows)
        common = shapely.area(shapely.intersection(_sound(shape), _sound(others)))
        share = common / (shape.area + shapely.area(others) - common)
        place = int(np.argmax(share))
        if share[place] >= LEAST_OVERLAP:
            pairs.append((float(share[place]), cell, outlines.id_of(int(rows[place]))))
    found: dict[str, str] = {}
    used = set(taken)
    for _, cell, other in sorted(pairs, key=lambda pair: (-pair[0], pair[1])):
        if other not in used:
            found[cell] = other
            used.add(other)
    return found


def _sound(geometries: Any) -> Any:
    """Mend outlines that cross themselves, so that areas in common can be computed."""
    import shapely

    return shapely.make_valid(geometries)


def _ranges(start: Any, stop: Any) -> Any:
    """Give the indices of all half-open ranges, one after the other."""
    lengths = stop - start
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(start - ends + lengths, lengths)
