"""What a person decides: which of several opinions holds, and on corrections without a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_vhd.exceptions import BadInputError

from .correction import DELETE, REDRAW, REGION, RELABEL, SETTLE, Correction
from .record import OUTLINE, unmatched_in
from .regions import correction_of, regions_after

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .correction import Entry
    from .editor import Editor


class SettleVerbs:
    """The part of a session that settles what `conflicts` and `unmatched` list."""

    @property
    def editor(self) -> Editor:
        """What takes the corrections."""
        raise NotImplementedError

    def take_opinion(
        self, boundaries: str, what: str, cell_id: str, entry_id: str, note: str = ""
    ) -> Entry:
        """Let one of several opinions hold: a correction by someone who has seen all of them.

        Parameters
        ----------
        boundaries, what, cell_id, entry_id
            A row of `conflicts`.
        note
            Kept with the decision; who said so where it is empty.

        Raises
        ------
        BadInputError
            Where there is no such opinion.
        LedgerError
            Where it could not be written; nothing changed.
        """
        editor = self.editor
        with editor.lock:
            editor.required_ledger()
            if entry_id not in editor.history:
                raise BadInputError(f"{entry_id}: there is no such correction; see conflicts().")
            entry, reviewed = editor.history[entry_id], editor.reviewed
            note = note or f"settled: as {entry.author} said"
            if what == REGION:
                after = regions_after(entry.correction).get(cell_id)
                made = correction_of({cell_id: reviewed.regions.get(cell_id)}, {cell_id: after})
                return editor.commit(made._replace(note=note))
            if what == OUTLINE:
                segmentation = reviewed.segmentation(boundaries)
                outline = segmentation.given(entry, cell_id)
                made = Correction(
                    DELETE if outline is None else REDRAW,
                    boundaries,
                    cell_ids=(cell_id,),
                    outlines_before={cell_id: segmentation.now(cell_id)},
                    outlines_after={cell_id: outline},
                    note=note,
                )
                return editor.commit(made)
            column = reviewed.column(boundaries, what)
            before, given = column.values([cell_id]), (column.given(entry, cell_id),)
            return editor.commit(
                Correction(RELABEL, boundaries, what, (cell_id,), before, given, note=note)
            )

    def settle(
        self, entry_id: str, cell_ids: Iterable[str] | str, to: str | None = None, note: str = ""
    ) -> Entry:
        """Decide about cells of a correction that have no match: give up, or name another cell.

        They are not listed any longer; the correction itself stays, with its other cells. Undo
        lists them again.

        Parameters
        ----------
        entry_id
            The correction, as `unmatched` lists it.
        cell_ids
            One or more of its cells there.
        to
            The cell that gets the label in place of the one that is lost; None: it is given up.
        note
            Kept with the decision.

        Raises
        ------
        BadInputError
            Where there is nothing to decide, or the label cannot go there; nothing changed.
        LedgerError
            Where it could not be written; nothing changed.
        """
        editor = self.editor
        lost = [cell_ids] if isinstance(cell_ids, str) else list(dict.fromkeys(cell_ids))
        with editor.lock:
            editor.required_ledger()
            if entry_id not in editor.history:
                raise BadInputError(f"{entry_id}: there is no such correction; see unmatched().")
            entry = editor.history[entry_id]
            waiting = unmatched_in(editor.reviewed, editor.history, entry)
            if not lost:
                raise BadInputError("No cell is chosen; choose one or more.")
            if unknown := [cell for cell in lost if cell not in waiting]:
                raise BadInputError(
                    f"{unknown[0]}: waits for no decision on that correction; see unmatched()."
                )
            made = entry.correction
            cells: tuple[str, ...] = ()
            after: tuple[str | None, ...] = ()
            if to is not None:
                self._check_target(made, lost, to)
                cells, after = (to,), (made.after[waiting[lost[0]]],)
            return editor.commit(
                Correction(
                    SETTLE,
                    made.boundaries,
                    made.column,
                    cells,
                    before=(entry_id, *lost),
                    after=after,
                    note=note,
                )
            )

    def _check_target(self, made: Correction, lost: list[str], to: str) -> None:
        if not made.column:
            raise BadInputError(
                f"{lost[0]}: its outline is lost with it; give it up, and redraw {to} if need be."
            )
        if len(lost) > 1:
            raise BadInputError("The label of one lost cell at a time goes to another cell.")
        self.editor.found([to], made.boundaries)
        # Raises where there is no such column any longer.
        self.editor.reviewed.column(made.boundaries, made.column)
