"""Which colour stands for which category or value: the same in every figure of a sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize, TwoSlopeNorm, to_rgba_array

from napari_vhd import keys
from napari_vhd.palettes import colors_for

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.colors import Colormap
    from numpy.typing import NDArray

    from .view import Places

NOT_ASSIGNED = "#bdbdbd"
FILTERED = "#e4e4e4"


@dataclass(frozen=True)
class Categories:
    """A categorical column, ready to draw.

    Attributes
    ----------
    names
        The categories that occur, in their order, then "not assigned" and "filtered" if any.
    colors
        One for each name.
    codes
        Index in `names` of each row.
    named
        How many of the names are categories of the column.
    """

    names: tuple[str, ...]
    colors: tuple[str, ...]
    codes: NDArray[np.intp]
    named: int

    @property
    def counts(self) -> NDArray[np.intp]:
        """Rows of each name."""
        return np.bincount(self.codes, minlength=len(self.names))

    def rgba(self, alpha: float = 1.0) -> NDArray[np.uint8]:
        """Colour of each row; what is filtered is let through where `alpha` is below 1."""
        table = to_rgba_array(self.colors)
        table[:, 3] = alpha
        if alpha < 1:
            table[self.named :, 3] = 0
        return np.asarray(np.rint(255 * table), np.uint8)[self.codes]


def column_colors(table: AnnData, column: str, names: list[str]) -> dict[str, str]:
    """Colour of each category: as stored beside the column, else from the palette."""
    values = table.obs[column]
    known = table.uns.get(f"{column}_colors")
    if known is not None and isinstance(values.dtype, pd.CategoricalDtype):
        categories = [str(c) for c in values.cat.categories]
        if len(known) >= len(categories):
            return dict(zip(categories, map(str, known), strict=False))
    return dict(zip(names, colors_for(names), strict=True))


def categories(places: Places, column: str) -> Categories:
    """Read a categorical column of a table."""
    values = places.table.obs[column]
    if not isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype("string").astype("category")
    everything = [str(c) for c in values.cat.categories]
    color = column_colors(places.table, column, everything)
    codes = values.cat.codes.to_numpy(np.intp)
    names = [*everything, "not assigned", "filtered"]
    codes = np.where(codes < 0, np.where(places.kept, len(names) - 2, len(names) - 1), codes)
    if keys.NOT_FITTED in everything:
        codes[codes == everything.index(keys.NOT_FITTED)] = len(names) - 1
    occurring = np.flatnonzero(np.bincount(codes, minlength=len(names)))
    renumbered = np.zeros(len(names), np.intp)
    renumbered[occurring] = np.arange(len(occurring))
    color |= {"not assigned": NOT_ASSIGNED, "filtered": FILTERED}
    return Categories(
        tuple(names[i] for i in occurring),
        tuple(color[names[i]] for i in occurring),
        renumbered[codes],
        int((occurring < len(everything)).sum()),
    )


@dataclass(frozen=True)
class Scale:
    """How numbers become colours.

    Attributes
    ----------
    cmap, norm
        As in matplotlib.
    extend
        Which ends of the colour bar stand for values beyond it.
    """

    cmap: Colormap
    norm: Normalize
    extend: str

    def rgba(self, values: NDArray[np.float64], missing: str = FILTERED) -> NDArray[np.uint8]:
        """Colour of each value; `missing` where it is not finite."""
        finite = np.isfinite(values)
        colors = self.cmap(self.norm(np.where(finite, values, 0)))
        colors[~finite] = to_rgba_array(missing)
        return np.asarray(np.rint(255 * colors), np.uint8)


def sequential(
    values: NDArray[np.float64],
    cmap: str = "viridis",
    limits: tuple[float, float] | None = None,
) -> Scale:
    """Scale from the 1st to the 99th percentile of the values, or between given limits."""
    finite = values[np.isfinite(values)]
    low, high = limits or _percentiles(finite, 1, 99)
    below = bool(len(finite)) and finite.min() < low
    above = bool(len(finite)) and finite.max() > high
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[below, above]
    return Scale(matplotlib.colormaps[cmap], Normalize(low, high, clip=True), extend)


def diverging(values: NDArray[np.float64], cmap: str = "RdBu_r") -> Scale:
    """Scale centred on 0, as far to both sides as 98 of 100 values reach."""
    finite = np.abs(values[np.isfinite(values)])
    high = max(_percentiles(finite, 0, 98)[1], 1e-9)
    extend = "both" if len(finite) and finite.max() > high else "neither"
    return Scale(matplotlib.colormaps[cmap], TwoSlopeNorm(0, -high, high), extend)


def _percentiles(values: NDArray[np.float64], low: float, high: float) -> tuple[float, float]:
    if not len(values):
        return 0.0, 1.0
    first, last = (float(v) for v in np.percentile(values, (low, high)))
    return (first, last) if last > first else (first, first + max(abs(first), 1.0))
