"""What an edit of an outline puts out of date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from napari_vhd import keys
from napari_vhd.corrections.stale import find_stale, stale_of

from .conftest import Desk

if TYPE_CHECKING:
    from pathlib import Path

    from napari_vhd.corrections.opened import Opened


def test_one_cell_is_told_what_the_list_of_all_cells_says(opened: Opened, book: Path):
    desk = Desk(opened, book, "ab")
    typed = opened.typed or keys.PROSEG
    outlines, reviewed = desk.editor.reviewed.outlines(typed), desk.editor.reviewed
    rng = np.random.default_rng(0)
    cells = [str(cell) for cell in rng.choice(outlines.live_ids(), 6, replace=False)]
    shapes = [outlines.geometry(cell) for cell in cells]

    def agrees(radius_um: float) -> bool:
        listed = find_stale(reviewed, radius_um).cells
        return all(
            stale_of(reviewed, radius_um, cell) == tuple(listed.get(cell, ()))
            for cell in [*outlines.live_ids()[::4], *cells]
            if outlines.row_of(cell) >= 0
        )

    assert agrees(20)
    assert not find_stale(reviewed, 20).cells
    desk.card(typed, cells[0])
    desk.expand(cells[0], 1.0)
    desk.delete([cells[1]])
    desk.redraw(cells[2], shapely.affinity.translate(shapes[3].convex_hull, 5, 5))
    made = desk.add(shapes[4].convex_hull.buffer(2), typed)
    assert find_stale(reviewed, 20).cells
    assert agrees(20)
    assert agrees(1)
    desk.editor.undo()
    assert outlines.row_of(made if isinstance(made, str) else made[0]) < 0
    assert agrees(20)
    for _ in range(3):
        desk.editor.undo()
    assert not find_stale(reviewed, 20).cells
    assert agrees(20)
    assert desk.editor.reviewed.segmentation(typed).edited() == {}
