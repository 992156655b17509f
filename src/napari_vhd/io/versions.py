"""Trees of files that share what did not change, and the few moves that are safe at any moment.

A version of a store is a whole tree in which unchanged files are hard links to those of the
version before. Every file here appears complete under its final name or not at all.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_vhd.exceptions import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Metadata is small and is rewritten by libraries: each version has its own.
COPIED = frozenset({"zarr.json", ".zattrs", ".zgroup", ".zarray", ".zmetadata"})


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    BadInputError
        Where the file cannot be read as one; it is left as it is.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or "not valid JSON"
        raise BadInputError(
            f"{path}: cannot be read ({why}); it is left as it is, restore it from a copy."
        ) from error
    if not isinstance(data, dict):
        raise BadInputError(
            f"{path}: holds {type(data).__name__} where an object is expected; it is left as it "
            "is, restore it from a copy."
        )
    return data


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a JSON file whole, or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(data, file, indent=1, ensure_ascii=False, allow_nan=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def link(source: Path | str, target: Path | str) -> None:
    """Make `target` the same file as `source`, or a copy where hard links are not to be had."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        Path(target).unlink(missing_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)


def link_tree(source: Path, target: Path, leave_out: frozenset[str] = frozenset()) -> None:
    """Build `target` as a tree that shares its data files with `source`.

    Parameters
    ----------
    source, target
        Folders; `target` must not exist.
    leave_out
        Folders to leave out, as paths relative to `source` with ``/``.
    """
    # Thousands of files: plain text for paths takes a third of the time of Path objects.
    left_out = {os.path.join(source, *name.split("/")) for name in leave_out}
    start, to = len(str(source)), str(target)
    for folder, names, files in os.walk(str(source)):
        names[:] = [name for name in names if os.path.join(folder, name) not in left_out]
        here = to + folder[start:]
        os.mkdir(here)
        for name in files:
            copy = shutil.copyfile if name in COPIED else link
            copy(os.path.join(folder, name), os.path.join(here, name))


def sync_tree(root: Path) -> None:
    """Bring a tree to the disk: its folders and the files that no other version shares."""
    folders: list[str] = []
    new: list[str] = []
    for folder, _names, files in os.walk(str(root)):
        folders.append(folder)
        for name in files:
            entry = os.path.join(folder, name)
            status = os.lstat(entry)
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                new.append(entry)
    # The file system commits waiting syncs together: many at once cost little more than one.
    with ThreadPoolExecutor(16) as pool:
        for paths in (new, folders):
            for _ in pool.map(sync, paths):
                pass


def sync(path: Path | str) -> None:
    """Bring one file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def place(source: Path, target: Path) -> None:
    """Put a file or folder at `target` in place of what is there, sharing the data of `source`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = _beside(target, "fresh")
    if source.is_dir():
        link_tree(source, fresh)
    else:
        link(source, fresh)
    exchange(fresh, target)


def point(target: Path, destination: Path) -> None:
    """Make `target` a relative link to `destination`; a copy that shares files if need be."""
    fresh = _beside(target, "fresh")
    try:
        fresh.symlink_to(os.path.relpath(destination, target.parent), target_is_directory=True)
    except (OSError, NotImplementedError):
        place(destination, target)
    else:
        exchange(fresh, target)


def exchange(fresh: Path, target: Path) -> None:
    """Rename `fresh` to `target`; a folder that stands in the way is moved aside first."""
    if target.is_dir() and not target.is_symlink():
        aside = _beside(target, "aside")
        target.rename(aside)
        fresh.replace(target)
        shutil.rmtree(aside)
    elif fresh.is_dir() and not fresh.is_symlink():
        target.unlink(missing_ok=True)
        fresh.rename(target)
    else:
        fresh.replace(target)


def remove(path: Path) -> None:
    """Remove a file, link or folder that may not be there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def removed_on_error(folder: Path) -> Iterator[Path]:
    """Give a folder that does not survive an error in the block."""
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _beside(target: Path, role: str) -> Path:
    """Name a hidden neighbour of `target` and clear what an interrupted move left there."""
    path = target.with_name(f".{target.name}.{role}")
    remove(path)
    return path
