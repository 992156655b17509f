"""What ProSeg gives for corrected nuclei, as a proposal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from napari_vhd import keys
from napari_vhd.corrections.outlines import Outlines
from napari_vhd.corrections.refine import GROWN, Proposal, Request, proposal, write_request
from napari_vhd.exceptions import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

STEP = 100.0
REGION = shapely.box(-50, -50, 250, 50)


def disc(number: float, radius: float) -> Any:
    return shapely.Point(STEP * number, 0).buffer(radius)


def outlines(name: str, shapes: dict[str, Any]) -> Outlines:
    return Outlines(name, list(shapes), np.array(list(shapes.values()), dtype=object))


class Bench:
    """Five nuclei in a row, a cell around each; the first three are in the region."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nuclei = outlines(keys.STARDIST, {f"n{i}": disc(i, 15) for i in range(5)})
        self.cells = outlines(keys.PROSEG, {f"c{i}": disc(i, 40) for i in range(5)})
        self.nucleus_of = {f"c{i}": f"n{i}" for i in range(5)}

    def proposed(self, grown: dict[str, Any], region: Any = REGION) -> Proposal:
        """Give a proposal, as if ProSeg had grown these cells (nucleus -> outline)."""
        request = Request("store", "demo", 0.25, region.wkt, {})
        write_request(self.folder, request, self.nuclei)
        frame = gpd.GeoDataFrame({keys.NUCLEUS_ID: list(grown)}, geometry=list(grown.values()))
        frame.to_parquet(self.folder / GROWN)
        return proposal(self.folder, self.cells, self.nuclei, self.nucleus_of)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def grown_from(nuclei: Outlines, radius: float = 45) -> dict[str, Any]:
    return {
        cell: shapely.centroid(nuclei.geometry(cell)).buffer(radius) for cell in nuclei.live_ids()
    }


def test_cells_in_the_region_keep_their_ids_and_those_outside_are_not_touched(bench: Bench):
    made = bench.proposed(grown_from(bench.nuclei))
    assert set(made.outlines) == {"c0", "c1", "c2"}
    assert made.outlines["c1"].area == pytest.approx(disc(1, 45).area)
    assert made.before["c1"].equals(disc(1, 40))
    assert made.made == ()
    assert made.summary == "3 cells get another outline, 0 are new, 0 are gone."


def test_a_cell_that_did_not_change_is_not_named(bench: Bench):
    grown = grown_from(bench.nuclei) | {"n1": bench.cells.geometry("c1")}
    assert set(bench.proposed(grown).outlines) == {"c0", "c2"}


def test_a_merged_nucleus_gives_one_cell_with_the_id_of_the_one_that_stayed(bench: Bench):
    bench.nuclei.remove("n1")
    bench.nuclei.put("n0", shapely.box(-15, -15, 115, 15))
    made = bench.proposed({"n0": shapely.box(-40, -40, 140, 40), "n2": disc(2, 45)})
    assert made.outlines["c0"].area == 180 * 80
    assert made.outlines["c1"] is None
    assert made.made == ()


def test_a_split_nucleus_gives_a_new_cell(bench: Bench):
    bench.nuclei.put("n1", shapely.box(85, -15, 99, 15))
    bench.nuclei.put("new-1", shapely.box(101, -15, 115, 15))
    halves = {"n1": shapely.box(60, -40, 100, 40), "new-1": shapely.box(100, -40, 140, 40)}
    made = bench.proposed(grown_from(bench.nuclei) | halves)
    assert made.outlines["c1"].equals(halves["n1"])
    assert made.made_from == ("new-1",)
    assert made.made[0].equals(halves["new-1"])


def test_ground_of_cells_outside_stays_theirs(bench: Bench):
    wide = shapely.box(150, -40, 400, 40)
    made = bench.proposed(grown_from(bench.nuclei) | {"n2": wide})
    for cell in ("c3", "c4"):
        assert made.outlines["c2"].intersection(bench.cells.geometry(cell)).area < 1e-6
    assert "c3" not in made.outlines


def test_a_cell_for_which_no_ground_is_left_is_gone(bench: Bench):
    grown = grown_from(bench.nuclei)
    del grown["n0"]
    grown["n2"] = disc(3, 20)
    made = bench.proposed(grown)
    assert made.outlines["c0"] is None
    assert made.outlines["c2"] is None


def test_a_cell_that_a_person_drew_without_a_nucleus_stays_and_keeps_its_ground(bench: Bench):
    bench.cells.put("drawn", shapely.box(40, -10, 60, 10))
    made = bench.proposed(grown_from(bench.nuclei, 60))
    assert made.kept == ("drawn",)
    assert "drawn" not in made.outlines
    drawn = bench.cells.geometry("drawn")
    assert made.outlines["c0"].intersection(drawn).area < 1e-6


def test_a_cell_made_by_an_earlier_refinement_keeps_its_id(bench: Bench):
    bench.nuclei.put("new-1", shapely.Point(150, 30).buffer(10))
    bench.cells.put("made-1", shapely.Point(150, 30).buffer(20))
    made = bench.proposed(grown_from(bench.nuclei, 25))
    assert made.made == ()
    assert "made-1" in made.outlines
    assert made.kept == ()


def test_a_region_without_nuclei_or_area_is_refused(bench: Bench):
    with pytest.raises(BadInputError, match="no nuclei in the region"):
        bench.proposed({}, shapely.box(1000, 1000, 1100, 1100))
    with pytest.raises(BadInputError, match="encloses no area"):
        bench.proposed({}, shapely.LineString([(0, 0), (1, 1)]))
