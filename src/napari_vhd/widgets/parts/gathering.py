"""What docks ask of a session about some cells; called beside the GUI thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_vhd import keys
from napari_vhd.corrections.catalogue import GENE_PREFIX, KEPT_NAMES, QUALITY
from napari_vhd.layers.coloring import first_column
from napari_vhd.review.compare import Segmented, compare
from napari_vhd.review.summary import Distribution, Share, composition

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from geopandas import GeoDataFrame
    from numpy.typing import NDArray

    from napari_vhd.corrections.catalogue import Column
    from napari_vhd.layers.coloring import Coloring
    from napari_vhd.session import Session

_UMIS = ("total_counts", "n_counts")


@dataclass(frozen=True)
class Cells:
    """Some cells in a few figures.

    Attributes
    ----------
    boundaries
        Their segmentation.
    number
        How many they are.
    area_um2
        Of each.
    quality
        Title, unit and values of each number that quality control looks at.
    column
        Title of the categorical column of `shares`, "" if there is none.
    shares
        Its categories among these cells.
    left_out
        How many of them quality control left out.
    """

    boundaries: str
    number: int
    area_um2: Distribution
    quality: tuple[tuple[str, str, Distribution], ...]
    column: str
    shares: tuple[Share, ...]
    left_out: int = 0


@dataclass(frozen=True)
class RegionStats:
    """One region as it is listed.

    Attributes
    ----------
    name, color, visible
        As drawn.
    area_mm2
        Of its outline.
    cells
        Cells whose middle lies in it.
    shares
        Categories among them.
    """

    name: str
    color: str
    visible: bool
    area_mm2: float
    cells: int
    shares: tuple[Share, ...]


def categorical(session: Session, boundaries: str, column: str | None) -> Column | None:
    """Give a categorical column: the one asked for, else the first of cell types or domains."""
    columns = [c for c in session.columns(boundaries) if c.kind == "categorical"]
    asked = [c for c in columns if c.name == column]
    typed = [c for group in ("Cell types", "Domains") for c in columns if c.group == group]
    return next(iter([*asked, *typed, *columns]), None)


def cells_of(
    session: Session, boundaries: str, ids: Sequence[str], column: str | None
) -> tuple[Cells, ...]:
    """Describe cells, those of each segmentation apart.

    Parameters
    ----------
    session, boundaries
        The sample, and the segmentation to begin with.
    ids
        Cells of any segmentation.
    column
        Categorical column to count, None for the first there is.
    """
    names = dict.fromkeys((boundaries, *session.segmentations()))
    found = []
    for name in names:
        rows = session.outlines(name).rows_of(ids)
        rows = rows[rows >= 0]
        if len(rows):
            found.append(_cells(session, name, rows, column))
    return tuple(found)


def _cells(
    session: Session, boundaries: str, rows: NDArray[np.integer], column: str | None
) -> Cells:
    areas = session.outlines(boundaries).areas[rows] * (session.um_per_px or 1.0) ** 2
    quality = []
    for one in session.columns(boundaries):
        if one.group == QUALITY and one.kind == "number" and one.name != keys.AREA_UM2:
            numbers = session.numbers(boundaries, one.name)
            quality.append((one.title, numbers.unit, Distribution.of(numbers.values[rows])))
    counted = categorical(session, boundaries, column)
    return Cells(
        boundaries,
        len(rows),
        Distribution.of(areas),
        tuple(quality),
        "" if counted is None else counted.title,
        _shares(session, boundaries, counted, rows),
        int(_is_left_out(session, boundaries)[rows].sum()),
    )


def _shares(
    session: Session, boundaries: str, column: Column | None, rows: NDArray[np.integer]
) -> tuple[Share, ...]:
    if column is None:
        return ()
    labels = session.labels(boundaries, column.name)
    return composition(labels.codes[rows], labels.names, labels.colors)


def region_stats(
    session: Session, boundaries: str | None, column: str | None
) -> tuple[str, tuple[RegionStats, ...]]:
    """Describe every region, in its order; also give the title of the column that is counted."""
    regions: GeoDataFrame = session.regions()
    if "order" in regions:
        regions = regions.sort_values("order", kind="stable")
    outlines = None if not boundaries else session.outlines(boundaries)
    counted = categorical(session, boundaries, column) if boundaries else None
    found = []
    for name, region in regions.iterrows():
        rows = None if outlines is None else outlines.within(region.geometry)
        shares = () if rows is None else _shares(session, str(boundaries), counted, rows)
        area = region.geometry.area * (session.um_per_px or 1.0) ** 2 / 1e6
        found.append(
            RegionStats(
                str(name),
                str(region.get("color", "#E69F00")),
                bool(region.get("visible", True)),
                float(area),
                0 if rows is None else len(rows),
                shares,
            )
        )
    return "" if counted is None else counted.title, tuple(found)


def differences(session: Session, a: str, b: str) -> pd.DataFrame:
    """Compare two segmentations as they are reviewed, object by object."""
    return compare(_segmented(session, a), _segmented(session, b), session.um_per_px or 1.0)


def _segmented(session: Session, boundaries: str) -> Segmented:
    outlines = session.outlines(boundaries)
    rows = np.flatnonzero(outlines.alive)
    counted = {column.name for column in session.columns(boundaries)}
    umis = None
    for name in _UMIS:
        if name in counted:
            umis = session.numbers(boundaries, name).values[rows]
            break

    def geometries(some: NDArray[np.intp]) -> NDArray[np.object_]:
        return outlines.geometries(rows[some])

    return Segmented(outlines.ids_of(rows), outlines.bounds[rows], geometries, umis)


def dropped_reasons(session: Session, boundaries: str) -> str:
    """Say why quality control left cells out, and how many: "few counts 40, far apart 5"."""
    if keys.KEPT_REASON not in {column.name for column in session.columns(boundaries)}:
        return ""
    reasons = session.labels(boundaries, keys.KEPT_REASON)
    codes = reasons.codes[_is_left_out(session, boundaries)]
    shares = composition(codes, reasons.names, reasons.colors)
    return ", ".join(f"{share.name} {share.count:,}" for share in shares)


def bring_back(session: Session, ids: Sequence[str]) -> None:
    """Keep those of the cells that quality control left out."""
    for boundaries in session.segmentations():
        outlines = session.outlines(boundaries)
        rows = outlines.rows_of(list(ids))
        rows = rows[rows >= 0]
        rows = rows[_is_left_out(session, boundaries)[rows]]
        if len(rows):
            session.relabel(outlines.ids_of(rows), keys.KEPT, KEPT_NAMES[0])


def _is_left_out(session: Session, boundaries: str) -> NDArray[np.bool_]:
    """Say by row what quality control left out."""
    if keys.KEPT in {column.name for column in session.columns(boundaries)}:
        kept = session.labels(boundaries, keys.KEPT)
        if KEPT_NAMES[1] in kept.names:
            return np.asarray(kept.codes == kept.names.index(KEPT_NAMES[1]))
    return np.zeros(session.outlines(boundaries).n_rows, dtype=bool)


def columns_and_genes(
    session: Session, boundaries: str
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """List what cells can be coloured by."""
    return session.columns(boundaries), session.genes()


def column_of(session: Session, boundaries: str, column: str | None) -> str:
    """Give a column that the cells of a segmentation have: that one, or one that tells something.

    "" where they have none, or none was given.
    """
    if not column:
        return ""
    names = [one.name for one in session.columns(boundaries)]
    if column in names or (column.startswith(GENE_PREFIX) and boundaries == session.typed):
        return column
    return first_column(session, boundaries) or next(iter(names), "")


def distribution(session: Session, coloring: Coloring) -> tuple[str, str, Distribution]:
    """Give title, unit and values of the number that colours the cells."""
    numbers = session.numbers(coloring.boundaries, str(coloring.column))
    return numbers.title, numbers.unit, Distribution.of(numbers.values)
