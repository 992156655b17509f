"""A table of a SpatialData store, read from its zarr group column by column."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd.deleting import delete_beside
from napari_vhd.palettes import is_hex

from .source_counts import Counts, stored_counts

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

BINS = re.compile(r"(?:(?P<id>.*)_)?square_(?P<size>\d{3})um$")
"""Names of bins, as spatialdata-io gives them."""


class Table:
    """A table of a store without its counts.

    Attributes
    ----------
    group
        Its zarr group.
    regions
        Elements that it annotates.
    """

    def __init__(self, group: Any) -> None:
        self.group = group
        attrs = dict(group.attrs)
        region = attrs.get("region") or ()
        self.regions = [region] if isinstance(region, str) else [str(one) for one in region]
        self._region_key = attrs.get("region_key")
        self._instance_key = attrs.get("instance_key")

    @property
    def columns(self) -> set[str]:
        """Names of the columns of ``obs``."""
        return set(self.group["obs"].attrs.get("column-order", ()))

    @cached_property
    def _whole(self) -> pd.DataFrame:
        from anndata.io import read_elem

        whole: pd.DataFrame = read_elem(self.group["obs"])
        delete_beside(self, len(whole), whole)
        return whole

    @cached_property
    def rows(self) -> slice | NDArray[np.int64]:
        """Rows that annotate the first region."""
        if len(self.regions) < 2 or self._region_key not in self._whole:
            return slice(None)
        chosen = self._whole[self._region_key].astype(str) == self.regions[0]
        rows: NDArray[np.int64] = np.flatnonzero(chosen.to_numpy())
        return rows

    @cached_property
    def obs(self) -> pd.DataFrame:
        """Columns by cell or bin; the index is the id that its shape has."""
        obs = self._whole.iloc[self.rows]
        if self._instance_key in obs and not BINS.match(self.regions[0] if self.regions else ""):
            obs = obs.set_axis(obs[self._instance_key].astype(str).to_numpy(), axis=0)
        delete_beside(self, len(obs), obs)
        return obs

    @cached_property
    def genes(self) -> tuple[str, ...]:
        """Names of the genes, in the order of the matrix."""
        var = self.group["var"]
        index = var[var.attrs.get("_index", "_index")]
        from anndata.io import read_elem

        from .source_counts import unique_names

        return tuple(unique_names([str(name) for name in read_elem(index)]))

    @cached_property
    def counts(self) -> Counts | None:
        """Counts, read in pieces."""
        return stored_counts(self.group, self.genes)

    def colors(self, column: str) -> tuple[str, ...]:
        """Colours recorded for a column's categories; "" for what is no colour."""
        from anndata.io import read_elem

        group = self.group.get(f"uns/{column}_colors")
        if group is None:
            return ()
        return tuple(_hex(color) for color in np.atleast_1d(read_elem(group)))


def _hex(color: Any) -> str:
    """Write a colour as ``#RRGGBB``: scanpy takes names and numbers, too."""
    if is_hex(color):
        return str(color)
    from matplotlib.colors import is_color_like, to_hex

    return to_hex(color).upper() if is_color_like(color) else ""
