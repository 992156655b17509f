"""Rules of spatial domains; each with the real Novae, on a model that trains in seconds."""

from __future__ import annotations

import signal
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from napari_vhd.config import RunConfig
from napari_vhd.exceptions import BadInputError, StageError
from napari_vhd.parameters import DomainsParameters, NeighborsParameters
from napari_vhd.stages import domains, neighbors
from napari_vhd.stages.kept import patched
from napari_vhd.stages.novae_model import size_for
from napari_vhd.stages.stage import Inputs

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_vhd.stages.stage import Outcome, Sample

pytestmark = pytest.mark.skipif(find_spec("novae") is None, reason="needs novae")

TRAINED = DomainsParameters(novae_model=None, novae_max_epochs=3, domain_range=(4, 6), seed=5)


def connected(make_sample: Any, table: AnnData, **given: Any) -> Sample:
    """A sample after the stage neighbors; `bins` is another table that is connected instead."""
    from spatialdata import SpatialData

    bins = given.pop("bins", None)
    name, own = ("table", table) if bins is None else ("square_008um", bins)
    tables = {"table": table, name: own}
    parameters = NeighborsParameters(domains_on="cells" if bins is None else "bins")
    sample = make_sample(SpatialData(tables=tables), **given)
    patch = neighbors.run(sample, parameters).patches[name]
    return make_sample(SpatialData(tables=tables | {name: patched(own, [patch])}), **given)


def result_of(sample: Sample, parameters: DomainsParameters = TRAINED) -> Outcome:
    (outcome,) = domains.STAGE.run([sample], parameters)
    return outcome


def agreement(bands: pd.Series, labels: pd.Series) -> float:
    from sklearn.metrics import adjusted_rand_score

    there = labels.notna().to_numpy()
    return float(adjusted_rand_score(bands[there], labels[there].astype(str)))


@pytest.mark.tools
def test_a_model_trained_on_the_sample_finds_its_bands(make_sample: Any, banded_cells: Any) -> None:
    table = banded_cells(300)
    handlers = []
    sample = connected(make_sample, table)
    told = sample.report.progress

    def progress(*step: Any) -> None:
        handlers.append(signal.getsignal(signal.SIGTERM))
        told(*step)

    sample.report.progress = progress
    outcome = result_of(sample)
    patch = outcome.patches["table"]
    assert list(patch.obs) == ["novae_domains_4", "novae_domains_5", "novae_domains_6"]
    assert list(patch.obs.index) == list(table.obs_names)
    assert patch.obs.iloc[:3].isna().all(axis=None)
    assert agreement(table.obs["band"], patch.obs["novae_domains_4"]) > 0.4
    for number in (4, 5, 6):
        labels = patch.obs[f"novae_domains_{number}"]
        assert labels.notna().sum() == 297
        assert 1 < labels.nunique() <= number
        colors = patch.uns[f"novae_domains_{number}_colors"]
        assert len(set(colors)) == len(colors) == len(labels.cat.categories)
        latent = patch.obsm[f"novae_latent_{number}"]
        np.testing.assert_array_equal(latent, patch.obsm["novae_latent"])
        assert np.isnan(latent).all(axis=1).tolist() == [True] * 3 + [False] * 297
    assert np.isnan(patch.obsm["X_pca"]).all(axis=1).sum() == 3
    assert patch.layers["lognorm_counts"].shape == table.shape
    assert outcome.numbers["epochs"] == 3
    assert ("training", 3, 3) in {(what, done, total) for done, total, what in sample.report.steps}
    assert set(handlers) == {signal.getsignal(signal.SIGTERM)}

    saved = ad.read_h5ad(outcome.files["demo_clustered.h5ad"])
    assert saved.shape == (297, 118)
    assert {"novae_domains_4", "band"} <= set(saved.obs)
    assert {"counts", "lognorm_counts"} <= set(saved.layers)


