"""Who corrects: a name that is set once and kept in the user's own settings folder."""

from __future__ import annotations

from pathlib import Path

from napari_vhd.io.whole_file import whole

from .editor import checked_author

_FILE = "author.txt"


def saved_author() -> str:
    """Give the name that was set, "" where none was."""
    try:
        return _path().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def save_author(author: str) -> None:
    """Set the name: initials or an id.

    Raises
    ------
    BadInputError
        Where it is empty or cannot be written down.
    """
    name = checked_author(author)
    path = _path()
    with whole(path) as beside:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(f"{name}\n", encoding="utf-8")


def forget_author() -> None:
    """Take the name away: the next correction asks for one."""
    _path().unlink(missing_ok=True)


def author_saved_at() -> float:
    """When the name was set (seconds since the epoch), 0 where none was."""
    try:
        return _path().stat().st_mtime
    except OSError:
        return 0.0


def _path() -> Path:
    import platformdirs

    return Path(platformdirs.user_config_dir("napari-vhd")) / _FILE
