"""Corrected outlines as a SpatialData store, which another run takes as its boundaries."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from napari_vhd.exceptions import BadInputError
from napari_vhd.io import versions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_vhd.corrections.reviewed import Reviewed

_SUFFIX = ".zarr"


def write_outlines(reviewed: Reviewed, path: Path) -> Iterator[str]:
    """Write every segmentation as it was corrected, whole or not at all.

    A run with ``boundaries`` set to the store takes the cells over with their ids; their counts are
    then those that the corrected cells have now.

    Parameters
    ----------
    reviewed
        The sample.
    path
        A store that is not there yet, ``….zarr``.

    Yields
    ------
    str
        What was written, what the new run counts in another way, and the path.

    Raises
    ------
    BadInputError
        Where it cannot be written there, or there are no outlines.
    """
    from spatialdata import SpatialData
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Identity

    if path.suffix != _SUFFIX:
        raise BadInputError(f"{path}: outlines are written to a store; name it ….zarr.")
    if path.exists():
        raise BadInputError(f"{path}: is there already; choose another name.")
    if not path.absolute().parent.is_dir():
        raise BadInputError(f"{path}: its folder is not there; make it first.")
    names = reviewed.source.segmentation_names()
    if not names:
        raise BadInputError(f"{reviewed.source.sample_id}: there are no outlines yet.")
    frames = {name: reviewed.boundaries_frame(name) for name in names}
    place = {reviewed.source.sample_id: Identity()}
    shapes = {name: ShapesModel.parse(f, transformations=place) for name, f in frames.items()}
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        SpatialData(shapes=shapes).write(beside)
        beside.rename(path)
    except OSError as error:
        raise BadInputError(
            f"{path}: cannot be written ({error.strerror}); choose another place."
        ) from error
    finally:
        versions.remove(beside)
    yield ", ".join(f"{len(frame):,} {name}" for name, frame in frames.items())
    yield from _counted_otherwise(reviewed)
    yield str(path)


def _counted_otherwise(reviewed: Reviewed) -> Iterator[str]:
    """Say what a run of these outlines works out from all its cells."""
    counter = reviewed.source.counter()
    if counter is None:
        return
    rule = counter.rule
    outlines = reviewed.outlines(rule.boundaries)
    radius = float(np.mean(np.sqrt(outlines.areas[outlines.alive] / np.pi)))
    grows = rule.expand_radius_ratio * radius
    if grows != rule.expansion_px:
        yield (
            f"cells grow by {grows:.4g} px in a new run (the mean radius of its cells), before by "
            f"{rule.expansion_px:.4g} px: counts of cells that nobody edited may differ slightly"
        )
    if rule.no_overlap:
        yield "bins in several cells are shared out anew there, by the profiles of all its cells"
