from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from spatialdata import SpatialData

from napari_vhd.exceptions import StageError
from napari_vhd.io.models import check_celltypist, load_celltypist
from napari_vhd.parameters import CelltypistParameters
from napari_vhd.stages import celltypist

if TYPE_CHECKING:
    from pathlib import Path

    import anndata as ad

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(find_spec("celltypist") is None, reason="needs celltypist"),
]

TYPES = ("A/B", "C cells", "D", "E")


def _parameters(**given: Any) -> CelltypistParameters:
    return CelltypistParameters(
        **{"cell_type_col": "type", "clustering_col": "novae_domains_2"} | given
    )


@pytest.fixture
def make_typed(make_sample: Any, banded_cells: Any, tmp_path: Path) -> Any:
    """A factory of samples: a cell's type is its band, and a domain is two bands."""

    def make(n_genes: int = 120, **tables: ad.AnnData) -> Any:
        reference = banded_cells(n_cells=240, n_genes=n_genes, seed=5)
        reference.obs = pd.DataFrame(
            {"type": pd.Categorical([TYPES[band] for band in reference.obs["band"]])},
            index=reference.obs_names,
        )
        reference.write_h5ad(tmp_path / "reference.h5ad")
        cells = banded_cells(n_cells=300, n_genes=n_genes)
        domain = np.where(cells.obs["band"] < 2, "D1", "D2").astype(object)
        domain[:10] = None
        cells.obs["novae_domains_2"] = pd.Categorical(domain)
        return make_sample(
            SpatialData(tables={"table": cells} | tables), reference=tmp_path / "reference.h5ad"
        )

    return make


def _truth(sample: Any) -> np.ndarray:
    return np.array([TYPES[band] for band in sample.sdata.tables["table"].obs["band"]])


@pytest.mark.parametrize("n_genes", [120, 340])
def test_kept_cells_get_their_type_and_the_vote_of_their_domain(
    make_typed: Any, n_genes: int
) -> None:
    sample = make_typed(n_genes)
    table = sample.sdata.tables["table"]
    outcome = celltypist.annotate(sample, _parameters())
    patch = outcome.patches["table"]
    obs = patch.obs
    kept = table.obs["kept"].to_numpy()
    for column in obs:
        np.testing.assert_array_equal(obs[column].notna(), kept)
    own = obs["cell_type_celltypist_per_cell"].astype(object).to_numpy()
    assert (own[kept] == _truth(sample)[kept]).mean() > 0.98
    assert obs["conf_score_celltypist"][kept].between(0, 1).all()

    voted = obs["cell_type_celltypist"].astype(object)
    domains = table.obs["novae_domains_2"]
    assert set(voted[kept & domains.isna()]) == {"Unassigned"}
    for domain in ("D1", "D2"):
        members = kept & (domains == domain)
        most = pd.Series(own[members]).value_counts().index[0]
        assert set(voted[members]) == {most}
    agreement = outcome.numbers["vote over domains agrees with the cell (%)"]
    assert agreement == pytest.approx(100 * (own[kept] == voted[kept]).mean(), abs=0.1)
    assert agreement < 60

    depth = np.expm1(patch.layers["lognorm_counts_celltypist"].toarray()).sum(axis=1)
    np.testing.assert_allclose(depth, 1e4, rtol=1e-3)


def test_saved_model_types_again_the_same(make_typed: Any, tmp_path: Path) -> None:
    sample = make_typed(340)
    first = celltypist.annotate(sample, _parameters())
    file = tmp_path / "kept.pkl"
    file.write_bytes(first.files["celltypist_model.pkl"].read_bytes())
    check_celltypist(str(file))
    assert list(load_celltypist(str(file)).cell_types) == list(TYPES)

    import dataclasses

    without = dataclasses.replace(sample, reference=None)
    again = celltypist.annotate(without, _parameters(celltypist_model=str(file)))
    pd.testing.assert_frame_equal(again.patches["table"].obs, first.patches["table"].obs)


def test_equal_seeds_give_equal_models(make_typed: Any) -> None:
    sample = make_typed(340)
    contents = []
    for _ in range(2):
        outcome = celltypist.annotate(sample, _parameters())
        contents.append(outcome.files["celltypist_model.pkl"].read_bytes())
    assert contents[0] == contents[1]


def test_prosegs_own_counts_are_matched_by_name(make_typed: Any) -> None:
    sample = make_typed()
    table = sample.sdata.tables["table"]
    order = np.random.default_rng(0)
    own = table[order.permutation(table.n_obs), order.permutation(table.n_vars)].copy()
    own = own[own.obs_names != "cell-50"].copy()
    # Counts within the outlines say nothing here.
    table.layers["counts"] = sparse.csr_matrix(np.ones(table.shape, dtype=np.float32))
    sample.sdata.tables["table_proseg"] = own
    outcome = celltypist.annotate(sample, _parameters(cell_counts="proseg"))
    labels = outcome.patches["table"].obs["cell_type_celltypist_per_cell"].astype(object)
    assert pd.isna(labels["cell-50"])
    known = labels.notna().to_numpy()
    assert (labels[known] == _truth(sample)[known]).mean() > 0.98
    assert sample.report.notices == [
        "1 cells are not in table_proseg and get no type from CellTypist."
    ]


def test_cells_without_counts_get_no_type(make_typed: Any) -> None:
    sample = make_typed()
    table = sample.sdata.tables["table"]
    counts = table.layers["counts"].toarray()
    counts[20] = 0
    table.layers["counts"] = sparse.csr_matrix(counts)
    obs = celltypist.annotate(sample, _parameters()).patches["table"].obs
    assert obs.iloc[20].isna().all()
    assert obs.iloc[21].notna().all()


def test_missing_domains_are_said(make_typed: Any) -> None:
    with pytest.raises(StageError, match=r"no column 'novae_domains_8'.*clustering_col"):
        celltypist.annotate(make_typed(), _parameters(clustering_col="novae_domains_8"))


def test_missing_proseg_counts_are_said(make_typed: Any) -> None:
    with pytest.raises(StageError, match=r"table_proseg.*cell_counts: boundaries"):
        celltypist.annotate(make_typed(), _parameters(cell_counts="proseg"))


def test_model_of_other_genes_is_said(make_typed: Any, tmp_path: Path) -> None:
    sample = make_typed()
    outcome = celltypist.annotate(sample, _parameters())
    file = tmp_path / "m.pkl"
    file.write_bytes(outcome.files["celltypist_model.pkl"].read_bytes())
    sample.sdata.tables["table"].var_names = [f"mouse{i}" for i in range(120)]
    with pytest.raises(StageError, match="none of its 120 genes"):
        celltypist.annotate(sample, _parameters(celltypist_model=str(file)))


def test_memory_grows_with_the_cells_that_are_trained_on(make_typed: Any) -> None:
    sample = make_typed()
    few = celltypist.memory(sample, _parameters(max_reference_cells=100))
    assert celltypist.memory(sample, _parameters()) - few == 17 * 140 * 120
