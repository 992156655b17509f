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
