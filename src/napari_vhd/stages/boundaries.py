"""Boundaries from a file or an earlier run, in place of a segmentation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError, StageError
from napari_vhd.io import frames, segmented, untrusted
from napari_vhd.parameters import BoundariesParameters

from .stage import Inputs, Outcome, Sample, Stage, each

if TYPE_CHECKING:
    from collections.abc import Iterable


def load(sample: Sample, parameters: BoundariesParameters) -> Outcome:
    """Take boundaries over, with their ids.

    From a run folder or store come also ProSeg's own counts and the nuclei its cells grew from,
    where they are there: so a run with the boundaries of another gives its tables again.
    """
    if parameters.boundaries is None:
        raise StageError(f"{sample.id}: no boundaries are named; set params: boundaries.")
    path = Path(parameters.boundaries)
    main = keys.boundaries(parameters.boundaries_to_type)
    names = [main]
    if main == keys.PROSEG and segmented.store_has(path, keys.STARDIST):
        names.append(keys.STARDIST)
    extent = _extent(sample)
    um_per_px = frames.um_per_px(sample.sdata, sample.id)
    elements: dict[str, Any] = {}
    for name in names:
        shapes = segmented.read_boundaries(path, sample.id, name, extent, sample.report.notice)
        shapes[keys.AREA_UM2] = shapes.area.to_numpy() * um_per_px**2
        elements[name] = frames.full_px_shapes(shapes, sample.sdata, sample.id)
    cells = elements[main]
    numbers: dict[str, float | int | str] = {
        "cells": len(cells),
        "median area (µm²)": round(float(np.median(cells[keys.AREA_UM2])), 1),
        "from": path.name,
    }
    if main == keys.PROSEG:
        counts = segmented.read_proseg_counts(path, cells.index)
        if counts is not None:
            elements[keys.PROSEG_COUNTS] = counts
            numbers["ProSeg's own counts"] = "kept"
    return Outcome(elements=elements, numbers=numbers)


def _extent(sample: Sample) -> tuple[float, float, float, float]:
    """Corners of the image in full-resolution px."""
    from spatialdata import get_pyramid_levels

    image = sample.sdata.images[keys.full_image(sample.id)]
    _, height, width = get_pyramid_levels(image, n=0).shape
    corners = np.array([[0.0, 0.0], [width, height]])
    placed = frames.points_moved(corners, frames.matrix_to(image, sample.id))
    (xmin, ymin), (xmax, ymax) = placed.tolist()
    return xmin, ymin, xmax, ymax


def check(inputs: Inputs) -> None:
    """Check that the boundaries are there and can be opened safely."""
    parameters = inputs.config.params
    if parameters.boundaries is None:
        return
    path = Path(parameters.boundaries)
    store = segmented.find_store(path)
    if store is not None:
        untrusted.check_store(store)
        name = keys.boundaries(parameters.boundaries_to_type)
        if not segmented.store_has(path, name):
            raise BadInputError(
                f"{path}: holds no {name}; set boundaries_to_type to what is there, or name "
                "another run."
            )
    if parameters.cell_counts == "proseg" and (
        store is None or not (store / "tables" / keys.PROSEG_COUNTS).is_dir()
    ):
        raise BadInputError(
            f"{path}: has no counts of ProSeg, which cell_counts 'proseg' needs; set cell_counts: "
            "boundaries, or name a run folder as boundaries."
        )


def files(inputs: Inputs) -> Iterable[Path]:
    """Name every file that is read."""
    if inputs.config.params.boundaries is None:
        return
    path = Path(inputs.config.params.boundaries)
    store = segmented.find_store(path)
    if store is None:
        yield path
        return
    elements = [store / "shapes" / name for name in (keys.PROSEG, keys.STARDIST)]
    for element in (*elements, store / "tables" / keys.PROSEG_COUNTS):
        yield from (file for file in sorted(element.rglob("*")) if file.is_file())


STAGE = Stage(
    name="boundaries",
    title="Boundaries",
    parameters=BoundariesParameters,
    run=each(load),
    needs=("region",),
    makes=(keys.PROSEG, keys.STARDIST, keys.PROSEG_COUNTS),
    check=check,
    files=files,
    imports=("spatialdata",),
)
