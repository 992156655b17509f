"""Space Ranger's files, written strip by strip so that memory stays bounded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from napari_vhd.io.simulate.counts.umis import BIN_UM, STRIP_ROWS, Grid, Strip

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_vhd.io.simulate.counts.genes import Genes

BIN_SIZES_UM = (2, 8, 16)
_POSITIONS = pa.schema(
    [
        ("barcode", pa.string()), ("in_tissue", pa.int64()), ("array_row", pa.int64()),
        ("array_col", pa.int64()), ("pxl_row_in_fullres", pa.float64()),
        ("pxl_col_in_fullres", pa.float64()),
    ]
)  # fmt: skip


def barcodes(size_um: int, rows: NDArray[np.integer], cols: NDArray[np.integer]) -> list[str]:
    """Space Ranger's names of bins."""
    return [f"s_{size_um:03d}um_{r:05d}_{c:05d}-1" for r, c in zip(rows, cols, strict=True)]


class BinnedOutput:
    """One ``square_00Xum`` folder: count matrix, positions and scale factors.

    Parameters
    ----------
    outs
        Space Ranger's ``outs`` folder.
    size_um
        2, 8 or 16.
    genes
        Rows of the matrix.
    grid
        The 2 um bins.
    mpp
        um per full-resolution px.
    scales
        ``tissue_hires_scalef`` and ``tissue_lowres_scalef``.
    """

    def __init__(
        self,
        outs: Path,
        size_um: int,
        genes: Genes,
        grid: Grid,
        mpp: float,
        scales: dict[str, float],
    ) -> None:
        folder = outs / "binned_outputs" / f"square_{size_um:03d}um"
        (folder / "spatial").mkdir(parents=True)
        self._size_um, self._grid = size_um, grid
        self._factor = int(size_um // BIN_UM)
        factors = {
            "spot_diameter_fullres": size_um / mpp, "bin_size_um": float(size_um),
            "microns_per_pixel": mpp, "regist_target_img_scalef": scales["tissue_hires_scalef"],
            "fiducial_diameter_fullres": 1000.0, **scales,
        }  # fmt: skip
        (folder / "spatial" / "scalefactors_json.json").write_text(json.dumps(factors))
        self._positions = pq.ParquetWriter(
            folder / "spatial" / "tissue_positions.parquet", _POSITIONS
        )
        self._matrix = _MatrixFile(folder / "filtered_feature_bc_matrix.h5", genes)

    def close(self) -> None:
        """Finish the folder's files."""
        self._positions.close()
        self._matrix.close()

    def add(self, strip: Strip) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
        """Append the bins of a strip.

        Returns
        -------
        barcodes
            Of the bins in tissue, in the order of the matrix.
        group
            For each 2 um bin of the strip, the position of its bin in `barcodes`.
        kept
            Numbers of the bins in tissue, counted from the strip's corner.
        """
        f, columns = self._factor, self._grid.in_tissue.shape[1]
        tissue = self._grid.in_tissue[strip.first_row : strip.first_row + STRIP_ROWS]
        height = len(tissue)
        blocks = tissue.reshape(height // f, f, columns // f, f)
        coarse = np.asarray(blocks.any(axis=(1, 3)))
        self._add_positions(strip.first_row // f, coarse)
        owner = (strip.bins // columns // f) * (columns // f) + (strip.bins % columns) // f
        kept = np.flatnonzero(coarse)
        group = np.searchsorted(kept, owner)
        pooling = sparse.csr_matrix(
            (np.ones(len(group), np.int32), (group, np.arange(len(group)))),
            shape=(len(kept), len(group)),
        )
        counts = (pooling @ strip.counts).tocsr()
        counts.sort_indices()
        rows, cols = np.divmod(kept, columns // f)
        names = barcodes(self._size_um, rows + strip.first_row // f, cols)
        self._matrix.add(names, counts)
        return names, group, kept

    def _add_positions(self, first_row: int, in_tissue: NDArray[np.bool_]) -> None:
        rows, cols = (a.ravel() for a in np.indices(in_tissue.shape))
        rows = rows + first_row
        pitch = self._grid.px * self._factor
        table = {
            "barcode": barcodes(self._size_um, rows, cols),
            "in_tissue": in_tissue.ravel().astype(np.int64),
            "array_row": rows,
            "array_col": cols,
            "pxl_row_in_fullres": self._grid.offset[1] + (rows + 0.5) * pitch,
            "pxl_col_in_fullres": self._grid.offset[0] + (cols + 0.5) * pitch,
        }
        self._positions.write_table(pa.table(table, schema=_POSITIONS))


class _MatrixFile:
    """A 10x v3 HDF5 matrix that grows bin by bin."""

    def __init__(self, path: Path, genes: Genes) -> None:
        self._file = h5py.File(path, "w", track_order=False)
        self._genes = len(genes)
        group = self._file.create_group("matrix")
        self._sets = {
            name: group.create_dataset(
                name, (0,), dtype, maxshape=(None,), chunks=(65536,), shuffle=True,
                compression="gzip", compression_opts=1,
            )
            for name, dtype in (
                ("barcodes", "S21"), ("data", "i4"), ("indices", "i8"), ("indptr", "i8")
            )
        }  # fmt: skip
        self._append("indptr", np.zeros(1, np.int64))
        features = group.create_group("features")
        for name, values in (
            ("id", genes.ids), ("name", genes.symbols),
            ("feature_type", ["Gene Expression"] * len(genes)), ("genome", ["GRCh38"] * len(genes)),
        ):  # fmt: skip
            features.create_dataset(name, data=np.array(values).astype("S"))
        features.create_dataset("_all_tag_keys", data=np.array([b"genome"]))
        self._file.attrs["chemistry_description"] = "Visium HD (simulated)"
        self._file.attrs["filetype"] = "matrix"
        self._file.attrs["version"] = 2

    def add(self, names: list[str], counts: sparse.csr_matrix) -> None:
        """Append bins (rows of `counts`)."""
        stored = len(self._sets["data"])
        self._append("barcodes", np.array(names, "S21"))
        self._append("data", counts.data.astype(np.int32))
        self._append("indices", counts.indices.astype(np.int64))
        self._append("indptr", counts.indptr[1:].astype(np.int64) + stored)

    def close(self) -> None:
        """Write the shape and close the file."""
        bins = len(self._sets["barcodes"])
        self._file["matrix"].create_dataset("shape", data=np.array([self._genes, bins], np.int32))
        self._file.close()

    def _append(self, name: str, values: NDArray[np.generic]) -> None:
        dataset = self._sets[name]
        start = len(dataset)
        dataset.resize(start + len(values), axis=0)
        dataset[start:] = values


def write_frame(outs: Path, sample_id: str, scales: dict[str, float], mpp: float) -> None:
    """Write what describes the whole capture area: feature slice and the overview's scale factors.

    The overview pictures themselves come with the full-resolution image (see `pyramid`).
    """
    layout = {"file_format": "1.0", "slide_name": "simulated", "well_name": "A1"}
    metadata = {"sample_id": sample_id, "hd_layout_json": json.dumps(layout)}
    with h5py.File(outs / "feature_slice.h5", "w", track_order=False) as file:
        file.attrs["metadata_json"] = json.dumps(metadata)
    (outs / "spatial").mkdir(parents=True, exist_ok=True)
    factors = {**scales, "microns_per_pixel": mpp, "spot_diameter_fullres": 2 / mpp}
    (outs / "spatial" / "scalefactors_json.json").write_text(json.dumps(factors))
