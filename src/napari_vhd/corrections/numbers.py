"""Number columns by row of the outlines, kept in step with edits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys

from .catalogue import GENE_PREFIX, column_of
from .quality import QUALITY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from .counts import LiveCounts
    from .reviewed import Reviewed

    Values = NDArray[np.float32]


@dataclass(frozen=True)
class Numbers:
    """A number of each cell, by row of the outlines.

    Attributes
    ----------
    values
        float32, NaN: none. Live: patched in place, never to be written to; replaced by a longer
        one when cells are added.
    title, unit
        For a reader.
    """

    values: Values
    title: str
    unit: str


class NumberColumns:
    """The number columns of one segmentation that were asked for.

    Area, bins, genes and quality follow an edit; what only a stage can compute stays as it was, and
    is missing for a cell that a person made; what was brought up to date since is as then.
    """

    def __init__(self, reviewed: Reviewed, boundaries: str) -> None:
        self._reviewed = reviewed
        self._boundaries = boundaries
        self._made: dict[str, tuple[Values, str, str]] = {}

    def get(self, name: str) -> Numbers:
        """Give a column; the first time it is read from the source."""
        if name not in self._made:
            values, title, unit = self._read(name)
            self._made[name] = (values, title, unit)
            self._patch(name, self._edited_rows())
        values, title, unit = self._made[name]
        return Numbers(values, title, unit)

    def follow(self, rows: Iterable[int]) -> frozenset[str]:
        """Patch cells whose outline or counts changed; gives the columns that did."""
        size = self._reviewed.segmentation(self._boundaries).n_rows
        asked = list(rows)
        for name, (values, title, unit) in list(self._made.items()):
            if len(values) < size:
                longer = np.full(size, np.nan, dtype=np.float32)
                longer[: len(values)] = values
                self._made[name] = (longer, title, unit)
            self._patch(name, asked)
        return frozenset(name for name in self._made if _follows(name))

    def _read(self, name: str) -> tuple[Values, str, str]:
        size = self._reviewed.segmentation(self._boundaries).n_rows
        values = np.full(size, np.nan, dtype=np.float32)
        if name.startswith(GENE_PREFIX):
            symbol = name.removeprefix(GENE_PREFIX)
            counts = self._reviewed.source.gene(symbol)
            rows = self._reviewed.computed.rows_of_table()
            there = rows >= 0
            values[rows[there]] = np.asarray(counts, dtype=np.float32)[there]
            return values, symbol, "UMIs"
        series, rows = self._reviewed.computed.values(self._boundaries, name)
        column = column_of(name, series)
        there = rows >= 0
        values[rows[there]] = series.to_numpy(dtype=np.float32, na_value=np.nan)[there]
        title, unit = (name, "") if column is None else (column.title, column.unit)
        return values, title, unit

    def _edited_rows(self) -> list[int]:
        segmentation = self._reviewed.segmentation(self._boundaries)
        rows = segmentation.outlines.rows_of(segmentation.touched())
        counts = self._counts()
        updated = segmentation.outlines.rows_of(segmentation.updates.cells())
        known = (*rows[rows >= 0].tolist(), *updated[updated >= 0].tolist())
        return sorted({*known, *(counts.rows() if counts is not None else ())})

    def _patch(self, name: str, rows: list[int]) -> None:
        if not rows or not _follows(name):
            return
        values = self._made[name][0]
        if name == keys.AREA_UM2:
            place = np.array(rows, dtype=np.int64)
            outlines = self._reviewed.segmentation(self._boundaries).outlines
            scale = self._reviewed.source.um_per_px**2
            values[place] = outlines.areas[place] * scale
            return
        counts = self._counts()
        if counts is None:
            return
        worked_out = self._how(name, counts)
        for row in rows:
            value = worked_out(row)
            if value is None:
                value = self._reviewed.computed.number(self._boundaries, name, row)
            values[row] = value

    def _counts(self) -> LiveCounts | None:
        return self._reviewed.counts if self._boundaries == self._reviewed.source.typed else None

    def _how(self, name: str, counts: LiveCounts) -> Callable[[int], Any]:
        """Give what works out a column for a row, None where it is as computed."""
        quality = self._reviewed.source.quality
        if name.startswith(GENE_PREFIX):
            gene = self._reviewed.computed.gene_number(name.removeprefix(GENE_PREFIX))
            return lambda row: None if (own := counts.of(row)) is None else own[0, gene]
        if name == keys.CONFIDENCE_CELLTYPIST:
            return lambda row: self._updated(name, row)
        if name in QUALITY and quality is not None:
            return lambda row: (
                None if (own := counts.of(row)) is None else quality.of_one(own, name)
            )
        return lambda row: None if (bins := counts.bins_of(row)) is None else bins.sum()

    def _updated(self, name: str, row: int) -> Any:
        segmentation = self._reviewed.segmentation(self._boundaries)
        found = segmentation.updates.of(segmentation.outlines.id_of(row), name)
        if found is None:
            return None
        value = found.content.numbers[name][found.place]
        return np.nan if value is None else value


def _follows(name: str) -> bool:
    """Say whether an edit of an outline, or an update, changes a column at once."""
    live = {keys.AREA_UM2, "n_bins", keys.CONFIDENCE_CELLTYPIST}
    return name in live or name in QUALITY or name.startswith(GENE_PREFIX)
