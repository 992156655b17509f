"""What the regions dock asks of a session; called beside the GUI thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import shapely

from napari_vhd.io.geojson import read_features

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

    from napari_vhd.session import Session


def add(session: Session, outline: BaseGeometry, wanted: str = "Region 1") -> str:
    """Add a region; gives its name: the wanted one, or that with a number if it is taken."""
    taken = set(session.regions().index)
    name, number = wanted, 1
    stem = wanted.rstrip("0123456789").rstrip() or wanted
    while name in taken:
        number += 1
        name = f"{stem} {number}"
    session.add_region(outline, name)
    return name


def edit(session: Session, name: str, changes: dict[str, Any]) -> None:
    """Change a region's colour, name, order or whether it is shown."""
    session.edit_region(name, **changes)


def delete(session: Session, names: Sequence[str]) -> None:
    """Delete regions."""
    for name in names:
        session.delete_region(name)


def bounds(session: Session, name: str) -> tuple[float, float, float, float]:
    """Give the box of a region: xmin, ymin, xmax, ymax in full-resolution px."""
    xmin, ymin, xmax, ymax = session.regions().geometry[name].bounds
    return xmin, ymin, xmax, ymax


def load(session: Session, path: Path) -> list[str]:
    """Add the regions of a GeoJSON file in full-resolution px; gives their names."""
    return [
        add(session, shapely.make_valid(feature.geometry), feature.name or "Region 1")
        for feature in read_features(path)
    ]
