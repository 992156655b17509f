"""Single genes are the columns of the matrix, whether read through or kept by gene."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.sparse import random as random_matrix

from napari_vhd.io import source_counts
from napari_vhd.io.source_counts import Counts

GENES = [f"g{number}" for number in range(40)]


@pytest.fixture(params=["whole", "fractions", "empty"])
def matrix(request: pytest.FixtureRequest) -> np.ndarray:
    rng = np.random.default_rng(3)
    density = 0.0 if request.param == "empty" else 0.2
    made = random_matrix(700, len(GENES), density, format="csr", dtype=np.float32, rng=rng)
    dense = np.asarray(made.toarray())
    dense[100:160] = 0  # rows without any, over the border of a block
    return dense if request.param == "fractions" else np.ceil(dense * 300)


def counts_of(matrix: np.ndarray) -> Counts:
    from scipy.sparse import csr_matrix

    rows = csr_matrix(matrix)
    return Counts(rows.indptr, rows.indices, rows.data, GENES)


def test_a_small_matrix_is_kept_by_gene(matrix: np.ndarray) -> None:
    counts = counts_of(matrix)
    for column, name in enumerate(GENES):
        np.testing.assert_array_equal(counts.gene(name), matrix[:, column])
    assert not counts.gene("none").any()


def test_a_large_one_is_read_through_until_it_is_sorted(
    matrix: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size in (("_SORTED_AT_ONCE", -1), ("_BLOCK", 500), ("_SORTED_TOGETHER", 120)):
        monkeypatch.setattr(source_counts, name, size)
    counts = counts_of(matrix)
    np.testing.assert_array_equal(counts.gene("g7"), matrix[:, 7])
    end = time.monotonic() + 20
    while counts._by_gene is None and time.monotonic() < end:
        time.sleep(0.01)
    assert counts._by_gene is not None
    for column, name in enumerate(GENES):
        np.testing.assert_array_equal(counts.gene(name), matrix[:, column])


def test_without_room_every_gene_is_read_through(
    matrix: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_counts, "_SORTED_AT_ONCE", -1)
    monkeypatch.setattr(source_counts, "_SHARE", -1.0)
    counts = counts_of(matrix)
    for column, name in enumerate(GENES):
        np.testing.assert_array_equal(counts.gene(name), matrix[:, column])
    assert counts._by_gene is None
