"""What a person may do to outlines: draw, redraw, delete, merge, split, grow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError

from . import geometry, merging, splitting
from .correction import ADD, DELETE, MERGE, REDRAW, REFINE, SPLIT, Correction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .editor import Editor
    from .geometry import Ground


class OutlineVerbs:
    """The part of a session that corrects outlines. All coordinates are full-resolution px."""

    @property
    def editor(self) -> Editor:
        """What takes the corrections."""
        raise NotImplementedError

    def add(
        self,
        polygon: Any,
        boundaries: str = keys.PROSEG,
        overlap: str = "keep",
        note: str = "",
    ) -> list[str]:
        """Add a cell.

        Parameters
        ----------
        polygon
            A shapely polygon or its vertices (n, 2: x, y), full-resolution px.
        boundaries
            Segmentation that it is added to.
        overlap
            ``"keep"``: as drawn; ``"clip"``: what other cells cover is cut off.
        note
            Kept with the correction.

        Returns
        -------
        list of str
            The new id.

        Raises
        ------
        BadInputError
            Where the outline cannot be taken; says why.
        LedgerError
            Where it could not be written; nothing changed.
        """
        editor = self.editor
        with editor.lock:
            editor.required_ledger()
            outline = self._placed(boundaries, polygon, overlap, ())
            entry_id = editor.new_id()
            cell = self._made_id(entry_id, 1)
            self._reshape(ADD, boundaries, {cell: outline}, note, entry_id)
            return [cell]

    def redraw(
        self, cell_id: str, polygon: Any, overlap: str = "keep", note: str = ""
    ) -> list[str]:
        """Give a cell another outline; parameters as for `add`."""
        return self.redraw_together({cell_id: polygon}, overlap, note)

    def redraw_together(
        self,
        outlines: Mapping[str, Any],
        overlap: str = "keep",
        note: str = "",
        *,
        rims: bool = False,
    ) -> list[str]:
        """Give several cells other outlines, as one correction.

        Parameters
        ----------
        outlines
            Cell id -> outline, as for `add`.
        overlap
            As for `add`; of two of these cells, the later is cut.
        note
            Kept with the correction.
        rims
            They are rims of the cells' largest parts: holes and other parts stay as they are.

        Raises
        ------
        OutlineError
            Where one of them cannot be taken; names the cell. None is changed.
        """
        editor = self.editor
        with editor.lock:
            editor.required_ledger()
            boundaries, cells = editor.found_in_one(outlines)
            placed: dict[str, Any] = {}
            known, ground = editor.reviewed.outlines(boundaries), self._ground()
            for cell in cells:
                try:
                    made = self._placed(boundaries, outlines[cell], overlap, cells, placed)
                    if rims:
                        made = geometry.with_rim(known.geometry(cell), made, ground)
                    placed[cell] = made
                except geometry.OutlineError as error:
                    if len(cells) == 1:
                        raise
                    raise geometry.OutlineError(str(error), error.mend, cell) from error
            self._reshape(REDRAW, boundaries, placed, note)
            return cells

    def delete(self, ids: Iterable[str] | str, note: str = "") -> list[str]:
        """Delete cells, as one correction; gives their ids, which are never used again."""
        editor = self.editor
        with editor.lock:
            editor.required_ledger()
            boundaries, cells = editor.found_in_one(ids)
            self._reshape(DELETE, boundaries, dict.fromkeys(cells), note)
            return cells

    def merge(self, ids: Iterable[str], note: str = "") -> list[str]:
        """Make one cell of several; it keeps the largest one's id, which is given back.

        Raises
        ------
        BadInputError
            For less than two cells, or cells that lie apart.
        """
        editor = self.editor
        with editor.lock:
            editor.required_ledger()
            boundaries, cells = editor.found_in_one(ids)
            shapes = [editor.reviewed.outlines(boundaries).geometry(cell) for cell in cells]
            united = merging.merged(shapes, self._ground())
            largest = cells[int(np.argmax([shape.area for shape in shapes]))]
            after: dict[str, Any] = dict.fromkeys(cells) | {largest: united}
            self._reshape(MERGE, boundaries, after, note)
            return [largest]

    def split(self, cell_id: str, line: Any, note: str = "") -> list[str]:
        """Split a cell by a line (full-resolution px).

        Returns
        -------
        list of str
            The cell's id, which the largest part keeps, and the new ones.
        """
        editor = self.editor
        with editor.lock:
            editor.required_ledger()
            boundaries, cells = editor.found_in_one(cell_id)
            outline = editor.reviewed.outlines(boundaries).geometry(cells[0])
            parts = splitting.split(outline, line, self._ground())
            entry_id = editor.new_id()
            ids = [cells[0], *(self._made_id(entry_id, n) for n in range(1, len(parts)))]
            self._reshape(SPLIT, boundaries, dict(zip(ids, parts, strict=True)), note, entry_id)
            return ids

    def expand(self, ids: Iterable[str] | str, um: float, note: str = "") -> list[str]:
        """Grow cells by a distance in µm, or shrink them where it is negative."""
        editor = self.editor
        with editor.lock:
            editor.required_ledger()
            boundaries, cells = editor.found_in_one(ids)
            outlines, ground = editor.reviewed.outlines(boundaries), self._ground()
            after = {c: geometry.grown(outlines.geometry(c), um, ground) for c in cells}
            self._reshape(REDRAW, boundaries, after, note)
            return cells

    def refine(
        self, boundaries: str, outlines: Mapping[str, Any], made: Iterable[Any] = (), note: str = ""
    ) -> list[str]:
        """Take over a new segmentation of some cells, as one correction.

        Parameters
        ----------
        boundaries
            Segmentation.
        outlines
            Cell id -> new outline (full-resolution px), None: the cell is gone.
        made
            Outlines of new cells.
        note
            Kept with the correction.

        Returns
        -------
        list of str
            The ids of the new cells.
        """
        editor = self.editor
        with editor.lock:
            editor.required_ledger()
            after = dict(outlines)
            if after:
                editor.found(after, boundaries)
            entry_id = editor.new_id()
            new = {self._made_id(entry_id, n): shape for n, shape in enumerate(made, start=1)}
            self._reshape(REFINE, boundaries, after | new, note, entry_id)
            return list(new)

    def overlapped(
        self, polygon: Any, boundaries: str = keys.PROSEG, but: Iterable[str] = ()
    ) -> list[geometry.Overlap]:
        """List the cells that an outline overlaps, the largest overlap first.

        Parameters
        ----------
        polygon
            As for `add`.
        boundaries
            Segmentation.
        but
            Cells that do not count, for example the one that is redrawn.
        """
        with self.editor.lock:
            outline = geometry.checked(polygon, self._ground())
            ids, shapes = self._neighbours(boundaries, outline, but)
            return geometry.overlaps(outline, shapes, ids, self._ground())

    def _placed(
        self,
        boundaries: str,
        polygon: Any,
        overlap: str,
        but: Iterable[str],
        others: Mapping[str, Any] | None = None,
    ) -> Any:
        """Place an outline among the cells that are there, but some, and among others."""
        outline = geometry.checked(polygon, self._ground())
        ids, shapes = self._neighbours(boundaries, outline, but)
        if others:
            ids, shapes = [*ids, *others], [*shapes, *others.values()]
        return geometry.placed(outline, shapes, ids, self._ground(), overlap)[0]

    def _neighbours(
        self, boundaries: str, outline: Any, but: Iterable[str]
    ) -> tuple[list[str], list[Any]]:
        """Cells whose bounds meet those of an outline."""
        outlines = self.editor.reviewed.outlines(boundaries)
        left_out = set(but)
        rows = outlines.query(*outline.bounds)
        found = [
            (cell, shape)
            for cell, shape in zip(outlines.ids_of(rows), outlines.geometries(rows), strict=True)
            if cell not in left_out
        ]
        return [cell for cell, _ in found], [shape for _, shape in found]

    def _ground(self) -> Ground:
        return self.editor.reviewed.ground()

    def _made_id(self, entry_id: str, number: int) -> str:
        """Make the id of a new cell from that of its entry: unique also in merged ledgers."""
        return f"e{entry_id[:16]}-{number}"

    def _reshape(
        self,
        kind: str,
        boundaries: str,
        after: Mapping[str, Any],
        note: str,
        entry_id: str | None = None,
    ) -> None:
        """Commit outlines; None: the cell is gone."""
        import shapely

        if not after:
            raise BadInputError("No cell is chosen; choose one or more.")
        outlines = self.editor.reviewed.outlines(boundaries)
        cells = list(after)
        rows = outlines.rows_of(cells)
        there = rows >= 0
        before: dict[str, bytes | None] = dict.fromkeys(cells)
        known = [cell for cell, here in zip(cells, there.tolist(), strict=True) if here]
        wkb = shapely.to_wkb(outlines.geometries(rows[there]))
        before |= dict(zip(known, wkb.tolist() if len(known) else [], strict=True))
        self.editor.commit(
            Correction(
                kind,
                boundaries,
                cell_ids=tuple(cells),
                outlines_before=before,
                outlines_after={
                    cell: None if shape is None else shapely.to_wkb(shapely.force_2d(shape))
                    for cell, shape in after.items()
                },
                note=note,
            ),
            entry_id,
        )
