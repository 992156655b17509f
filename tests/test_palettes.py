"""Rules of colours."""

from __future__ import annotations

import re

import pytest

from napari_vhd.palettes import CELL_TYPES, colors_for


def test_the_tutorials_cell_types_have_their_colours() -> None:
    assert colors_for(["B_cells", "Tumor", "Unknown"])[1:] == ["#E64B35", "#B09C85"]


@pytest.mark.parametrize("number", [2, 20, 60])
def test_categories_have_different_colours(number: int) -> None:
    names = [*list(CELL_TYPES)[:7], *(f"D{k}" for k in range(number))]
    colors = colors_for(names)
    assert len(set(colors)) == len(names)
    assert all(re.fullmatch("#[0-9A-F]{6}", color) for color in colors)


def test_the_first_colours_stay_when_more_categories_follow() -> None:
    assert colors_for(["a", "b", "c"])[:2] == colors_for(["a", "b"])


def test_other_types_do_not_look_like_those_with_a_fixed_colour() -> None:
    names = ["Fibroblasts", "Goblet_cells", "Tumor", "B_cells", "Endothelial_cells", "Enterocytes"]
    colors = colors_for(names)
    for fixed in colors[:3]:
        for other in colors[3:]:
            apart = sum(
                abs(int(fixed[at : at + 2], 16) - int(other[at : at + 2], 16)) for at in (1, 3, 5)
            )
            assert apart > 100
