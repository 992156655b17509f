"""What a person may do to labels: relabel cells, rename and colour categories, own label sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError
from napari_vhd.palettes import colors_for, is_hex

from .correction import COLOR, LABEL_SET, RELABEL, RENAME_CATEGORY, Correction
from .editor import checked_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .columns import LabelColumn
    from .correction import Entry
    from .editor import Editor


class LabelVerbs:
    """The part of a session that corrects labels."""

    @property
    def editor(self) -> Editor:
        """What takes the corrections."""
        raise NotImplementedError

    def known_types(self) -> tuple[str, ...]:
        """Cell types that a label may name: of signatures and of the reference."""
        raise NotImplementedError

    def relabel(
        self,
        cell_ids: Iterable[str] | str,
        column: str,
        value: str | None,
        note: str = "",
        add: bool = False,
    ) -> Entry:
        """Give cells another label, as one correction.

        Parameters
        ----------
        cell_ids
            One id or many, of one segmentation.
        column
            A column of labels, computed or your own.
        value
            One of the column's categories, a signature or type of the reference, ``Unsure`` or
            ``Unknown``; None takes the label away.
        note
            Kept with the correction.
        add
            Take any other value as a new category.

        Returns
        -------
        Entry
            After it is durable.

        Raises
        ------
        BadInputError
            For an unknown cell, column or value; nothing changed.
        LedgerError
            Where it could not be written; nothing changed.
        """
        editor = self.editor
        with editor.lock:
            editor.required_ledger()
            boundaries, cells = editor.found_in_one(cell_ids)
            labels = editor.reviewed.column(boundaries, column)
            if value is not None:
                value = self._checked_value(labels, value, add=add)
            before = labels.values(cells)
            return editor.commit(
                Correction(
                    RELABEL,
                    boundaries,
                    column,
                    tuple(cells),
                    before,
                    (value,) * len(cells),
                    note=note,
                )
            )

    def rename_category(
        self,
        column: str,
        old: str,
        new: str,
        *,
        boundaries: str | None = None,
        note: str = "",
        add: bool = True,
    ) -> Entry:
        """Give all cells of a category another; where that exists, the two are merged.

        Parameters
        ----------
        column
            A column of labels.
        old, new
            Category now, and the one to be.
        boundaries
            Segmentation; the typed one where None.
        note
            Kept with the correction.
        add
            Whether `new` may be a name that is not known yet.

        Raises
        ------
        BadInputError
            For an unknown column or category.
        """
        editor = self.editor
        with editor.lock:
            editor.required_ledger()
            name = boundaries or self._first_boundaries()
            labels = editor.reviewed.column(name, column)
            if not labels.knows(old):
                raise BadInputError(
                    f"{old!r}: is no category of {column}; there are: {_listed(labels)}."
                )
            new = self._checked_value(labels, new, add=add)
            if new == old:
                raise BadInputError(f"{old!r}: is the name already; write another.")
            return editor.commit(
                Correction(RENAME_CATEGORY, name, column, before=(old,), after=(new,), note=note)
            )

    def set_colors(
        self, column: str, colors: Mapping[str, str], *, boundaries: str | None = None
    ) -> Entry:
        """Choose colours (``#RRGGBB``) of categories.

        Raises
        ------
        BadInputError
            For an unknown column or category, or what is no colour.
        """
        editor = self.editor
        with editor.lock:
            editor.required_ledger()
            name = boundaries or self._first_boundaries()
            labels = editor.reviewed.column(name, column)
            chosen = {}
            for category, color in colors.items():
                if not labels.knows(category):
                    raise BadInputError(
                        f"{category!r}: is no category of {column}; there are: {_listed(labels)}."
                    )
                chosen[category] = checked_color(color)
            if not chosen:
                raise BadInputError("No colour is chosen; choose one.")
            before = {category: labels.color_of(category) for category in chosen}
            return editor.commit(Correction(COLOR, name, column, before=(before,), after=(chosen,)))

    def make_label_set(
        self,
        column: str,
        names: Sequence[str],
        colors: Sequence[str] | None = None,
        *,
        boundaries: str | None = None,
        note: str = "",
    ) -> Entry:
        """Make a column of your own labels, or change the list of one.

        Parameters
        ----------
        column
            Its name; not that of a computed column.
        names
            The labels, in the order of their hotkeys 1 to 9.
        colors
            ``#RRGGBB``, one a name; chosen where None.
        boundaries
            Segmentation; the typed one where None.
        note
            Kept with the correction.

        Raises
        ------
        BadInputError
            Where a name cannot be used.
        """
        editor = self.editor
        with editor.lock:
            editor.required_ledger()
            name = boundaries or self._first_boundaries()
            column = checked_name(column, "The name of the labels")
            own = {c.name: c.group for c in editor.reviewed.columns(name)}
            if own.get(column, "Own labels") != "Own labels":
                raise BadInputError(
                    f"{column!r}: is a computed column, which stays as it is; choose another name."
                )
            listed = [checked_name(label, "A label") for label in names]
            if not listed or len(set(listed)) != len(listed):
                raise BadInputError("A label set needs one or more labels, each once.")
            given = colors_for(listed) if colors is None else [checked_color(c) for c in colors]
            if len(given) != len(listed):
                raise BadInputError(f"There are {len(given)} colours for {len(listed)} labels.")
            before = editor.reviewed.filing.label_set(name, column)
            after = {"names": listed, "colors": given}
            return editor.commit(
                Correction(
                    LABEL_SET,
                    name,
                    column,
                    before=() if before is None else (before,),
                    after=(after,),
                    note=note,
                )
            )

    def allowed_values(self, column: str, boundaries: str | None = None) -> tuple[str, ...]:
        """List the values that `relabel` takes without ``add=True``, categories first."""
        editor = self.editor
        with editor.lock:
            name = boundaries or self._first_boundaries()
            labels = editor.reviewed.column(name, column)
            names = dict.fromkeys(labels.labels.names)
            if column != keys.KEPT:
                names |= dict.fromkeys((*self.known_types(), keys.UNSURE, keys.UNKNOWN))
            return tuple(names)

    def _checked_value(self, labels: LabelColumn, value: str, *, add: bool) -> str:
        value = checked_name(value, "The label")
        if labels.knows(value) or value in {keys.UNSURE, keys.UNKNOWN}:
            return value
        if value in self.known_types() or add:
            return value
        raise BadInputError(
            f"{value!r}: is not in the list of {labels.name} ({_listed(labels)}, {keys.UNSURE}, "
            f"{keys.UNKNOWN} or a known cell type); correct the spelling, or add it on purpose "
            "with add=True."
        )

    def _first_boundaries(self) -> str:
        names = self.editor.segmentation_names()
        if not names:
            raise BadInputError("There are no cells yet; run the segmentation first.")
        return names[0]


def _listed(labels: LabelColumn) -> str:
    names = labels.labels.names
    return ", ".join(names[:12]) + (" …" if len(names) > 12 else "") or "none yet"


def checked_color(color: object) -> str:
    """Check a colour.

    Raises
    ------
    BadInputError
        Where it is not ``#RRGGBB``.
    """
    if not is_hex(color):
        raise BadInputError(f"{color!r}: is no colour; write it as #RRGGBB.")
    return str(color).upper()
