"""The demo sample: made in a process of its own the first time, then opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari.utils.notifications import show_error, show_info

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError

from .opening import open_path
from .parts.background import Background
from .parts.dispatch import dispatcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer

_FOLDER = "napari-vhd"
# About as many as making it names.
_STEPS = 14


def demo_folder() -> Path:
    """Where the demo sample is kept: in the user's own data folder."""
    import platformdirs

    return Path(platformdirs.user_data_dir(_FOLDER)) / "demo"


def make_in_process(folder: Path, say: Callable[[str], None]) -> Path:
    """Make the demo in another process, so that the window stays quick.

    Raises
    ------
    BadInputError
        Where it could not be made; in one sentence.
    """
    command = [sys.executable, "-m", "napari_vhd.runner.known_run", str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        last = ""
        for line in process.stdout or ():
            last = line.strip()
            say(last)
        said = (process.stderr.read() if process.stderr else "").strip().splitlines()
    if process.returncode != 0:
        why = said[-1] if said else f"exit code {process.returncode}"
        raise BadInputError(f"{folder}: the demo sample could not be made ({why}).")
    return Path(last)


def open_demo(viewer: Viewer) -> None:
    """Open the demo sample, made the first time (about half a minute); returns at once."""
    folder = demo_folder()
    made = sorted((folder / "runs").glob(f"*/{keys.RUN_FILE}"))
    if made:
        open_path(viewer, made[0].parent)
        return
    unwrapped = getattr(viewer, "__wrapped__", viewer)
    if unwrapped not in _MAKING:
        _MAKING[unwrapped] = _Making()
    _MAKING[unwrapped].start(viewer, folder)


class _Making:
    """Makes the demo beside one window."""

    def __init__(self) -> None:
        self._background = Background()
        self._dispatch = dispatcher()
        self._bar: Any = None

    def start(self, viewer: Viewer, folder: Path) -> None:
        """Begin, unless it is being made already."""
        from napari.utils import progress

        if self._bar is not None:
            return
        show_info("The demo sample is being made, about half a minute; it is kept for next time.")
        self._bar = progress(total=_STEPS, desc="making the demo sample")
        self._background.ask(
            "demo",
            make_in_process,
            folder,
            lambda text: self._dispatch(lambda: self._on_step(text)),
            then=lambda run: self._on_made(viewer, run),
            failed=self._on_failed,
        )

    def _on_step(self, text: str) -> None:
        bar = self._bar
        if bar is not None:
            # Drawing lets other news through, the end of the making among them.
            bar.set_description(text)
            bar.update(1)

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _on_made(self, viewer: Viewer, run: Path) -> None:
        self._end()
        open_path(viewer, run)

    def _on_failed(self, error: Exception) -> None:
        self._end()
        if not isinstance(error, BadInputError):
            raise error
        show_error(str(error))


_MAKING: WeakKeyDictionary[Any, _Making] = WeakKeyDictionary()
