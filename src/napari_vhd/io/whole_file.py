"""Files that a person asked for, whole or not at all."""

from __future__ import annotations

import contextlib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_vhd.exceptions import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a file to write, beside the one that is meant; when all went well it takes its place.

    Parameters
    ----------
    path
        The file that is meant; replaced if it is there.

    Raises
    ------
    BadInputError
        Where it cannot be written there; what was there before is as it was.
    """
    beside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield beside
        os.replace(beside, path)
    except OSError as error:
        raise BadInputError(
            f"{path}: cannot be written ({error.strerror or error}); choose another place for it."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text (UTF-8); see `whole`."""
    with whole(path) as beside:
        beside.write_text(text, encoding="utf-8")
