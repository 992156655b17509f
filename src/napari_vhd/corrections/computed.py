"""What corrections need to know of what was computed; `napari_vhd.io.source.Source` gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from geopandas import GeoDataFrame
    from numpy.typing import NDArray

    from .recount import Counter


class ComputedSource(Protocol):
    """Read-only computed data of one sample, coordinates in full-resolution px."""

    @property
    def sample_id(self) -> str:
        """Id of the sample."""

    @property
    def um_per_px(self) -> float:
        """Side of a full-resolution pixel in µm."""

    @property
    def typed(self) -> str | None:
        """Boundaries that ``table`` counts."""

    def segmentation_names(self) -> Sequence[str]:
        """Names of the boundaries that are there."""

    def outlines(self, name: str) -> tuple[list[str], Any, pd.DataFrame]:
        """Ids, geometries and columns of boundaries."""

    def obs(self) -> pd.DataFrame:
        """Columns of ``table``; index: cell ids."""

    def uns_colors(self, column: str) -> Sequence[str] | None:
        """Recorded colours of a column, by category."""

    def gene(self, symbol: str) -> NDArray[Any]:
        """Counts of a gene by row of ``table``."""

    def counts_of(self, row: int) -> Any:
        """Counts (1, genes) of a row of ``table``."""

    def stages_done(self) -> Sequence[str]:
        """Names of the stages whose results are there."""

    def genes(self) -> Sequence[str]:
        """Gene symbols, in the order of the counts."""

    def known_types(self) -> Sequence[str]:
        """Cell types of the reference."""

    def regions(self) -> GeoDataFrame | None:
        """Regions that the store holds."""

    def counter(self) -> Counter | None:
        """What counts cells again; None where no cells were counted from bins."""
