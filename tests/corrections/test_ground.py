"""Outlines drawn through the session's verbs stay inside the H&E."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import shapely

from napari_vhd import keys
from napari_vhd.corrections.geometry import OutlineError

if TYPE_CHECKING:
    from shapely import Polygon


@pytest.fixture
def beyond(opened) -> Polygon:
    """A square of which one half lies to the right of the image."""
    _, ymin, xmax, ymax = opened.source.image().box
    y = (ymin + ymax) / 2
    return shapely.box(xmax - 20, y - 20, xmax + 20, y + 20)


def test_a_cell_drawn_beyond_the_image_is_refused_and_its_inside_offered(desk, beyond):
    cells = len(desk.outlines(keys.PROSEG).live_ids())
    with pytest.raises(OutlineError, match="beyond the image") as refused:
        desk.add(beyond)
    assert len(desk.outlines(keys.PROSEG).live_ids()) == cells
    assert desk.history().empty
    assert refused.value.mend.area == pytest.approx(beyond.area / 2)
    desk.add(refused.value.mend)
    assert len(desk.outlines(keys.PROSEG).live_ids()) == cells + 1


def test_a_cell_is_not_redrawn_beyond_the_image(desk, beyond):
    cell = desk.outlines(keys.PROSEG).live_ids()[0]
    before = desk.outlines(keys.PROSEG).geometry(cell)
    with pytest.raises(OutlineError, match="beyond the image"):
        desk.redraw(cell, beyond)
    assert desk.outlines(keys.PROSEG).geometry(cell).equals_exact(before)
