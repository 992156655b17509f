"""Reviewed: what was computed with the corrections in force, in memory and live.

Replay is a fresh `Reviewed` with every entry of the ledger; what is built, and in which order, does
not matter: the state of each slot follows from the entries alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError

from . import catalogue, rematch
from .as_computed import AsComputed
from .catalogue import Column
from .columns import LabelColumn
from .correction import OUTLINE_KINDS, REGION, RELABELLING, UPDATE
from .counts import LiveCounts
from .filing import LABELLING, Filing
from .geometry import Ground
from .numbers import NumberColumns, Numbers
from .regions import Regions
from .segmentation import Moved, Segmentation
from .updates import Content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from geopandas import GeoDataFrame
    from numpy.typing import NDArray

    from .correction import Entry
    from .history import History
    from .opened import Opened
    from .outlines import Outlines


@dataclass(frozen=True)
class CellsChanged:
    """Cells that look different now.

    Attributes
    ----------
    boundaries
        Segmentation.
    rows
        Rows of its outlines.
    outlines
        Whether outlines changed; arrays may have been replaced by longer ones.
    columns
        Columns whose values changed.
    """

    boundaries: str
    rows: NDArray[np.int64]
    outlines: bool = False
    columns: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """What an entry changed.

    Attributes
    ----------
    cells
        Cells, by segmentation and column.
    regions
        Whether regions changed.
    columns
        Whether there are other columns, categories or colours.
    """

    cells: tuple[CellsChanged, ...] = ()
    regions: bool = False
    columns: bool = False


class Reviewed:
    """A sample with its corrections.

    Parameters
    ----------
    source
        What was computed.
    history
        Entries so far, and which are in force.
    kept
        Gives the outlines that entries kept of cells they touched first; asked only where the
        segmentation has changed since.

    Attributes
    ----------
    computed
        What was computed, by row.
    filing
        Entries by what they are about.
    """

    def __init__(
        self,
        source: Opened,
        history: History,
        kept: Callable[[], Mapping[str, bytes]] = dict,
    ) -> None:
        self.source = source
        self.computed = AsComputed(source)
        self.filing = Filing(history)
        self.kept = kept
        self._history = history
        self._segmentations: dict[str, Segmentation] = {}
        # Read, and not yet brought up to date.
        self._as_read: dict[str, Segmentation] = {}
        self._reading = RLock()
        self._columns: dict[tuple[str, str], LabelColumn] = {}
        self._numbers: dict[str, NumberColumns] = {}
        self._regions: Regions | None = None
        self._counts: LiveCounts | None = None

    # What there is

    def read_ahead(self, name: str) -> None:
        """Read a segmentation as computed: what is slow about it, and needs no entry.

        May be called beside everything else that is done with this sample.

        Raises
        ------
        BadInputError
            As `segmentation` does.
        """
        if name in self._segmentations:
            return
        with self._reading:
            if name not in self._as_read and name not in self._segmentations:
                ids, geometries = self.computed.outlines(name)
                self._as_read[name] = Segmentation(name, ids, geometries, self._history)

    def segmentation(self, name: str) -> Segmentation:
        """Give a segmentation with its corrections; built the first time.

        Raises
        ------
        BadInputError
            If there is none of that name; names those that are there.
        """
        if name not in self._segmentations:
            with self._reading:
                self.read_ahead(name)
                self._segmentations[name] = self._segmented(self._as_read.pop(name))
        return self._segmentations[name]

    def _segmented(self, made: Segmentation) -> Segmentation:
        """Bring a segmentation up to date with its entries."""
        name = made.name
        entries = self.filing.cells(name)
        if any(entry.epoch not in ("", made.epoch) for entry in entries):
            made.matches = rematch.match_epochs(
                entries, self.kept(), made.outlines, made.epoch, self._history.active
            )
        made.load(self.filing.outlines(name))
        for entry in entries:
            made.note(entry)
        return made

    def outlines(self, name: str) -> Outlines:
        """Give the live outlines of a segmentation."""
        return self.segmentation(name).outlines

    def boundaries_frame(self, name: str) -> GeoDataFrame:
        """Give a segmentation as a GeoDataFrame: cells that are there, with their own columns."""
        frame = self.outlines(name).frame()
        own = self.computed.frame(name).reindex(frame.index)
        for column in own:
            frame[column] = own[column]
        if keys.AREA_UM2 in frame:
            frame[keys.AREA_UM2] = frame.area * self.source.um_per_px**2
        return frame

    @property
    def regions(self) -> Regions:
        """The regions."""
        if self._regions is None:
            self._regions = Regions(self.source.regions(), self._history)
            for entry in self.filing.regions:
                self._regions.add(entry)
        return self._regions

    @property
    def counts(self) -> LiveCounts | None:
        """Counts of edited cells; None where the sample has no counted cells."""
        typed = self.source.typed
        if self._counts is None and typed is not None:
            counter = self.source.counter()
            if counter is not None:
                segmentation = self.segmentation(typed)
                self._counts = LiveCounts(counter, segmentation)
                edited = segmentation.edited()
                rows = tuple(segmentation.row_for_life(cell) for cell in edited)
                before = tuple(segmentation.computed(cell) for cell in edited)
                self._counts.follow(Moved(rows, before))
        return self._counts

    def columns(self, boundaries: str) -> tuple[Column, ...]:
        """List what the cells of a segmentation can be coloured by (genes apart)."""
        found = {column.name: column for column in self.computed.columns(boundaries)}
        for name in self.filing.label_sets(boundaries):
            found.setdefault(
                name, Column(name, catalogue.CATEGORICAL, name, "", catalogue.OWN_LABELS)
            )
        return tuple(found.values())

    def label_names(self, boundaries: str) -> list[str]:
        """Name the columns of labels."""
        kind = catalogue.CATEGORICAL
        return [column.name for column in self.columns(boundaries) if column.kind == kind]

    def column(self, boundaries: str, name: str) -> LabelColumn:
        """Give a label column with its corrections; built the first time.

        Raises
        ------
        BadInputError
            If there is none of that name; names those that are there.
        """
        found = self._columns.get((boundaries, name))
        if found is None:
            segmentation = self.segmentation(boundaries)
            there = self.label_names(boundaries)
            if name not in there:
                raise BadInputError(
                    f"{name!r}: {boundaries} have no such column of labels; there are: "
                    f"{', '.join(there) or 'none'}; make_label_set makes one of your own."
                )
            computed = self.computed.labels(boundaries, name)
            found = LabelColumn(name, computed, segmentation, self._history)
            found.load(self.filing.labels(boundaries, name))
            self._columns[boundaries, name] = found
        return found

    def corrected_columns(self) -> Iterator[tuple[str, str, LabelColumn]]:
        """Give the label columns with entries: segmentation, name, column; sorted."""
        for boundaries, name in self.filing.label_columns():
            there = boundaries in self.source.segmentation_names()
            if there and name in self.label_names(boundaries):
                yield boundaries, name, self.column(boundaries, name)

    def numbers(self, boundaries: str, name: str) -> Numbers:
        """Give a number of each cell; ``gene:<symbol>`` for a gene's counts."""
        if boundaries not in self._numbers:
            self._numbers[boundaries] = NumberColumns(self, boundaries)
        return self._numbers[boundaries].get(name)

    def ground(self) -> Ground:
        """Say what outlines are drawn on."""
        return Ground(self.source.um_per_px, self.source.extent)

    # What changes

    def add(self, entry: Entry, switched: Iterable[Entry]) -> Change:
        """Follow an entry that came into the history, and those that it switched on or off."""
        self.filing.file(entry)
        changes = [self._follow(entry, new=True)]
        changes += [self._follow(one, new=False) for one in switched]
        return joined(changes)

    def _follow(self, entry: Entry, *, new: bool) -> Change:
        made = entry.correction
        if made.kind == REGION:
            if self._regions is None:
                return Change(regions=True)
            return Change(regions=(self._regions.add if new else self._regions.switch)(entry))
        segmentation = self._segmentations.get(made.boundaries)
        if segmentation is not None and new:
            segmentation.note(entry)
        if made.kind in OUTLINE_KINDS and segmentation is not None:
            moved = (segmentation.add if new else segmentation.switch)(entry)
            return self._follow_outlines(segmentation, moved)
        if made.kind in LABELLING:
            return self._follow_labels(entry, new)
        if made.kind == UPDATE and segmentation is not None:
            return self._follow_update(entry, segmentation, new)
        return Change()

    def _follow_labels(self, entry: Entry, new: bool) -> Change:
        made = entry.correction
        column = self._columns.get((made.boundaries, made.column))
        if column is None:
            return Change(columns=made.kind not in RELABELLING)
        names = column.n_names
        rows = (column.add if new else column.switch)(entry)
        changed = made.kind not in RELABELLING or column.n_names != names
        cells: tuple[CellsChanged, ...] = ()
        if len(rows):
            cells = (CellsChanged(made.boundaries, rows, columns=frozenset({made.column})),)
        return Change(cells, columns=changed)

    def _follow_update(self, entry: Entry, segmentation: Segmentation, new: bool) -> Change:
        name, content = segmentation.name, Content.of(entry)
        ids = [cell for cell in segmentation.resolved(entry) if cell is not None]
        rows = segmentation.outlines.rows_of(ids)
        rows = np.unique(rows[rows >= 0])
        grown = False
        for label in content.labels:
            column = self._columns.get((name, label))
            if column is not None:
                names = column.n_names
                (column.add if new else column.switch)(entry)
                grown |= column.n_names != names
        if name in self._numbers:
            self._numbers[name].follow(rows.tolist())
        columns = frozenset((*content.labels, *content.numbers))
        return Change((CellsChanged(name, rows, columns=columns),), columns=grown)

    def _follow_outlines(self, segmentation: Segmentation, moved: Moved) -> Change:
        if not moved.rows:
            return Change()
        name = segmentation.name
        rows = np.array(moved.rows, dtype=np.int64)
        alive = segmentation.outlines.ids_of(rows[segmentation.outlines.alive[rows]])
        columns = set()
        for (boundaries, label), column in self._columns.items():
            if boundaries == name:
                column.grow(segmentation.n_rows)
                column.refresh(alive)
                columns.add(label)
        if name == self.source.typed and self._counts is not None:
            self._counts.follow(moved)
            rows = np.union1d(rows, self._counts.settle())
        if name in self._numbers:
            columns |= self._numbers[name].follow(rows.tolist())
        return Change((CellsChanged(name, rows, outlines=True, columns=frozenset(columns)),))


def joined(changes: Iterable[Change]) -> Change:
    """Put changes together."""
    found: list[Any] = list(changes)
    return Change(
        tuple(cells for change in found for cells in change.cells),
        any(change.regions for change in found),
        any(change.columns for change in found),
    )
