"""Bins of one size: where they lie on their grid, and what is known of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys

from . import outs
from .source_counts import Counts, TenxCounts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from .source_frames import Matrix

    Places = NDArray[np.int32]
    Values = NDArray[np.float32]

# Bins that the way from grid to px is fitted to.
_FITTED = 20_000


@dataclass(frozen=True)
class Described:
    """What a store knows of its bins: by bin of its table, and where each lies on the grid."""

    array_row: Places
    array_col: Places
    obs: pd.DataFrame


class Bins:
    """Bins of one size, as a raster: bin ``i`` is pixel ``[array_row[i], array_col[i]]`` of it.

    What costs time is read when it is asked for; any thread may ask.

    Parameters
    ----------
    size_um
        Side of a bin.
    row, col
        ``array_row`` and ``array_col`` as Space Ranger numbers them.
    affine
        From the grid (x: column, y: row; bin (c, r) spans c to c + 1, r to r + 1; numbered as
        `row` and `col`) to full-resolution px.
    counts
        Of the bins, in the same order.
    described
        Gives the columns that a store knows, perhaps for some of the bins only.

    Attributes
    ----------
    array_row, array_col
        Places in the raster, from 0.
    n_rows, n_cols
        Its size.
    affine
        3 × 3, from raster pixels (x: column, y: row, corner convention) to full-resolution px.
    size_px
        Side of a bin, full-resolution px.
    """

    def __init__(
        self,
        size_um: int,
        row: NDArray[Any],
        col: NDArray[Any],
        affine: Matrix,
        counts: Counts | None,
        described: Callable[[], Described | None],
    ) -> None:
        self.size_um = size_um
        self._row, self._col = np.asarray(row, np.int32), np.asarray(col, np.int32)
        first_row, first_col = (int(n.min()) if len(n) else 0 for n in (self._row, self._col))
        self.array_row, self.array_col = self._row - first_row, self._col - first_col
        self.n_rows = int(self.array_row.max(initial=-1)) + 1
        self.n_cols = int(self.array_col.max(initial=-1)) + 1
        shift = np.array([[1.0, 0.0, first_col], [0.0, 1.0, first_row], [0.0, 0.0, 1.0]])
        self.affine: Matrix = affine @ shift
        self.size_px = float(np.sqrt(abs(np.linalg.det(affine[:2, :2]))))
        self._counts = counts
        self._described = described

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self._row)

    @property
    def centres(self) -> NDArray[np.float64]:
        """Centres (n, 2), full-resolution px."""
        grid = np.column_stack([self.array_col + 0.5, self.array_row + 0.5])
        found: NDArray[np.float64] = grid @ self.affine[:2, :2].T + self.affine[:2, 2]
        return found

    @property
    def genes(self) -> tuple[str, ...]:
        """Names of the genes."""
        return () if self._counts is None else self._counts.genes

    def total(self) -> Values:
        """UMIs of each bin; slow on a whole slide."""
        if self._counts is None:
            return np.zeros(self.n_bins, dtype=np.float32)
        return self._counts.total()

    def gene(self, symbol: str) -> Values:
        """Read the counts of one gene in each bin; slow on a whole slide."""
        if self._counts is None:
            return np.zeros(self.n_bins, dtype=np.float32)
        return self._counts.gene(symbol)

    @cached_property
    def obs(self) -> pd.DataFrame:
        """What is known of each bin; ``array_row`` and ``array_col`` as Space Ranger's.

        Bins that the store does not hold have missing values.
        """
        import pandas as pd

        places = {keys.ARRAY_ROW: self._row, keys.ARRAY_COL: self._col}
        known = self._described()
        if known is None:
            return pd.DataFrame(places)
        columns = [name for name in known.obs if name not in places]
        where = _match(known, self._row, self._col)
        frame = known.obs[columns].reset_index(drop=True).reindex(where).reset_index(drop=True)
        return pd.concat([pd.DataFrame(places), frame], axis=1)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of what is known of each bin."""
        return tuple(str(name) for name in self.obs.columns)

    def column(self, name: str) -> pd.Series:
        """Give one column, by bin; missing where the store does not hold the bin."""
        return self.obs[name]


def _match(known: Described, row: Places, col: Places) -> NDArray[np.int64]:
    """Find each bin among those known; -1 where it is not."""
    wide = int(max(col.max(initial=0), known.array_col.max(initial=0))) + 1
    numbers = known.array_row.astype(np.int64) * wide + known.array_col
    order = np.argsort(numbers, kind="stable")
    wanted = row.astype(np.int64) * wide + col
    at = np.searchsorted(numbers, wanted, sorter=order).clip(max=max(len(order) - 1, 0))
    if not len(order):
        return np.full(len(wanted), -1)
    found = order[at]
    return np.where(numbers[found] == wanted, found, -1)


