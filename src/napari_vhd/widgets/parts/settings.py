"""What a user sets in napari's preferences (Plugins → napari VHD)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

PLUGIN = "napari-vhd"


@dataclass(frozen=True)
class Settings:
    """The settings as they are now.

    Attributes
    ----------
    author
        Initials or id of who corrects, "" where it was not set.
    runs_folder
        Where run folders are proposed, None: beside the Space Ranger folder.
    open_docks
        Whether the docks come with a sample.
    """

    author: str
    runs_folder: Path | None
    open_docks: bool


def settings() -> Settings:
    """Read the settings; the defaults, where napari does not know this plugin."""
    general: Any = getattr(_stored(), "general", None)
    folder = str(getattr(general, "runs_folder", "")).strip()
    return Settings(
        str(getattr(general, "author", "")).strip(),
        Path(folder).expanduser() if folder else None,
        bool(getattr(general, "open_docks", True)),
    )


def _stored() -> Any:
    from napari.settings import get_plugin_settings

    try:
        return get_plugin_settings(PLUGIN)
    except KeyError:
        return None
