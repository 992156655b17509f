"""The live outlines of one segmentation: found by id, place or polygon; changed one by one.

Kept as ragged arrays of vertices, not as shapely objects: 500,000 cells of 30 vertices are 0.3 GB,
and a layer fills them without looking at an object. Polygons are made when asked for, the same to
the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd.deleting import delete_beside
from napari_vhd.io.asking import prepared

from .box_index import BoxIndex
from .rings import Rings, centroids_of, holds, joined, room_for, to_geometries, to_rings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from geopandas import GeoDataFrame
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]


class Outlines:
    """Outlines of the cells of one segmentation, in full-resolution px (corner convention).

    A row is for life: a removed cell keeps it (`alive` False), an added one gets a new one at the
    end, an edited one stays where it is. Where cells overlap, the highest row lies on top. Arrays
    are live: read them, never write; after a change that adds cells get them again.

    Parameters
    ----------
    name
        Name of the segmentation.
    ids
        Cell ids, one a geometry.
    geometries
        Polygon or MultiPolygon, holes allowed; None or empty: a cell without an outline. An array,
        or an iterator of arrays one after the other: never all of them in memory at once.

    Attributes
    ----------
    lock
        Hold it to read several arrays that must fit each other while another thread may edit.
    revision
        Number of changes so far.
    """

    def __init__(self, name: str, ids: Sequence[str], geometries: Any) -> None:
        import shapely

        self.name = name
        self.lock = RLock()
        self.revision = 0
        # In an array, for a list's members are all looked at by each search for garbage.
        self._ids = _Rows(np.array([str(cell) for cell in ids], dtype=object))
        self._row_of = {cell: row for row, cell in enumerate(self._ids.values)}
        if len(self._row_of) != self.n_rows:
            raise ValueError(f"{name}: a cell id occurs twice")
        parts, measures = [], [np.empty((0, 7))]
        for piece in geometries if isinstance(geometries, Iterator) else [geometries]:
            given = np.asarray(piece, dtype=object)
            parts.append(to_rings(given))
            bounds, area = shapely.bounds(given).reshape(-1, 4), np.nan_to_num(shapely.area(given))
            measures.append(np.column_stack([bounds, centroids_of(parts[-1]), area]))
        measured, rings = np.concatenate(measures), joined(parts)
        if len(measured) != self.n_rows:
            raise ValueError(f"{name}: {self.n_rows} ids for {len(measured)} outlines")
        bounds, centroids = measured[:, :4], measured[:, 4:6]
        middle = (bounds[:, :2] + bounds[:, 2:]) / 2
        self._alive = _Rows(np.diff(rings.row_stop, prepend=0) > 0)
        self._bounds = _Rows(bounds)
        self._centroids = _Rows(np.where(np.isnan(centroids), middle, centroids))
        self._areas = _Rows(measured[:, 6])
        self._multi = _Rows(rings.multi)
        self._coords = _Rows(rings.coords, within=rings.coords.base)
        self._ring_start = _Rows(np.concatenate([[0], rings.stop])[:-1].astype(np.int64))
        self._ring_stop = _Rows(rings.stop)
        self._shell = _Rows(rings.shell)
        self._first_ring = _Rows(np.concatenate([[0], rings.row_stop])[:-1].astype(np.int64))
        self._last_ring = _Rows(rings.row_stop)
        self._index = BoxIndex(self.bounds, self.alive)
        held = [one for one in vars(self).values() if isinstance(one, _Rows | BoxIndex | dict)]
        delete_beside(self, self.n_rows, *held)

    @property
    def n_rows(self) -> int:
        """Number of rows, removed cells included."""
        return len(self._ids.values)

    @property
    def alive(self) -> NDArray[np.bool_]:
        """By row: whether the cell is there."""
        return self._alive.values

    @property
    def bounds(self) -> NDArray[np.float64]:
        """By row: xmin, ymin, xmax, ymax; of a removed cell, where it was."""
        return self._bounds.values

    @property
    def centroids(self) -> NDArray[np.float64]:
        """By row: x, y; of a removed cell, where it was."""
        return self._centroids.values

    @property
    def areas(self) -> NDArray[np.float64]:
        """By row: area in px², holes left out."""
        return self._areas.values

    @property
    def coords(self) -> NDArray[np.float64]:
        """Vertices of all rings, (n, 2)."""
        return self._coords.values

    @property
    def ring_start(self) -> Rows:
        """By ring: first vertex in `coords`."""
        return self._ring_start.values

    @property
    def ring_stop(self) -> Rows:
        """By ring: end of its vertices in `coords`; the last closes the ring."""
        return self._ring_stop.values

    @property
    def row_first_ring(self) -> Rows:
        """By row: first of its rings; parts and holes are just rings (even-odd)."""
        return self._first_ring.values

    @property
    def row_last_ring(self) -> Rows:
        """By row: end of its rings."""
        return self._last_ring.values

    def id_of(self, row: int) -> str:
        """Give the id of a row, also of a removed cell."""
        return self._ids.values[row]

    def ids_of(self, rows: Iterable[int]) -> list[str]:
        """Give the ids of rows."""
        return self._ids.values[np.asarray(rows, dtype=np.int64)].tolist()

    def row_of(self, cell: str) -> int:
        """Give the row of a cell, -1 where it is unknown or removed."""
        row = self._row_of.get(cell, -1)
        return row if row >= 0 and self.alive[row] else -1

    def rows_of(self, cells: Iterable[str]) -> Rows:
        """Give the rows of cells, -1 where unknown or removed."""
        known = self._row_of
        rows = np.array([known.get(cell, -1) for cell in cells], dtype=np.int64)
        if len(rows):
            rows[~self.alive[rows]] = -1
        return rows

    def live_ids(self) -> list[str]:
        """Give the ids of all cells that are there, by row."""
        return self.ids_of(np.flatnonzero(self.alive))

    def geometry(self, cell: str) -> Any:
        """Give the outline of a cell.

        Raises
        ------
        KeyError
            If it is unknown or removed.
        """
        row = self.row_of(cell)
        if row < 0:
            raise KeyError(cell)
        return self.geometries([row])[0]

    def geometries(self, rows: Any) -> NDArray[Any]:
        """Give the outlines of rows as shapely objects; of a removed cell, its last."""
        rows = np.asarray(rows, dtype=np.int64)
        with self.lock:
            first, last = self.row_first_ring[rows], self.row_last_ring[rows]
            rings = _ranges(first, last)
            start, stop = self.ring_start[rings], self.ring_stop[rings]
            parts = Rings(
                coords=self.coords[_ranges(start, stop)],
                stop=np.cumsum(stop - start),
                shell=self._shell.values[rings],
                row_stop=np.cumsum(last - first),
                multi=self._multi.values[rows],
            )
        return to_geometries(parts)

    def query(self, xmin: float, ymin: float, xmax: float, ymax: float) -> Rows:
        """Give the rows, ascending, whose bounds meet a box."""
        with self.lock:
            rows = self._index.candidates(xmin, ymin, xmax, ymax)
            box = self.bounds[rows]
            meets = (box[:, 0] <= xmax) & (box[:, 2] >= xmin)
            meets &= (box[:, 1] <= ymax) & (box[:, 3] >= ymin)
            meets &= self.alive[rows]
            return np.sort(rows[meets])

    def pick(self, x: float, y: float) -> int:
        """Give the row drawn on top at a place, or -1."""
        with self.lock:
            for row in self.query(x, y, x, y)[::-1].tolist():
                rings = range(self.row_first_ring[row], self.row_last_ring[row])
                inside = [
                    holds(self.coords[self.ring_start[ring] : self.ring_stop[ring]], x, y)
                    for ring in rings
                ]
                if sum(inside) & 1:
                    return row
        return -1

    def within(self, polygon: Any) -> Rows:
        """Give the rows, ascending, whose centroid lies in a polygon (a lasso)."""
        import shapely

        if shapely.is_empty(polygon):
            return np.empty(0, dtype=np.int64)
        rows = self.query(*shapely.bounds(polygon).tolist())
        x, y = self.centroids[rows].T
        return rows[shapely.contains_xy(prepared(polygon), x, y)]

    def touching(self, geometry: Any) -> Rows:
        """Give the rows, ascending, whose outline has a point in common with a geometry."""
        import shapely

        if shapely.is_empty(geometry):
            return np.empty(0, dtype=np.int64)
        rows = self.query(*shapely.bounds(geometry).tolist())
        return rows[shapely.intersects(prepared(geometry), self.geometries(rows))]

    def put(self, cell: str, geometry: Any) -> int:
        """Add a cell, give it another outline, or bring it back; gives its row.

        Raises
        ------
        ValueError
            If the geometry is empty or no polygon.
        """
        return int(self.put_all([cell], [geometry])[0])

    def put_all(self, cells: Sequence[str], geometries: Any) -> Rows:
        """Do as `put` for many cells, each named once; gives their rows.

        Raises
        ------
        ValueError
            If a geometry is empty or no polygon; nothing changed.
        """
        import shapely

        given = np.empty(len(cells), dtype=object)
        given[:] = geometries
        rings = to_rings(given)
        last = rings.row_stop
        first = np.concatenate([[0], last[:-1]])
        if (empty := np.flatnonzero(first == last)).size:
            name = cells[int(empty[0])]
            raise ValueError(f"{self.name}: cell {name!r}: an outline is no polygon: it is empty")
        with self.lock:
            rows = np.array([self._row_for(cell) for cell in cells], dtype=np.int64)
            start, ring = len(self.coords), len(self.ring_stop)
            # Old vertices stay where they are: nobody who reads them sees half of an edit.
            self._coords.extend(rings.coords)
            self._ring_start.extend(start + np.concatenate([[0], rings.stop[:-1]]))
            self._ring_stop.extend(start + rings.stop)
            self._shell.extend(rings.shell)
            self.row_first_ring[rows], self.row_last_ring[rows] = ring + first, ring + last
            self._multi.values[rows] = rings.multi
            self.bounds[rows] = shapely.bounds(given)
            self.centroids[rows] = shapely.get_coordinates(shapely.centroid(given))
            self.areas[rows] = shapely.area(given)
            self.alive[rows] = True
            for row in rows.tolist():
                self._index.moved(row, self.bounds, self.alive)
            self.revision += 1
        return rows

    def remove(self, cell: str) -> int:
        """Take a cell away; gives its row, which it keeps.

        Raises
        ------
        KeyError
            If it is unknown or removed.
        """
        with self.lock:
            row = self.row_of(cell)
            if row < 0:
                raise KeyError(cell)
            self.alive[row] = False
            self.revision += 1
        return row

    def frame(self) -> GeoDataFrame:
        """Give all cells that are there as a GeoDataFrame; the index is the cell id."""
        import geopandas

        with self.lock:
            rows = np.flatnonzero(self.alive)
            geometries, ids = self.geometries(rows), self.ids_of(rows)
        return geopandas.GeoDataFrame(geometry=geometries, index=ids)

    def _row_for(self, cell: str) -> int:
        row = self._row_of.get(cell, -1)
        if row >= 0:
            return row
        row = self.n_rows
        self._ids.extend(np.array([cell], dtype=object))
        self._row_of[cell] = row
        self._alive.extend([False])
        self._bounds.extend([[np.nan] * 4])
        self._centroids.extend([[np.nan] * 2])
        self._areas.extend([0.0])
        self._multi.extend([False])
        self._first_ring.extend([0])
        self._last_ring.extend([0])
        return row


class _Rows:
    """An array that grows at the end; memory that is only set aside costs nothing until written."""

    def __init__(self, values: NDArray[Any], within: NDArray[Any] | None = None) -> None:
        self._length = len(values)
        if within is not None:
            self._buffer = within
            return
        self._buffer = np.empty((room_for(self._length), *values.shape[1:]), dtype=values.dtype)
        self._buffer[: self._length] = values

    @property
    def values(self) -> NDArray[Any]:
        return self._buffer[: self._length]

    def extend(self, more: Any) -> None:
        more = np.asarray(more)
        stop = self._length + len(more)
        if stop > len(self._buffer):
            old = self.values
            self._buffer = np.empty((room_for(stop), *old.shape[1:]), dtype=old.dtype)
            self._buffer[: len(old)] = old
        self._buffer[stop - len(more) : stop] = more
        self._length = stop


def _ranges(start: Rows, stop: Rows) -> Rows:
    """List the indices of half-open ranges, one range after the other."""
    lengths = stop - start
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(start - ends + lengths, lengths)
