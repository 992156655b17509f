"""Rules of naming domains and cells by their signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from napari_vhd.exceptions import StageError
from napari_vhd.parameters import EnrichmentParameters
from napari_vhd.stages import enrichment
from napari_vhd.stages.enrichment import assign_elbow_gap
from napari_vhd.stages.kept import kept, lognormalized

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_vhd.stages.stage import Sample

SIGNATURES = {f"S{b}": tuple(f"g{k}" for k in range(4 + b, 100, 4)) for b in range(4)}


def ranking(**domains: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """Rows of (mean change, adjusted p) by domain and signature, shuffled."""
    rows = [
        {"group": domain, "name": name, "meanchange": change, "padj": padj}
        for domain, own in domains.items()
        for name, (change, padj) in own.items()
    ]
    frame = pd.DataFrame(rows).astype({"group": "category", "name": "category"})
    return frame.sample(frac=1, random_state=3)


@pytest.mark.parametrize(
    ("own", "label"),
    [
        ({"A": (0.9, 0.01), "B": (0.8, 0.01), "C": (0.1, 0.01)}, "A/B"),
        ({"A": (0.9, 0.01), "B": (0.3, 0.01), "C": (0.1, 0.01)}, "A"),
        ({"B": (0.5, 0.01), "A": (0.9, 0.01), "C": (0.45, 0.01), "D": (0.01, 0.01)}, "A/B/C"),
        ({"A": (0.9, 0.01), "B": (0.8, 0.01)}, "A"),
        ({"A": (0.2, 0.049), "B": (-0.8, 0.001)}, "A"),
        ({"A": (0.9, 0.05), "B": (0.1, 0.01)}, "B"),
        ({"A": (0.0, 0.01), "B": (-0.1, 0.01)}, "Unknown"),
        ({"A": (0.9, 0.5), "B": (0.4, np.nan)}, "Unknown"),
        ({"B": (0.5, 0.01), "A": (0.5, 0.01), "C": (0.1, 0.01)}, "A/B"),
    ],
)
def test_signatures_above_the_biggest_gap_name_a_domain(
    own: dict[str, tuple[float, float]], label: str
) -> None:
    assert assign_elbow_gap(ranking(D1=own)) == {"D1": label}


def test_each_domain_is_named_by_its_own_rows_in_any_order() -> None:
    frame = ranking(
        D10={"A": (0.1, 0.01), "B": (0.9, 0.01), "C": (0.05, 0.01)},
        D9={"A": (0.9, 0.01), "B": (0.85, 0.01), "C": (0.2, 0.01)},
    )
    for seed in range(5):
        labels = assign_elbow_gap(frame.sample(frac=1, random_state=seed))
        assert list(labels.items()) == [("D9", "A/B"), ("D10", "B")]


def test_domains_that_are_numbers_are_texts() -> None:
    frame = ranking(x={"A": (0.9, 0.01)}).assign(group=3)
    assert assign_elbow_gap(frame) == {"3": "A"}


def cells_with_domains(banded_cells: Any, n_cells: int = 300, seed: int = 0) -> AnnData:
    """One domain a band; cells 3 to 5 are kept and have none."""
    table = banded_cells(n_cells, seed=seed)
    table.layers["lognorm_counts"] = lognormalized(table.X, kept(table.obs), kept(table.var))
    domain = table.obs["band"].map("D{}".format).astype(object)
    domain.iloc[:6] = None
    table.obs["novae_domains_8"] = pd.Categorical(domain)
    return table


def sample_of(make_sample: Any, table: AnnData, **given: Any) -> Sample:
    from spatialdata import SpatialData

    tables = {"table": table} | given.pop("tables", {})
    values = {"marker_genes": SIGNATURES} | given
    return make_sample(SpatialData(tables=tables), **values)


@pytest.mark.tools
def test_domains_and_cells_are_named_by_the_signature_they_raise(
    make_sample: Any, banded_cells: Any
) -> None:
    table = cells_with_domains(banded_cells)
    sample = sample_of(make_sample, table)
    (outcome,) = enrichment.STAGE.run([sample], EnrichmentParameters())
    patch = outcome.patches["table"]
    obs = patch.obs
    assert list(obs.index) == list(table.obs_names)
    assert obs.iloc[:3].isna().all(axis=None)
    assert obs["cell_type_domain"].iloc[3:6].tolist() == ["Unassigned"] * 3
    expected = table.obs["band"].map("S{}".format).iloc[6:]
    assert (obs["cell_type_domain"].iloc[6:].astype(str) == expected).all()
    smooth = obs[[f"{name}_score" for name in SIGNATURES]].iloc[3:]
    raw = obs[[f"{name}_score_raw" for name in SIGNATURES]].iloc[3:]
    assert not np.allclose(smooth, raw.to_numpy())
    best = [f"S{k}" for k in smooth.to_numpy().argmax(axis=1)]
    assert obs["cell_type_enrichmap"].iloc[3:].tolist() == best
    assert len(patch.uns["cell_type_domain_colors"]) == 5
    steps = [done for done, total, _ in sample.report.steps if total == 8]
    assert steps == list(range(8))

    saved = ad.read_h5ad(outcome.files["demo_annotated.h5ad"])
    assert saved.shape == (297, 118)
    assert {"cell_type_domain", "S0_score_raw", "novae_domains_8"} <= set(saved.obs)
    csv = pd.read_csv(outcome.files["enrichment_ranking_novae_domains_8.csv"])
    assert set(csv["group"]) == {"D0", "D1", "D2", "D3"}
    assert {"name", "stat", "meanchange", "pval", "padj"} <= set(csv)
    assert set(csv["name"]) == set(SIGNATURES)
    labels = assign_elbow_gap(csv)
    assert {labels[f"D{band}"] for band in range(4)} == set(SIGNATURES)


@pytest.mark.tools
def test_without_smoothing_both_scores_are_the_same(make_sample: Any, banded_cells: Any) -> None:
    sample = sample_of(make_sample, cells_with_domains(banded_cells, 120))
    (outcome,) = enrichment.STAGE.run([sample], EnrichmentParameters(smoothing=False))
    obs = outcome.patches["table"].obs
    pd.testing.assert_series_equal(obs["S1_score"], obs["S1_score_raw"], check_names=False)


@pytest.mark.tools
def test_samples_are_named_by_one_ranking(make_sample: Any, banded_cells: Any) -> None:
    samples = [
        sample_of(make_sample, cells_with_domains(banded_cells, n, seed=n), id=name)
        for name, n in (("a", 120), ("b", 200))
    ]
    outcomes = enrichment.STAGE.run(samples, EnrichmentParameters())
    csv = "enrichment_ranking_novae_domains_8.csv"
    assert [len(o.patches["table"].obs) for o in outcomes] == [120, 200]
    labels = [
        {
            (domain, label)
            for domain, label in zip(
                sample.sdata["table"].obs["novae_domains_8"],
                outcome.patches["table"].obs["cell_type_domain"],
                strict=True,
            )
            if isinstance(domain, str)
        }
        for sample, outcome in zip(samples, outcomes, strict=True)
    ]
    assert labels[0] == labels[1]
    assert len(labels[0]) == 4
    assert outcomes[0].files[csv].read_text() == outcomes[1].files[csv].read_text()


@pytest.mark.tools
def test_one_domain_cannot_be_named_and_says_so(make_sample: Any, banded_cells: Any) -> None:
    table = cells_with_domains(banded_cells, 60)
    table.obs["novae_domains_8"] = pd.Categorical(["D1"] * 60)
    sample = sample_of(make_sample, table)
    (outcome,) = enrichment.STAGE.run([sample], EnrichmentParameters())
    assert set(outcome.patches["table"].obs["cell_type_domain"].dropna()) == {"Unknown"}
    assert any("cannot be compared" in notice for notice in sample.report.notices)


@pytest.mark.tools
def test_domains_of_which_none_stands_out_are_unknown_and_it_is_said(
    make_sample: Any, banded_cells: Any
) -> None:
    table = cells_with_domains(banded_cells, 120)
    # Domains that have nothing to do with what the cells express.
    table.obs["novae_domains_8"] = pd.Categorical(["D0", "D1", "D2"] * 40)
    sample = sample_of(make_sample, table)
    (outcome,) = enrichment.STAGE.run([sample], EnrichmentParameters())
    assert set(outcome.patches["table"].obs["cell_type_domain"].dropna()) == {"Unknown"}
    assert any("No domain of novae_domains_8 stands out" in one for one in sample.report.notices)


@pytest.mark.tools
def test_prosegs_own_counts_are_scored_where_they_are_asked_for(
    make_sample: Any, banded_cells: Any
) -> None:
    table = cells_with_domains(banded_cells, 120)
    own = table[10:, ::-1].copy()
    for name in ("lognorm_counts", "counts"):
        del own.layers[name]
    del table.layers["lognorm_counts"]
    sample = sample_of(make_sample, table, tables={"table_proseg": own})
    (outcome,) = enrichment.STAGE.run([sample], EnrichmentParameters(cell_counts="proseg"))
    scores = outcome.patches["table"].obs["S0_score_raw"]
    assert scores.isna().tolist() == [True] * 10 + [False] * 110


def test_too_few_cells_are_said(make_sample: Any, banded_cells: Any) -> None:
    sample = sample_of(make_sample, cells_with_domains(banded_cells, 9))
    with pytest.raises(StageError, match="demo: 6 cells are too few"):
        enrichment.STAGE.run([sample], EnrichmentParameters())


@pytest.mark.tools
def test_a_missing_column_of_domains_is_answered_with_those_there(
    make_sample: Any, banded_cells: Any
) -> None:
    sample = sample_of(make_sample, cells_with_domains(banded_cells, 60))
    with pytest.raises(StageError, match=r"'novae_domains_9' .*novae_domains_8"):
        enrichment.STAGE.run([sample], EnrichmentParameters(clustering_col="novae_domains_9"))
