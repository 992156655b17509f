"""Rules of the single-cell reference: what is refused, and how it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from napari_vhd.exceptions import BadInputError
from napari_vhd.io import reference
from napari_vhd.io.reference import check_reference, read_reference, sample_genes

if TYPE_CHECKING:
    from pathlib import Path

GENES = [f"GENE{k}" for k in range(60)]
COLUMN = "cell_type"


def make_reference(sizes: dict[str, int], seed: int = 0) -> ad.AnnData:
    """Cells with Ensembl var_names and symbols in feature_name, as CELLxGENE ships."""
    random = np.random.default_rng(seed)
    labels = np.repeat(list(sizes), list(sizes.values()))
    counts = sparse.csr_matrix(random.poisson(0.7, (len(labels), len(GENES))).astype(np.float32))
    obs = pd.DataFrame(
        {COLUMN: pd.Categorical(labels), "donor": "a"}, index=[f"c{i}" for i in range(len(labels))]
    )
    var = pd.DataFrame({"feature_name": GENES}, index=[f"ENSG{k:05d}" for k in range(len(GENES))])
    return ad.AnnData(counts, obs=obs, var=var)


def written(path: Path, adata: ad.AnnData) -> Path:
    adata.write_h5ad(path)
    return path


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return written(tmp_path / "good.h5ad", make_reference({"A": 300, "B": 80, "C": 20}))


def refused(path: Path, *texts: str, column: str = COLUMN, genes: Any = None) -> str:
    with pytest.raises(BadInputError) as caught:
        check_reference(path, column, genes)
    sentence = str(caught.value)
    for text in (path.name, *texts):
        assert text in sentence
    assert "\n" not in sentence
    return sentence


def test_a_good_reference_is_accepted(good: Path) -> None:
    check_reference(good, COLUMN, GENES[:30])


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "none.h5ad", "no such reference")


def test_what_is_no_h5ad_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.h5ad"
    text.write_text("no")
    refused(text, "not an h5ad")
    other = tmp_path / "other.h5ad"
    with h5py.File(other, "w") as file:
        file["X"] = np.zeros(3)
    refused(other, "obs")


def test_a_missing_column_is_answered_with_those_that_are_there(good: Path) -> None:
    refused(good, "'nokey'", "cell_type, donor", column="nokey")


@pytest.mark.parametrize("how", ["category", "text", "number"])
def test_cells_without_a_label_are_refused(tmp_path: Path, how: str) -> None:
    adata = make_reference({"A": 40, "B": 40})
    labels: Any = adata.obs[COLUMN].astype(object)
    labels[:3] = np.nan
    if how == "category":
        labels = labels.astype("category")
    elif how == "text":
        labels = labels.astype(str)
    else:
        labels = labels.map({"A": 1.0, "B": 2.0})
    adata.obs[COLUMN] = labels
    refused(written(tmp_path / "nan.h5ad", adata), "3 of 80 cells", COLUMN)


def test_normalised_values_are_refused(tmp_path: Path) -> None:
    adata = make_reference({"A": 40, "B": 40})
    adata.X = adata.X.log1p()
    refused(written(tmp_path / "log.h5ad", adata), "raw integer counts")


@pytest.mark.parametrize("where", ["raw", "layer"])
def test_raw_counts_are_found_beside_normalised_values(tmp_path: Path, where: str) -> None:
    adata = make_reference({"A": 40, "B": 40})
    counts = adata.X.copy()
    if where == "raw":
        adata.raw = adata.copy()
        adata = adata[:, ::-1].copy()
    else:
        adata.layers["counts"] = counts
    adata.X = adata.X.log1p()
    path = written(tmp_path / "raw.h5ad", adata)
    check_reference(path, COLUMN, GENES)
    read = read_reference(path, COLUMN, 1000, 0)
    assert list(read.var_names) == GENES
    assert (counts != read.X).nnz == 0


def test_fewer_than_two_types_of_25_cells_are_refused_with_their_counts(tmp_path: Path) -> None:
    adata = make_reference({"A": 100, "B": 24})
    refused(written(tmp_path / "few.h5ad", adata), "A: 100, B: 24", "25")


def test_a_reference_of_other_genes_is_refused(good: Path) -> None:
    refused(good, "only 19 of its 60 genes", genes=[*GENES[:19], "OTHER"])


def test_symbols_are_taken_from_where_the_samples_genes_are(tmp_path: Path) -> None:
    adata = make_reference({"A": 40, "B": 40})
    adata.var["feature_name"] = [f"x{k}" for k in range(60)]
    adata.var_names = GENES
    path = written(tmp_path / "index.h5ad", adata)
    check_reference(path, COLUMN, GENES)
    assert list(read_reference(path, COLUMN, 1000, 0, GENES[:25]).var_names) == GENES[:25]


def test_every_type_keeps_its_share_but_no_fewer_than_25_cells(good: Path) -> None:
    read = read_reference(good, COLUMN, 100, seed=1)
    assert read.obs[COLUMN].value_counts().to_dict() == {"A": 75, "B": 25, "C": 20}
    assert list(read.obs.columns) == [COLUMN]


def test_the_chosen_cells_have_their_own_counts_and_labels(good: Path) -> None:
    whole = ad.read_h5ad(good)
    read = read_reference(good, COLUMN, 100, seed=1, genes=GENES[10:40])
    same = whole[read.obs_names, 10:40]
    assert (read.X != same.X).nnz == 0
    assert list(read.obs[COLUMN]) == list(same.obs[COLUMN])


def test_the_seed_decides_which_cells_are_read(good: Path) -> None:
    first, again, other = (read_reference(good, COLUMN, 100, seed).obs_names for seed in (1, 1, 2))
    assert list(first) == list(again)
    assert list(first) != list(other)


@pytest.mark.parametrize("form", ["csr", "csc", "dense"])
def test_blocks_join_to_the_same_counts(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    adata = make_reference({"A": 200, "B": 80})
    counts = adata.X.copy()
    adata.X = {"csr": counts, "csc": counts.tocsc(), "dense": counts.toarray()}[form]
    path = written(tmp_path / f"{form}.h5ad", adata)
    monkeypatch.setattr(reference, "_BLOCK", 500)
    read = read_reference(path, COLUMN, 1000, 0, genes=GENES[5:50])
    assert (counts[:, 5:50] != read.X).nnz == 0
    assert read.X.format == "csr"


def test_duplicate_symbols_are_made_unique(tmp_path: Path) -> None:
    adata = make_reference({"A": 40, "B": 40})
    adata.var["feature_name"] = ["SAME", "SAME", *GENES[2:]]
    read = read_reference(written(tmp_path / "same.h5ad", adata), COLUMN, 1000, 0)
    assert list(read.var_names[:3]) == ["SAME", "SAME-1", "GENE2"]


def test_unused_categories_are_left_out(tmp_path: Path) -> None:
    adata = make_reference({"A": 40, "B": 40})
    adata.obs[COLUMN] = adata.obs[COLUMN].cat.add_categories(["never"])
    path = written(tmp_path / "unused.h5ad", adata)
    check_reference(path, COLUMN)
    assert list(read_reference(path, COLUMN, 1000, 0).obs[COLUMN].cat.categories) == ["A", "B"]


def test_sample_genes_are_read_from_the_2_um_matrix(tmp_path: Path) -> None:
    folder = tmp_path / "binned_outputs" / "square_002um"
    folder.mkdir(parents=True)
    assert sample_genes(tmp_path) is None
    with h5py.File(folder / "filtered_feature_bc_matrix.h5", "w") as file:
        file["matrix/features/name"] = np.array(["A", "B"], dtype="S")
    assert sample_genes(tmp_path) == ("A", "B")
