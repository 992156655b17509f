"""Regions that people draw: name, polygon, colour, whether shown, and their order."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_vhd.io.source_counts import unique_names
from napari_vhd.palettes import colors_for, is_hex

from .correction import REGION, Correction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geopandas import GeoDataFrame

    from .correction import Entry, Outlines
    from .history import History


@dataclass(frozen=True)
class Region:
    """One region.

    Attributes
    ----------
    name
        Unique in the sample.
    polygon
        WKB in full-resolution px.
    color
        ``#RRGGBB``.
    visible
        Whether it is shown.
    order
        Place in the list, from 0.
    """

    name: str
    polygon: bytes
    color: str
    visible: bool = True
    order: int = 0

    def content(self) -> dict[str, Any]:
        """All but the polygon, as JSON holds it."""
        return {
            "name": self.name,
            "color": self.color,
            "visible": self.visible,
            "order": self.order,
        }


class Regions:
    """All regions of a sample, with corrections.

    Parameters
    ----------
    computed
        Regions that the store holds, or None: index name, columns ``color``, geometry in
        full-resolution px.
    history
        Knows which entries are in force.
    """

    def __init__(self, computed: GeoDataFrame | None, history: History) -> None:
        self._history = history
        self._base = {} if computed is None else _from_frame(computed)
        self._stacks: dict[str, list[tuple[Entry, Region | None]]] = {}
        self._now: dict[str, Region] = dict(self._base)

    def __getitem__(self, name: str) -> Region:
        return self._now[name]

    def get(self, name: str) -> Region | None:
        """Give a region, None where there is none of that name."""
        return self._now.get(name)

    def __contains__(self, name: str) -> bool:
        return name in self._now

    @property
    def names(self) -> list[str]:
        """Names in their order."""
        return [one.name for one in sorted(self._now.values(), key=lambda r: (r.order, r.name))]

    def add(self, entry: Entry) -> bool:
        """Take in an entry; says whether regions may have changed."""
        if entry.correction.kind != REGION:
            return False
        for name, region in regions_after(entry.correction).items():
            insort(self._stacks.setdefault(name, []), (entry, region), key=lambda pair: pair[0].key)
        return self._refresh(entry)

    def switch(self, entry: Entry) -> bool:
        """Follow an entry that was switched on or off; says whether regions may have changed."""
        return entry.correction.kind == REGION and self._refresh(entry)

    def entries_on(self, name: str) -> list[Entry]:
        """Every entry on a region, in order."""
        return [entry for entry, _ in self._stacks.get(name, [])]

    def touched(self) -> list[str]:
        """Names that were ever edited."""
        return list(self._stacks)

    def edited(self) -> dict[str, Region | None]:
        """Regions that are not as the store holds them; None: gone."""
        return {
            name: self._now.get(name)
            for name in self._stacks
            if self._now.get(name) != self._base.get(name)
        }

    def frame(self) -> GeoDataFrame:
        """Give all regions: index name; columns color, visible, order, geometry in px."""
        import geopandas as gpd
        import shapely

        regions = [self._now[name] for name in self.names]
        return gpd.GeoDataFrame(
            {
                "color": [region.color for region in regions],
                "visible": [region.visible for region in regions],
                "order": [region.order for region in regions],
            },
            geometry=[shapely.from_wkb(region.polygon) for region in regions],
            index=[region.name for region in regions],
        ).rename_axis(index="name")

    def free_color(self) -> str:
        """Choose a colour that no region has."""
        taken = {region.color.upper() for region in self._now.values()}
        colors = colors_for(f"\0{number}" for number in range(len(taken) + 1))
        return next((color for color in colors if color.upper() not in taken), colors[0])

    def _refresh(self, entry: Entry) -> bool:
        for name in regions_after(entry.correction):
            region = self._base.get(name)
            for own, given in reversed(self._stacks[name]):
                if self._history.active(own.entry_id):
                    region = given
                    break
            if region is None:
                self._now.pop(name, None)
            else:
                self._now[name] = region
        return True


def correction_of(before: dict[str, Region | None], after: dict[str, Region | None]) -> Correction:
    """Make the correction that takes regions from one state to another (None: absent)."""
    return Correction(
        REGION,
        before=tuple(region and region.content() for region in before.values()),
        after=tuple(region and region.content() for region in after.values()),
        outlines_before={name: _polygon(region) for name, region in before.items()},
        outlines_after={name: _polygon(region) for name, region in after.items()},
    )


def _polygon(region: Region | None) -> bytes | None:
    return None if region is None else region.polygon


def regions_after(correction: Correction) -> dict[str, Region | None]:
    """Give the regions that a correction leaves; None: absent."""
    return _regions(correction.outlines_after, correction.after)


def told_of_region(correction: Correction, name: str) -> str:
    """Say what a correction did to a region."""
    befores = _regions(correction.outlines_before, correction.before)
    before, after = befores.get(name), regions_after(correction).get(name)
    if after is None:
        made = (one for one, old in befores.items() if old is None)
        return f"renamed {new}" if (new := next(made, None)) is not None else "deleted"
    if before is None:
        return "added"
    changes = [
        ("another outline", before.polygon != after.polygon),
        (f"colour {after.color}", before.color != after.color),
        ("shown" if after.visible else "hidden", before.visible != after.visible),
        (f"place {after.order + 1} in the list", before.order != after.order),
    ]
    return ", ".join(words for words, is_so in changes if is_so) or "as it was"


def _regions(outlines: Outlines, contents: Sequence[Any]) -> dict[str, Region | None]:
    found: dict[str, Region | None] = {}
    for (name, polygon), content in zip(outlines.items(), contents, strict=True):
        found[name] = None
        if polygon is not None and content is not None:
            found[name] = Region(
                name,
                polygon,
                str(content["color"]),
                bool(content["visible"]),
                int(content["order"]),
            )
    return found


def _from_frame(frame: GeoDataFrame) -> dict[str, Region]:
    """Take over the areas of a store, which others may have written.

    Those without a name or a colour get one; of equal names the later ones a number.
    """
    is_area = frame.geometry.geom_type.isin(["Polygon", "MultiPolygon"]) & ~frame.is_empty
    areas = frame[is_area]
    names = unique_names([str(name) for name in areas.get("name", areas.index)])
    colors = colors_for(names)
    if "color" in areas:
        given = areas["color"].tolist()
        colors = [str(c) if is_hex(c) else own for c, own in zip(given, colors, strict=True)]
    return {
        name: Region(name, polygon.wkb, color, True, order)
        for order, (name, polygon, color) in enumerate(
            zip(names, areas.geometry, colors, strict=True)
        )
    }
