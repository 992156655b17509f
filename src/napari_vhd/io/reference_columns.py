"""Which columns of a single-cell file could name its cell types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_vhd.exceptions import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

_MOST_TYPES = 200


def text_columns(path: Path) -> tuple[str, ...]:
    """List the categorical columns of a file (h5ad) with 2 to 200 categories.

    Raises
    ------
    BadInputError
        Where it cannot be read.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            obs = file["obs"]
            return tuple(
                name
                for name, entry in obs.items()
                if isinstance(entry, h5py.Group)
                and "categories" in entry
                and 2 <= len(entry["categories"]) <= _MOST_TYPES
            )
    except (OSError, KeyError) as error:
        raise BadInputError(f"{path}: cannot be read as h5ad ({error}); choose another.") from error
