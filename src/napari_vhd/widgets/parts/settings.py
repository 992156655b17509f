"""What a user sets in napari's preferences (Plugins → napari VHD)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_error
from psygnal import Signal

from napari_vhd.corrections.author import (
    author_saved_at,
    forget_author,
    save_author,
    saved_author,
)
from napari_vhd.exceptions import BadInputError
from napari_vhd.keys import PLUGIN


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
        author_setting().agreed(),
        Path(folder).expanduser() if folder else None,
        bool(getattr(general, "open_docks", True)),
    )


class AuthorSetting:
    """The name of who corrects, the same in napari's preferences and in the user's own file.

    The file is what notebooks and the command line read. Where the two differ, because one was
    changed while this was not looking, the one that was written last counts.

    Attributes
    ----------
    changed
        Told the name before and the name now, whichever place it was set in.
    """

    changed = Signal(str, str)

    def __init__(self) -> None:
        self._general: Any = None

    def agreed(self) -> str:
        """Give the name, "" where none is set, after making both places agree."""
        stored = _stored()
        general = getattr(stored, "general", None)
        if general is not None and general is not self._general:
            self._general = general
            general.events.author.connect(self._on_preference)
            self._reconcile(stored)
        name = saved_author()
        self._show(name)
        return name

    def set(self, name: str) -> None:
        """Set the name, in both places.

        Raises
        ------
        BadInputError
            Where it cannot be written down; nothing changed.
        """
        before = self.agreed()
        save_author(name)
        now = saved_author()
        self._show(now)
        if now != before:
            self.changed.emit(before, now)

    def _reconcile(self, stored: Any) -> None:
        name, file = stored.general.author.strip(), stored.config_path
        written = Path(file).stat().st_mtime if file and Path(file).is_file() else 0.0
        if name and name != saved_author() and written > author_saved_at():
            self._on_preference()

    def _on_preference(self, _event: Any = None) -> None:
        """Take over what was set in the preferences."""
        before, now = saved_author(), str(self._general.author).strip()
        if now == before:
            return
        try:
            if now:
                save_author(now)
            else:
                forget_author()
        except BadInputError as error:
            self._show(before)
            show_error(str(error))
        else:
            self.changed.emit(before, now)

    def _show(self, name: str) -> None:
        """Have the preferences say the name."""
        if self._general is not None and self._general.author.strip() != name:
            self._general.author = name


@cache
def author_setting() -> AuthorSetting:
    """Give the one setting of this process."""
    return AuthorSetting()


def _stored() -> Any:
    from napari.settings import get_plugin_settings

    try:
        return get_plugin_settings(PLUGIN)
    except KeyError:
        return None
