from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from spatialdata import SpatialData

from napari_vhd import keys
from napari_vhd.figures import draw, sheet
from napari_vhd.figures.draw import AFTER

from .conftest import COLORS, ID

if TYPE_CHECKING:
    from pathlib import Path

    from napari_vhd.config import RunConfig

EXPECTED = {
    "read": ["overview.png"],
    "region": ["overview.png", "region.png"],
    "stardist": ["stardist_outlines.png"],
    "proseg": ["proseg_outlines.png", "both_outlines.png"],
    "boundaries": ["stardist_outlines.png", "proseg_outlines.png"],
    "qc": [
        f"n_counts_{ID}.png",
        f"counts_after_filtering_{ID}.png",
        f"pct_counts_mt_{ID}.png",
        f"mt_after_filtering_{ID}.png",
        "qc_histograms.png",
        "islands.png",
    ],
    "neighbors": ["connectivities.png"],
    "domains": [
        "domains_2.png",
        "domains_proportions_2.png",
        "domains_3.png",
        "domains_proportions_3.png",
        "domains_on_he.png",
    ],
    "flashdeconv": ["flashdeconv_dominant.png", "flashdeconv_proportions.png"],
    "rctd": ["rctd_dominant.png", "rctd_proportions.png"],
    "celltypist": [
        "cell_type_celltypist.png",
        "cell_type_celltypist_per_cell.png",
        "cell_type_celltypist_per_cell_on_he.png",
        "conf_score_celltypist.png",
    ],
    "enrichment": [
        "score_Tumor.png",
        "score_Stroma.png",
        "elbow_plot_novae_domains_2.png",
        "cell_types_spatial.png",
        "cell_type_enrichmap.png",
        "cell_types_on_he.png",
        "matrixplot.png",
        "dotplot_scores.png",
        "enrichmap_heatmap.png",
        "dotplot_markers.png",
    ],
}


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


@pytest.mark.parametrize("stage", AFTER)
def test_each_stage_draws_its_figures_readable_and_unclipped(
    stage: str, sdata: SpatialData, config: RunConfig, run_dir: Path
) -> None:
    paths = draw(stage, sdata, ID, run_dir / "figures", config)

    assert [p.name for p in paths] == EXPECTED[stage]
    assert sorted(p.name for p in (run_dir / "figures").iterdir()) == sorted(EXPECTED[stage])
    for path in paths:
        drawn = pixels(path)
        assert min(drawn.shape[:2]) > 300, path.name
        assert drawn.std() > 15, f"{path.name} is nearly blank"
        rim = np.concatenate([drawn[:8].reshape(-1), drawn[-8:].reshape(-1)])
        sides = np.concatenate([drawn[:, :8].reshape(-1), drawn[:, -8:].reshape(-1)])
        assert (rim == 255).all() and (sides == 255).all(), f"{path.name} is clipped"


def test_a_stage_without_figures_draws_none(
    sdata: SpatialData, config: RunConfig, tmp_path: Path
) -> None:
    assert draw("patches", sdata, ID, tmp_path / "figures", config) == []


@pytest.mark.parametrize("stage", AFTER)
def test_an_empty_store_gives_no_figure_and_no_error(
    stage: str, config: RunConfig, tmp_path: Path
) -> None:
    assert draw(stage, SpatialData(), ID, tmp_path / "figures", config) == []


@pytest.mark.parametrize("stage", ["stardist", "qc", "domains", "enrichment"])
def test_figures_come_without_the_he(
    stage: str, sdata: SpatialData, config: RunConfig, run_dir: Path
) -> None:
    del sdata.images[keys.full_image(ID)]

    assert [p.name for p in draw(stage, sdata, ID, run_dir / "f", config)] == EXPECTED[stage]


@pytest.mark.parametrize("stage", ["qc", "neighbors", "domains", "celltypist", "enrichment"])
def test_figures_come_when_no_cell_is_kept(
    stage: str, sdata: SpatialData, config: RunConfig, run_dir: Path
) -> None:
    table = sdata.tables[keys.CELLS]
    table.obs[keys.KEPT] = False
    for name in table.obs.columns:
        if name.startswith(("novae", "cell_type")):
            table.obs[name] = table.obs[name].cat.remove_categories(table.obs[name].cat.categories)
        elif "score" in name:
            table.obs[name] = np.nan
    table.obs[keys.ISLAND] = table.obs[keys.ISLAND].mask(table.obs.index != "")
    table.obsp["spatial_connectivities"] = table.obsp["spatial_connectivities"] * 0
    table.obsp["spatial_connectivities"].eliminate_zeros()

    names = [p.name for p in draw(stage, sdata, ID, run_dir / "f", config)]

    by_group = {"matrixplot.png", "dotplot_scores.png", "enrichmap_heatmap.png"}
    assert set(EXPECTED[stage]) - set(names) <= {*by_group, "dotplot_markers.png"}


@pytest.mark.parametrize("stage", ["domains", "celltypist", "enrichment"])
def test_one_category_is_enough(
    stage: str, sdata: SpatialData, config: RunConfig, run_dir: Path
) -> None:
    obs = sdata.tables[keys.CELLS].obs
    for name in obs.columns:
        if name.startswith(("novae", "cell_type")):
            obs[name] = obs[name].cat.remove_categories(obs[name].cat.categories[1:])

    assert [p.name for p in draw(stage, sdata, ID, run_dir / "f", config)] == EXPECTED[stage]


def test_top_left_is_top_left_and_colours_are_the_stored_ones(
    sdata: SpatialData, config: RunConfig, run_dir: Path
) -> None:
    obs = sdata.tables[keys.CELLS].obs
    first = ["Tumor"] + ["Stroma"] * (len(obs) - 1)
    obs[keys.TYPE_ENRICHMAP] = obs[keys.TYPE_ENRICHMAP].astype(object)
    obs[keys.TYPE_ENRICHMAP] = np.array(first, object)
    obs[keys.TYPE_ENRICHMAP] = obs[keys.TYPE_ENRICHMAP].astype("category")
    folder = run_dir / "figures"
    draw("enrichment", sdata, ID, folder, config)
    drawn = pixels(folder / "cell_type_enrichmap.png")

    color = COLORS["Tumor"]
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    left = drawn[:, : int(0.6 * drawn.shape[1])]  # the legend is on the right
    rows, columns = np.nonzero((left == wanted).all(-1))

    assert len(rows) > 1000
    assert rows.max() < 0.4 * drawn.shape[0]
    assert columns.max() < 0.3 * drawn.shape[1]


def test_a_figure_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    class Failing(Figure):
        def draw(self, renderer: object) -> None:
            raise RuntimeError

    path = tmp_path / "a.png"
    path.write_bytes(b"before")

    with pytest.raises(RuntimeError):
        sheet.save(Failing(), path)

    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
