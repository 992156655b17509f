"""Geometries that are asked often: which points lie in them, what they touch."""

from __future__ import annotations

from typing import Any


def prepared(geometries: Any) -> Any:
    """Copy one geometry or an array of them, made ready to be asked often.

    Copies, because GEOS indexes a prepared one when it is first asked, without a lock: two threads
    that ask the same one end the process.
    """
    import shapely

    copies = shapely.force_2d(geometries)
    shapely.prepare(copies)
    return copies
