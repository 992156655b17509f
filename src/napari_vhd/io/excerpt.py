"""Part of a Space Ranger folder, in Space Ranger's own files.

A slide has about ten million 2 µm bins and a region often a tenth of them: what sopa then reads is
the region, at its cost and not at that of the slide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .outs import MATRIX, POSITIONS, SCALE_FACTORS

if TYPE_CHECKING:
    from pathlib import Path

    import h5py
    import pyarrow as pa
    from numpy.typing import NDArray


def write_excerpt(source: Path, box: tuple[float, float, float, float], target: Path) -> bool:
    """Write the bins of one size whose centre lies in a box.

    Parameters
    ----------
    source
        Folder of the bins of one size; see `outs.bin_folder`.
    box
        (xmin, ymin, xmax, ymax), full-resolution px.
    target
        The same for the excerpt; made only where there are bins.

    Returns
    -------
    bool
        Whether there are any.
    """
    import h5py
    import pyarrow.parquet as pq

    xmin, ymin, xmax, ymax = box
    positions = pq.read_table(
        source / POSITIONS,
        filters=[
            ("pxl_col_in_fullres", ">=", xmin),
            ("pxl_col_in_fullres", "<=", xmax),
            ("pxl_row_in_fullres", ">=", ymin),
            ("pxl_row_in_fullres", "<=", ymax),
        ],
    )
    with h5py.File(source / MATRIX, "r") as file:
        columns = _columns(file["matrix/barcodes"][:], positions["barcode"])
        if len(columns) == 0:
            return False
        (target / POSITIONS).parent.mkdir(parents=True)
        pq.write_table(positions, target / POSITIONS)
        (target / SCALE_FACTORS).symlink_to((source / SCALE_FACTORS).resolve())
        with h5py.File(target / MATRIX, "w") as part:
            _copy_columns(file["matrix"], columns, part.create_group("matrix"))
    return True


def _columns(barcodes: NDArray[np.bytes_], wanted: pa.ChunkedArray) -> NDArray[np.int64]:
    """Find the matrix columns of the wanted barcodes, in the order of the matrix."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = wanted.combine_chunks().cast(pa.binary())
    inside = pc.is_in(pa.array(barcodes, type=pa.binary()), value_set=values)
    return np.flatnonzero(inside.to_numpy(zero_copy_only=False))


def _copy_columns(source: h5py.Group, columns: NDArray[np.int64], target: h5py.Group) -> None:
    """Copy columns of a 10x matrix (genes × bins, compressed by column)."""
    indptr = source["indptr"][:].astype(np.int64)
    # Neighbouring columns are read in one piece: a row of the region is one.
    breaks = np.flatnonzero(np.diff(columns) != 1) + 1
    runs = [(run[0], run[-1] + 1) for run in np.split(columns, breaks)]
    for name in ("data", "indices"):
        pieces = [source[name][indptr[first] : indptr[last]] for first, last in runs]
        target[name] = np.concatenate(pieces)
    target["indptr"] = np.concatenate([[0], np.cumsum(np.diff(indptr)[columns])])
    target["shape"] = np.array([source["shape"][0], len(columns)], dtype=np.int32)
    target["barcodes"] = source["barcodes"][:][columns]
    source.copy("features", target)
