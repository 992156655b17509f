"""Reviewed: what was computed with the corrections in force, in memory and live.

Replay is a fresh `Reviewed` with every entry of the ledger; what is built, and in which order, does
not matter: the state of each slot follows from the entries alone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError

from . import catalogue, rematch
from .catalogue import Column
from .columns import NOTHING, Computed, LabelColumn
from .correction import COLOR, LABEL_SET, OUTLINE_KINDS, REGION, RELABEL, RENAME_CATEGORY
from .counts import LiveCounts
from .geometry import Ground
from .numbers import NumberColumns, Numbers
from .regions import Regions
from .segmentation import Moved, Segmentation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pandas as pd
    from geopandas import GeoDataFrame
    from numpy.typing import NDArray

    from .computed import ComputedSource
    from .correction import Entry
    from .history import History
    from .outlines import Outlines

_LABELLING = frozenset({RELABEL, RENAME_CATEGORY, LABEL_SET, COLOR})


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
    """

    def __init__(
        self,
        source: ComputedSource,
        history: History,
        kept: Callable[[], Mapping[str, bytes]] = dict,
    ) -> None:
        self.source = source
        self._history = history
        self._kept = kept
        self._segmentations: dict[str, Segmentation] = {}
        self._columns: dict[tuple[str, str], LabelColumn] = {}
        self._numbers: dict[str, NumberColumns] = {}
        self._frames: dict[str, pd.DataFrame] = {}
        self._regions: Regions | None = None
        self._counts: LiveCounts | None = None
        self._table_rows: NDArray[np.int64] | None = None
        self._gene_numbers: dict[str, int] | None = None
        self._on: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
        for entry in history.entries:
            self._file(entry)

    # What there is

    def segmentation(self, name: str) -> Segmentation:
        """Give a segmentation with its corrections; built the first time.

        Raises
        ------
        BadInputError
            If there is none of that name; names those that are there.
        """
        if name not in self._segmentations:
            if name not in self.source.segmentation_names():
                there = ", ".join(self.source.segmentation_names()) or "none"
                raise BadInputError(
                    f"{self.source.sample_id}: there are no {name!r}; there are: {there}."
                )
            ids, geometries, frame = self.source.outlines(name)
            self._frames[name] = frame
            made = Segmentation(name, ids, geometries, self._history)
            entries = self._on["cells", name]
            if any(entry.epoch not in ("", made.epoch) for entry in entries):
                made.matches = rematch.match_epochs(
                    entries, self._kept(), made.outlines, made.epoch, self._history.active
                )
            self._segmentations[name] = made
            made.load(self._on["outlines", name])
            for entry in entries:
                made.note(entry)
        return self._segmentations[name]

    def outlines(self, name: str) -> Outlines:
        """Give the live outlines of a segmentation."""
        return self.segmentation(name).outlines

    def boundaries_frame(self, name: str) -> GeoDataFrame:
        """Give a segmentation as a GeoDataFrame: cells that are there, with their own columns."""
        segmentation = self.segmentation(name)
        own = self._frames[name].set_axis(self._index(name))
        frame = segmentation.outlines.frame()
        for column in own:
            frame[column] = own[column].reindex(frame.index)
        if keys.AREA_UM2 in frame:
            frame[keys.AREA_UM2] = frame.area * self.source.um_per_px**2
        return frame

    @property
    def regions(self) -> Regions:
        """The regions."""
        if self._regions is None:
            self._regions = Regions(self.source.regions(), self._history)
            for entry in self._on["regions",]:
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
        found = {column.name: column for column in catalogue.columns_of(self._obs(boundaries))}
        for entry in self._on["sets", boundaries]:
            name = entry.correction.column
            if self._history.active(entry.entry_id) and name not in found:
                found[name] = Column(name, catalogue.CATEGORICAL, name, "", catalogue.OWN_LABELS)
        return tuple(found.values())

    def has_labels(self, boundaries: str, name: str) -> bool:
        """Say whether there is a column of labels of that name."""
        return any(
            column.name == name and column.kind == catalogue.CATEGORICAL
            for column in self.columns(boundaries)
        )

    def column(self, boundaries: str, name: str) -> LabelColumn:
        """Give a label column with its corrections; built the first time.

        Raises
        ------
        BadInputError
            If there is none of that name; names those that are there.
        """
        found = self._columns.get((boundaries, name))
        if found is not None:
            return found
        if not self.has_labels(boundaries, name):
            there = [c.name for c in self.columns(boundaries) if c.kind == catalogue.CATEGORICAL]
            raise BadInputError(
                f"{name!r}: {boundaries} have no such column of labels; there are: "
                f"{', '.join(there) or 'none'}; make_label_set makes one of your own."
            )
        segmentation = self.segmentation(boundaries)
        made = LabelColumn(name, self._computed(boundaries, name), segmentation, self._history)
        self._columns[boundaries, name] = made
        made.load(self._on["labels", boundaries, name])
        return made

    def label_set(self, boundaries: str, name: str) -> dict[str, Any] | None:
        """Names and colours of a label set, None where there is none."""
        found = None
        for entry in self._on["sets", boundaries]:
            if entry.correction.column == name and self._history.active(entry.entry_id):
                found = dict(entry.correction.after[0])
        return found

    def label_sets(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Give the label sets in force: segmentation, name, content; sorted."""
        found = {}
        for key in [key for key in self._on if key[0] == "sets"]:
            for entry in self._on[key]:
                place = (key[1], entry.correction.column)
                content = self.label_set(*place)
                if content is not None:
                    found[place] = content
        return [(*place, content) for place, content in sorted(found.items())]

    def counted_as_computed(self, row: int, counts: Any) -> bool:
        """Say whether counts (1, genes) of a cell are those that the table holds."""
        computed = self.computed_counts(row)
        return computed is not None and bool((computed != counts).nnz == 0)

    def computed_counts(self, row: int) -> Any:
        """Counts (1, genes) of a cell as computed, None where it was not counted."""
        place = np.flatnonzero(self.rows_of_table() == row)
        return self.source.counts_of(int(place[0])) if len(place) else None

    def label_columns_with_entries(self) -> list[tuple[str, str, LabelColumn]]:
        """Give the label columns that were corrected, with their segmentation and name."""
        found = []
        for key in [key for key in self._on if key[0] == "labels"]:
            _, boundaries, name = key
            there = boundaries in self.source.segmentation_names()
            if there and self.has_labels(boundaries, name):
                found.append((boundaries, name, self.column(boundaries, name)))
        return found

    def segmentations_with_entries(self) -> list[Segmentation]:
        """Give the segmentations whose outlines were corrected."""
        names = [key[1] for key in self._on if key[0] == "outlines"]
        return [self.segmentation(n) for n in names if n in self.source.segmentation_names()]

    def entries_on_cells(self, boundaries: str) -> list[Entry]:
        """Give the entries that name cells of a segmentation."""
        return list(self._on["cells", boundaries])

    def place_before(self, boundaries: str, entry: Entry, cell: str) -> tuple[float, float]:
        """Where a cell of an earlier segmentation lay, full-resolution px; NaN if not known."""
        shapes = self._shapes_before(boundaries).get((entry.epoch, cell))
        if shapes is None:
            return float("nan"), float("nan")
        return float(shapes.centroid.x), float(shapes.centroid.y)

    def _shapes_before(self, boundaries: str) -> dict[tuple[str, str], Any]:
        """Outlines of cells of earlier segmentations, by epoch and id."""
        found: dict[tuple[str, str], Any] = {}
        kept = self._kept()
        for entry in self._on["cells", boundaries]:
            if entry.entry_id in kept:
                for cell, shape in rematch.unpack_rings(kept[entry.entry_id]).items():
                    found[entry.epoch, cell] = shape
        return found

    def ground(self) -> Ground:
        """What outlines are drawn on."""
        return Ground(self.source.um_per_px)

    def numbers(self, boundaries: str, name: str) -> Numbers:
        """Give a number of each cell; ``gene:<symbol>`` for a gene's counts."""
        if boundaries not in self._numbers:
            self._numbers[boundaries] = NumberColumns(self, boundaries)
        return self._numbers[boundaries].get(name)

    # What was computed

    def computed_values(self, boundaries: str, name: str) -> tuple[pd.Series, NDArray[np.int64]]:
        """Give a column as computed, and the row of the outlines of each value.

        Raises
        ------
        BadInputError
            If there is none of that name.
        """
        frame = self._obs(boundaries)
        if name not in frame:
            raise BadInputError(
                f"{name!r}: {boundaries} have no such column; there are: "
                f"{', '.join(map(str, frame))}."
            )
        own = self._frames[boundaries]
        if boundaries == self.source.typed and name in self.source.obs():
            return frame[name], self.rows_of_table()
        return own[name], np.arange(len(own), dtype=np.int64)

    def computed_value(self, boundaries: str, name: str, row: int) -> Any:
        """Give one number as computed, NaN where there is none."""
        if name.startswith(catalogue.GENE_PREFIX):
            values = self.source.gene(name.removeprefix(catalogue.GENE_PREFIX))
            rows = self.rows_of_table()
        else:
            series, rows = self.computed_values(boundaries, name)
            values = series.to_numpy()
        place = np.flatnonzero(rows == row)
        return values[place[0]] if len(place) else np.nan

    def rows_of_table(self) -> NDArray[np.int64]:
        """Row of the outlines of each row of ``table``, -1 where a cell has no outline."""
        if self._table_rows is None:
            typed = self.source.typed
            if typed is None:
                return NOTHING
            names = self.source.obs().index.astype(str)
            segmentation = self.segmentation(typed)
            self._table_rows = np.array(
                [segmentation.row_for_life(name) for name in names], dtype=np.int64
            )
        return self._table_rows

    def gene_number(self, symbol: str) -> int:
        """Column of a gene in the counts.

        Raises
        ------
        BadInputError
            If there is none.
        """
        if self._gene_numbers is None:
            self._gene_numbers = {name: n for n, name in enumerate(self.source.genes())}
        if symbol not in self._gene_numbers:
            raise BadInputError(f"{symbol!r}: the sample has no such gene; check the spelling.")
        return self._gene_numbers[symbol]

    # What changes

    def add(self, entry: Entry, switched: Iterable[Entry]) -> Change:
        """Follow an entry that came into the history, and those that it switched on or off."""
        self._file(entry)
        changes = [self._follow(entry, new=True)]
        changes += [self._follow(one, new=False) for one in switched]
        return joined(changes)

    def _file(self, entry: Entry) -> None:
        """Remember an entry for pieces that are not built yet."""
        made = entry.correction
        if made.kind in _LABELLING:
            self._on["labels", made.boundaries, made.column].append(entry)
        if made.kind == LABEL_SET:
            self._on["sets", made.boundaries].append(entry)
        if made.kind in OUTLINE_KINDS:
            self._on["outlines", made.boundaries].append(entry)
        if made.kind == REGION:
            self._on["regions",].append(entry)
        if made.cell_ids:
            self._on["cells", made.boundaries].append(entry)

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
        if made.kind in _LABELLING:
            return self._follow_labels(entry, new)
        return Change()

    def _follow_labels(self, entry: Entry, new: bool) -> Change:
        made = entry.correction
        column = self._columns.get((made.boundaries, made.column))
        if column is None:
            return Change(columns=made.kind != RELABEL)
        names = len(column.labels.names)
        rows = (column.add if new else column.switch)(entry)
        changed = made.kind != RELABEL or len(column.labels.names) != names
        cells: tuple[CellsChanged, ...] = ()
        if len(rows):
            cells = (CellsChanged(made.boundaries, rows, columns=frozenset({made.column})),)
        return Change(cells, columns=changed)

    def _follow_outlines(self, segmentation: Segmentation, moved: Moved) -> Change:
        if not moved.rows:
            return Change()
        name = segmentation.name
        rows = np.array(moved.rows, dtype=np.int64)
        alive = segmentation.outlines.ids_of(rows[segmentation.outlines.alive[rows]])
        labelled = set()
        for (boundaries, label), column in self._columns.items():
            if boundaries == name:
                column.grow(segmentation.n_rows)
                column.refresh(alive)
                labelled.add(label)
        if name == self.source.typed and self._counts is not None:
            self._counts.follow(moved)
            rows = np.union1d(rows, self._counts.settle())
        if name in self._numbers:
            labelled |= self._numbers[name].follow(rows.tolist())
        return Change((CellsChanged(name, rows, outlines=True, columns=frozenset(labelled)),))

    # Reading

    def _obs(self, boundaries: str) -> pd.DataFrame:
        """Columns of a segmentation: of the table if it counts these cells, and its own."""
        self.segmentation(boundaries)
        own = self._frames[boundaries]
        if boundaries != self.source.typed:
            return own
        table = self.source.obs()
        missing = [name for name in own if name not in table]
        return table.join(own[missing].set_axis(self._index(boundaries)), how="left")

    def _index(self, boundaries: str) -> list[str]:
        segmentation = self.segmentation(boundaries)
        return segmentation.outlines.ids_of(np.arange(segmentation.n_computed))

    def _computed(self, boundaries: str, name: str) -> Computed:
        segmentation = self.segmentation(boundaries)
        codes = np.full(segmentation.n_computed, -1, dtype=np.int32)
        if name not in self._obs(boundaries):
            return Computed(codes, (), ())
        series, rows = self.computed_values(boundaries, name)
        own, names = catalogue.codes_of(series)
        there = (rows >= 0) & (rows < len(codes))
        codes[rows[there]] = own[there]
        colors = self.source.uns_colors(name) or ()
        if isinstance(colors, (list, tuple)) and len(colors) == len(names):
            return Computed(codes, names, tuple(str(color) for color in colors))
        return Computed(codes, names, ("",) * len(names))


def joined(changes: Iterable[Change]) -> Change:
    """Put changes together."""
    found = list(changes)
    return Change(
        tuple(cells for change in found for cells in change.cells),
        any(change.regions for change in found),
        any(change.columns for change in found),
    )


def stage_of(boundaries: str) -> str:
    """Name the stage that makes boundaries."""
    return {keys.STARDIST: "stardist", keys.PROSEG: "proseg"}.get(boundaries, boundaries)
