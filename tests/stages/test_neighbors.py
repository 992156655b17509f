"""Rules of the neighbourhood graph."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_vhd.exceptions import StageError
from napari_vhd.parameters import NeighborsParameters
from napari_vhd.stages import neighbors

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_vhd.stages.stage import Outcome

pytestmark = pytest.mark.skipif(find_spec("novae") is None, reason="needs novae")


def connected(make_sample: Any, table: AnnData, name: str = "table", **given: Any) -> Outcome:
    from spatialdata import SpatialData

    sample = make_sample(SpatialData(tables={name: table}))
    return neighbors.run(sample, NeighborsParameters(**given))


def bins(side: int, size_um: int = 8) -> AnnData:
    """A square of bins, one count each but for the corner; placed in px by another scale."""
    import pandas as pd
    from anndata import AnnData
    from scipy import sparse

    row, column = (part.ravel() for part in np.mgrid[0:side, 0:side])
    counts = np.ones((side * side, 3), dtype=np.float32)
    counts[0] = 0
    obs = pd.DataFrame(
        {"array_row": row, "array_col": column}, index=[f"b{i}" for i in range(side * side)]
    )
    table = AnnData(sparse.csr_matrix(counts), obs=obs)
    table.obsm["spatial"] = np.column_stack([column, row]) * size_um * 3.7 + 500
    return table


def test_neighbours_lie_within_the_radius_in_um(make_sample: Any, banded_cells: Any) -> None:
    table = banded_cells(200)
    patch = connected(make_sample, table, radius=20).patches["table"]
    distances = patch.obsp["spatial_distances"].tocoo()
    um = table.obsm["spatial_um"]
    expected = np.linalg.norm(um[distances.row] - um[distances.col], axis=1)
    np.testing.assert_allclose(distances.data, expected)
    assert distances.data.max() <= 20
    assert (patch.obsp["spatial_connectivities"] != (patch.obsp["spatial_distances"] > 0)).nnz == 0


def test_a_larger_radius_connects_more(make_sample: Any, banded_cells: Any) -> None:
    table = banded_cells(200)
    few, many = (connected(make_sample, table, radius=r).numbers for r in (12, 40))
    assert few["neighbours (mean)"] < many["neighbours (mean)"]
    assert few["cells without neighbours"] > many["cells without neighbours"] == 0


def test_dropped_cells_have_no_neighbours_and_every_row_is_given(
    make_sample: Any, banded_cells: Any
) -> None:
    table = banded_cells(200)
    outcome = connected(make_sample, table)
    patch = outcome.patches["table"]
    graph = patch.obsp["spatial_connectivities"]
    assert graph.shape == (200, 200)
    assert graph[:3].nnz == graph[:, :3].nnz == 0
    assert list(patch.obs.index) == list(table.obs_names)
    assert patch.obs["novae_sid"].isna().tolist() == [True] * 3 + [False] * 197
    assert set(patch.obs["novae_sid"].dropna()) == {"demo"}
    assert outcome.numbers["cells"] == 197


def test_bins_are_connected_to_the_eight_around_them(make_sample: Any) -> None:
    table = bins(6)
    outcome = connected(make_sample, table, "square_008um", domains_on="bins", deconvolution_bins=8)
    graph = outcome.patches["square_008um"].obsp["spatial_distances"]
    inner = 6 * 2 + 2
    assert sorted(graph[inner].data) == pytest.approx([8] * 4 + [8 * 2**0.5] * 4)
    assert graph[0].nnz == 0  # without counts


def test_bins_do_not_depend_on_what_a_deconvolution_fitted(make_sample: Any) -> None:
    how = {"domains_on": "bins", "deconvolution_bins": 8}
    before, after = bins(6), bins(6)
    after.obs["kept"] = np.arange(36) > 20
    graphs = [
        connected(make_sample, table, "square_008um", **how)
        .patches["square_008um"]
        .obsp["spatial_connectivities"]
        for table in (before, after)
    ]
    assert (graphs[0] != graphs[1]).nnz == 0


def test_too_small_a_radius_is_said_with_the_mend(make_sample: Any, banded_cells: Any) -> None:
    with pytest.raises(StageError, match=r"demo: no two cells .* 0\.001 µm.*larger radius"):
        connected(make_sample, banded_cells(50), radius=0.001)


def test_too_few_cells_are_said(make_sample: Any, banded_cells: Any) -> None:
    with pytest.raises(StageError, match="demo: 3 cells are too few"):
        connected(make_sample, banded_cells(6))


def test_cells_on_a_line_are_said(make_sample: Any, banded_cells: Any) -> None:
    table = banded_cells(30)
    table.obsm["spatial_um"] = np.column_stack([np.arange(30.0), np.zeros(30)])
    with pytest.raises(StageError, match="lie on a line"):
        connected(make_sample, table)
