"""The proseg executable: where it is, how it is run, what its failures mean.

It is a program of its own (Rust), kept by version in the user's cache folder and compiled once a
machine. It is started from a list of arguments, never through a shell, and in the caller's process
group, so that whoever ends the group ends it too.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from napari_vhd.exceptions import MemoryShortageError, MissingEngineError, StageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VERSION = "3.2.0"
"""The version that `make venv` builds."""
VARIABLE = "NAPARI_VHD_PROSEG"
"""Environment variable with the path of another executable."""
TOO_SHALLOW = "EmptyInput"
"""What proseg says when no gene has counts enough for its factorization."""

_ITERATION = "sampling times"  # proseg's own log line, one an iteration
_LOGGED = "error,proseg=info,proseg::sampler=error"
_KEPT_LINES = 40


def proseg_folder() -> Path:
    """Folder that holds ``bin/proseg`` of `VERSION`, whether it is there or not."""
    from platformdirs import user_cache_path

    return user_cache_path("napari-vhd", appauthor=False) / f"proseg-{VERSION}"


def find_proseg() -> Path:
    """Find the executable: `VARIABLE`, the cache folder, ``PATH``, cargo's own folder.

    Raises
    ------
    MissingEngineError
        With the command that builds it.
    """
    named = os.environ.get(VARIABLE)
    if named:
        path = Path(named).expanduser()
        if path.is_file() and os.access(path, os.X_OK):
            return path
        raise MissingEngineError(
            f"{VARIABLE} is {named!r}, which is not an executable file; correct or unset it."
        )
    name = "proseg.exe" if os.name == "nt" else "proseg"
    on_path = shutil.which("proseg")
    places = [
        proseg_folder() / "bin" / name,
        *([Path(on_path)] if on_path else []),
        Path.home() / ".cargo" / "bin" / name,
    ]
    for place in places:
        if place.is_file() and os.access(place, os.X_OK):
            return place
    raise MissingEngineError(
        "proseg is not installed; build it with 'make venv' in a clone, or with: "
        f"cargo install proseg --version {VERSION} --locked --root {proseg_folder()}"
    )


def proseg_version() -> str:
    """Ask the executable for its version; "" where it is not installed or does not answer."""
    try:
        command = [str(find_proseg()), "--version"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except (MissingEngineError, OSError):
        return ""
    return answer.stdout.strip().removeprefix("proseg ")


def run_proseg(
    arguments: Sequence[str],
    folder: Path,
    on_iteration: Callable[[int], None],
    on_line: Callable[[str], None],
) -> None:
    """Run the executable to its end.

    Its progress bar is drawn on terminals only and its steps are coarse; its log tells of every
    iteration, so that is what is read.

    Parameters
    ----------
    arguments
        Of the command line, without the executable.
    folder
        Working directory.
    on_iteration
        Called with the number of iterations done, after each.
    on_line
        Called with every other line that it writes.

    Raises
    ------
    StageError
        With the meaning of what it said last.
    MemoryShortageError
        Where the system ended it.
    """
    last: deque[str] = deque(maxlen=_KEPT_LINES)
    iterations = 0
    process = subprocess.Popen(
        [str(find_proseg()), *arguments],
        cwd=folder,
        env={
            **os.environ,
            "RUST_LOG": "error,proseg=info,proseg::sampler=error",
            "RUST_BACKTRACE": "0",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    with process:
        try:
            for line in process.stdout or ():
                if _ITERATION in line:
                    iterations += 1
                    on_iteration(iterations)
                elif line.strip():
                    last.append(line.strip())
                    on_line(line.strip())
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise _meaning(process.returncode, list(last))


def _meaning(code: int, lines: list[str]) -> StageError | MemoryShortageError:
    """Say what a failure of proseg means."""
    text = "\n".join(lines)
    if code in {-signal.SIGKILL, 128 + signal.SIGKILL} or "memory allocation" in text:
        return MemoryShortageError(
            "ProSeg was ended by the system because memory ran out; choose a smaller region, or a "
            "larger proseg: voxel_size."
        )
    if TOO_SHALLOW in text:
        return StageError(
            "ProSeg found too few counts to work with; choose a larger or deeper region, or "
            "boundaries_to_type: stardist, which needs no ProSeg."
        )
    panic = next((n for n, line in enumerate(lines) if "panicked at" in line), None)
    said = " ".join(lines[panic + 1 : panic + 2] if panic is not None else lines[-1:])
    return StageError(
        f"ProSeg ended with an error ({said or f'code {code}'}); see run.log for all it said, or "
        "set boundaries_to_type: stardist, which needs no ProSeg."
    )
