"""New counts of edited cells are those of counting all cells again."""

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
from napari_vhd.corrections.outlines import Outlines
from napari_vhd.corrections.recount import Counter
from napari_vhd.io.bin_counts import BinCounts
from napari_vhd.io.bin_grid import BinGrid
from napari_vhd.io.visium_hd import quiet
from napari_vhd.stages import aggregation, counting
from napari_vhd.stages.counting import Rule

if TYPE_CHECKING:
    from pathlib import Path

SIDE, PITCH, GENES = 36, 8.0, 15
CORNER = np.array([400.0, 900.0])
TURN = np.deg2rad(1.5)  # bins lie askew on the image, as on a real slide
EDITS = 8


def bin_places(row: Any, col: Any) -> np.ndarray:
    turn = np.array([[np.cos(TURN), -np.sin(TURN)], [np.sin(TURN), np.cos(TURN)]])
    return CORNER + PITCH * (np.column_stack([col, row]) + 0.5) @ turn.T


def bins_table(rng: np.random.Generator) -> anndata.AnnData:
    """Bins with some missing, in no order."""
    row, col = np.divmod(rng.permutation(SIDE**2)[: SIDE**2 - 60], SIDE)
    table = anndata.AnnData(
        sparse.csr_matrix(rng.poisson(0.7, (len(row), GENES)).astype(np.float32)),
        obs=pd.DataFrame(
            {
                keys.LOCATION_ID: np.arange(len(row)),
                keys.REGION_KEY: pd.Categorical([keys.bin_shapes("demo", 2)] * len(row)),
                keys.ARRAY_ROW: row + 7,
                keys.ARRAY_COL: col + 3,
            },
            index=[f"bin{i}" for i in range(len(row))],
        ),
        var=pd.DataFrame(index=[f"G{i}" for i in range(GENES)]),
        obsm={keys.SPATIAL: bin_places(row, col)},
    )
    return TableModel.parse(
        table,
        region=keys.bin_shapes("demo", 2),
        region_key=keys.REGION_KEY,
        instance_key=keys.LOCATION_ID,
    )