def fit_affine(row: NDArray[Any], col: NDArray[Any], centres: NDArray[Any]) -> Matrix:
    """Fit the way from the grid (bin (c, r) spans c to c + 1) to full-resolution px.

    Parameters
    ----------
    row, col
        Places of bins on the grid (n,).
    centres
        Their centres (n, 2), full-resolution px.
    """
    some = np.unique(np.linspace(0, len(row) - 1, min(len(row), _FITTED)).astype(int))
    grid = np.column_stack([col[some] + 0.5, row[some] + 0.5, np.ones(len(some))])
    solution = np.linalg.lstsq(grid, np.asarray(centres, float)[some], rcond=None)[0]
    return np.vstack([solution.T, [0.0, 0.0, 1.0]])


def slide_affine(folder: Path, size_um: int) -> Matrix:
    """Find the way from a grid to full-resolution px from Space Ranger's positions.

    It is fitted to the coarsest bins there are, and finer grids divide theirs.
    """
    import pyarrow.parquet as pq

    sizes = [size for size in keys.BIN_SIZES_UM if (outs.bin_folder(folder, size)).is_dir()]
    # Few bins do not tell a turn or a stretch of the slide.
    largest = max((size for size in sizes if size <= 8), default=size_um)
    names = [keys.ARRAY_ROW, keys.ARRAY_COL, "pxl_col_in_fullres", "pxl_row_in_fullres"]
    table = pq.read_table(outs.bin_folder(folder, largest) / outs.POSITIONS, columns=names)
    row, col, x, y = (table[name].to_numpy() for name in names)
    factor = size_um / largest
    return fit_affine(row, col, np.column_stack([x, y])) @ np.diag([factor, factor, 1.0])


def places_of(barcodes: NDArray[Any], folder: Path, size_um: int) -> tuple[Places, Places]:
    """Place bins on their grid: it is in their barcodes (``s_008um_00012_00345-1``)."""
    width = len(f"s_{size_um:03d}um_00000_00000-1")
    if len(barcodes) and barcodes.dtype.kind == "S" and barcodes.dtype.itemsize >= width:
        letters = np.frombuffer(barcodes.tobytes(), dtype=np.uint8)
        letters = letters.reshape(len(barcodes), barcodes.dtype.itemsize)
        digits = letters[:, [*range(8, 13), *range(14, 19)]].astype(np.int32) - ord("0")
        named = barcodes[0].startswith(f"s_{size_um:03d}um_".encode())
        if named and digits.min() >= 0 and digits.max() <= 9:
            powers = np.array([10_000, 1_000, 100, 10, 1], dtype=np.int32)
            return digits[:, :5] @ powers, digits[:, 5:] @ powers
    return _places_listed(barcodes, folder, size_um)


def _places_listed(barcodes: NDArray[Any], folder: Path, size_um: int) -> tuple[Places, Places]:
    """Place bins as the table of positions says."""
    import pandas as pd

    path = outs.bin_folder(folder, size_um) / outs.POSITIONS
    listed = pd.read_parquet(path, columns=["barcode", keys.ARRAY_ROW, keys.ARRAY_COL])
    listed = listed.set_index("barcode").loc[[barcode.decode() for barcode in barcodes]]
    row, col = (listed[name].to_numpy(np.int32) for name in (keys.ARRAY_ROW, keys.ARRAY_COL))
    return row, col


def slide_bins(
    folder: Path, size_um: int, described: Callable[[], Described | None] = lambda: None
) -> Bins | None:
    """Open the bins of a whole slide in a Space Ranger folder; None where it has none."""
    path = outs.bin_folder(folder, size_um) / outs.MATRIX
    if not path.is_file():
        return None
    counts = TenxCounts(path)
    row, col = places_of(counts.barcodes, folder, size_um)
    return Bins(size_um, row, col, slide_affine(folder, size_um), counts, described)


def scale_factors(folder: Path) -> dict[str, float]:
    """Read the scale factors that all bin sizes of a checked folder share."""
    for size in keys.BIN_SIZES_UM:
        path = outs.bin_folder(folder, size) / outs.SCALE_FACTORS
        if path.is_file():
            return {k: float(v) for k, v in json.loads(path.read_text("utf-8")).items()}
    return {}
