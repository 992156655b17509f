"""What a person may do to regions: add, edit, rename, colour, hide, reorder, delete."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd.exceptions import BadInputError

from .editor import checked_name
from .geometry import OutlineError
from .label_verbs import checked_color
from .regions import Region, correction_of

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from .correction import Entry
    from .editor import Editor
    from .regions import Regions


class RegionVerbs:
    """The part of a session that corrects regions. Coordinates are full-resolution px."""

    @property
    def editor(self) -> Editor:
        """What takes the corrections."""
        raise NotImplementedError

    def regions(self) -> GeoDataFrame:
        """Give all regions.

        Returns
        -------
        GeoDataFrame
            Index: the name; columns ``color``, ``visible``, ``order``; polygons in
            full-resolution px.
        """
        with self.editor.lock:
            return self.editor.reviewed.regions.frame()

    def add_region(
        self, polygon: Any, name: str, color: str | None = None, note: str = ""
    ) -> Entry:
        """Add a region.

        Parameters
        ----------
        polygon
            Polygon or MultiPolygon, or vertices (n, 2: x, y), full-resolution px.
        name
            A name that no region has.
        color
            ``#RRGGBB``; chosen where None.
        note
            Kept with the correction.

        Raises
        ------
        BadInputError
            Where the polygon or the name cannot be taken; says why.
        """
        editor = self.editor
        with editor.lock:
            editor.required_ledger()
            regions = editor.reviewed.regions
            name = _free_name(regions, name)
            chosen = regions.free_color() if color is None else checked_color(color)
            order = 1 + max((regions[one].order for one in regions.names), default=-1)
            made = Region(name, _wkb(polygon), chosen, True, order)
            return self._commit({name: None}, {name: made}, note)

    def edit_region(
        self,
        name: str,
        polygon: Any = None,
        *,
        new_name: str | None = None,
        color: str | None = None,
        visible: bool | None = None,
        order: int | None = None,
        note: str = "",
    ) -> Entry:
        """Change a region; what is None stays.

        Parameters
        ----------
        name
            Which region.
        polygon
            As for `add_region`.
        new_name, color, visible, order
            Name, colour, whether it is shown, place in the list (from 0; the others move).
        note
            Kept with the correction.

        Raises
        ------
        BadInputError
            For an unknown region, or what cannot be taken.
        """
        editor = self.editor
        with editor.lock:
            editor.required_ledger()
            regions = editor.reviewed.regions
            now = _known(regions, name)
            after = dataclasses.replace(
                now,
                polygon=now.polygon if polygon is None else _wkb(polygon),
                color=now.color if color is None else checked_color(color),
                visible=now.visible if visible is None else bool(visible),
            )
            states: dict[str, Region | None] = {name: after}
            if new_name is not None and new_name != name:
                free = _free_name(regions, new_name)
                states = {name: None, free: dataclasses.replace(after, name=free)}
            if order is not None:
                states |= _reordered(regions, name, states, order)
            before = {one: regions.get(one) for one in states}
            if before == states:
                raise BadInputError(f"{name!r}: is so already; change something.")
            return self._commit(before, states, note)

    def delete_region(self, name: str, note: str = "") -> Entry:
        """Delete a region."""
        editor = self.editor
        with editor.lock:
            editor.required_ledger()
            now = _known(editor.reviewed.regions, name)
            return self._commit({name: now}, {name: None}, note)

    def _commit(
        self, before: dict[str, Region | None], after: dict[str, Region | None], note: str
    ) -> Entry:
        made = correction_of(before, after)
        return self.editor.commit(made._replace(note=note))


def _reordered(
    regions: Regions, name: str, states: dict[str, Region | None], order: int
) -> dict[str, Region | None]:
    """Put a region in another place of the list; the others keep their order."""
    names = [one for one in regions.names if one != name]
    names.insert(max(0, min(order, len(names))), name)
    found: dict[str, Region | None] = {}
    for place, one in enumerate(names):
        key = one
        if one == name:
            key = next(own for own, region in states.items() if region is not None)
        region = states.get(key) or regions[one]
        if one == name or region.order != place:
            found[key] = dataclasses.replace(region, order=place)
    return found


def _known(regions: Regions, name: str) -> Region:
    if name not in regions:
        there = ", ".join(regions.names) or "none"
        raise BadInputError(f"{name!r}: there is no such region; there are: {there}.")
    return regions[name]


def _free_name(regions: Regions, name: str) -> str:
    name = checked_name(name, "The region's name")
    if name in regions:
        raise BadInputError(f"{name!r}: there is a region of that name; choose another.")
    return name


def _wkb(drawn: Any) -> bytes:
    """Check a drawn region."""
    import shapely

    polygon = drawn
    if not isinstance(drawn, shapely.Geometry):
        try:
            points = np.asarray(drawn, dtype=float)
        except (TypeError, ValueError):
            points = np.empty(0)
        if points.ndim != 2 or points.shape[0] < 3 or points.shape[1] < 2:
            raise OutlineError("A region needs three or more points (x, y); draw it again.")
        if not np.isfinite(points).all():
            raise OutlineError("The region has a corner that is no number; draw it again.")
        polygon = shapely.Polygon(points[:, :2])
    if polygon.geom_type not in {"Polygon", "MultiPolygon"} or polygon.is_empty:
        raise OutlineError("A region is a polygon; draw it again.")
    if not np.isfinite(shapely.get_coordinates(polygon)).all():
        raise OutlineError("The region has a corner that is no number; draw it again.")
    if not polygon.is_valid:
        raise OutlineError(
            f"The region's outline crosses itself ({shapely.is_valid_reason(polygon)}); draw it "
            "without crossing."
        )
    if polygon.area <= 0:
        raise OutlineError("The region has no area; draw it again.")
    wkb: bytes = shapely.to_wkb(shapely.force_2d(polygon))
    return wkb
