"""The order in which data passes, and which stages a config asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_vhd.exceptions import BadInputError
from napari_vhd.io import visium_hd

from . import (
    aggregation,
    boundaries,
    celltypist,
    domains,
    enrichment,
    flashdeconv,
    neighbors,
    patches,
    proseg,
    qc,
    rctd,
    read,
    region,
    stardist,
)
from .stage import Inputs, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_vhd.config import RunConfig

PIPELINE: tuple[Stage, ...] = (
    read.STAGE,
    region.STAGE,
    patches.STAGE,
    stardist.STAGE,
    proseg.STAGE,
    boundaries.STAGE,
    aggregation.STAGE,
    qc.STAGE,
    neighbors.STAGE,
    domains.STAGE,
    flashdeconv.STAGE,
    rctd.STAGE,
    celltypist.STAGE,
    enrichment.STAGE,
)


@dataclass(frozen=True)
class Selection:
    """The stages of one run.

    Attributes
    ----------
    stages
        In the order of `PIPELINE`.
    left_out
        Name of each stage that does not run -> why, in words.
    """

    stages: tuple[Stage, ...]
    left_out: Mapping[str, str]


def stages_of(config: RunConfig) -> Selection:
    """Choose the stages that a config asks for.

    Raises
    ------
    BadInputError
        Where parameters contradict each other.
    """
    left_out: dict[str, str] = {}
    params = config.params
    if params.boundaries is not None:
        for name in (patches.STAGE.name, stardist.STAGE.name, proseg.STAGE.name):
            left_out[name] = "boundaries are taken from a file"
    else:
        left_out[boundaries.STAGE.name] = "boundaries are computed"
    if params.boundaries_to_type == "stardist":
        left_out.setdefault(proseg.STAGE.name, "boundaries_to_type is stardist")
        if params.cell_counts == "proseg":
            raise BadInputError(
                "params: cell_counts 'proseg' needs boundaries_to_type 'proseg', not 'stardist'; "
                "set one of them to match."
            )
    if config.paths.reference is None:
        if params.marker_source != "config":
            raise BadInputError(
                f"params: marker_source {params.marker_source!r} needs a reference; set "
                "paths: reference, or marker_source: config."
            )
        needing = [flashdeconv.STAGE.name, rctd.STAGE.name]
        if params.celltypist_model == "train":
            needing.append(celltypist.STAGE.name)
        for name in needing:
            left_out[name] = "no reference is given (paths: reference)"
    if params.marker_source == "config" and not config.marker_genes:
        left_out[enrichment.STAGE.name] = "no marker_genes are given"
    stages = tuple(stage for stage in PIPELINE if stage.name not in left_out)
    return Selection(stages, left_out)


def inputs_of(config: RunConfig) -> list[Inputs]:
    """Find the Space Ranger folder of each sample.

    Raises
    ------
    BadInputError
        Where there is none.
    """
    from pathlib import Path

    root = Path(config.paths.spaceranger_outs)
    single = len(config.samples) == 1
    return [
        Inputs(config, sample, visium_hd.find_outs(root, sample.id, single))
        for sample in config.samples
    ]


def check(config: RunConfig, stages: tuple[Stage, ...]) -> list[Inputs]:
    """Find what can be known to be wrong before any heavy import or work.

    Raises
    ------
    BadInputError
        The first thing that is wrong, in one sentence.
    """
    inputs = inputs_of(config)
    for one in inputs:
        for stage in stages:
            stage.check(one)
    return inputs
