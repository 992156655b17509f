"""Figures that are no maps: histograms, islands, elbow, matrices, outlines, pages."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection
from spatialdata import SpatialData
from spatialdata.models import Image2DModel
from spatialdata.transformations import Scale

from napari_vhd import keys
from napari_vhd.figures import deconvolution, domains, elbow, overview, qc, scores, segmentation

from .conftest import ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matplotlib.figure import Figure

    from napari_vhd.figures.view import View

    ViewOf = Callable[[SpatialData], View]


def the(figures: Iterator[tuple[str, Figure]], name: str) -> Figure:
    return dict(figures)[name]


def texts(figure: Figure) -> list[str]:
    in_axes = [t.get_text() for axes in figure.axes for t in axes.texts]
    return [*(t.get_text() for t in figure.texts), *in_axes]


def vertical_lines(figure: Figure, axes: int) -> list[float]:
    lines = [line.get_xdata() for line in figure.axes[axes].lines]
    return [float(x[0]) for x in lines if len(x) == 2 and x[0] == x[1]]


def test_histograms_show_the_limits_and_why_cells_were_left_out(
    sdata: SpatialData, view_of: ViewOf
) -> None:
    figure = the(qc.after_qc(view_of(sdata)), "qc_histograms.png")

    assert vertical_lines(figure, 0) == [1.0]
    assert vertical_lines(figure, 1) == [10.0]
    reasons = figure.axes[-1]
    labels = [label.get_text().replace("\n", " ") for label in reasons.get_yticklabels()]
    assert labels == ["kept", "mitochondrial counts"]
    assert [bar.get_width() for bar in reasons.patches] == [11, 1]


@pytest.mark.parametrize(("least_counts", "limit"), [(1, 6.0), (200, 9.2727)])
def test_the_mt_limit_is_the_quantile_of_the_cells_with_enough_counts(
    sdata: SpatialData, view_of: ViewOf, least_counts: int, limit: float
) -> None:
    view = view_of(sdata)
    params = dataclasses.replace(
        view.config.params, percentile_pct_mito=0.5, filter_cells_counts=least_counts
    )
    view = dataclasses.replace(view, config=dataclasses.replace(view.config, params=params))

    figure = the(qc.after_qc(view), "qc_histograms.png")

    assert vertical_lines(figure, 1) == [pytest.approx(limit, abs=1e-4)]


def test_islands_bear_their_numbers_on_them(sdata: SpatialData, view_of: ViewOf) -> None:
    view = view_of(sdata)
    table = sdata.tables[keys.CELLS]

    figure = the(qc.after_qc(view), "islands.png")

    numbers = {t.get_text(): t.get_position() for t in figure.axes[0].texts}
    assert sorted(numbers) == ["1", "2"]
    for number, (x, y) in numbers.items():
        at = np.abs(table.obsm[keys.SPATIAL] - (x, y)).sum(1).argmin()
        assert str(table.obs[keys.ISLAND].iloc[at]) == number
    assert "1 (6), 2 (5)" in figure.texts[-1].get_text()


def test_one_island_is_enough(sdata: SpatialData, view_of: ViewOf) -> None:
    sdata.tables[keys.CELLS].obs[keys.ISLAND] = pd.array([7] * 12, dtype="Int32")

    figure = the(qc.after_qc(view_of(sdata)), "islands.png")

    assert [t.get_text() for t in figure.axes[0].texts] == ["7"]


def test_each_pair_of_neighbours_is_one_line(sdata: SpatialData, view_of: ViewOf) -> None:
    graph = sdata.tables[keys.CELLS].obsp["spatial_connectivities"]

    figure = the(qc.after_neighbors(view_of(sdata)), "connectivities.png")

    (lines,) = [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]
    assert len(lines.get_segments()) == graph.nnz / 2
    assert f"{graph.nnz // 2} pairs" in figure.texts[-1].get_text()


def test_a_dense_graph_is_shown_in_a_window_too(
    sdata: SpatialData, view_of: ViewOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qc, "_MOST_LINES", 3)

    figure = the(qc.after_neighbors(view_of(sdata)), "connectivities.png")

    whole, window = figure.axes[:2]
    assert not [c for c in whole.collections if isinstance(c, LineCollection)]
    assert [c for c in window.collections if isinstance(c, LineCollection)]
    assert np.ptp(window.get_xlim()) < np.ptp(whole.get_xlim())


def test_proportions_of_domains_are_of_the_cells_that_have_one(
    sdata: SpatialData, view_of: ViewOf
) -> None:
    figure = the(domains.after_domains(view_of(sdata)), "domains_proportions_2.png")

    assert [bar.get_width() for bar in figure.axes[0].patches] == [60.0, 40.0]


def test_the_elbow_is_cut_after_the_signatures_that_name_the_domain(
    sdata: SpatialData, view_of: ViewOf
) -> None:
    view = view_of(sdata)
    figure = the(elbow.elbow_plots(view, keys.domains(2)), "elbow_plot_novae_domains_2.png")

    assert [axes.get_title(loc="left") for axes in figure.axes] == ["D1 → Tumor", "D2 → Unknown"]
    assert vertical_lines(figure, 0) == [0.5]
    assert vertical_lines(figure, 1) == []
    ticks = [label.get_text() for label in figure.axes[1].get_xticklabels()]
    assert ticks == ["Stroma", "Tumor"]


def test_the_cut_passes_over_a_signature_that_is_not_significant(
    sdata: SpatialData, view_of: ViewOf
) -> None:
    view = view_of(sdata)
    path = view.run_dir / keys.ranking_csv(keys.domains(2))
    ranking = pd.read_csv(path)
    ranking.loc[:1, "padj"] = (0.4, 0.001)
    ranking.to_csv(path, index=False)

    figure = the(elbow.elbow_plots(view, keys.domains(2)), "elbow_plot_novae_domains_2.png")

    assert figure.axes[0].get_title(loc="left") == "D1 → Stroma"
    assert vertical_lines(figure, 0) == [1.5]


def test_without_a_ranking_there_is_no_elbow_plot(sdata: SpatialData, view_of: ViewOf) -> None:
    view = view_of(sdata)
    (view.run_dir / keys.ranking_csv(keys.domains(2))).unlink()

    assert list(elbow.elbow_plots(view, keys.domains(2))) == []


def test_the_matrix_holds_the_mean_score_of_each_domain(
    sdata: SpatialData, view_of: ViewOf
) -> None:
    obs = sdata.tables[keys.CELLS].obs

    figure = the(scores.after_enrichment(view_of(sdata)), "matrixplot.png")

    shown = np.asarray(figure.axes[0].images[0].get_array())
    columns = [keys.score("Tumor"), keys.score("Stroma")]
    expected = obs.groupby(keys.domains(2), observed=True)[columns].mean()
    assert shown == pytest.approx(expected.to_numpy())


def test_dots_are_as_large_as_the_share_of_cells(sdata: SpatialData, view_of: ViewOf) -> None:
    figure = the(scores.after_enrichment(view_of(sdata)), "dotplot_scores.png")

    dots = [c for c in figure.axes[0].collections if isinstance(c, PathCollection)][-1]
    sizes = dots.get_sizes().reshape(2, 2)
    assert sizes[0, 0] == sizes[1, 1] > 0
    assert sizes[0, 1] == sizes[1, 0] == 0


def test_marker_genes_are_those_that_were_scored_wherever_they_came_from(
    sdata: SpatialData, view_of: ViewOf
) -> None:
    view = view_of(sdata)
    params = dataclasses.replace(view.config.params, marker_source="celltypist")
    config = dataclasses.replace(view.config, params=params, marker_genes={})
    table = sdata.tables[keys.CELLS]
    table.uns[keys.SIGNATURES] = {"T_cells": np.array(["REG1A", "REG1B"])}
    for of in (keys.score, keys.raw_score):
        table.obs[of("T_cells")] = table.obs.pop(of("Tumor"))

    figures = dict(scores.after_enrichment(dataclasses.replace(view, config=config)))

    assert "REG1A, REG1B" in figures["score_T_cells.png"].texts[-1].get_text()
    genes = [t.get_text() for t in figures["dotplot_markers.png"].axes[0].get_xticklabels()]
    assert genes == ["REG1A", "REG1B"]


def test_proportions_are_paged_by_twelve(sdata: SpatialData, view_of: ViewOf) -> None:
    table = sdata.tables[keys.bin_table(8)]
    for number in range(12):
        table.obs[keys.proportion(f"type{number}")] = 0.05

    figures = dict(deconvolution.after_rctd(view_of(sdata)))

    first, second = figures["rctd_proportions.png"], figures["rctd_proportions_2.png"]
    assert "1 of 2" in first.texts[0].get_text()
    titles = [axes.get_title(loc="left") for axes in [*first.axes, *second.axes]]
    assert len([t for t in titles if t]) == 14
    assert "Tumor: 50.0 %" in titles


def test_outlines_lie_on_the_boundaries(sdata: SpatialData, view_of: ViewOf) -> None:
    figure = the(segmentation.after_proseg(view_of(sdata)), "both_outlines.png")

    cells, nuclei = [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]
    for lines, element in ((cells, keys.PROSEG), (nuclei, keys.STARDIST)):
        drawn = {tuple(np.vstack(s).min(0)) for s in lines.get_segments()}
        bounds = sdata.shapes[element].bounds
        assert drawn == set(zip(bounds.minx, bounds.miny, strict=True))
    assert "12 cells, median 225 µm²; 12 nuclei" in figure.axes[0].get_title(loc="left")


def test_many_outlines_are_drawn_from_a_raster(
    sdata: SpatialData, view_of: ViewOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segmentation, "_MOST_VECTORS", 3)

    figure = the(segmentation.after_stardist(view_of(sdata)), "stardist_outlines.png")

    whole = figure.axes[0]
    assert not [c for c in whole.collections if isinstance(c, LineCollection)]
    green = (np.asarray(whole.images[0].get_array()) == (0, 212, 60)).all(-1)
    assert green.any()


def test_both_are_drawn_only_where_both_are(sdata: SpatialData, view_of: ViewOf) -> None:
    del sdata.shapes[keys.STARDIST]

    assert list(dict(segmentation.after_proseg(view_of(sdata)))) == ["proseg_outlines.png"]


def test_the_region_is_framed_on_the_slide(sdata: SpatialData, view_of: ViewOf) -> None:
    figure = the(overview.after_read(view_of(sdata)), "overview.png")

    corners = figure.axes[0].patches[0].get_xy()
    assert corners.min(0).tolist() == [1000, 500]
    assert corners.max(0).tolist() == [1384, 820]


def test_after_reading_the_overview_needs_no_bins(
    sdata: SpatialData, view_of: ViewOf, he: np.ndarray
) -> None:
    picture = Image2DModel.parse(
        he[::4, ::4].transpose(2, 0, 1),
        dims=("c", "y", "x"),
        transformations={ID: Scale([4, 4], axes=("x", "y"))},
    )
    only_read = SpatialData(images={keys.lowres_image(ID): picture})

    figure = the(overview.after_read(view_of(only_read)), "overview.png")

    (axes,) = figure.axes
    assert axes.get_xlabel() == f"{he.shape[1]} px"
    assert axes.patches[0].get_xy().min(0).tolist() == [1000, 500]


def test_a_region_drawn_in_a_file_is_framed_too(sdata: SpatialData, view_of: ViewOf) -> None:
    view = view_of(sdata)
    path = view.run_dir / "region.geojson"
    path.write_text(
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, '
        '"geometry": {"type": "Polygon", "coordinates": '
        "[[[1010, 510], [1200, 510], [1100, 700], [1010, 510]]]}}]}"
    )
    sample = dataclasses.replace(view.config.samples[0], region=str(path))
    config = dataclasses.replace(view.config, samples=(sample,))

    figure = the(overview.after_read(dataclasses.replace(view, config=config)), "overview.png")

    assert figure.axes[0].patches[0].get_xy().max(0).tolist() == [1200, 700]


def test_the_sample_is_named_in_every_title(sdata: SpatialData, view_of: ViewOf) -> None:
    for after in (qc.after_qc, scores.after_enrichment, overview.after_region):
        for name, figure in after(view_of(sdata)):
            assert figure.texts[0].get_text().endswith("· gut"), name
    assert ID not in texts(figure)
