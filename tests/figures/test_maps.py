from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from napari_vhd import keys
from napari_vhd.figures import maps
from napari_vhd.figures.colors import FILTERED, categories, diverging, sequential
from napari_vhd.palettes import colors_for

from .conftest import COLORS, CORNER, HEIGHT, UM_PER_PX, WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure
    from spatialdata import SpatialData

    from napari_vhd.figures.view import View

    ViewOf = Callable[[SpatialData], View]


def legend_texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def rgb(color: str) -> list[int]:
    return [int(color[i : i + 2], 16) for i in (1, 3, 5)]


def picture(figure: Figure) -> np.ndarray:
    return np.asarray(figure.axes[0].images[0].get_array())


def test_the_legend_lists_every_category_with_its_count(
    sdata: SpatialData, view_of: ViewOf
) -> None:
    view = view_of(sdata)

    figure = maps.map_categories(view, view.cells, keys.domains(2), "Domains")

    assert legend_texts(figure) == ["D1 (6)", "D2 (4)", "not assigned: 1", "filtered: 1"]
    assert figure.texts[0].get_text() == "Domains · gut"


def test_each_cell_has_the_stored_colour_at_its_place(sdata: SpatialData, view_of: ViewOf) -> None:
    view = view_of(sdata)
    table = sdata.tables[keys.CELLS]

    figure = maps.map_categories(view, view.cells, keys.TYPE_DOMAIN, "Types")

    drawn = picture(figure)
    scale = drawn.shape[1] / view.box.width
    expected = [COLORS.get(t, FILTERED) for t in table.obs[keys.TYPE_DOMAIN]]
    for (x, y), color in zip(table.obsm[keys.SPATIAL], expected, strict=True):
        row, column = int((y - view.box.y0) * scale), int((x - view.box.x0) * scale)
        assert drawn[row, column].tolist() == rgb(color)


def test_without_stored_colours_the_palette_gives_them(sdata: SpatialData, view_of: ViewOf) -> None:
    view = view_of(sdata)
    del sdata.tables[keys.CELLS].uns[f"{keys.TYPE_DOMAIN}_colors"]

    shown = categories(view.cells, keys.TYPE_DOMAIN)

    assert shown.names[:2] == ("Stroma", "Tumor")
    assert list(shown.colors[:2]) == colors_for(["Stroma", "Tumor"])


def test_plain_text_and_numbers_can_be_categories(sdata: SpatialData, view_of: ViewOf) -> None:
    view = view_of(sdata)
    obs = sdata.tables[keys.CELLS].obs
    obs["region_name"] = [None, *["margin"] * (len(obs) - 1)]
    obs["number"] = pd.array([1] * len(obs), dtype="Int64")

    assert categories(view.cells, "region_name").names == ("margin", "not assigned", "filtered")[:2]
    assert categories(view.cells, "number").names == ("1",)


def test_bins_that_rctd_did_not_fit_are_counted_as_filtered(
    sdata: SpatialData, view_of: ViewOf
) -> None:
    view = view_of(sdata)

    figure = maps.map_categories(view, view.bins(8), keys.RCTD_DOMINANT, "RCTD")

    assert legend_texts(figure) == ["Stroma (54)", "Tumor (54)", "filtered: 12"]


def test_over_the_he_filtered_cells_let_the_tissue_through(
    sdata: SpatialData, view_of: ViewOf
) -> None:
    view = view_of(sdata)
    figure = maps.map_categories(view, view.cells, keys.TYPE_DOMAIN, "Types", over_tissue=True)

    drawn = picture(figure)
    scale = drawn.shape[1] / view.box.width
    places = sdata.tables[keys.CELLS].obsm[keys.SPATIAL] - (view.box.x0, view.box.y0)
    at = [drawn[int(y * scale), int(x * scale)] for x, y in places]
    assert at[-1].tolist() == pytest.approx([230, 150, 200], abs=1)
    mixed = 0.45 * np.array(rgb(COLORS["Tumor"])) + 0.55 * np.array([230, 150, 200])
    assert at[0] == pytest.approx(mixed, abs=3)


def test_the_map_shows_the_bins_extent_in_um(sdata: SpatialData, view_of: ViewOf) -> None:
    view = view_of(sdata)
    figure = maps.map_categories(view, view.cells, keys.TYPE_DOMAIN, "Types")
    axes = figure.axes[0]

    assert view.um_per_px == pytest.approx(UM_PER_PX)
    assert axes.get_xlim() == (CORNER[0], CORNER[0] + WIDTH)
    assert axes.get_ylim() == (CORNER[1] + HEIGHT, CORNER[1])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("96 µm", "80 µm")


def test_the_scale_bar_has_the_length_it_says(sdata: SpatialData, view_of: ViewOf) -> None:
    view = view_of(sdata)
    figure, axes = maps.one_map(view, "Map")
    figure.canvas.draw()

    (bar,) = [a for a in axes.artists if isinstance(a, AnchoredSizeBar)]
    rectangle = bar.size_bar.get_children()[0]
    assert bar.txt_label.get_text() == "20 µm"
    assert rectangle.get_width() * UM_PER_PX == pytest.approx(20)


def test_missing_values_are_grey_and_counted(sdata: SpatialData, view_of: ViewOf) -> None:
    view = view_of(sdata)
    values = np.arange(12.0)
    values[0] = np.nan

    figure = maps.map_values(view, view.cells, values, "Values", sequential(values), "UMIs")

    assert "1 of 12 cells have no value" in figure.texts[-1].get_text()
    assert picture(figure)[100, 100].tolist() == rgb(FILTERED)


def test_colours_span_the_middle_98_per_cent(sdata: SpatialData) -> None:
    values = np.append(np.linspace(0, 100, 1001), 1e6)

    scale = sequential(values)

    assert (scale.norm.vmin, scale.norm.vmax) == pytest.approx((1, 99.1), abs=0.1)
    assert scale.extend == "both"


def test_a_diverging_scale_is_white_at_zero() -> None:
    scale = diverging(np.array([-1.0, 0.0, 4.0]))

    assert scale.norm.vmin == -scale.norm.vmax
    assert scale.rgba(np.array([0.0]))[0, :3].min() > 240


@pytest.mark.parametrize("values", [[], [np.nan], [3.0, 3.0], [0.0]])
def test_scales_come_from_any_values(values: list[float]) -> None:
    numbers = np.array(values)
    for scale in (sequential(numbers), diverging(numbers)):
        assert scale.norm.vmax > scale.norm.vmin
        assert scale.rgba(numbers).shape == (len(numbers), 4)


def test_a_table_of_nuclei_is_drawn_by_its_own_boundaries(
    sdata: SpatialData, view_of: ViewOf
) -> None:
    sdata.tables[keys.CELLS].obs["region"] = pd.Categorical([keys.STARDIST] * 12)
    view = view_of(sdata)

    covered = (view.cells.raster(400).number >= 0).mean()

    assert covered == pytest.approx(12 * 30**2 / (WIDTH * HEIGHT), rel=0.1)


def test_the_id_is_the_name_where_the_config_has_none(sdata: SpatialData, view_of: ViewOf) -> None:
    view = view_of(sdata)

    assert view.name == "gut"
    assert type(view)(sdata, "other", view.config, view.run_dir).name == "other"
