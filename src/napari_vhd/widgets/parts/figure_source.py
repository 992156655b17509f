"""Collects what a figure of chosen cells needs from a session; called beside the GUI thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.backends.backend_agg import FigureCanvasAgg

from napari_vhd import keys
from napari_vhd.config import Paths, RunConfig
from napari_vhd.corrections.catalogue import CATEGORICAL, GENE_PREFIX, KEPT_NAMES
from napari_vhd.figures import screen
from napari_vhd.figures.chosen import KINDS, ChosenView

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from napari_vhd.figures.chosen import Drawn
    from napari_vhd.figures.qc import Limit
    from napari_vhd.figures.screen import Panel
    from napari_vhd.session import Session

_SMALLEST_DPI, _LARGEST_DPI = 58.0, 130.0


@dataclass(frozen=True)
class Wanted:
    """A figure that a person asks for.

    Attributes
    ----------
    kind
        Key of `napari_vhd.figures.chosen.KINDS`.
    boundaries
        Segmentation.
    region
        Name of a region, "" for none.
    selection
        Ids of cells; None where all, or a region's, are meant.
    column, by
        Categorical columns.
    """

    kind: str
    boundaries: str
    region: str
    selection: tuple[str, ...] | None
    column: str
    by: str


@dataclass(frozen=True)
class Shown:
    """A figure as it is on the screen.

    Attributes
    ----------
    drawn
        The figure and its numbers.
    picture
        RGBA, shape (height, width, 4).
    limits
        Lines that can be moved, and where they lie.
    """

    drawn: Drawn
    picture: NDArray[np.uint8]
    limits: tuple[tuple[Limit, Panel], ...]


def draw(session: Session, wanted: Wanted, width: int) -> Shown:
    """Draw a figure for a dock that is `width` px wide.

    Raises
    ------
    BadInputError
        Where the cells have nothing to draw; says what to do.
    """
    rows, where = _rows(session, wanted)
    kind = KINDS[wanted.kind]
    config = session.config or RunConfig(Paths(""), ())
    known = set(session.genes()) if kind.genes else set()
    genes = {
        name: tuple(gene for gene in some if gene in known)
        for name, some in config.marker_genes.items()
    }
    view = ChosenView(
        None,
        session.sample_id,
        config,
        session.run_dir or Path(),
        _table(session, wanted.boundaries, rows, [g for some in genes.values() for g in some]),
        where,
        genes,
    )
    drawn = kind.draw(view, wanted.column, wanted.by)
    screen.frame(drawn.figure)
    return redraw(drawn, width)


def redraw(drawn: Drawn, width: int) -> Shown:
    """Draw a figure again for another width; never smaller than can be read."""
    figure: Figure = drawn.figure
    dpi = min(max(width / figure.get_size_inches()[0], _SMALLEST_DPI), _LARGEST_DPI)
    picture = screen.render(figure, dpi)
    FigureCanvasAgg(figure)
    places = tuple((limit, screen.panel_of(limit.axes, len(picture))) for limit in drawn.limits)
    return Shown(drawn, picture, places)


def _rows(session: Session, wanted: Wanted) -> tuple[NDArray[np.integer], str]:
    """Find the cells, and say which they are."""
    outlines = session.outlines(wanted.boundaries)
    if wanted.selection is not None:
        rows = outlines.rows_of(list(wanted.selection))
        rows = rows[rows >= 0]
        return rows, f"{len(rows):,} selected cells"
    if wanted.region:
        return outlines.within(session.regions().geometry[wanted.region]), wanted.region
    return np.flatnonzero(outlines.alive), "all cells"


def _table(
    session: Session, boundaries: str, rows: NDArray[np.integer], genes: list[str]
) -> AnnData:
    """Make a table of cells with reviewed labels, all numbers, and counts of a few genes."""
    columns, colors = {}, {}
    for column in session.columns(boundaries):
        if column.kind == CATEGORICAL:
            labels = session.labels(boundaries, column.name)
            codes = labels.codes[rows]
            columns[column.name] = pd.Categorical.from_codes(codes, list(labels.names))
            colors[f"{column.name}_colors"] = list(labels.colors)
        else:
            columns[column.name] = session.numbers(boundaries, column.name).values[rows]
    index = pd.Index(session.outlines(boundaries).ids_of(rows), dtype=object)
    obs = pd.DataFrame({name: pd.Series(value, index) for name, value in columns.items()}, index)
    if keys.KEPT in obs:
        obs[keys.KEPT] = obs[keys.KEPT] == KEPT_NAMES[0]
    names = list(dict.fromkeys(genes))
    counts = [session.numbers(boundaries, GENE_PREFIX + gene).values[rows] for gene in names]
    matrix = np.log1p(np.stack(counts, 1)) if counts else np.zeros((len(rows), 0), np.float32)
    return AnnData(np.nan_to_num(matrix), obs, pd.DataFrame(index=pd.Index(names)), uns=colors)
