"""A run folder to look at, of any size and without engines: two segmentations, labels, scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy import sparse
from spatialdata.models import Image2DModel, ShapesModel, TableModel
from spatialdata.transformations import Identity, Scale

from napari_vhd import keys
from napari_vhd.config import Paths, RunConfig, SampleConfig
from napari_vhd.corrections import ledger
from napari_vhd.io.publishing import Provenance
from napari_vhd.io.store import RunStore
from napari_vhd.io.visium_hd import quiet
from napari_vhd.palettes import colors_for
from napari_vhd.stages.stage import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SAMPLE = "drawn"
UM_PER_PX = 0.2737
STEP_PX = 28.0  # from cell to cell: 500,000 lie on 20,000 px
VERTICES = 30
TYPES = ("Tumor", "Fibroblasts", "Macrophages", "T_cells", "B_cells", "Endothelial", "Goblet")
GENES = 20
IMAGE_PX = 1024
RECORD = {"seconds": 0.0, "peak_rss_mb": 0.0, "numbers": {}, "notices": [], "files": []}


def make(folder: Path, cells: int) -> Path:
    """Make a run folder with H&E, nuclei, cells, their table and an empty ledger.

    Parameters
    ----------
    folder
        Where to make it.
    cells
        How many; as many nuclei.
    """
    rng = np.random.default_rng(0)
    config = RunConfig(
        paths=Paths(str(folder / "outs"), processed=str(folder)),
        samples=(SampleConfig(id=SAMPLE),),
    )
    store = RunStore.create(folder, SAMPLE, config, SAMPLE, folder / "outs")
    centres = _centres(rng, cells)
    nuclei = _outlines(rng, centres, STEP_PX * 0.28, "n")
    nuclei[keys.PROBABILITY] = rng.uniform(0.4, 1, cells)
    drawn = _outlines(rng, centres, STEP_PX * 0.47, "c")
    image = _image(rng)
    results = {
        "region": {keys.full_image(SAMPLE): image},
        "stardist": {keys.STARDIST: ShapesModel.parse(nuclei, transformations=_frames())},
        "proseg": {keys.PROSEG: ShapesModel.parse(drawn, transformations=_frames())},
        "aggregation": {keys.CELLS: _table(rng, drawn, centres)},
    }
    with quiet():
        for stage, elements in results.items():
            store.publish(stage, Outcome(elements=elements), Provenance(record=dict(RECORD)))
    ledger.create(store.run_dir / keys.LEDGER)
    store.close()
    return store.run_dir


def _frames() -> dict[str, Any]:
    return {SAMPLE: Identity(), keys.MICRONS: Scale([UM_PER_PX] * 2, ("x", "y"))}


def _centres(rng: np.random.Generator, cells: int) -> NDArray[np.float64]:
    across = int(np.ceil(np.sqrt(cells)))
    place = np.column_stack(np.divmod(np.arange(cells), across))[:, ::-1] + 0.7
    return (place + rng.uniform(-0.15, 0.15, place.shape)) * STEP_PX


def _outlines(
    rng: np.random.Generator, centres: NDArray[np.float64], radius: float, letter: str
) -> gpd.GeoDataFrame:
    angle = np.linspace(0, 2 * np.pi, VERTICES, endpoint=False)
    radii = radius * rng.uniform(0.8, 1.2, (len(centres), VERTICES))
    way = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    shapes = shapely.polygons(centres[:, None] + radii[..., None] * way)
    return gpd.GeoDataFrame(
        {keys.AREA_UM2: shapely.area(shapes) * UM_PER_PX**2},
        geometry=shapes,
        index=[f"{letter}{number + 1:06d}" for number in range(len(centres))],
    )


def _table(rng: np.random.Generator, drawn: Any, centres: NDArray[np.float64]) -> Any:
    """Labels in patches, as domains are; one cell in twenty has none."""
    cells = len(drawn)
    patch = (centres // (STEP_PX * 25)).astype(np.int64)
    number = (patch[:, 0] * 7 + patch[:, 1] * 13) % 8
    kinds = np.where(rng.random(cells) < 0.3, rng.integers(0, len(TYPES), cells), number % 7)
    kinds[rng.random(cells) < 0.05] = -1
    domains = [f"D{one}" for one in range(8)]
    obs = pd.DataFrame(
        {
            keys.REGION_KEY: pd.Categorical.from_codes(np.zeros(cells, np.int8), [keys.PROSEG]),
            keys.CELL_ID: drawn.index.to_numpy(),
            keys.domains(8): pd.Categorical.from_codes(number, domains),
            keys.TYPE_DOMAIN: pd.Categorical.from_codes(kinds, list(TYPES)),
            keys.score("Tumor"): rng.normal(size=cells).astype(np.float32),
            keys.KEPT: rng.random(cells) < 0.97,
        },
        index=drawn.index,
    )
    counts = sparse.random(cells, GENES, 0.2, "csr", np.float32, rng)
    table = anndata.AnnData(
        counts,
        obs=obs,
        var=pd.DataFrame(index=[f"G{one}" for one in range(GENES)]),
        obsm={keys.SPATIAL: centres},
        uns={
            f"{keys.domains(8)}_colors": colors_for(domains),
            f"{keys.TYPE_DOMAIN}_colors": colors_for(TYPES),
        },
    )
    return TableModel.parse(
        table, region=keys.PROSEG, region_key=keys.REGION_KEY, instance_key=keys.CELL_ID
    )


def _image(rng: np.random.Generator) -> Any:
    """Make a picture of a corner: what cells cost does not hang on what lies below them."""
    pixels = rng.integers(180, 240, (3, IMAGE_PX, IMAGE_PX)).astype(np.uint8)
    return Image2DModel.parse(
        pixels, dims=("c", "y", "x"), scale_factors=[2, 2], transformations=_frames()
    )
