"""Several outlines that are redrawn together are one correction, or none."""

from __future__ import annotations

import pytest
import shapely

from napari_vhd import keys
from napari_vhd.corrections.geometry import OutlineError


def test_cells_are_redrawn_as_one_correction_and_undone_as_one(desk):
    outlines = desk.outlines(keys.PROSEG)
    cells = outlines.live_ids()[:3]
    before = [outlines.geometry(cell) for cell in cells]
    assert desk.redraw_together({c: outlines.geometry(c).buffer(1) for c in cells}) == cells
    assert len(desk.entries()) == 1
    assert [outlines.geometry(cell) for cell in cells] != before
    desk.editor.undo()
    assert [outlines.geometry(cell) for cell in cells] == before


def test_of_two_that_overlap_the_later_is_cut_and_their_old_outlines_do_not_count(desk):
    outlines = desk.outlines(keys.PROSEG)
    first, second = outlines.live_ids()[:2]
    free = shapely.box(5, 5, 45, 25)
    for cell in outlines.ids_of(outlines.touching(shapely.box(0, 0, 60, 60))):
        if cell not in (first, second):
            desk.delete(cell)
    shapes = {first: free, second: shapely.box(35, 5, 55, 25)}
    desk.redraw_together(shapes, overlap="clip")
    assert outlines.geometry(first).equals(free)
    assert outlines.geometry(second).equals(shapely.box(45, 5, 55, 25))


def test_one_that_is_refused_is_named_and_leaves_all_as_they_were(desk):
    outlines = desk.outlines(keys.PROSEG)
    good, bad = outlines.live_ids()[:2]
    bow = shapely.Polygon([(0, 0), (30, 30), (30, 0), (0, 30)])
    with pytest.raises(OutlineError, match=f"{bad}: The outline crosses") as refused:
        desk.redraw_together({good: outlines.geometry(good).buffer(1), bad: bow})
    assert refused.value.cell_id == bad
    assert refused.value.mend.is_valid
    assert not desk.entries()


def test_a_new_rim_leaves_holes_and_other_parts_as_they_are(desk):
    outlines = desk.outlines(keys.PROSEG)
    cell = outlines.live_ids()[0]
    hole, island = shapely.box(110, 110, 120, 120), shapely.box(150, 100, 170, 120)
    desk.refine(keys.PROSEG, {cell: shapely.union(shapely.box(100, 100, 140, 140) - hole, island)})
    desk.redraw_together({cell: shapely.box(95, 95, 145, 145)}, rims=True)
    expected = shapely.union(shapely.box(95, 95, 145, 145) - hole, island)
    assert outlines.geometry(cell).equals(expected)
    # Through the hole and into the island.
    desk.redraw_together({cell: shapely.box(115, 95, 160, 145)}, rims=True)
    expected = shapely.union(shapely.box(115, 95, 160, 145) - hole, island)
    assert outlines.geometry(cell).equals(expected)
    with pytest.raises(OutlineError, match="are left beside its holes"):
        desk.refine(keys.PROSEG, {cell: shapely.box(100, 100, 140, 140) - hole})
        desk.redraw_together({cell: shapely.box(111, 111, 119, 119)}, rims=True)
    # Without it, the cell is what was drawn.
    desk.redraw(cell, shapely.box(100, 100, 140, 140))
    assert outlines.geometry(cell).equals(shapely.box(100, 100, 140, 140))
