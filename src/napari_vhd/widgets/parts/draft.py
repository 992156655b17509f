"""Changing a config one thing at a time; plain functions."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from napari_vhd.config import RunConfig
from napari_vhd.exceptions import BadInputError

from .domain_columns import fitting_column

if TYPE_CHECKING:
    from napari_vhd.config import SampleConfig


def sample_of(config: RunConfig, sample_id: str | None) -> SampleConfig:
    """Give the settings of a sample; of the first where there is none of that id."""
    return next((one for one in config.samples if one.id == sample_id), config.samples[0])


def with_parameter(config: RunConfig, name: str, value: Any) -> RunConfig:
    """Set a parameter; what hangs on it follows."""
    changes = {name: value}
    if name == "domain_range":
        # Cells are typed over one of these; the nearest, where the old one is gone.
        changes["clustering_col"] = fitting_column(config.params.clustering_col, value)
    return dataclasses.replace(config, params=dataclasses.replace(config.params, **changes))


def with_sample(config: RunConfig, sample_id: str, **changes: Any) -> RunConfig:
    """Change the settings of one sample."""
    samples = tuple(
        dataclasses.replace(one, **changes) if one.id == sample_id else one
        for one in config.samples
    )
    return dataclasses.replace(config, samples=samples)


def with_paths(config: RunConfig, **changes: Any) -> RunConfig:
    """Change paths."""
    return dataclasses.replace(config, paths=dataclasses.replace(config.paths, **changes))


def problem_of(config: RunConfig) -> str:
    """Say what contradicts itself; empty where nothing does."""
    try:
        RunConfig.from_dict(config.to_dict(), "settings")
    except BadInputError as error:
        return str(error)
    return ""
