"""Bins of 2, 8 or 16 µm as one picture each: a pixel is a bin, placed by the grid's affine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd.palettes import colors_for

from .categories import rgb

if TYPE_CHECKING:
    from napari.layers import Image, Labels
    from numpy.typing import NDArray

    from napari_vhd.io.source_bins import Bins

    from .frame import Frame

TOTAL = "total"
GENE = "gene:"
COLORMAP = "magma"


def values_of(bins: Bins, what: str) -> Any:
    """Read what bins are to show: an array of floats, or a categorical pandas Series.

    Parameters
    ----------
    bins
        Of one size.
    what
        ``"total"``, ``"gene:<symbol>"`` or a column of their table.
    """
    if what == TOTAL:
        return bins.total()
    if what.startswith(GENE):
        return bins.gene(what.removeprefix(GENE))
    return bins.column(what)


def is_categorical(values: Any) -> bool:
    """Say whether values are names, not numbers."""
    import pandas as pd

    dtype = getattr(values, "dtype", None)
    return not pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)


def on_grid(bins: Bins, values: NDArray[Any], empty: Any) -> NDArray[Any]:
    """Lay values out on the grid, `empty` where there is no bin."""
    grid = np.full((bins.n_rows, bins.n_cols), empty, dtype=values.dtype)
    grid[bins.array_row, bins.array_col] = values
    return grid


def bins_layer(bins: Bins, what: str, frame: Frame, name: str) -> Image | Labels:
    """Make the layer of one size of bins.

    Parameters
    ----------
    bins
        See `napari_vhd.io.source_bins.Bins`.
    what
        As of `values_of`.
    frame
        Of the sample.
    name
        Of the layer.
    """
    return layer_of(bins, values_of(bins, what), frame, name)


def layer_of(bins: Bins, values: Any, frame: Frame, name: str) -> Image | Labels:
    """Make the layer of values that were read beforehand (`values_of`)."""
    place = frame.grid(np.asarray(bins.affine, dtype=float))
    if is_categorical(values):
        return _categories(bins, values, place, name)
    return _numbers(bins, np.asarray(values, dtype=np.float32), place, name)


def _numbers(bins: Bins, values: NDArray[np.float32], place: dict[str, Any], name: str) -> Image:
    from napari.layers import Image as ImageLayer

    finite = values[np.isfinite(values)]
    high = float(np.percentile(finite, 99)) if len(finite) else 0.0
    if high <= 0 and len(finite):
        high = float(finite.max())
    return ImageLayer(
        on_grid(bins, values, np.float32(np.nan)),
        name=name,
        rgb=False,
        colormap=COLORMAP,
        contrast_limits=(0.0, high if high > 0 else 1.0),
        opacity=0.75,
        blending="translucent",
        interpolation2d="nearest",
        **place,
    )


def _categories(bins: Bins, values: Any, place: dict[str, Any], name: str) -> Labels:
    import pandas as pd
    from napari.layers import Labels as LabelsLayer
    from napari.utils import DirectLabelColormap

    series = pd.Series(values).astype("category")
    names = [str(one) for one in series.cat.categories]
    codes = (series.cat.codes.to_numpy() + 1).astype(np.uint16)
    clear = (0.0, 0.0, 0.0, 0.0)
    table: dict[int | None, Any] = {None: clear, 0: clear}
    for code, color in enumerate(colors_for(names), 1):
        table[code] = (*rgb(color), 1.0)
    if not names:
        table[1] = clear
    return LabelsLayer(
        on_grid(bins, codes, np.uint16(0)),
        name=name,
        opacity=0.75,
        colormap=DirectLabelColormap(color_dict=table),
        features=pd.DataFrame({"index": np.arange(len(names) + 1), "category": ["", *names]}),
        **place,
    )
