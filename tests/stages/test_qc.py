"""Filters mark what they drop, and say why; the table keeps its length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData, read_h5ad
from scipy import sparse
from spatialdata import SpatialData
from spatialdata.models import TableModel

from napari_vhd.exceptions import StageError
from napari_vhd.parameters import QcParameters
from napari_vhd.stages.qc import STAGE

if TYPE_CHECKING:
    from napari_vhd.stages.stage import Outcome, TablePatch

# A table by itself, as a stage gets it with the shapes beside it.
pytestmark = pytest.mark.filterwarnings("ignore:The table is annotating")
GENES = ["A", "B", "C", "UNSEEN", "MT-CO1", "mt-Nd1"]
NO_COUNTS, FEW, MITO = 0, 1, 2
ISLAND = slice(100, 110)


@pytest.fixture
def table() -> AnnData:
    """Cells 0, 1, 2 without counts, with few, with half mt; cells 100 to 109 far away."""
    grid = np.stack(np.meshgrid(np.arange(10), np.arange(10)), axis=-1).reshape(-1, 2) * 10.0
    um = np.vstack([grid, np.add(grid[:10], [1000, 0])])
    counts = np.tile([30, 20, 10, 0, 1, 1], (110, 1)).astype(np.float32)
    counts[NO_COUNTS] = 0
    counts[FEW] = [1, 1, 1, 0, 0, 0]
    counts[MITO] = [30, 0, 0, 0, 20, 10]
    x = sparse.csr_matrix(counts)
    obs = pd.DataFrame({"cell_id": [f"c{i}" for i in range(110)]}).set_index("cell_id", drop=False)
    obs.index.name = None
    obs["region"] = pd.Categorical(["proseg_boundaries"] * 110)
    table = AnnData(x, obs=obs, var=pd.DataFrame(index=GENES), layers={"counts": x.copy()})
    table.obsm["spatial"], table.obsm["spatial_um"] = um / 0.25, um
    return TableModel.parse(
        table, region="proseg_boundaries", region_key="region", instance_key="cell_id"
    )


@pytest.fixture
def filtered(table: AnnData, make_sample: Any) -> Any:
    def run(**parameters: Any) -> tuple[TablePatch, Outcome, list[str]]:
        sample = make_sample(SpatialData(tables={"table": table}))
        outcome = STAGE.run([sample], QcParameters(**parameters))[0]
        return outcome.patches["table"], outcome, sample.report.notices

    return run


def test_the_table_keeps_its_length_and_says_why_cells_are_dropped(
    filtered: Any, table: AnnData
) -> None:
    patch, outcome, _ = filtered(filter_cells_counts=5)
    assert list(patch.obs.index) == list(table.obs_names)
    assert list(patch.var.index) == GENES
    reasons = patch.obs["kept_reason"].astype(str).tolist()
    assert reasons[NO_COUNTS] == reasons[FEW] == "fewer than 5 counts"
    assert reasons[MITO] == "mitochondrial counts at or above 10 %"
    assert set(reasons[3:]) == {""}
    assert patch.obs["kept"].tolist() == [False] * 3 + [True] * 107
    assert outcome.numbers["kept"] == 107
    assert outcome.numbers["dropped for few counts"] == 2
    assert outcome.numbers["dropped for mt %"] == 1
    assert outcome.numbers["median UMIs"] == 62


def test_mt_genes_of_man_and_mouse_are_counted(filtered: Any) -> None:
    patch, _, _ = filtered()
    assert patch.var["mt"].tolist() == [False] * 4 + [True, True]
    assert patch.obs["pct_counts_mt"].iloc[MITO] == pytest.approx(50)
    assert patch.obs["total_counts"].iloc[MITO] == 60
    assert patch.obs["n_genes_by_counts"].iloc[MITO] == 3


def test_a_cell_at_the_limit_is_dropped(filtered: Any) -> None:
    patch, _, _ = filtered(pct_mito=50)
    assert not patch.obs["kept"].iloc[MITO]
    patch, _, _ = filtered(pct_mito=50.1)
    assert patch.obs["kept"].iloc[MITO]


def test_genes_are_filtered_before_cells_are_counted(filtered: Any) -> None:
    patch, outcome, _ = filtered(filter_genes_counts=1100, pct_mito=100)
    assert patch.var["kept"].tolist() == [True, True, False, False, False, False]
    assert outcome.numbers["genes kept"] == 2
    assert patch.obs["total_counts"].iloc[5] == 50
    patch, outcome, _ = filtered()
    assert patch.var["kept"].tolist() == [True, True, True, False, True, True]


def test_cells_without_counts_can_be_kept(filtered: Any) -> None:
    patch, _, _ = filtered(filter_cells_counts=0)
    assert patch.obs["kept"].iloc[NO_COUNTS]
    assert np.isnan(patch.obs["pct_counts_mt"].iloc[NO_COUNTS])


def test_a_quantile_takes_the_place_of_the_limit(filtered: Any) -> None:
    patch, _, notices = filtered(percentile_pct_mito=0.995)
    assert not patch.obs["kept"].iloc[MITO]
    assert patch.obs["kept"].sum() == 108
    assert "quantile" in notices[0]


def test_a_quantile_of_zero_does_not_drop_cells_without_mt(filtered: Any, table: AnnData) -> None:
    counts = table.X.toarray()
    counts[:, 4:] = 0
    counts[MITO, 4] = 3
    table.X = sparse.csr_matrix(counts)
    patch, _, _ = filtered(percentile_pct_mito=0.5)
    assert patch.obs["kept"].sum() == 108


def test_without_mt_genes_none_is_dropped_and_that_is_said(filtered: Any, table: AnnData) -> None:
    table.var_names = ["A", "B", "C", "D", "E", "F"]
    patch, _, notices = filtered(pct_mito=0)
    assert patch.obs["kept"].sum() == 109
    assert "MT-" in notices[0]


def test_islands_are_numbered_and_missing_for_dropped_cells(filtered: Any) -> None:
    patch, outcome, _ = filtered()
    island = patch.obs["island"]
    assert outcome.numbers["islands"] == 2
    assert (island.iloc[ISLAND] == 2).all()
    assert (island.iloc[3:100] == 1).all()
    assert island.isna().tolist() == [True, False, True] + [False] * 107


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ({"min_cells_island": 11}, "isolated island of fewer than 11 cells"),
        ({"islands_drop": (2,)}, "island left out by choice"),
        ({"islands_keep": (1,)}, "island left out by choice"),
    ],
)
def test_islands_are_left_out_by_size_or_number(
    filtered: Any, option: dict[str, Any], reason: str
) -> None:
    patch, outcome, _ = filtered(**option)
    assert not patch.obs["kept"].iloc[ISLAND].any()
    assert (patch.obs["kept_reason"].iloc[ISLAND] == reason).all()
    assert outcome.numbers["dropped with their island"] == 10
    assert patch.obs["kept"].iloc[3:100].all()


def test_an_island_large_enough_stays(filtered: Any) -> None:
    patch, _, _ = filtered(min_cells_island=10)
    assert patch.obs["kept"].iloc[ISLAND].all()


def test_an_island_that_does_not_exist_is_named(filtered: Any) -> None:
    with pytest.raises(StageError, match="islands_keep names island 7, but there are 1 to 2"):
        filtered(islands_keep=(1, 7))


def test_too_few_cells_are_said_with_the_numbers(filtered: Any) -> None:
    with pytest.raises(StageError, match=r"0 of 110 cells are left \(110 dropped for few"):
        filtered(filter_cells_counts=1000)


def test_the_result_is_written_and_read_as_it_is(
    filtered: Any, table: AnnData, tmp_path: Any
) -> None:
    patch, _, _ = filtered()
    for name in patch.obs:
        table.obs[name] = patch.obs[name]
    table.write_h5ad(tmp_path / "a.h5ad")
    again = read_h5ad(tmp_path / "a.h5ad").obs
    pd.testing.assert_series_equal(again["island"], patch.obs["island"])
    assert again["kept"].dtype == bool
