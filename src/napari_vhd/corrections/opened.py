"""An open sample as corrections need it: its source, single rows of counts, what counts again."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.io.run_folder import RunFolder

from .quality import Quality
from .recount import Counter
from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from geopandas import GeoDataFrame
    from numpy.typing import NDArray

    from napari_vhd.io.source import Outlined, Source


class Opened:
    """Computed data of one sample, as far as corrections look at it.

    Parameters
    ----------
    source
        What is open.
    stages_done
        Names of the stages whose results it holds.
    recipes
        Stage -> what its result depends on, as it was written down.

    Attributes
    ----------
    um_per_px
        Side of a full-resolution pixel in µm, NaN where nothing says it.
    settings
        How the stages were set whose results can be worked out anew for a single cell.
    """

    def __init__(
        self,
        source: Source,
        stages_done: tuple[str, ...] = (),
        recipes: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.source = source
        self.stages_done = stages_done
        self.settings = Settings(recipes or {})
        self.sample_id = source.sample_id
        self.typed = source.typed
        self.um_per_px = float("nan") if source.um_per_px is None else float(source.um_per_px)

    @classmethod
    def of(cls, source: Source) -> Opened:
        """Read beside a source what was done to make it, where it is a run folder."""
        done = RunFolder(source.path).done() if source.kind == "run" else {}
        return cls(source, tuple(done), {name: one.recipe for name, one in done.items()})

    def segmentation_names(self) -> tuple[str, ...]:
        """Name the boundaries that are there, the typed ones first."""
        return self.source.segmentation_names()

    def outlines(self, name: str) -> Outlined:
        """Read ids, geometries (full-resolution px, array after array), columns of boundaries."""
        return self.source.outlines(name)

    def obs(self) -> pd.DataFrame:
        """Read the table of cells without its counts; index: cell ids."""
        return self.source.obs()

    def uns_colors(self, column: str) -> tuple[str, ...]:
        """Give the recorded colours of a column, by category."""
        return self.source.uns_colors(column)

    def genes(self) -> tuple[str, ...]:
        """Give the gene symbols, in the order of the counts."""
        return self.source.genes()

    def gene(self, symbol: str) -> NDArray[np.float32]:
        """Give counts of a gene by row of the table."""
        return self.source.gene(symbol)

    def regions(self) -> GeoDataFrame | None:
        """Read the regions that the store holds."""
        return self.source.regions()

    def counts_of(self, row: int) -> Any:
        """Give counts (1, genes) of a row of the table, None where they are not kept by rows."""
        from scipy.sparse import csr_matrix

        if self._matrix is None:
            return None
        indptr, indices, data, n_genes = self._matrix
        start, stop = int(indptr[row]), int(indptr[row + 1])
        parts = (data[start:stop], indices[start:stop], [0, stop - start])
        return csr_matrix(parts, shape=(1, n_genes), dtype=np.float32)

    def counter(self) -> Counter | None:
        """Open what counts cells again; None where no cells were counted from bins."""
        path = self.source.table_path(keys.CELLS)
        return None if path is None else Counter.open(path.parent.parent)

    @cached_property
    def extent(self) -> tuple[float, float, float, float] | None:
        """(xmin, ymin, xmax, ymax) of the H&E in full-resolution px, None where there is none."""
        image = self.source.image()
        return None if image is None else image.box

    @cached_property
    def var(self) -> pd.DataFrame | None:
        """What the table says of its genes; index: symbols. None where there is no table."""
        import zarr
        from anndata.io import read_elem

        path = self.source.table_path(keys.CELLS)
        if path is None:
            return None
        group: Any = zarr.open_group(path, mode="r", use_consolidated=False)
        return read_elem(group["var"])

    @cached_property
    def quality(self) -> Quality | None:
        """What works out the quality numbers of a cell; None before quality control."""
        return None if self.var is None else Quality.of(self.var)

    @cached_property
    def known_types(self) -> tuple[str, ...]:
        """Cell types of the reference, as deconvolution has named them."""
        import zarr

        found: dict[str, None] = {}
        for size in keys.BIN_SIZES_UM:
            path = self.source.table_path(keys.bin_table(size))
            if path is None:
                continue
            obs: Any = zarr.open_group(path / "obs", mode="r", use_consolidated=False)
            for name in obs.attrs.get("column-order", ()):
                for start in (keys.flashdeconv(""), keys.proportion("")):
                    if name.startswith(start) and name != keys.FLASHDECONV_DOMINANT:
                        found[name.removeprefix(start)] = None
        return tuple(found)

    @cached_property
    def _matrix(self) -> tuple[Any, Any, Any, int] | None:
        """Counts of the table: where rows start, genes, values, number of genes."""
        import zarr

        path = self.source.table_path(keys.CELLS)
        if path is None:
            return None
        group: Any = zarr.open_group(path, mode="r", use_consolidated=False)
        counts = group["X"]
        if counts.attrs.get("encoding-type") != "csr_matrix":
            return None
        indptr = counts["indptr"][:]
        if len(indptr) != len(self.obs()) + 1:
            return None
        return indptr, counts["indices"], counts["data"], int(counts.attrs["shape"][1])
