"""Counting 2 µm bins into cells: the table that follows the drawn outlines.

A bin belongs to a cell when its centre lies within the cell's outline, grown by
``expand_radius_ratio`` times the mean radius of all cells (`sopa.aggregation.aggregate_bins`).
What is needed to count one edited cell again by exactly this rule is kept in
``uns["vhd_aggregation"]`` and, with ``no_overlap``, in ``obsm`` and ``varm``: see `Rule`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import StageError
from napari_vhd.io import frames
from napari_vhd.parameters import AggregationParameters

from .stage import Outcome, Sample, Stage, each

if TYPE_CHECKING:
    from anndata import AnnData
    from geopandas import GeoDataFrame
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

COMPONENTS = 50  # sopa's
DEFAULT_RATIO = {keys.STARDIST: 1.0, keys.PROSEG: 0.0}


@dataclass(frozen=True)
class Rule:
    """How bins were counted, so that an edited cell is counted in the same way.

    Attributes
    ----------
    boundaries
        Name of the counted outlines.
    expand_radius_ratio
        As computed: never None.
    mean_radius_px, expansion_px
        Mean radius of all cells when the table was made, and what every outline grew by; both in
        full-resolution px. An edit does not change them.
    no_overlap
        A bin within several cells is given to the one whose profile is nearest; the profiles are
        log1p counts per million, in the principal components of the cells' unshared bins
        (``varm``/``obsm`` ``aggregation_pca``, ``var["aggregation_mean"]``).
    """

    boundaries: str
    expand_radius_ratio: float
    mean_radius_px: float
    expansion_px: float
    no_overlap: bool

    @classmethod
    def of(cls, table: AnnData) -> Rule:
        """Read back what a table says of itself."""
        kept = table.uns[keys.AGGREGATION]
        return cls(
            boundaries=str(kept["boundaries"]),
            expand_radius_ratio=float(kept["expand_radius_ratio"]),
            mean_radius_px=float(kept["mean_radius_px"]),
            expansion_px=float(kept["expansion_px"]),
            no_overlap=bool(kept["no_overlap"]),
        )
