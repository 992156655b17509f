"""What was computed, by row of the outlines: read once, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd.deleting import delete_beside
from napari_vhd.exceptions import BadInputError

from . import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from .catalogue import Column
    from .opened import Opened

    Codes = NDArray[np.int32]
    Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Computed:
    """A column as computed.

    Attributes
    ----------
    codes
        int32 by row of the computed outlines, -1: none.
    names, colors
        By code; a colour is "" where none is recorded.
    """

    codes: Codes
    names: tuple[str, ...]
    colors: tuple[str, ...]


class AsComputed:
    """Computed columns and counts of one sample.

    Parameters
    ----------
    source
        Where they are read from.
    """

    def __init__(self, source: Opened) -> None:
        self.source = source
        self._frames: dict[str, pd.DataFrame] = {}
        self._obs: dict[str, pd.DataFrame] = {}
        self._table_rows: Rows | None = None
        self._places: dict[int, int] | None = None
        self._gene_numbers: dict[str, int] | None = None

    def outlines(self, name: str) -> tuple[list[str], Iterator[NDArray[Any]]]:
        """Read ids and geometries (full-resolution px; array after array) of a segmentation.

        Raises
        ------
        BadInputError
            If there is none of that name; names those that are there.
        """
        names = self.source.segmentation_names()
        if name not in names:
            raise BadInputError(
                f"{self.source.sample_id}: there are no {name!r}; there are: "
                f"{', '.join(names) or 'none'}."
            )
        ids, geometries, frame = self.source.outlines(name)
        if not self._frames:
            delete_beside(self, len(frame), self._frames, self._obs)
        self._frames[name] = frame.set_axis(ids)
        return ids, geometries

    def frame(self, name: str) -> pd.DataFrame:
        """Columns that a segmentation itself has; index: cell ids."""
        if name not in self._frames:
            self.outlines(name)
        return self._frames[name]

    def obs(self, name: str) -> pd.DataFrame:
        """Columns of the table if it counts these cells, and of the segmentation itself."""
        if name not in self._obs:
            own = self.frame(name)
            if name == self.source.typed:
                table = self.source.obs()
                missing = [column for column in own if column not in table]
                own = table.join(own[missing], how="left") if missing else table
            self._obs[name] = own
        return self._obs[name]

    def columns(self, name: str) -> list[Column]:
        """List what the cells of a segmentation can be coloured by (genes apart)."""
        return catalogue.columns_of(self.obs(name))

    def values(self, name: str, column: str) -> tuple[pd.Series, Rows]:
        """Give a column, and the row of the outlines of each value (-1: none).

        Raises
        ------
        BadInputError
            If there is none of that name.
        """
        frame = self.obs(name)
        if column not in frame:
            raise BadInputError(
                f"{column!r}: {name} have no such column; there are: {', '.join(map(str, frame))}."
            )
        if name == self.source.typed:
            return frame[column], self.rows_of_table()
        return frame[column], np.arange(len(frame), dtype=np.int64)

    def labels(self, name: str, column: str) -> Computed:
        """Give a column of labels by row; no label at all where nothing was computed."""
        codes = np.full(len(self.frame(name)), -1, dtype=np.int32)
        if column not in self.obs(name):
            return Computed(codes, (), ())
        series, rows = self.values(name, column)
        own, names = catalogue.codes_of(series)
        there = rows >= 0
        codes[rows[there]] = own[there]
        colors = self.source.uns_colors(column)
        return Computed(codes, names, colors if len(colors) == len(names) else ("",) * len(names))

    def number(self, name: str, column: str, row: int) -> Any:
        """Give one number, NaN where there is none."""
        if column.startswith(catalogue.GENE_PREFIX):
            place = self._place(row)
            counts = None if place is None else self.source.counts_of(place)
            if counts is None:
                return np.nan
            return counts[0, self.gene_number(column.removeprefix(catalogue.GENE_PREFIX))]
        series, _ = self.values(name, column)
        at = self._place(row) if name == self.source.typed else row
        return np.nan if at is None or at >= len(series) else series.iloc[at]

    def counts(self, row: int) -> Any:
        """Give counts (1, genes) of a typed cell, None where it was not counted."""
        place = self._place(row)
        return None if place is None else self.source.counts_of(place)

    def is_counted_so(self, row: int, counts: Any) -> bool:
        """Say whether counts (1, genes) of a typed cell are those that the table holds."""
        own = self.counts(row)
        return own is not None and bool((own != counts).nnz == 0)

    def rows_of_table(self) -> Rows:
        """Row of the outlines of each row of ``table``, -1 where a cell has no outline."""
        if self._table_rows is None:
            typed = self.source.typed
            if typed is None:
                return np.empty(0, dtype=np.int64)
            names, cells = self.source.obs().index.astype(str), self.frame(typed).index
            same = names.equals(cells)
            self._table_rows = np.arange(len(cells)) if same else cells.get_indexer(names)
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

    def _place(self, row: int) -> int | None:
        """Row of the table that counts a row of the outlines."""
        if self._places is None:
            rows = self.rows_of_table().tolist()
            self._places = {own: place for place, own in enumerate(rows) if own >= 0}
        return self._places.get(row)
