"""Counting bins into cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from scipy import sparse
from spatialdata import SpatialData
from spatialdata.models import ShapesModel, TableModel
from spatialdata.transformations import Identity, Scale

from napari_vhd import keys
from napari_vhd.exceptions import StageError
from napari_vhd.io.visium_hd import quiet
from napari_vhd.parameters import AggregationParameters
from napari_vhd.stages import aggregation, counting
from napari_vhd.stages.counting import Rule, bins_within, profiles, shared, unshared

if TYPE_CHECKING:
    from anndata import AnnData

UM_PER_PX = 0.25
BIN_PX = 2 / UM_PER_PX
SIDE = 30
CORNER = np.array([400.0, 900.0])


def slide(outlines: dict[str, Any], name: str = keys.STARDIST, genes: int = 12) -> SpatialData:
    """30 × 30 bins, far from the origin, and the given outlines in full-resolution px."""
    rng = np.random.default_rng(1)
    row, col = np.divmod(np.arange(SIDE**2), SIDE)
    centres = CORNER + (np.column_stack([col, row]) + 0.5) * BIN_PX
    squares = shapely.box(*(centres - BIN_PX / 2).T, *(centres + BIN_PX / 2).T)
    frames: dict[str, Any] = {"demo": Identity(), keys.MICRONS: Scale([UM_PER_PX] * 2, ("x", "y"))}
    bins = keys.bin_shapes("demo", 2)
    # Rows in another order than the squares, as after any filter.
    order = rng.permutation(SIDE**2)
    table = anndata.AnnData(
        sparse.csr_matrix(rng.poisson(0.8, (SIDE**2, genes)).astype(np.float32)),
        obs=pd.DataFrame(
            {
                keys.LOCATION_ID: order,
                keys.REGION_KEY: pd.Categorical([bins] * SIDE**2),
                "array_row": row[order],
                "array_col": col[order],
            },
            index=[f"bin{i}" for i in order],
        ),
        var=pd.DataFrame(index=[f"G{i}" for i in range(genes)]),
        obsm={keys.SPATIAL: centres[order]},
    )
    return SpatialData(
        shapes={
            bins: ShapesModel.parse(gpd.GeoDataFrame(geometry=squares), transformations=frames),
            name: ShapesModel.parse(
                gpd.GeoDataFrame(geometry=list(outlines.values()), index=list(outlines)),
                transformations=frames,
            ),
        },
        tables={
            keys.bin_table(2): TableModel.parse(
                table, region=bins, region_key=keys.REGION_KEY, instance_key=keys.LOCATION_ID
            )
        },
    )


def disc(x: float, y: float, radius: float) -> Any:
    """A disc at a place in px from the corner of the bins."""
    return shapely.Point(CORNER + np.array([x, y])).buffer(radius)


OUTLINES = {"n000001": disc(60, 50, 18), "n000007": disc(95, 55, 14), "n000030": disc(180, 200, 20)}


def by_hand(sdata: SpatialData, outline: Any) -> np.ndarray:
    """Counts of the bins whose centre is in an outline, one bin at a time."""
    bins = sdata[keys.bin_table(2)]
    total = np.zeros(bins.n_vars)
    for place, counts in zip(bins.obsm[keys.SPATIAL], bins.X.toarray(), strict=True):
        if outline.intersects(shapely.Point(place)):
            total += counts
    return total


def run(make_sample: Any, sdata: SpatialData, **parameters: Any) -> tuple[AnnData, dict[str, Any]]:
    outcome = aggregation.STAGE.run(
        [make_sample(sdata)],
        AggregationParameters(**{"boundaries_to_type": "stardist"} | parameters),
    )[0]
    assert (outcome.files[keys.SEGMENTED_H5AD]).is_file()
    return outcome.elements[keys.CELLS], dict(outcome.numbers)


def test_counts_are_the_bins_with_their_centre_in_the_outline(make_sample):
    sdata = slide(OUTLINES)
    table, _ = run(make_sample, sdata, expand_radius_ratio=0)
    for row, outline in enumerate(OUTLINES.values()):
        assert (table.X[row].toarray().ravel() == by_hand(sdata, outline)).all()
    assert list(table.obs_names) == list(OUTLINES) == list(table.obs[keys.CELL_ID])
    assert (table.layers[keys.COUNTS] != table.X).nnz == 0


def test_nuclei_grow_by_the_mean_radius_and_proseg_cells_do_not(make_sample):
    sdata = slide(OUTLINES)
    table, _ = run(make_sample, sdata)
    mean = np.mean([np.sqrt(outline.area / np.pi) for outline in OUTLINES.values()])
    for row, outline in enumerate(OUTLINES.values()):
        assert (table.X[row].toarray().ravel() == by_hand(sdata, outline.buffer(mean))).all()
    assert Rule.of(table).expansion_px == pytest.approx(mean)
    cells = slide(OUTLINES, keys.PROSEG)
    table, _ = run(make_sample, cells, boundaries_to_type="proseg")
    assert Rule.of(table).expansion_px == 0
    assert (table.X[0].toarray().ravel() == by_hand(cells, OUTLINES["n000001"])).all()


def test_shared_bins_are_counted_twice_and_said_so(make_sample):
    table, numbers = run(make_sample, slide(OUTLINES), expand_radius_ratio=1)
    times = np.asarray(table.obsm[keys.BINS_ASSIGNMENTS].sum(axis=0)).ravel()
    assert times.max() == 2
    assert numbers["bins counted in several cells (%)"] == pytest.approx(
        100 * (times > 1).sum() / (times > 0).sum(), abs=0.01
    )


def test_without_overlap_every_bin_is_counted_once_and_none_is_lost(make_sample):
    sdata = slide(OUTLINES)
    both, _ = run(make_sample, sdata, expand_radius_ratio=1)
    once, numbers = run(make_sample, sdata, expand_radius_ratio=1, no_overlap=True)
    counted = [np.asarray(t.obsm[keys.BINS_ASSIGNMENTS].sum(axis=0)).ravel() for t in (both, once)]
    assert counted[1].max() == 1
    assert ((counted[0] > 0) == (counted[1] > 0)).all()
    assert numbers["bins counted in several cells (%)"] == 0


def test_without_overlap_agrees_with_sopa(make_sample):
    from sopa.aggregation import aggregate_bins

    sdata = slide(OUTLINES)
    table, _ = run(make_sample, sdata, expand_radius_ratio=1, no_overlap=True)
    with quiet():
        theirs = aggregate_bins(sdata, keys.STARDIST, keys.bin_table(2), 1, no_overlap=True)
    assert (table.X != theirs.X).nnz == 0


def test_the_kept_rule_counts_one_cell_as_all_were_counted(make_sample):
    sdata = slide(OUTLINES)
    table, _ = run(make_sample, sdata, expand_radius_ratio=1, no_overlap=True)
    rule, bins = Rule.of(table), sdata[keys.bin_table(2)]
    inside = bins_within(list(OUTLINES.values()), bins.obsm[keys.SPATIAL], rule.expansion_px)
    components = table.varm[keys.AGGREGATION]
    again = counting.share_out(
        inside,
        profiles(unshared(inside) @ bins.X, components),
        profiles(bins.X[shared(inside)], components),
        list(OUTLINES),
    )
    assert (again != table.obsm[keys.BINS_ASSIGNMENTS]).nnz == 0
    own = profiles(unshared(inside) @ bins.X, components)
    assert np.array_equal(own, table.obsm[keys.AGGREGATION])


def test_places_are_in_full_px_and_um_and_areas_in_um2(make_sample):
    table, _ = run(make_sample, slide(OUTLINES))
    assert table.obsm[keys.SPATIAL][0] == pytest.approx(CORNER + np.array([60, 50]))
    assert table.obsm[keys.SPATIAL_UM] == pytest.approx(table.obsm[keys.SPATIAL] * UM_PER_PX)
    assert table.obs[keys.AREA_UM2].iloc[0] == pytest.approx(
        OUTLINES["n000001"].area * UM_PER_PX**2
    )


def test_outlines_in_other_coordinates_are_counted_at_the_same_place(make_sample):
    sdata = slide(OUTLINES)
    expected, _ = run(make_sample, sdata)
    in_um = gpd.GeoDataFrame(
        geometry=[shapely.transform(o, lambda p: p * UM_PER_PX) for o in OUTLINES.values()],
        index=list(OUTLINES),
    )
    back = {"demo": Scale([1 / UM_PER_PX] * 2, ("x", "y")), keys.MICRONS: Identity()}
    del sdata.shapes[keys.STARDIST]
    sdata.shapes[keys.STARDIST] = ShapesModel.parse(in_um, transformations=back)
    table, _ = run(make_sample, sdata)
    assert (table.X != expected.X).nnz == 0
    assert table.obsm[keys.SPATIAL] == pytest.approx(expected.obsm[keys.SPATIAL])


def test_a_cell_without_bins_stays(make_sample):
    table, _ = run(
        make_sample, slide({**OUTLINES, "n000031": disc(-500, -500, 10)}), expand_radius_ratio=0
    )
    assert table.n_obs == 4
    assert table.obs["n_bins"].iloc[3] == 0


def test_the_table_survives_the_disk(make_sample, tmp_path):
    table, _ = run(make_sample, slide(OUTLINES), no_overlap=True)
    read = anndata.read_h5ad(tmp_path / "scratch" / keys.SEGMENTED_H5AD)
    assert Rule.of(read) == Rule.of(table)
    assert (read.X != table.X).nnz == 0
    assert (read.obsm[keys.BINS_ASSIGNMENTS] != table.obsm[keys.BINS_ASSIGNMENTS]).nnz == 0


def test_missing_outlines_are_said_with_the_mend(make_sample):
    with pytest.raises(StageError, match="boundaries_to_type"):
        run(make_sample, slide(OUTLINES), boundaries_to_type="proseg")
