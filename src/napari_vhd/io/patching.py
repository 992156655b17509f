"""Adding to a table on disk without writing the rest of it anew.

Only the touched groups (``obs``, ``obsm/<key>``, ``layers/<key>`` …) are rewritten; in a version
whose files are hard links the others, the counts above all, stay shared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd
    import zarr

    from napari_vhd.stages.stage import TablePatch

FRAMES = ("obs", "var")
MAPPINGS = ("obsm", "varm", "layers", "obsp", "uns")
Made = dict[str, list[str]]


def made_by(patch: TablePatch) -> Made:
    """Name what a patch adds: slot of the table -> its columns or keys."""
    made: Made = {}
    for slot in FRAMES:
        frame = getattr(patch, slot)
        if frame is not None:
            made[slot] = [str(name) for name in frame.columns]
    for slot in MAPPINGS:
        made[slot] = [key for key, value in getattr(patch, slot).items() if value is not None]
    return {slot: names for slot, names in made.items() if names}


def patch_table(path: Path, patch: TablePatch | None, dropped: Mapping[str, list[str]]) -> None:
    """Add to a table on disk and drop what is no longer made.

    Parameters
    ----------
    path
        The table's folder in the store.
    patch
        What to add or replace, or None.
    dropped
        Slot -> columns or keys to remove, where they are there.

    Raises
    ------
    ValueError
        Where rows of the patch are not the rows of the table.
    """
    import zarr

    table = zarr.open_group(path, mode="r+", use_consolidated=False)
    index = {slot: _index(table[slot]) for slot in FRAMES}
    for slot in FRAMES:
        frame = getattr(patch, slot, None)
        _patch_frame(table, slot, frame, dropped.get(slot, []))
    for slot in MAPPINGS:
        values = dict.fromkeys(dropped.get(slot, []))
        values |= dict(getattr(patch, slot, None) or {})
        if values:
            _patch_mapping(table, slot, values, index)


def _index(group: zarr.Group) -> pd.Index:
    """Read the row names of a data frame on disk."""
    import pandas as pd
    from anndata.io import read_elem

    return pd.Index(read_elem(group[group.attrs["_index"]]))


def _patch_frame(
    table: zarr.Group, slot: str, new: pd.DataFrame | None, dropped: list[str]
) -> None:
    """Set and drop columns of ``obs`` or ``var``."""
    from anndata.io import read_elem, write_elem

    if new is None and not dropped:
        return
    frame = read_elem(table[slot])
    frame = frame.drop(columns=[name for name in dropped if name in frame.columns])
    if new is not None:
        new = _in_order(new, frame.index, f"{table.basename}.{slot}")
        for name in new.columns:
            frame[name] = _writable(new[name])
    write_elem(table, slot, frame)


def _patch_mapping(
    table: zarr.Group, slot: str, values: Mapping[str, Any], index: Mapping[str, pd.Index]
) -> None:
    """Set and drop keys of one of the mappings of a table."""
    from anndata.io import write_elem

    rows = {"obsm": "obs", "obsp": "obs", "layers": "obs", "varm": "var"}.get(slot)
    group = table.require_group(slot)
    for key, value in values.items():
        if value is None:
            if key in group:
                del group[key]
            continue
        if rows is not None:
            value = _in_order(value, index[rows], f"{table.basename}.{slot}[{key!r}]")
        write_elem(group, key, value)


def _in_order(value: Any, names: pd.Index, what: str) -> Any:
    """Bring the rows of `value` into the order of the table, by name where it has names."""
    if value.shape[0] != len(names):
        raise ValueError(f"{what} was given {value.shape[0]} rows, the table has {len(names)}")
    given = getattr(value, "index", None)
    if given is None or callable(given) or given.equals(names):
        return value
    if not given.is_unique or not given.isin(names).all():
        raise ValueError(f"{what} was given rows that are not those of the table")
    return value.loc[names]


def _writable(column: pd.Series) -> pd.Series:
    """Make words with missing values a categorical: the format has no other place for them."""
    import pandas as pd

    if column.dtype == object and column.isna().any():
        kind = pd.api.types.infer_dtype(column, skipna=True)
        return column.astype("boolean" if kind == "boolean" else "category")
    return column
