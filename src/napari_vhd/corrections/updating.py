"""Update: what hangs on the counts of a cell alone is worked out anew where they have changed.

By the stages' own functions, with the settings and the model of the run: whether quality control
keeps the cell, where its filters look at each cell by itself, and CellTypist's label of it. What
hangs on other cells as well is left, and said.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError, VhdError

from . import renewing
from .catalogue import KEPT_NAMES
from .correction import UPDATE, Correction
from .counts import digest_of
from .editor import checked_author
from .stale import ALONE, counts_now, find_stale, is_up_to_date, rows_changed
from .updates import DIGEST_LETTERS, Content

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_vhd.config import RunConfig

    from .correction import Entry
    from .editor import Editor
    from .reviewed import Reviewed
    from .stale import Stale


@dataclass(frozen=True)
class Updated:
    """What an update did, and what is left.

    Attributes
    ----------
    entry
        The correction; None where there was nothing that could be done.
    cells
        Number of cells that were brought up to date.
    done
        What of them, as `Stale` names it.
    reasons
        Why something was left that is about single cells, a sentence each.
    left
        What is still out of date.
    how
        What to do about it, a sentence; "" where nothing is left.
    command
        That command line.
    """

    entry: Entry | None
    cells: int
    done: tuple[str, ...]
    reasons: tuple[str, ...]
    left: Stale
    how: str
    command: str

    @property
    def done_sentence(self) -> str:
        """Say what was done, and why not more; "" where nothing was asked for."""
        said = list(self.reasons)
        if self.cells:
            one = "" if self.cells == 1 else "s"
            done = " and ".join(self.done).capitalize()
            said.insert(0, f"{done} of {self.cells:,} cell{one} brought up to date.")
        return " ".join(said)

    @property
    def sentence(self) -> str:
        """Say what was done, what is left and how it is computed anew."""
        said = [self.done_sentence] if self.done_sentence else []
        if self.left.counts:
            said += [f"Still out of date: {self.left.listed}; {self.how}", self.command]
        return " ".join(said) or "All is up to date."


@dataclass
class _Work:
    """Cells to bring up to date, as they were when they were looked at."""

    ids: list[str]
    counts: Any
    digests: list[str]
    before: dict[str, list[str | None]]
    kept: NDArray[np.bool_]
    given: NDArray[np.bool_]
    means: renewing.Means
    recipes: dict[str, str]
    after: dict[str, list[str | None]] = field(default_factory=dict)
    numbers: dict[str, list[float | None]] = field(default_factory=dict)

    @property
    def done(self) -> tuple[str, ...]:
        """What was worked out, as `Stale` names it."""
        return tuple(what for what, column in ALONE.items() if column in self.after)


class UpdateVerbs:
    """The part of a session that brings single cells up to date after edits."""

    config: RunConfig | None

    @property
    def editor(self) -> Editor:
        """What takes the corrections."""
        raise NotImplementedError

    @property
    def radius_um(self) -> float:
        """Within which cells are neighbours."""
        raise NotImplementedError

    @property
    def run_dir(self) -> Path | None:
        """Where the model of the run is kept."""
        raise NotImplementedError

    def update(self, note: str = "") -> Updated:
        """Work out anew what hangs on the changed counts of single cells, as one correction.

        Whether quality control keeps each cell, where its filters are fixed limits, and the label
        that CellTypist gives each cell by itself; what a person gave goes before either. May take
        seconds, as CellTypist is loaded; others can correct meanwhile.

        Parameters
        ----------
        note
            Kept with the correction.

        Returns
        -------
        Updated
            What was done and what is left; its `sentence` says both.

        Raises
        ------
        BadInputError
            Where nothing can be corrected, or nobody said who asks.
        LedgerError
            Where it could not be written; nothing changed.
        """
        editor = self.editor
        model = "" if self.config is None else self.config.params.celltypist_model
        with editor.lock:
            editor.required_ledger()
            checked_author(editor.author)
            means = renewing.means_of(editor.reviewed.source, self.run_dir, model)
            work = _work_of(editor.reviewed, means)
        reasons = means.reasons + (() if work is None else _work_out(work))
        with editor.lock:
            entry = None if work is None else _write(work, editor, note)
            left = find_stale(editor.reviewed, self.radius_um)
            settings = editor.reviewed.source.settings
        how, command = renewing.how_to_rerun(left, self.run_dir, settings)
        return Updated(
            entry,
            cells=0 if entry is None else len(entry.correction.cell_ids),
            done=() if entry is None or work is None else work.done,
            reasons=reasons if set(left.counts) & set(ALONE) else (),
            left=left,
            how=how,
            command=command,
        )


def _work_of(reviewed: Reviewed, means: renewing.Means) -> _Work | None:
    """Find the cells that can be brought up to date; None where there are none."""
    from scipy.sparse import vstack

    typed = reviewed.source.typed
    if typed is None or not means.columns:
        return None
    segmentation = reviewed.segmentation(typed)
    outlines = segmentation.outlines
    updated = outlines.rows_of(segmentation.updates.cells())
    candidates = sorted({*rows_changed(reviewed), *updated[updated >= 0].tolist()})
    rows, counts = [], []
    for row in candidates:
        if all(is_up_to_date(reviewed, row, column) for column in means.columns):
            continue
        own = counts_now(reviewed, row)
        if own is not None:
            rows.append(row)
            counts.append(own)
    if not rows:
        return None
    ids = outlines.ids_of(rows)
    kept, given = np.ones(len(ids), dtype=bool), np.zeros(len(ids), dtype=bool)
    if keys.KEPT in reviewed.computed.obs(typed):
        column = reviewed.column(typed, keys.KEPT)
        kept = np.array([value != KEPT_NAMES[1] for value in column.values(ids)])
        given = np.array([column.is_given(cell) for cell in ids])
    return _Work(
        ids,
        vstack(counts).tocsr(),
        [digest_of(own)[:DIGEST_LETTERS] for own in counts],
        {name: list(reviewed.column(typed, name).values(ids)) for name in means.columns},
        kept,
        given,
        means,
        {name: reviewed.source.settings.recipe(name) for name in means.columns},
    )


def _work_out(work: _Work) -> tuple[str, ...]:
    """Work out the new values; gives why something could not be."""
    means, kept = work.means, work.kept
    if means.quality is not None:
        reasons = means.quality(work.counts)
        # What a person said of a cell goes before the filters.
        kept = np.where(work.given, kept, reasons == "")
        work.after[keys.KEPT] = [KEPT_NAMES[0 if reason == "" else 1] for reason in reasons]
        if keys.KEPT_REASON in means.columns:
            work.after[keys.KEPT_REASON] = [reason or None for reason in reasons]
    if means.types is None:
        return ()
    try:
        labels, confidence = means.types(work.counts, kept)
    except VhdError as error:
        return (str(error),)
    work.after[keys.TYPE_CELLTYPIST_PER_CELL] = list(labels)
    work.numbers[keys.CONFIDENCE_CELLTYPIST] = [
        None if np.isnan(value) else float(np.float32(value)) for value in confidence
    ]
    return ()


def _write(work: _Work, editor: Editor, note: str) -> Entry | None:
    """Write down what was worked out; None where nothing was, or no cell is as it was."""
    reviewed = editor.reviewed
    here = _still_true(work, reviewed) if work.after else []
    if not here:
        return None

    def of_these(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return {name: [values[place] for place in here] for name, values in columns.items()}

    content = Content(
        of_these(work.after),
        [work.digests[place] for place in here],
        of_these(work.numbers),
        {name: recipe for name, recipe in work.recipes.items() if name in work.after},
    )
    before = of_these({name: work.before[name] for name in work.after})
    made = Correction(
        UPDATE,
        reviewed.source.typed or "",
        cell_ids=tuple(work.ids[place] for place in here),
        before=({"labels": before},),
        after=content.packed(),
        note=note,
    )
    return editor.commit(made)


def _still_true(work: _Work, reviewed: Reviewed) -> list[int]:
    """Find the cells whose counts and settings are as they were when they were looked at.

    Raises
    ------
    BadInputError
        Where the sample was computed anew meanwhile.
    """
    settings = reviewed.source.settings
    if any(settings.recipe(name) != recipe for name, recipe in work.recipes.items()):
        raise BadInputError("The sample was computed anew meanwhile; update once more.")
    outlines = reviewed.outlines(reviewed.source.typed or "")
    here = []
    for place, cell in enumerate(work.ids):
        row = outlines.row_of(cell)
        counts = None if row < 0 else counts_now(reviewed, row)
        if counts is not None and digest_of(counts)[:DIGEST_LETTERS] == work.digests[place]:
            here.append(place)
    return here
