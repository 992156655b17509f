"""A made-up sample of twelve cells for figures: everything a finished run holds, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from anndata import AnnData
from scipy import sparse
from spatialdata import SpatialData
from spatialdata.models import Image2DModel, ShapesModel, TableModel
from spatialdata.transformations import Identity, Translation

from napari_vhd import keys
from napari_vhd.config import RunConfig
from napari_vhd.figures.view import View

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ID = "S1"
CORNER = (1000.0, 500.0)
UM_PER_PX = 0.25
BIN_PX = 8 / UM_PER_PX
BINS = (10, 12)
WIDTH, HEIGHT = int(BINS[1] * BIN_PX), int(BINS[0] * BIN_PX)
COLUMNS, ROWS = 4, 3
CELL_PX = 60.0
TYPES = ("Tumor", "Stroma")
COLORS = {"Tumor": "#123456", "Stroma": "#FEDC20"}
GENES = ("MT-CO1", "REG1A", "REG1B", "COL1A1", "COL1A2")
MARKERS = {"Tumor": ["REG1A", "REG1B"], "Stroma": ["COL1A1", "COL1A2"]}


def centres() -> np.ndarray:
    """Middle of each cell, row by row from the top left, full-resolution px."""
    x = CORNER[0] + (np.arange(COLUMNS) + 0.5) * WIDTH / COLUMNS
    y = CORNER[1] + (np.arange(ROWS) + 0.5) * HEIGHT / ROWS
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def cell_ids() -> list[str]:
    return [f"cell-{i}" for i in range(COLUMNS * ROWS)]


def _squares(side: float) -> Any:
    x, y = centres().T
    boxes = shapely.box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    frame = gpd.GeoDataFrame({"geometry": boxes}, index=cell_ids())
    return ShapesModel.parse(frame, transformations={ID: Identity()})


def _cells() -> AnnData:
    """The table after the last stage; the last cell was filtered, the one before has no domain."""
    n = COLUMNS * ROWS
    rng = np.random.default_rng(0)
    kept = np.arange(n) < n - 1
    left = np.arange(n) % COLUMNS < COLUMNS / 2
    table = AnnData(
        sparse.csr_matrix(rng.poisson(3, (n, len(GENES))).astype(np.float32)),
        obs=pd.DataFrame(index=cell_ids()),
        var=pd.DataFrame(index=list(GENES)),
    )
    obs = table.obs
    obs["cell_id"], obs["region"] = cell_ids(), pd.Categorical([keys.PROSEG] * n)
    obs["n_counts"] = obs["total_counts"] = np.linspace(10, 400, n)
    obs["n_genes_by_counts"], obs["pct_counts_mt"] = np.arange(n) + 1.0, np.linspace(0, 12, n)
    obs[keys.KEPT] = kept
    obs[keys.KEPT_REASON] = pd.Categorical(np.where(kept, "", "mitochondrial counts"))
    island = np.where(left, 1, 2)
    obs[keys.ISLAND] = pd.arrays.IntegerArray(island.astype(np.int32), ~kept)
    types = np.where(left, *TYPES).astype(object)
    domains = np.where(left, "D1", "D2").astype(object)
    domains[n - 2] = None
    for name, values in (
        *((keys.domains(k), domains) for k in (2, 3)),
        (keys.TYPE_DOMAIN, types),
        (keys.TYPE_ENRICHMAP, types),
        (keys.TYPE_CELLTYPIST, types),
        (keys.TYPE_CELLTYPIST_PER_CELL, types),
    ):
        values = np.where(kept, values, None)
        obs[name] = pd.Categorical(values)
        table.uns[f"{name}_colors"] = list(
            map(COLORS.get, obs[name].cat.categories)
            if values[0] in COLORS
            else ("#0072B2", "#E69F00")
        )
    obs[keys.CONFIDENCE_CELLTYPIST] = np.where(kept, rng.random(n), np.nan)
    for name in TYPES:
        score = np.where(left == (name == "Tumor"), 1.0, -0.5) + rng.normal(0, 0.1, n)
        obs[keys.score(name)] = obs[keys.raw_score(name)] = np.where(kept, score, np.nan)
    table.uns[keys.SIGNATURES] = {name: np.array(genes) for name, genes in MARKERS.items()}
    table.obsm[keys.SPATIAL], table.obsm[keys.SPATIAL_UM] = centres(), centres() * UM_PER_PX
    near = np.abs(centres()[:, None] - centres()[None]).sum(-1)
    joined = (near > 0) & (near < 120) & kept[:, None] & kept[None]
    table.obsp["spatial_connectivities"] = sparse.csr_matrix(joined.astype(float))
    table.layers[keys.LOGNORM] = table.X.copy()
    return TableModel.parse(table, region=keys.PROSEG, region_key="region", instance_key="cell_id")


def _bins() -> AnnData:
    """8 µm bins of the left half Tumor, of the right half Stroma; the last row was not fitted."""
    row, col = (a.ravel() for a in np.indices(BINS))
    n = len(row)
    fitted, left = row < BINS[0] - 1, col < BINS[1] / 2
    obs = pd.DataFrame(
        {"array_row": row + 40, "array_col": col + 70}, index=[f"b{i}" for i in range(n)]
    )
    for method in (keys.flashdeconv, keys.proportion):
        for name in TYPES:
            share = np.where(left == (name == "Tumor"), 0.9, 0.1)
            obs[method(name)] = np.where(fitted, share, np.nan)
    dominant = np.where(left, *TYPES).astype(object)
    obs[keys.FLASHDECONV_DOMINANT] = pd.Categorical(np.where(fitted, dominant, None))
    obs[keys.RCTD_DOMINANT] = pd.Categorical(np.where(fitted, dominant, keys.NOT_FITTED))
    table = AnnData(sparse.csr_matrix(np.ones((n, 5), np.float32)), obs=obs)
    for name in (keys.FLASHDECONV_DOMINANT, keys.RCTD_DOMINANT):
        table.uns[f"{name}_colors"] = [COLORS.get(c, "#D3D3D3") for c in obs[name].cat.categories]
    table.obsm[keys.SPATIAL] = np.column_stack(
        [CORNER[0] + (col + 0.5) * BIN_PX, CORNER[1] + (row + 0.5) * BIN_PX]
    )
    return table


@pytest.fixture(scope="session")
def he() -> np.ndarray:
    """H&E, (y, x, rgb): pink, a dark 40 px square at the top left."""
    pixels = np.full((HEIGHT, WIDTH, 3), (230, 150, 200), np.uint8)
    pixels[:40, :40] = (60, 20, 90)
    return pixels


@pytest.fixture
def sdata(he: np.ndarray) -> SpatialData:
    """A finished run; a test may change it."""
    placed = {ID: Translation(list(CORNER), axes=("x", "y"))}
    image = Image2DModel.parse(
        he.transpose(2, 0, 1), dims=("c", "y", "x"), scale_factors=[2, 2], transformations=placed
    )
    return SpatialData(
        images={keys.full_image(ID): image},
        shapes={keys.STARDIST: _squares(CELL_PX / 2), keys.PROSEG: _squares(CELL_PX)},
        tables={keys.CELLS: _cells(), keys.bin_table(8): _bins()},
    )


@pytest.fixture
def config() -> RunConfig:
    """A config with two signatures and domains 2 to 3."""
    return RunConfig.from_dict(
        {
            "paths": {"spaceranger_outs": "."},
            "samples": [{"id": ID, "name": "gut", "region": [1000.0, 500.0, 1384.0, 820.0]}],
            "params": {"domain_range": [2, 3], "clustering_col": keys.domains(2)},
            "marker_genes": MARKERS,
        }
    )


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run folder with a ranking: D1 is named by one signature, D2 by none."""
    rows = [
        ("D1", "rest", "Tumor", 9.0, 1.5, 0.001, 0.001),
        ("D1", "rest", "Stroma", 3.0, 0.4, 0.001, 0.001),
        ("D2", "rest", "Tumor", -9.0, -1.5, 0.001, 0.001),
        ("D2", "rest", "Stroma", 0.5, 0.2, 0.4, 0.4),
    ]
    columns = ["group", "reference", "name", "stat", "meanchange", "pval", "padj"]
    path = tmp_path / keys.ranking_csv(keys.domains(2))
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return tmp_path


@pytest.fixture
def view_of(config: RunConfig, run_dir: Path) -> Callable[[SpatialData], View]:
    """Looks at a sample."""
    return lambda sdata: View(sdata, ID, config, run_dir)
