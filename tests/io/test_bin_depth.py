"""The depth of bins, read in pieces, is that of the counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csc_matrix

from napari_vhd.io import bin_depth
from napari_vhd.io.regions import Region

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def counts(simulated: Path) -> tuple[Path, csc_matrix, pd.DataFrame]:
    """The folder, the 8 µm counts (genes × bins) and where the bins lie."""
    folder = simulated / "outs" / "binned_outputs" / "square_008um"
    with h5py.File(folder / "filtered_feature_bc_matrix.h5") as file:
        parts = (file["matrix"][name][:] for name in ("data", "indices", "indptr"))
        matrix = csc_matrix(tuple(parts), shape=tuple(file["matrix/shape"][:]))
        barcodes = file["matrix/barcodes"].asstr()[:]
    places = pd.read_parquet(folder / "spatial" / "tissue_positions.parquet").set_index("barcode")
    return simulated / "outs", matrix, places.loc[barcodes]


@pytest.mark.parametrize("block", [1, 500, 20_000_000])
def test_depth_does_not_depend_on_the_pieces(
    counts: tuple[Path, csc_matrix, pd.DataFrame], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    outs, matrix, _ = counts
    monkeypatch.setattr(bin_depth, "_BLOCK", block)
    depth = bin_depth.bin_depth(outs, 8)
    assert depth.genes == matrix.shape[0]
    np.testing.assert_array_equal(depth.umis, np.asarray(matrix.sum(axis=0)).ravel())
    np.testing.assert_array_equal(depth.largest, matrix.max(axis=0).toarray().ravel())
    np.testing.assert_array_equal(depth.counts, np.diff(matrix.indptr))


def test_only_bins_of_the_region_are_told(
    counts: tuple[Path, csc_matrix, pd.DataFrame],
) -> None:
    outs, matrix, places = counts
    depth = bin_depth.bin_depth(outs, 8, Region((100, 200, 300, 500)))
    x, y = places["pxl_col_in_fullres"], places["pxl_row_in_fullres"]
    inside = (x.between(100, 300) & y.between(200, 500)).to_numpy()
    assert 0 < inside.sum() < len(inside)
    np.testing.assert_array_equal(
        depth.umis, np.asarray(matrix[:, np.flatnonzero(inside)].sum(axis=0)).ravel()
    )