@pytest.mark.tools
def test_the_same_seed_gives_the_same_domains(make_sample: Any, banded_cells: Any) -> None:
    first, again, other = (
        result_of(connected(make_sample, banded_cells(200)), replace(TRAINED, seed=seed)).patches[
            "table"
        ]
        for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(first.obs, again.obs)
    np.testing.assert_array_equal(first.obsm["novae_latent"], again.obsm["novae_latent"])
    assert not np.array_equal(first.obsm["novae_latent"], other.obsm["novae_latent"])


@pytest.mark.tools
def test_a_saved_model_is_used_as_it_is_or_tuned(
    make_sample: Any, banded_cells: Any, tmp_path: Any
) -> None:
    folder = tmp_path / "kept_model"
    made = result_of(connected(make_sample, banded_cells(200))).files["model"]
    made.rename(folder)
    parameters = replace(TRAINED, novae_model=str(folder))
    sample = connected(make_sample, banded_cells(200))
    untuned = result_of(sample, replace(parameters, novae_max_epochs=0))
    assert untuned.numbers["epochs"] == 0
    assert "loss" not in untuned.numbers
    learned = replace(parameters, novae_max_epochs=2, zero_shot=False)
    tuned = result_of(connected(make_sample, banded_cells(200)), learned)
    assert tuned.numbers["epochs"] == 2
    assert tuned.patches["table"].obs["novae_domains_4"].notna().sum() == 197

    few = connected(make_sample, banded_cells(46))
    result_of(few, replace(parameters, novae_max_epochs=0))
    assert any("prototypes" in notice for notice in few.report.notices)

    other = banded_cells(200)
    other.var_names = [f"mouse{k}" for k in range(other.n_vars)]
    with pytest.raises(StageError, match="knows only 0 of the 118 genes"):
        result_of(connected(make_sample, other), parameters)


@pytest.mark.tools
def test_samples_are_parted_by_one_model(make_sample: Any, banded_cells: Any) -> None:
    tables = [banded_cells(n, seed=n) for n in (150, 250)]
    tables[1] = tables[1][:, ::-1].copy()
    tables[1].var["kept"] = tables[1].var_names != "g7"
    samples = [
        connected(make_sample, table, id=name) for table, name in zip(tables, "ab", strict=True)
    ]
    outcomes = domains.STAGE.run(samples, TRAINED)
    both = pd.concat([o.patches["table"].obs["novae_domains_4"].astype(object) for o in outcomes])
    bands = pd.concat([table.obs["band"] for table in tables])
    assert agreement(bands, both) > 0.3
    assert not np.allclose(
        outcomes[0].patches["table"].obsm["novae_latent_4"][3:],
        outcomes[0].patches["table"].obsm["novae_latent"][3:],
    ) or not np.allclose(
        outcomes[1].patches["table"].obsm["novae_latent_4"][3:],
        outcomes[1].patches["table"].obsm["novae_latent"][3:],
    )
    colors: dict[str, str] = {}
    for outcome in outcomes:
        patch = outcome.patches["table"]
        names = patch.obs["novae_domains_6"].cat.categories
        for name, color in zip(names, patch.uns["novae_domains_6_colors"], strict=True):
            assert colors.setdefault(name, color) == color
    assert len(outcomes[0].patches["table"].obs) == 150


@pytest.mark.tools
def test_cells_have_the_domain_of_the_bin_they_lie_in(make_sample: Any, banded_cells: Any) -> None:
    side, size_um, um_per_px = 16, 8.0, 0.25
    row, column = (part.ravel() for part in np.mgrid[0:side, 0:side])
    random = np.random.default_rng(0)
    rate = np.full((4, 60), 0.3)
    for k in range(60):
        rate[k % 4, k] = 5.0
    band = column * 4 // side
    bins = ad.AnnData(
        sparse.csr_matrix(random.poisson(rate[band]).astype(np.float32)),
        obs=pd.DataFrame(
            {"array_row": row, "array_col": column}, index=[f"b{i}" for i in range(side**2)]
        ),
        var=pd.DataFrame(index=[f"g{k}" for k in range(60)]),
    )
    bins.obsm["spatial"] = (np.column_stack([column, row]) + 0.5) * size_um / um_per_px
    cells = banded_cells(80)
    cells.obsm["spatial"] = cells.obsm["spatial_um"] / um_per_px
    cells.obsm["spatial"][:10] = 1e6
    parameters = replace(TRAINED, domains_on="bins")
    sample = connected(make_sample, cells, bins=bins)
    outcome = result_of(sample, parameters)
    on_bins = outcome.patches["square_008um"].obs["novae_domains_4"]
    on_cells = outcome.patches["table"].obs["novae_domains_4"]
    assert on_bins.notna().all()
    assert on_cells.isna().tolist() == [True] * 10 + [False] * 70
    place = (cells.obsm["spatial"][10:] // (size_um / um_per_px)).astype(int)
    assert on_cells.iloc[10:].tolist() == [on_bins.iloc[y * side + x] for x, y in place]
    assert any("7 cells lie in no bin" in notice for notice in sample.report.notices)


def test_too_few_cells_are_said(make_sample: Any, banded_cells: Any) -> None:
    sample = connected(make_sample, banded_cells(60))
    with pytest.raises(StageError, match=r"demo: 57 cells .* 40 domains \(80 are needed\)"):
        result_of(sample, replace(TRAINED, domain_range=(4, 40)))


def test_too_few_genes_are_said(make_sample: Any, banded_cells: Any) -> None:
    sample = connected(make_sample, banded_cells(100, n_genes=15))
    with pytest.raises(StageError, match=r"13 genes .* Novae needs 20"):
        result_of(sample)


def test_cells_without_neighbours_are_said(make_sample: Any, banded_cells: Any) -> None:
    from spatialdata import SpatialData

    with pytest.raises(StageError, match="run the stage neighbors"):
        result_of(make_sample(SpatialData(tables={"table": banded_cells(60)})))


def test_nothing_learned_and_nothing_to_learn_is_bad_input(tmp_path: Any) -> None:
    config = RunConfig.from_dict(
        {
            "paths": {"spaceranger_outs": "."},
            "samples": [{"id": "demo"}],
            "params": {"novae_model": None, "novae_max_epochs": 0},
        }
    )
    with pytest.raises(BadInputError, match="novae_max_epochs 0"):
        domains.check(Inputs(config, config.samples[0], tmp_path))


def test_a_model_has_twice_the_prototypes_and_no_more_components_than_genes() -> None:
    assert size_for(200, 2000, 15).num_prototypes == 30
    assert size_for(1600, 2000, 15).num_prototypes == 200
    assert size_for(100_000, 2000, 15).num_prototypes == 512
    assert size_for(1600, 25, 15).embedding_size == 24
