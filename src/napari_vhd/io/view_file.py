"""How a run was looked at last, kept beside its store: never part of the sample."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError

from . import versions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def read_view(run_dir: Path) -> dict[str, Any] | None:
    """Read the last view; None where there is none, or it cannot be read."""
    with contextlib.suppress(BadInputError):
        return versions.read_json(run_dir / keys.VIEW_FILE)
    return None


def write_view(run_dir: Path, view: Mapping[str, Any]) -> None:
    """Keep a view; quietly not, where the folder can only be read or is gone."""
    with contextlib.suppress(OSError):
        versions.write_json(run_dir / keys.VIEW_FILE, view)
