"""Regions: drawn, named, coloured, hidden, put in order, deleted; each undone."""

from __future__ import annotations

import geopandas as gpd
import pytest
import shapely

from napari_vhd.corrections.history import History
from napari_vhd.corrections.regions import Regions
from napari_vhd.exceptions import BadInputError

SQUARE = shapely.box(10, 10, 50, 50)


@pytest.fixture
def three(desk):
    for name in "abc":
        desk.add_region(SQUARE, name)
    return desk


def test_areas_of_a_store_of_others_get_what_they_lack():
    shapes = [SQUARE, SQUARE.buffer(5), shapely.Point(1, 1), None, shapely.Polygon(), SQUARE]
    names = ["tumor", "tumor", "place", "nothing", "empty", "stroma"]
    colors = ["#FF0000", "red", "#00FF00", "#00FF00", "#00FF00", None]
    given = gpd.GeoDataFrame({"color": colors}, geometry=shapes, index=names)
    regions = Regions(given, History()).frame()
    assert list(regions.index) == ["tumor", "tumor-1", "stroma"]
    assert regions.color["tumor"] == "#FF0000"
    assert regions.color.str.fullmatch("#[0-9A-Fa-f]{6}").all()
    assert regions.geometry["tumor-1"].equals(SQUARE.buffer(5))
    assert Regions(given.iloc[:0], History()).names == []


def test_each_region_has_its_own_colour_and_place(three):
    regions = three.regions()
    assert list(regions.index) == ["a", "b", "c"]
    assert regions["color"].is_unique
    assert list(regions["order"]) == [0, 1, 2]
    assert regions["visible"].all()
    assert regions.geometry.iloc[0].equals(SQUARE)


def test_a_region_is_moved_renamed_and_hidden_in_one_go(three):
    three.edit_region("c", new_name="first", order=0, visible=False)
    regions = three.regions()
    assert list(regions.index) == ["first", "a", "b"]
    assert list(regions["order"]) == [0, 1, 2]
    assert not regions.loc["first", "visible"]
    three.editor.undo()
    assert list(three.regions().index) == ["a", "b", "c"]
    assert three.regions()["visible"].all()


def test_an_edit_and_its_undo_keep_the_rest(three):
    three.edit_region("b", shapely.box(0, 0, 5, 5))
    three.delete_region("a")
    assert list(three.regions().index) == ["b", "c"]
    entries = three.entries()
    three.editor.revert(entries[3].entry_id)
    assert three.regions().loc["b"].geometry.equals(SQUARE)
    assert "a" not in three.regions().index
    assert three.bounds_of(entries[4].entry_id) == (10, 10, 50, 50)


@pytest.mark.parametrize(
    ("polygon", "why"),
    [
        (shapely.Point(1, 1), "polygon"),
        ([(0, 0), (1, 1)], "three"),
        ([(0, 0), (9, 9), (9, 0), (0, 9)], "crosses itself"),
        ([(0, 0), (9, 9), (float("nan"), 0)], "no number"),
        ([(0, 0), (9, 9), (18, 18)], "crosses itself|no area"),
    ],
)
def test_what_is_no_region_is_refused_in_a_sentence(desk, polygon, why):
    with pytest.raises(BadInputError, match=why):
        desk.add_region(polygon, "a")
    assert desk.history().empty


def test_names_are_unique_and_known(three):
    with pytest.raises(BadInputError, match="choose another"):
        three.add_region(SQUARE, "a")
    with pytest.raises(BadInputError, match="choose another"):
        three.edit_region("a", new_name="b")
    with pytest.raises(BadInputError, match="there are: a, b, c"):
        three.delete_region("d")
    with pytest.raises(BadInputError, match="already"):
        three.edit_region("a")
