"""What a person decides about corrections whose cell a new segmentation does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_vhd.exceptions import BadInputError

from .correction import SETTLE, Correction
from .record import unmatched_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .correction import Entry
    from .editor import Editor


class SettleVerbs:
    """The part of a session that settles what `unmatched` lists."""

    @property
    def editor(self) -> Editor:
        """What takes the corrections."""
        raise NotImplementedError

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
