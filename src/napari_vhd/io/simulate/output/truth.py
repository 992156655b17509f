"""What is known of a simulated sample, in the ``truth`` folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from scipy import sparse

from napari_vhd.io.simulate.tissue.anatomy import DOMAINS
from napari_vhd.io.simulate.tissue.shapes import vertices

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_vhd.io.simulate.counts.umis import Grid, Strip
    from napari_vhd.io.simulate.tissue.cells import Cells


def cell_ids(count: int) -> list[str]:
    """Names of the true cells, in the order of all tables of the truth."""
    return [f"cell_{i:07d}" for i in range(1, count + 1)]


def write_outlines(
    folder: Path, cells: Cells, type_of: Sequence[str], shape: tuple[int, int]
) -> None:
    """Write ``nuclei.parquet`` and ``cells.parquet``: polygons in full-resolution px (GeoParquet).

    Parameters
    ----------
    folder
        Where to.
    cells
        The cells.
    type_of
        Name of each cell's type.
    shape
        Height and width of the picture (px), which cuts the outlines.
    """
    import geopandas as gpd

    columns = {
        "cell_id": cell_ids(len(cells)),
        "cell_type": pd.Categorical(type_of),
        "domain": pd.Categorical.from_codes(cells.domain.astype(int), list(DOMAINS)),
    }
    for name, radii in (("nuclei", cells.nucleus), ("cells", cells.body)):
        polygons = shapely.polygons(vertices(cells.x, cells.y, cells.angle, radii))
        polygons = shapely.clip_by_rect(polygons, 0, 0, shape[1], shape[0])
        frame = gpd.GeoDataFrame(columns, geometry=polygons)
        frame.to_parquet(folder / f"{name}.parquet", index=False)


class BinTruth:
    """Gathers the truth about bins while the strips are written.

    Parameters
    ----------
    folder
        Where ``bins_002um.parquet``, ``bins_008um.parquet`` and ``umi_origin_002um.npz`` go.
    cell_type
        Number of each cell's type.
    type_names
        Names of the types.
    """

    def __init__(
        self, folder: Path, cell_type: NDArray[np.integer], type_names: Sequence[str]
    ) -> None:
        self._names = list(type_names)
        self._folder = folder
        self._tables: dict[str, pq.ParquetWriter] = {}
        cells = len(cell_type)
        self._of_type = sparse.csr_matrix(
            (np.ones(cells, np.int32), (np.arange(1, cells + 1), cell_type)),
            shape=(cells + 1, len(type_names)),
        )
        self._origins: list[sparse.csr_matrix] = []

    def add_fine(self, strip: Strip, barcodes: list[str]) -> None:
        """Note from which cells the transcripts of a strip's 2 um bins come."""
        self._origins.append(strip.origin)
        of_cells = strip.origin[:, 1:].tocsr()
        most = np.asarray(of_cells.argmax(axis=1)).ravel() + 1
        filled = np.diff(of_cells.indptr) > 0
        frame = {
            "n_umis": np.asarray(strip.origin.sum(axis=1)).ravel().astype(np.int32),
            "cell": np.where(filled, most, 0).astype(np.int32),
        }
        self._append("bins_002um", pd.DataFrame(frame, index=pd.Index(barcodes, name="barcode")))

    def add_coarse(
        self, strip: Strip, barcodes: list[str], group: NDArray[np.int64], domain: NDArray[np.uint8]
    ) -> None:
        """Note the types in a strip's 8 um bins.

        Parameters
        ----------
        strip
            Counts of the 2 um bins.
        barcodes
            Names of the 8 um bins.
        group
            For each 2 um bin, the position of its 8 um bin in `barcodes`.
        domain
            Code of the domain at the centre of each 8 um bin.
        """
        pooling = sparse.csr_matrix(
            (np.ones(len(group), np.int32), (group, np.arange(len(group)))),
            shape=(len(barcodes), len(group)),
        )
        by_type = np.asarray((pooling @ (strip.origin @ self._of_type)).todense(), float)
        total = by_type.sum(1)
        with np.errstate(invalid="ignore"):
            fractions = by_type / total[:, None]
        frame = pd.DataFrame(
            fractions, columns=self._names, index=pd.Index(barcodes, name="barcode")
        )
        dominant = np.where(total > 0, by_type.argmax(1), -1)
        frame["dominant"] = pd.Categorical.from_codes(dominant, self._names)
        frame["n_umis_of_cells"] = total.astype(np.int32)
        frame["domain"] = pd.Categorical.from_codes(domain.astype(int), list(DOMAINS))
        self._append("bins_008um", frame)

    def close(self) -> None:
        """Finish the files."""
        for table in self._tables.values():
            table.close()
        origin = sparse.vstack(self._origins, format="csr")
        sparse.save_npz(self._folder / "umi_origin_002um.npz", origin, compressed=True)

    def _append(self, name: str, frame: pd.DataFrame) -> None:
        table = pa.Table.from_pandas(frame)
        if name not in self._tables:
            path = self._folder / f"{name}.parquet"
            self._tables[name] = pq.ParquetWriter(path, table.schema)
        self._tables[name].write_table(table)


def domains_at(
    domain: NDArray[np.uint8],
    grid: Grid,
    first_row: int,
    mpp: float,
    bins: NDArray[np.int64],
    size: int,
) -> NDArray[np.uint8]:
    """Domain at the centres of coarse bins.

    Parameters
    ----------
    domain
        One code per um.
    grid
        The 2 um bins.
    first_row
        Coarse row of the strip's first row.
    mpp
        um per px.
    bins
        Numbers (row * columns + column) of coarse bins in the strip.
    size
        Fine bins along a coarse bin.
    """
    rows, cols = np.divmod(bins, grid.in_tissue.shape[1] // size)
    y = (grid.offset[1] + (rows + first_row + 0.5) * size * grid.px) * mpp
    x = (grid.offset[0] + (cols + 0.5) * size * grid.px) * mpp
    codes: NDArray[np.uint8] = domain[
        np.minimum(y.astype(int), domain.shape[0] - 1),
        np.minimum(x.astype(int), domain.shape[1] - 1),
    ]
    return codes


def write_parameters(folder: Path, parameters: dict[str, object]) -> None:
    """Write ``params.json``."""
    (folder / "params.json").write_text(json.dumps(parameters, indent=1) + "\n")
