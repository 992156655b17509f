"""What a person may do to outlines: pure functions, full-resolution px in and out.

Nothing is refused without a sentence that names what is wrong and where, and where there is an
obvious mend, the error carries it for the user to take.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd.exceptions import BadInputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from shapely import MultiPolygon, Polygon

    Outline: TypeAlias = Polygon | MultiPolygon

# An outline smaller than one 2 µm bin holds none, or one by chance.
MIN_AREA_UM2 = 4.0
# Less than this (µm²) in common is touching.
TOUCHING_UM2 = 1e-3
QUAD_SEGS = 8  # of the arcs of what is drawn; those that are counted have their own


@dataclass(frozen=True)
class Ground:
    """What outlines are drawn on.

    Attributes
    ----------
    um_per_px
        Side of a full-resolution pixel.
    extent
        (xmin, ymin, xmax, ymax) of the image in full-resolution px, None where it is not known.
    min_area_um2
        Smaller outlines are refused.
    """

    um_per_px: float
    extent: tuple[float, float, float, float] | None = None
    min_area_um2: float = MIN_AREA_UM2

    def area(self, geometry: Any) -> float:
        """Area in µm²."""
        return float(geometry.area) * self.um_per_px**2


class OutlineError(BadInputError):
    """A drawn outline cannot be taken as it is.

    Attributes
    ----------
    mend
        What could be taken in its place, or None.
    cell_id
        Of several cells that are redrawn, the one it is about; "" for one alone.
    """

    def __init__(self, sentence: str, mend: Polygon | None = None, cell_id: str = "") -> None:
        super().__init__(f"{cell_id}: {sentence}" if cell_id else sentence)
        self.mend = mend
        self.cell_id = cell_id


@dataclass(frozen=True)
class Overlap:
    """What an outline has in common with a neighbour.

    Attributes
    ----------
    cell_id
        The neighbour.
    area_um2, share
        Common area, and as a share of the neighbour's.
    """

    cell_id: str
    area_um2: float
    share: float


def checked(drawn: Any, ground: Ground) -> Polygon:
    """Check a drawn outline.

    Parameters
    ----------
    drawn
        A shapely geometry, or its vertices (n, 2: x, y); full-resolution px.
    ground
        What it is drawn on.

    Raises
    ------
    OutlineError
        Where it is not finite, has no area, crosses itself, has holes or several parts, leaves the
        image or is too small; with a mend where there is one.
    """
    import shapely

    outline = _polygon(drawn)
    if not outline.is_valid:
        raise _invalid(outline, ground)
    if outline.geom_type != "Polygon":
        raise _mendable(
            f"The outline is in {len(outline.geoms)} parts", "draw one part", outline, ground
        )
    if holes := len(outline.interiors):
        filled = shapely.Polygon(outline.exterior)
        raise _mendable(
            f"The outline has {holes} {'hole' if holes == 1 else 'holes'}",
            "draw it without",
            filled,
            ground,
            "take it filled",
        )
    if ground.extent is not None:
        image = shapely.box(*ground.extent)
        if not image.covers(outline):
            _, _, right, bottom = ground.extent
            raise _mendable(
                f"The outline reaches beyond the image, which ends at ({right:.0f}, {bottom:.0f}) "
                "px",
                "draw it inside",
                outline.intersection(image),
                ground,
            )
    if ground.area(outline) < ground.min_area_um2:
        raise OutlineError(
            f"The outline is {ground.area(outline):.2g} µm² large, smaller than one bin "
            f"({ground.min_area_um2:g} µm²); draw it larger."
        )
    return outline


def overlaps(
    outline: Any, neighbours: Sequence[Any], ids: Sequence[str], ground: Ground
) -> list[Overlap]:
    """List the neighbours that an outline overlaps, the largest overlap first.

    Parameters
    ----------
    outline
        The outline.
    neighbours, ids
        Other cells' outlines and their ids; more than needed does not matter.
    ground
        For areas in µm².
    """
    import shapely

    others = np.asarray(neighbours, dtype=object)
    common = shapely.area(shapely.intersection(outline, others)) * ground.um_per_px**2
    found = [
        Overlap(
            str(ids[index]), float(common[index]), float(common[index]) / ground.area(others[index])
        )
        for index in np.flatnonzero(common > TOUCHING_UM2)
    ]
    return sorted(found, key=lambda overlap: -overlap.area_um2)


def clipped(outline: Any, neighbours: Sequence[Any], ground: Ground) -> Polygon:
    """Cut what other cells cover off an outline; of several parts the largest stays.

    Raises
    ------
    OutlineError
        Where too little is left.
    """
    import shapely

    taken = shapely.union_all(np.asarray(neighbours, dtype=object))
    left = largest_part(outline.difference(taken))
    if left is None or ground.area(left) < ground.min_area_um2:
        area = 0.0 if left is None else ground.area(left)
        raise OutlineError(
            f"Other cells cover the outline but for {area:.2g} µm²; keep the overlap, or edit or "
            "delete the cell below."
        )
    return left


def placed(
    drawn: Any,
    neighbours: Sequence[Any],
    ids: Sequence[str],
    ground: Ground,
    overlap: str = "keep",
) -> tuple[Polygon, list[Overlap]]:
    """Check a drawn outline and place it among its neighbours.

    Parameters
    ----------
    drawn
        As for `checked`.
    neighbours, ids
        Other cells' outlines and their ids.
    ground
        What it is drawn on.
    overlap
        ``"keep"`` leaves it as drawn, ``"clip"`` cuts off what other cells cover.

    Returns
    -------
    tuple
        The outline, and what it overlaps as drawn.

    Raises
    ------
    OutlineError
        As `checked` and `clipped`.
    BadInputError
        For another word than keep or clip.
    """
    if overlap not in {"keep", "clip"}:
        raise BadInputError(f"overlap={overlap!r}: choose 'keep' or 'clip'.")
    outline = checked(drawn, ground)
    found = overlaps(outline, neighbours, ids, ground)
    if found and overlap == "clip":
        named = {one.cell_id for one in found}
        taken = [shape for shape, cell in zip(neighbours, ids, strict=True) if str(cell) in named]
        outline = clipped(outline, taken, ground)
    return outline, found


def with_rim(before: Outline, rim: Polygon, ground: Ground) -> Outline:
    """Give the largest part of a cell another rim; its holes and the other parts stay.

    Parameters
    ----------
    before
        The cell's outline.
    rim
        A polygon without holes.
    ground
        For its smallest cell.

    Raises
    ------
    OutlineError
        Where too little is left of it.
    """
    import shapely

    parts = parts_of(before)
    largest = max(parts, key=lambda part: part.area)
    rest = [part for part in parts if part is not largest]
    holes = [shapely.Polygon(hole) for hole in largest.interiors]
    new = shapely.Polygon(rim.exterior, largest.interiors)
    made = shapely.MultiPolygon([new, *rest]) if rest else new
    if not made.is_valid:
        # The rim runs through a hole, or through another part.
        left = rim.difference(shapely.union_all(holes))
        made = shapely.union_all([left, *rest])
    if ground.area(made) < ground.min_area_um2:
        raise OutlineError(
            f"Only {ground.area(made):.2g} µm² of the cell are left beside its holes; draw it "
            "larger."
        )
    return made


def grown(outline: Any, distance_um: float, ground: Ground) -> Outline:
    """Grow an outline by a distance, or shrink it where that is negative.

    Parameters
    ----------
    outline
        The outline.
    distance_um
        How far each point of it moves, µm.
    ground
        For the scale; parts smaller than its smallest cell are left out.

    Raises
    ------
    BadInputError
        Where the distance is no number, or nothing is left.
    """
    import shapely

    if not np.isfinite(distance_um):
        raise BadInputError(f"{distance_um}: is not a distance; give a number of µm.")
    wide = shapely.buffer(outline, distance_um / ground.um_per_px, quad_segs=QUAD_SEGS)
    kept = [part for part in parts_of(wide) if ground.area(part) >= ground.min_area_um2]
    if not kept:
        raise BadInputError(
            f"Nothing is left of a cell of {ground.area(outline):.0f} µm² that shrinks by "
            f"{-distance_um:g} µm; shrink it by less, or delete it."
        )
    return kept[0] if len(kept) == 1 else shapely.MultiPolygon(kept)


def largest_part(geometry: Any) -> Polygon | None:
    """Largest polygon in a geometry, None where it has none."""
    return max(parts_of(geometry), key=lambda part: part.area, default=None)


def parts_of(geometry: Any) -> list[Polygon]:
    """All polygons in a geometry, whatever it is made of."""
    import shapely

    parts = shapely.get_parts(shapely.get_parts([geometry]))
    return [part for part in parts if part.geom_type == "Polygon" and not part.is_empty]


def _polygon(drawn: Any) -> Any:
    """Turn what was drawn into a geometry of areas."""
    import shapely

    if not isinstance(drawn, shapely.Geometry):
        points = np.asarray(drawn, dtype=float)
        if points.ndim != 2 or points.shape[1] != 2:
            raise OutlineError(
                f"An outline is a list of points (x, y), not an array of shape {points.shape}; "
                "give (n, 2)."
            )
        _check_finite(points)
        if len(np.unique(points, axis=0)) < 3:
            raise OutlineError(
                f"The outline has only {len(np.unique(points, axis=0))} different points; draw at "
                "least three."
            )
        drawn = shapely.Polygon(points)
    _check_finite(shapely.get_coordinates(drawn))
    if drawn.geom_type not in {"Polygon", "MultiPolygon"} or drawn.is_empty:
        raise OutlineError(f"A {drawn.geom_type} has no area; draw a closed outline.")
    single = parts_of(drawn)
    return shapely.force_2d(single[0] if len(single) == 1 else drawn)


def _check_finite(points: Any) -> None:
    if not np.isfinite(points).all():
        raise OutlineError("The outline has points that are no numbers; draw it again.")


def _invalid(outline: Any, ground: Ground) -> OutlineError:
    """Say why an outline is not valid, and where."""
    import re

    import shapely

    mended = shapely.make_valid(outline)
    if largest_part(mended) is None:
        return OutlineError("The outline encloses no area; draw it around the cell.")
    found = re.search(r"\[(\S+) (\S+)\]", shapely.is_valid_reason(outline))
    place = f" near ({float(found[1]):.1f}, {float(found[2]):.1f}) px" if found else ""
    return _mendable(
        f"The outline crosses itself{place}", "draw it without crossing", mended, ground
    )


def _mendable(
    wrong: str, mend: str, instead: Any, ground: Ground, offer: str = "take its largest part"
) -> OutlineError:
    """Make an error that offers another outline, if that one can be taken."""
    part = largest_part(instead)
    try:
        part = None if part is None else checked(part, ground)
    except OutlineError as error:
        part = error.mend
    if part is None:
        return OutlineError(f"{wrong}; {mend}.")
    return OutlineError(f"{wrong}; {mend}, or {offer} ({ground.area(part):.1f} µm²).", part)
