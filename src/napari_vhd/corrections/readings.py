"""What a window or notebook reads of a session: columns, labels, numbers, cards, the record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_vhd import keys

from . import catalogue, record
from .stale import find_stale, stale_of
from .state import state_hash

if TYPE_CHECKING:
    import pandas as pd

    from .catalogue import Column
    from .columns import Labels
    from .correction import Entry
    from .editor import Editor
    from .numbers import Numbers
    from .outlines import Outlines
    from .stale import Stale


@dataclass(frozen=True)
class Card:
    """What is known of one cell.

    Attributes
    ----------
    id, boundaries
        Which cell.
    area_um2
        Of the outline as it is now.
    umis, genes
        UMIs and genes with counts; None where the segmentation is not counted.
    probability
        Of its nucleus, None where there is none.
    kept, kept_reason
        Whether quality control kept it, and why not.
    labels
        (title of the column, value, who gave it; "": computed).
    scores
        (title, value).
    stale
        What is out of date.
    conflicts
        On what people differ, in words.
    """

    id: str
    boundaries: str
    area_um2: float
    umis: float | None
    genes: int | None
    probability: float | None
    kept: bool
    kept_reason: str
    labels: tuple[tuple[str, str, str], ...]
    scores: tuple[tuple[str, float], ...]
    stale: tuple[str, ...]
    conflicts: tuple[str, ...]


class Readings:
    """The part of a session that is only read. Cheap after the first call."""

    @property
    def editor(self) -> Editor:
        """What holds the reviewed sample."""
        raise NotImplementedError

    @property
    def radius_um(self) -> float:
        """Within which cells are neighbours."""
        raise NotImplementedError

    @property
    def typed(self) -> str | None:
        """Boundaries that the table of cells counts, None where there is none."""
        return self.editor.reviewed.source.typed

    @property
    def um_per_px(self) -> float | None:
        """Side of a full-resolution pixel in µm, None where nothing says it."""
        return self.editor.reviewed.source.source.um_per_px

    def segmentations(self) -> tuple[str, ...]:
        """Name the segmentations, the one that is typed first."""
        return tuple(self.editor.segmentation_names())

    def outlines(self, boundaries: str) -> Outlines:
        """Give the live outlines of a segmentation."""
        # Nobody has to wait for what is slow about it.
        self.editor.reviewed.read_ahead(boundaries)
        with self.editor.lock:
            return self.editor.reviewed.outlines(boundaries)

    def columns(self, boundaries: str | None = None) -> tuple[Column, ...]:
        """List what cells can be coloured by; genes apart (``gene:<symbol>``, see `genes`)."""
        with self.editor.lock:
            return self.editor.reviewed.columns(boundaries or self._first())

    def genes(self) -> tuple[str, ...]:
        """List the gene symbols."""
        return tuple(self.editor.reviewed.source.genes())

    def labels(self, boundaries: str, column: str, *, computed: bool = False) -> Labels:
        """Give the labels of all cells by row of the outlines, reviewed or as computed."""
        with self.editor.lock:
            found = self.editor.reviewed.column(boundaries, column)
            return found.computed_labels if computed else found.labels

    def numbers(self, boundaries: str, column: str) -> Numbers:
        """Give a number of all cells by row of the outlines; ``gene:<symbol>`` for a gene."""
        with self.editor.lock:
            return self.editor.reviewed.numbers(boundaries, column)

    def history(self) -> pd.DataFrame:
        """List every correction, oldest first.

        Returns
        -------
        DataFrame
            ``entry_id, time, author, kind, cell_ids, column, before, after, note, undone``.
        """
        with self.editor.lock:
            return record.history_frame(self.editor.history)

    def entries(self) -> tuple[Entry, ...]:
        """Give every entry of the ledger in the order of replay."""
        with self.editor.lock:
            return tuple(self.editor.history.entries)

    def later_entries(self, entry_id: str) -> list[Entry]:
        """List the later corrections in force on the same cells: what stays after a revert."""
        with self.editor.lock:
            return record.later(self.editor.history, entry_id)

    def conflicts(self) -> pd.DataFrame:
        """List cells, outlines and regions on which people differ, one row an opinion."""
        with self.editor.lock:
            return record.conflicts_frame(self.editor)

    def unmatched(self) -> pd.DataFrame:
        """List corrections on cells that a new segmentation has no match for."""
        with self.editor.lock:
            return record.unmatched_frame(self.editor.reviewed, self.editor.history)

    def stale(self) -> Stale:
        """Say what is out of date, for which cells, and what to run again."""
        with self.editor.lock:
            return find_stale(self.editor.reviewed, self.radius_um)

    def state_hash(self) -> str:
        """Hash everything that was reviewed: equal states, equal hashes."""
        with self.editor.lock:
            return state_hash(self.editor.reviewed)

    def bounds_of(self, entry_id: str) -> tuple[float, float, float, float] | None:
        """Where a correction is: (xmin, ymin, xmax, ymax) in full-resolution px; None: nowhere."""
        import shapely

        with self.editor.lock:
            history = self.editor.history
            made = history[entry_id].correction
            while made.target and made.target in history:
                made = history[made.target].correction
            shapes = [*made.outlines_before.values(), *made.outlines_after.values()]
            boxes = [shapely.from_wkb(wkb).bounds for wkb in shapes if wkb is not None]
            if not boxes and made.cell_ids:
                outlines = self.editor.reviewed.outlines(made.boundaries)
                rows = outlines.rows_of(made.cell_ids)
                boxes = outlines.bounds[rows[rows >= 0]].tolist()
        if not boxes:
            return None
        low, high = np.min(boxes, axis=0), np.max(boxes, axis=0)
        return float(low[0]), float(low[1]), float(high[2]), float(high[3])

    def card(self, boundaries: str, cell_id: str) -> Card:
        """Tell what is known of one cell.

        Raises
        ------
        BadInputError
            Where there is no such cell.
        """
        editor = self.editor
        with editor.lock:
            editor.found([cell_id], boundaries)
            reviewed = editor.reviewed
            row = reviewed.outlines(boundaries).row_of(cell_id)
            columns = reviewed.columns(boundaries)
            values = {
                c.name: float(reviewed.numbers(boundaries, c.name).values[row])
                for c in columns
                if c.kind == catalogue.NUMBER
            }
            labels = {
                c.name: reviewed.column(boundaries, c.name)
                for c in columns
                if c.kind == catalogue.CATEGORICAL
            }
            umis, genes = self._counted(boundaries, row, values)
            kept = labels[keys.KEPT].value(cell_id) if keys.KEPT in labels else None
            reason = labels[keys.KEPT_REASON].value(cell_id) if keys.KEPT_REASON in labels else None
            titles = {column.name: column.title for column in columns}
            groups = {column.name: column.group for column in columns}
            probability = values.get(keys.PROBABILITY, np.nan)
            typed = boundaries == self.typed
            stale = stale_of(reviewed, self.radius_um, cell_id) if typed else ()
            return Card(
                id=cell_id,
                boundaries=boundaries,
                area_um2=float(reviewed.outlines(boundaries).areas[row])
                * reviewed.source.um_per_px**2,
                umis=umis,
                genes=genes,
                probability=None if np.isnan(probability) else probability,
                kept=kept != catalogue.KEPT_NAMES[1],
                kept_reason=reason or "",
                labels=tuple(
                    (
                        titles[name],
                        labels[name].value(cell_id) or "",
                        labels[name].author_of(cell_id),
                    )
                    for name in labels
                    if name not in {keys.KEPT, keys.KEPT_REASON}
                ),
                scores=tuple(
                    (titles[name], value)
                    for name, value in values.items()
                    if groups[name] == catalogue.SCORES and not np.isnan(value)
                ),
                stale=stale,
                conflicts=record.conflicts_on(editor, boundaries, cell_id),
            )

    def _counted(
        self, boundaries: str, row: int, values: dict[str, float]
    ) -> tuple[float | None, int | None]:
        """UMIs and genes of a cell, as counted now."""
        reviewed = self.editor.reviewed
        if boundaries != reviewed.source.typed:
            return None, None
        own = None if reviewed.counts is None else reviewed.counts.of(row)
        if own is None:
            own = reviewed.computed.counts(row)
        if own is None:
            return None, None
        return float(own.sum()), int((own.data != 0).sum())

    def _first(self) -> str:
        names = self.editor.segmentation_names()
        return names[0] if names else ""
