"""What colours the cells, and reading it from a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from napari_vhd import keys
from napari_vhd.corrections.catalogue import (
    CATEGORICAL,
    CELL_TYPES,
    DOMAINS,
    GENE_PREFIX,
    KEPT_NAMES,
    NUMBER,
)
from napari_vhd.exceptions import BadInputError

from .categories import Category, Codes
from .values import COLORMAP, Values

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_vhd.session import Session

    Limits = tuple[float, float]


@dataclass(frozen=True)
class Wish:
    """What cells are to be coloured by.

    Attributes
    ----------
    column
        Name of the column; ``gene:<symbol>`` for a gene; None: outlines only.
    boundaries
        Segmentation, "" where there is none.
    computed
        As computed, without corrections.
    """

    column: str | None
    boundaries: str
    computed: bool = False


@dataclass(frozen=True)
class Coloring:
    """What colours the cells now.

    Attributes
    ----------
    column, boundaries, computed
        As of `Wish`.
    kind
        ``"categorical"``, ``"number"`` or ``"none"``.
    categories
        Of a categorical column, in its order; then cells without a label and those that a filter
        dropped, if any.
    limits
        Values at the ends of the colour bar.
    colormap
        napari's name of it.
    title, unit
        For a reader.
    only
        Values that are shown, both included; None: all.
    """

    column: str | None
    boundaries: str
    kind: Literal["categorical", "number", "none"] = "none"
    categories: tuple[Category, ...] = ()
    limits: Limits | None = None
    colormap: str = COLORMAP
    computed: bool = False
    title: str = ""
    unit: str = ""
    only: Limits | None = None


@dataclass(frozen=True)
class Read:
    """A column as it was read: either codes or values."""

    wish: Wish
    title: str
    unit: str
    codes: Codes | None = None
    values: Values | None = None
    limits: Limits | None = None


def read(session: Session, wish: Wish) -> Read:
    """Read a column; may be slow.

    Raises
    ------
    BadInputError
        Where the sample has no such column.
    """
    column, boundaries = wish.column or "", wish.boundaries
    if column.startswith(GENE_PREFIX):
        symbol = column.removeprefix(GENE_PREFIX)
        if symbol not in session.genes():
            raise BadInputError(
                f"{session.sample_id}: there is no gene {symbol!r} in this sample; check its "
                "spelling."
            )
        kind: str = NUMBER
    else:
        known = {one.name: one for one in session.columns(boundaries)}
        if column not in known:
            raise BadInputError(
                f"{session.sample_id}: {boundaries} has no column {column!r}; there are: "
                f"{', '.join(known) or 'none'}."
            )
        kind = known[column].kind
    if kind == CATEGORICAL:
        labels = session.labels(boundaries, column, computed=wish.computed)
        codes = Codes(labels, dropped_rows(session, boundaries, column))
        return Read(wish, known[column].title, "", codes=codes)
    numbers = session.numbers(boundaries, column)
    values = Values(numbers)
    return Read(wish, numbers.title, numbers.unit, values=values, limits=values.limits())


def read_if_there(session: Session, wish: Wish) -> Read | None:
    """Read a column again; None where it is gone, as own labels are when their making is undone."""
    try:
        return read(session, wish)
    except BadInputError:
        return None


def dropped_rows(session: Session, boundaries: str, column: str) -> NDArray[np.bool_] | None:
    """Give by row which cells quality control dropped; None: none is told apart."""
    if column == keys.KEPT or all(one.name != keys.KEPT for one in session.columns(boundaries)):
        return None
    labels = session.labels(boundaries, keys.KEPT)
    if KEPT_NAMES[1] not in labels.names:
        return None
    dropped: Any = labels.codes == labels.names.index(KEPT_NAMES[1])
    return dropped if dropped.any() else None


def first_column(session: Session, boundaries: str) -> str | None:
    """Choose what a newly opened sample is coloured by: cell types, else domains.

    Of cell types, those that each cell has by itself: the votes over domains blur them (97 against
    40 % right on the simulated sample, benchmarks/results.md).
    """
    columns = session.columns(boundaries)
    names = [
        column.name
        for group in (CELL_TYPES, DOMAINS)
        for column in columns
        if column.group == group and column.kind == CATEGORICAL
    ]
    if keys.TYPE_CELLTYPIST_PER_CELL in names:
        return keys.TYPE_CELLTYPIST_PER_CELL
    return names[0] if names else None
