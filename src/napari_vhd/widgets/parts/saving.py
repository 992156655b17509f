"""Keeping what was set in the docks as a config.yaml that runs without a window."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from napari_vhd.config import RunConfig
from napari_vhd.io.whole_file import whole

from .drawn_region import is_drawn

if TYPE_CHECKING:
    from napari_vhd.runner.outlook import Outlook


def save_config(config: RunConfig, path: Path) -> RunConfig:
    """Write a config; a region drawn by hand is copied beside it.

    Returns
    -------
    RunConfig
        As it was written.

    Raises
    ------
    BadInputError
        Where the config does not hold together or cannot be written there; nothing is written.
    """
    RunConfig.from_dict(config.to_dict(), "settings")
    samples = []
    with whole(path) as new:
        for sample in config.samples:
            region = sample.region
            if isinstance(region, str) and is_drawn(region):
                beside = path.with_name(Path(region).name)
                if beside != Path(region):
                    shutil.copyfile(region, beside)
                sample = dataclasses.replace(sample, region=str(beside))
            samples.append(sample)
        saved = dataclasses.replace(config, samples=tuple(samples))
        new.write_text(saved.to_yaml(), encoding="utf-8")
    return saved


def summary_of(outlook: Outlook | None) -> list[tuple[str, str]]:
    """List what is out of date, and why."""
    if outlook is None:
        return []
    return [(one.title, one.reason) for one in outlook.stages if one.status == "stale"]