def blob(rng: np.random.Generator, near: np.ndarray | None = None) -> shapely.Polygon:
    """A bumpy outline; its centre anywhere, or near a place."""
    centre = CORNER + rng.uniform(0, SIDE * PITCH, 2) if near is None else near
    angles = np.sort(rng.uniform(0, 2 * np.pi, 12))
    radii = rng.uniform(10, 26, 12)
    points = centre + radii[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    return shapely.make_valid(shapely.Polygon(points)).buffer(0)


class Slide:
    """Bins and cells of which some are edited, beside the full count of them."""

    def __init__(self, seed: int, ratio: float, no_overlap: bool, cells: int = 40) -> None:
        self.rng = np.random.default_rng(seed)
        self.frames: dict[str, Any] = {
            "demo": Identity(),
            keys.MICRONS: Scale([0.25] * 2, ("x", "y")),
        }
        self.bins = bins_table(self.rng)
        ids = [f"c{i:06d}" for i in range(cells)]
        self.outlines = Outlines(
            keys.PROSEG, ids, np.array([blob(self.rng) for _ in ids], dtype=object)
        )
        frame = self.outlines.frame()
        self.rule = Rule.made(frame, keys.PROSEG, ratio, no_overlap)
        self.computed, _ = aggregation.counted(self.sdata(), "demo", self.rule)
        self.counter = Counter(
            BinCounts.of(self.bins), self.rule, self.computed.varm.get(keys.AGGREGATION)
        )
        self.now = {cell: self.computed.X[[row]] for row, cell in enumerate(ids)}

    def sdata(self) -> SpatialData:
        cells = gpd.GeoDataFrame(self.outlines.frame()[["geometry"]])
        squares = shapely.buffer(
            shapely.points(self.bins.obsm[keys.SPATIAL]), PITCH / 2, cap_style="square"
        )
        parsed = {
            keys.PROSEG: cells,
            keys.bin_shapes("demo", 2): gpd.GeoDataFrame(geometry=squares),
        }
        with quiet():
            return SpatialData(
                shapes={
                    name: ShapesModel.parse(frame, transformations=self.frames)
                    for name, frame in parsed.items()
                },
                tables={keys.bin_table(2): self.bins},
            )

    def edit(self) -> set[str]:
        """Change a few cells, one way or another; gives the ids of those recounted."""
        live = self.outlines.live_ids()
        chosen = [str(one) for one in self.rng.choice(live, size=self.rng.integers(1, 4))]
        after: dict[str, Any] = {}
        for cell in chosen:
            old = self.outlines.geometry(cell)
            centre = np.array(old.centroid.coords[0])
            match self.rng.integers(0, 5):
                case 0:
                    after[cell] = None
                case 1:
                    after[cell] = blob(self.rng, centre)
                case 2:
                    after[cell] = old.buffer(self.rng.uniform(-6, 12))
                case 3:
                    after[f"new-{self.rng.integers(1 << 40):x}"] = blob(self.rng)
                case 4:
                    other = self.outlines.id_of(self.outlines.pick(*centre))
                    if other != cell and other not in after:
                        after[cell] = old.union(self.outlines.geometry(other))
                        after[other] = None
        return self.apply(after)

    def apply(self, after: dict[str, Any]) -> set[str]:
        before = [
            self.outlines.geometry(cell) if self.outlines.row_of(cell) >= 0 else None
            for cell in after
        ]
        rows = [
            self.outlines.remove(cell)
            if shape is None or shape.is_empty
            else self.outlines.put(cell, shape)
            for cell, shape in after.items()
        ]
        done = self.counter.recount(self.outlines, rows, before)
        for cell, shape in after.items():
            if shape is None or shape.is_empty:
                self.now.pop(cell, None)
        ids = self.outlines.ids_of(done.rows)
        self.now.update({cell: done.counts[[row]] for row, cell in enumerate(ids)})
        assert (done.membership @ self.bins.X != done.counts).nnz == 0
        return set(ids)

    def in_full(self) -> dict[str, Any]:
        """Count all cells by the recorded rule."""
        kept = self.computed.varm.get(keys.AGGREGATION)
        components = counting.recorded_components(self.rule, kept, GENES)
        table, _ = aggregation.counted(self.sdata(), "demo", self.rule, components)
        return {cell: table.X[[row]] for row, cell in enumerate(table.obs_names)}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all((one[cell] != other[cell]).nnz == 0 for cell in one)


@pytest.mark.parametrize("no_overlap", [False, True])
@pytest.mark.parametrize("ratio", [0.0, 0.6])
@pytest.mark.parametrize("seed", range(4))
def test_counts_after_random_edits_are_those_of_a_full_aggregation(
    seed: int, ratio: float, no_overlap: bool
):
    slide = Slide(seed, ratio, no_overlap)
    for _ in range(EDITS):
        before = slide.now | {}
        recounted = slide.edit()
        expected = slide.in_full()
        assert same(slide.now, expected)
        # Nobody is named whose counts could not have changed.
        moved = {cell for cell in before if cell in expected and cell not in recounted}
        assert all((before[cell] != expected[cell]).nnz == 0 for cell in moved)
    for cell in set(slide.now) & set(slide.computed.obs_names):
        assert slide.outlines.id_of(slide.outlines.row_of(cell)) == cell


@pytest.mark.parametrize("seed", range(3))
def test_with_no_overlap_an_edit_reaches_along_a_chain_and_no_farther(seed: int):
    slide = Slide(seed, 0.0, no_overlap=True, cells=1)
    slide.apply({"c000000": None})
    radius, step = 30, 34
    slide.apply(
        {
            f"c{i}": shapely.Point(CORNER + np.array([30 + step * i, 140])).buffer(radius)
            for i in range(7)
        }
    )
    kept = slide.in_full()
    slide.computed.varm[keys.AGGREGATION] = slide.rng.normal(size=(GENES, 5)).astype(np.float32)
    slide.counter = Counter(slide.counter.bins, slide.rule, slide.computed.varm[keys.AGGREGATION])
    slide.now = slide.in_full()
    assert kept.keys() == slide.now.keys()
    for grown in (-12, 8, -20, 25):
        recounted = slide.apply({"c0": slide.outlines.geometry("c0").buffer(grown)})
        assert same(slide.now, slide.in_full())
        assert recounted <= {"c0", "c1", "c2", "c3"}


def test_a_removed_cell_is_not_counted_and_one_off_the_bins_has_none():
    slide = Slide(0, 0.0, no_overlap=False)
    assert slide.apply({"c000003": None}) == set()
    far = shapely.box(-500, -500, -480, -480)
    assert slide.apply({"new": far}) == {"new"}
    assert slide.now["new"].sum() == 0
    assert same(slide.now, slide.in_full())


def test_many_edits_counted_at_once_are_those_counted_one_by_one():
    slide = Slide(3, 0.5, no_overlap=True)
    before = {cell: slide.outlines.geometry(cell) for cell in slide.outlines.live_ids()}
    for _ in range(EDITS):
        slide.edit()
    touched = [
        cell
        for cell in slide.outlines.ids_of(range(slide.outlines.n_rows))
        if slide.outlines.row_of(cell) < 0
        or cell not in before
        or slide.outlines.geometry(cell) != before[cell]
    ]
    rows = [slide.outlines.ids_of(range(slide.outlines.n_rows)).index(cell) for cell in touched]
    done = slide.counter.recount(slide.outlines, rows, [before.get(cell) for cell in touched])
    for row, cell in enumerate(slide.outlines.ids_of(done.rows)):
        assert (slide.now[cell] != done.counts[[row]]).nnz == 0


def test_a_stored_sample_is_counted_with_the_rule_it_keeps(tmp_path: Path):
    slide = Slide(5, 0.6, no_overlap=True)
    sdata = slide.sdata()
    with quiet():
        sdata.tables[keys.CELLS] = slide.computed
        sdata.write(tmp_path / keys.STORE)
    counter = Counter.open(tmp_path / keys.STORE)
    assert counter is not None
    assert counter.rule == slide.rule
    assert counter.n_genes == GENES
    slide.counter = counter
    for _ in range(3):
        slide.edit()
        assert same(slide.now, slide.in_full())


def test_a_store_without_counted_cells_has_no_counter(tmp_path: Path):
    slide = Slide(5, 0.6, no_overlap=False)
    with quiet():
        slide.sdata().write(tmp_path / keys.STORE)
    assert Counter.open(tmp_path / keys.STORE) is None


def test_bins_are_found_on_a_turned_grid_as_by_looking_at_each():
    rng = np.random.default_rng(2)
    table = bins_table(rng)
    outlines = [blob(rng) for _ in range(30)]
    outlines += [shapely.box(*CORNER - 50, *CORNER + SIDE * PITCH + 50), shapely.Polygon()]
    found = BinGrid.of(table).within([*outlines, None])
    looked_at = counting.bins_within(outlines, table.obsm[keys.SPATIAL])
    assert (found[:-1] != looked_at).nnz == 0
    assert found[-1].nnz == 0
    assert found[-3].nnz == table.n_obs
