"""ProSeg on a small part of a sample, with few iterations: how cells will roughly grow.

It is the stage's own code on the bins and nuclei of a box. What it gives is no result: cells at
the border of the box are cut off, and ProSeg has not come to rest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError
from napari_vhd.io import frames

from . import proseg

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from spatialdata import SpatialData

    from napari_vhd.parameters import ProsegParameters, ProsegSettings

    from .stage import Sample

Box = tuple[float, float, float, float]


def shortened(settings: ProsegSettings, iterations: int) -> ProsegSettings:
    """Give the same settings with fewer iterations, parted among ProSeg's phases."""
    return replace(
        settings,
        burnin_samples=max(iterations // 2, 1),
        samples=max(iterations // 2, 1),
        hillclimb=max(iterations // 5, 1),
    )


def preview(
    sample: Sample, parameters: ProsegParameters, box: Box, iterations: int
) -> tuple[NDArray[Any], Mapping[str, Any]]:
    """Run ProSeg on the part of a sample that lies in a box.

    Parameters
    ----------
    sample
        With nuclei and 2 µm bins.
    box
        (xmin, ymin, xmax, ymax), full-resolution px.
    iterations
        In all, of burn-in and sampling.

    Returns
    -------
    tuple
        Outlines in full-resolution px, and what came out in numbers.

    Raises
    ------
    BadInputError
        Where there are no nuclei yet.
    StageError
        Where the box holds too little for ProSeg.
    """
    if keys.STARDIST not in sample.sdata.shapes:
        raise BadInputError(
            f"{sample.id}: there are no StarDist nuclei yet, from which ProSeg grows its cells; "
            "run StarDist first."
        )
    part = _part(sample.sdata, sample.id, box)
    short = replace(parameters, proseg=shortened(parameters.proseg, iterations))
    outcome = proseg.run_one(replace(sample, sdata=part), short)
    cells = outcome.elements[keys.PROSEG]
    return cells.geometry.to_numpy(), outcome.numbers


def _part(sdata: SpatialData, sample_id: str, box: Box) -> SpatialData:
    """Take the bins and nuclei whose centre lies in a box."""
    from spatialdata import SpatialData

    table = sdata.tables[keys.bin_table(2)]
    x0, y0, x1, y1 = box
    places = np.asarray(table.obsm[keys.SPATIAL])
    inside = (places[:, 0] >= x0) & (places[:, 0] < x1) & (places[:, 1] >= y0) & (places[:, 1] < y1)
    if not inside.any():
        raise BadInputError("The view holds no bins under tissue; move it over the tissue.")
    bins = table[inside].copy()
    name = keys.bin_shapes(sample_id, 2)
    centres = frames.in_full_px(sdata, keys.STARDIST, sample_id).geometry.centroid
    here = ((centres.x >= x0) & (centres.x < x1) & (centres.y >= y0) & (centres.y < y1)).to_numpy()
    return SpatialData(
        shapes={
            name: sdata.shapes[name].loc[bins.obs[keys.LOCATION_ID]],
            keys.STARDIST: sdata.shapes[keys.STARDIST][here],
        },
        tables={keys.bin_table(2): bins},
    )
