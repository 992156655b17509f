"""Small tables of cells with known domains and types, for the stages after QC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import pytest

if TYPE_CHECKING:
    from anndata import AnnData

UM_PER_PX = 0.25


class MakeCells(Protocol):
    """Makes a table of cells in vertical bands, one domain and one type a band."""

    def __call__(
        self, n_cells: int = 600, n_genes: int = 120, n_bands: int = 4, seed: int = 0
    ) -> AnnData: ...


@pytest.fixture
def banded_cells() -> MakeCells:
    """A factory of tables as QC leaves them.

    Bands hold equal numbers of cells; genes ``g<k>`` with ``k % n_bands == band`` are raised in a
    band. The first three cells and the first two genes are dropped (``kept`` is False).
    """
    return make_cells


def make_cells(n_cells: int = 600, n_genes: int = 120, n_bands: int = 4, seed: int = 0) -> AnnData:
    import pandas as pd
    from anndata import AnnData
    from scipy import sparse

    random = np.random.default_rng(seed)
    side = 12.0 * np.sqrt(n_cells)
    um = random.uniform(0, side, size=(n_cells, 2))
    band = np.minimum((um[:, 0] / side * n_bands).astype(int), n_bands - 1)
    rate = np.full((n_bands, n_genes), 0.3)
    for k in range(n_genes):
        rate[k % n_bands, k] = 4.0
    counts = sparse.csr_matrix(random.poisson(rate[band]).astype(np.float32))
    obs = pd.DataFrame(
        {"cell_id": [f"cell-{i}" for i in range(n_cells)], "band": band, "kept": True},
        index=[f"cell-{i}" for i in range(n_cells)],
    )
    obs.loc[obs.index[:3], "kept"] = False
    obs["region"] = pd.Categorical(["proseg_boundaries"] * n_cells)
    var = pd.DataFrame({"kept": True}, index=[f"g{k}" for k in range(n_genes)])
    var.loc[var.index[:2], "kept"] = False
    cells = AnnData(counts, obs=obs, var=var)
    cells.layers["counts"] = counts.copy()
    cells.obsm["spatial_um"] = um
    cells.obsm["spatial"] = um / UM_PER_PX + 1000
    return cells
