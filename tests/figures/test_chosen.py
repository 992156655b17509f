"""Figures of chosen cells: what they count, what they refuse, where their lines lie."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from napari_vhd import keys
from napari_vhd.config import Paths, RunConfig
from napari_vhd.exceptions import BadInputError
from napari_vhd.figures import screen
from napari_vhd.figures.chosen import KINDS, ChosenView, save
from napari_vhd.parameters import Params

if TYPE_CHECKING:
    from napari_vhd.figures.chosen import Drawn

N = 60
DOMAINS = "novae_domains_5"
GENES = ("REG1A", "COL1A1")


def table() -> AnnData:
    rng = np.random.default_rng(0)
    types = np.array(["Tumor", "Stroma", None], object)[np.arange(N) % 3]
    obs = pd.DataFrame(
        {
            "n_counts": np.arange(N) + 1.0,
            "pct_counts_mt": np.linspace(0, 20, N),
            "n_genes_by_counts": np.arange(N) + 1.0,
            keys.KEPT: np.arange(N) > 5,
            keys.KEPT_REASON: np.where(np.arange(N) > 5, "", "few counts"),
            keys.TYPE_DOMAIN: pd.Categorical(types, ["Tumor", "Stroma"]),
            DOMAINS: pd.Categorical(np.where(np.arange(N) < 20, "D0", "D1")),
            keys.score("Tumor"): rng.normal(size=N),
            keys.raw_score("Tumor"): rng.normal(size=N),
        },
        index=[f"c{i}" for i in range(N)],
    )
    matrix = rng.poisson(1.0, (N, len(GENES))).astype(float)
    return AnnData(
        matrix,
        obs,
        pd.DataFrame(index=list(GENES)),
        uns={f"{keys.TYPE_DOMAIN}_colors": ["#111111", "#EEEEEE"]},
    )


def view(chosen: AnnData | None, folder: Path = Path()) -> ChosenView:
    config = RunConfig(Paths(""), (), Params(clustering_col=DOMAINS))
    genes = {"Tumor": ("REG1A",), "Stroma": ("COL1A1", "NOT-MEASURED")}
    return ChosenView(None, "S1", config, folder, chosen, "region A", genes)


def draw(kind: str, chosen: AnnData | None, folder: Path = Path()) -> Drawn:
    return KINDS[kind].draw(view(chosen, folder), keys.TYPE_DOMAIN, DOMAINS)


def test_the_limits_say_how_many_cells_they_would_keep() -> None:
    limits = {limit.parameter: limit for limit in draw("qc", table()).limits}
    assert set(limits) == {"filter_cells_counts", "pct_mito"}
    assert limits["filter_cells_counts"].keeps(31) == 30
    assert limits["pct_mito"].keeps(10) == (np.linspace(0, 20, N) < 10).sum()
    assert limits["pct_mito"].value == Params().pct_mito


def test_proportions_count_cells_without_a_label_apart() -> None:
    data = draw("proportions", table()).data.set_index(keys.TYPE_DOMAIN)["cells"]
    assert data["Tumor"] == 20
    assert data["Stroma"] == 20
    assert data["filtered"] + data["not assigned"] == 20


def test_composition_counts_every_category_in_every_group() -> None:
    data = draw("composition", table()).data
    counted = data.set_index([DOMAINS, keys.TYPE_DOMAIN])["cells"]
    obs = table().obs
    expected = obs.groupby([DOMAINS, keys.TYPE_DOMAIN], observed=False).size()
    assert counted.sort_index().to_dict() == expected.to_dict()


def test_the_elbow_plot_shows_the_domains_of_the_chosen_cells(tmp_path: Path) -> None:
    rows = [(d, "Tumor", 1.0, 0.001) for d in ("D0", "D1", "D2")]
    pd.DataFrame(rows, columns=["group", "name", "meanchange", "padj"]).to_csv(
        tmp_path / keys.ranking_csv(DOMAINS), index=False
    )
    drawn = draw("elbow", table()[:10].copy(), tmp_path)
    assert set(drawn.data["group"]) == {"D0"}


def test_dots_give_means_and_shares() -> None:
    cells = table()
    scores = draw("scores", cells).data
    tumor = cells.obs[keys.TYPE_DOMAIN] == "Tumor"
    own = cells.obs.loc[tumor, keys.score("Tumor")]
    row = scores[scores[keys.TYPE_DOMAIN] == "Tumor"].iloc[0]
    assert row["mean_score"] == pytest.approx(own.mean())
    assert row["share_above_0"] == pytest.approx((own > 0).mean())
    genes = draw("markers", cells).data
    assert set(genes["name"]) == set(GENES)


@pytest.mark.parametrize("kind", KINDS)
def test_no_cells_are_refused_with_a_sentence(kind: str) -> None:
    for nothing in (None, table()[:0].copy()):
        with pytest.raises(BadInputError, match="no cells"):
            draw(kind, nothing)


def test_a_column_that_is_not_there_or_empty_is_refused() -> None:
    with pytest.raises(BadInputError, match="no column 'x'"):
        KINDS["proportions"].draw(view(table()), "x", "")
    with pytest.raises(BadInputError, match="None of these cells"):
        draw("proportions", table()[2::3].copy())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "elbow"])
def test_nothing_of_a_framed_figure_lies_outside_it(kind: str) -> None:
    figure = screen.frame(draw(kind, table()).figure)
    picture = screen.render(figure, 64)
    rim = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    assert (rim[:, :3] == 255).all()


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "elbow"])
def test_the_title_lies_on_nothing(kind: str, bare: bool) -> None:
    cells = table()
    if bare:  # of nothing that would have a histogram
        cells.obs = cells.obs.drop(columns=["n_counts", "pct_counts_mt", "n_genes_by_counts"])
    figure = screen.frame(draw(kind, cells).figure)
    screen.render(figure, 64)
    title = figure.texts[0].get_window_extent()
    for axes in figure.axes:
        under = axes.get_tightbbox()
        assert title.y0 >= under.y1 or title.x1 <= under.x0, axes.get_title(loc="left")


def test_a_line_is_found_where_it_is_drawn() -> None:
    drawn = draw("qc", table())
    screen.frame(drawn.figure)
    limit = next(one for one in drawn.limits if one.parameter == "pct_mito")
    line = limit.axes.axvline(limit.value, color="#FF00FF")
    picture = screen.render(drawn.figure, 64)
    line.remove()
    panel = screen.panel_of(limit.axes, len(picture))
    middle = round((panel.top + panel.bottom) / 2)
    red, green, blue = (picture[middle, :, band].astype(int) for band in range(3))
    drawn_at = np.flatnonzero((red > green + 80) & (blue > green + 80)).mean() + 0.5
    assert panel.place(limit.value) == pytest.approx(drawn_at, abs=1)
    assert panel.value(panel.place(7.5)) == pytest.approx(7.5)


def test_figures_are_saved_by_ending_and_others_refused(tmp_path: Path) -> None:
    drawn = draw("qc", table())
    for ending in ("png", "svg", "csv"):
        assert save(drawn, tmp_path / f"qc.{ending}", {"pct_mito": 7.25}).stat().st_size > 500
    assert not drawn.limits[0].axes.lines
    with pytest.raises(BadInputError, match="change the ending"):
        save(drawn, tmp_path / "qc.doc")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["qc.csv", "qc.png", "qc.svg"]
