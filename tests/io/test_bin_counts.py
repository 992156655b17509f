"""Rows of the table of bins, read from the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest
import zarr
from scipy import sparse

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError
from napari_vhd.io.bin_counts import BinCounts
from napari_vhd.io.visium_hd import quiet

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

SIDE, GENES = 60, 200


def table() -> AnnData:
    rng = np.random.default_rng(0)
    row, col = np.divmod(np.arange(SIDE**2), SIDE)
    counts = sparse.random(SIDE**2, GENES, 0.1, format="csr", random_state=rng)
    counts.data = np.ceil(counts.data * 9)
    return anndata.AnnData(
        counts.astype(np.float32),
        obs=pd.DataFrame(
            {keys.ARRAY_ROW: row, keys.ARRAY_COL: col}, index=[f"bin{i}" for i in range(SIDE**2)]
        ),
        obsm={keys.SPATIAL: np.column_stack([col, row]) * 8.0},
    )


def stored(bins: AnnData, path: Path, chunk: int = 1000) -> Path:
    """Write with small chunks, so that there are many."""
    with quiet(), anndata.settings.override(zarr_write_format=3):
        bins.write_zarr(path)
    group = zarr.open_group(path, mode="r+", use_consolidated=False)
    for name in ("indices", "data"):
        values = group[f"X/{name}"][:]
        del group[f"X/{name}"]
        group["X"].create_array(name, data=values, chunks=(chunk,))
    with quiet():
        zarr.consolidate_metadata(path)
    return path


@pytest.mark.parametrize("chosen", [[], [0], [SIDE**2 - 1], [3, 4, 700, 701, 3000], range(SIDE**2)])
def test_rows_are_those_of_the_table(tmp_path: Path, chosen: list[int]):
    bins = table()
    for counts in (BinCounts.open(stored(bins, tmp_path / "bins")), BinCounts.of(bins)):
        rows = counts.rows(np.array(chosen, dtype=int))
        assert rows.shape == (len(chosen), GENES)
        assert rows.dtype == np.float32
        assert (rows != bins.X[np.array(chosen, dtype=int)]).nnz == 0
        assert counts.n_bins == SIDE**2


def test_a_chunk_is_read_once_and_no_more_are_kept_than_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    bins = table()
    counts = BinCounts.open(stored(bins, tmp_path / "bins"), cache_bytes=5 * 8000)
    read: list[int] = []
    take = counts._take
    monkeypatch.setattr(counts, "_take", lambda number: (read.append(number), take(number))[1])
    near = np.array([100, 101, 160, 161])
    counts.rows(near)
    once = list(read)
    counts.rows(near)
    assert read == once == sorted(set(once))
    every = counts.rows(np.arange(SIDE**2))
    assert (every != bins.X).nnz == 0
    assert sum(a.nbytes + b.nbytes for a, b in counts._kept.values()) <= 5 * 8000
    counts.rows(near)
    assert len(read) > len(set(read))


def test_places_are_those_of_the_table(tmp_path: Path):
    bins = table()
    counts = BinCounts.open(stored(bins, tmp_path / "bins"))
    assert np.array_equal(counts.grid.centres, bins.obsm[keys.SPATIAL])


def test_counts_by_columns_are_refused_with_the_mend(tmp_path: Path):
    bins = table()
    bins.X = sparse.csc_matrix(bins.X)
    with quiet():
        bins.write_zarr(tmp_path / "bins")
    with pytest.raises(BadInputError, match=r"not kept by rows.*run the stage region again"):
        BinCounts.open(tmp_path / "bins")


def test_a_table_without_places_is_refused(tmp_path: Path):
    bins = table()
    del bins.obsm[keys.SPATIAL]
    with pytest.raises(BadInputError, match="not a table of bins"):
        BinCounts.open(stored(bins, tmp_path / "bins"))
    with pytest.raises(BadInputError, match="not a table of bins"):
        BinCounts.open(tmp_path / "nothing")
