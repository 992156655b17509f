"""Building the next version of a store: the one before, and what one stage made."""

from __future__ import annotations

import contextlib
import os
import shutil
import warnings
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from napari_vhd import keys

from . import patching, versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari_vhd.stages.stage import Outcome

FILES = "files"
_OWN = frozenset({keys.STORE, keys.LEDGER, keys.RUN_FILE, keys.LOG_FILE, keys.FIGURES, keys.REPORT})
Written = dict[str, Path]


@dataclass(frozen=True)
class Done:
    """A finished stage.

    Attributes
    ----------
    version
        Version of the store that it published.
    recipe
        What the result depends on, apart from other stages.
    inputs
        Stage it waited for -> version which that one had published.
    made
        ``{"elements": […], "attrs": […], "files": […], "patches": {table: {slot: […]}}}``, and
        ``"lost"``: element -> the stage that has put its own in its place since.
    record
        What ``run.json`` tells of it.
    """

    version: int
    recipe: Mapping[str, Any]
    inputs: Mapping[str, int]
    made: Mapping[str, Any]
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Provenance:
    """What is written down with a result when it is published."""

    recipe: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, int] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)


def checked_name(name: str) -> str:
    """Give back the name of a stage's file if it is safe in a run folder.

    Raises
    ------
    ValueError
        Where it would leave the folder or replace one of its own files.
    """
    parts = PurePosixPath(name).parts
    if len(parts) != 1 or parts[0] in {"..", "."} or name in _OWN or name.startswith("."):
        raise ValueError(f"{name!r} cannot name a file of a run folder")
    return name


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what the storage libraries warn of to themselves.

    A table is written without the shapes that it annotates, parquet files are no part of a Zarr
    hierarchy, formats will change: nothing that a user could mend.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def write_elements(outcome: Outcome, path: Path) -> Written:
    """Write whole elements as a store of their own.

    Also where there are none: its metadata are those of an empty store.

    Returns
    -------
    dict
        Name of each element -> its folder; the store's own folder under ``""``.
    """
    import spatialdata

    sdata = spatialdata.SpatialData.init_from_elements(dict(outcome.elements))
    sdata.write(path, consolidate_metadata=False)
    return {"": path} | {name: path / kind / name for kind, name, _ in sdata.gen_elements()}


def build(
    target: Path,
    before: Path | None,
    written: Written,
    stage: str,
    outcome: Outcome,
    done: Mapping[str, Done],
) -> dict[str, Any]:
    """Build a version's store and files in `target`.

    Parameters
    ----------
    target
        Empty folder of the new version.
    before
        Folder of the version before, or None.
    written
        What `write_elements` gave; its folders are moved.
    stage, outcome
        What is published.
    done
        Stages done so far.

    Returns
    -------
    dict
        What the stage made (`Done.made`).
    """
    earlier = done[stage].made if stage in done else {}
    elements = [name for name in written if name]
    dropped = [name for name in earlier.get("elements", []) if name not in elements]
    store = target / keys.STORE
    if before is None:
        _move(written[""], store)
    else:
        _join(before / keys.STORE, store, written, dropped)
    patches = {table: patching.made_by(patch) for table, patch in outcome.patches.items()}
    for table in {**earlier.get("patches", {}), **patches}:
        path = store / "tables" / table
        if table in outcome.patches and not path.is_dir():
            raise ValueError(f"stage {stage} adds to {table}, which is not there")
        if path.is_dir():
            old = {} if table in elements else earlier.get("patches", {}).get(table, {})
            patching.patch_table(path, outcome.patches.get(table), _less(old, patches.get(table)))
    gone = [name for name in earlier.get("attrs", []) if name not in outcome.attrs]
    _write_root(store, outcome.attrs, gone)
    if outcome.files:
        (target / FILES).mkdir()
        for name, path in outcome.files.items():
            _move(path, target / FILES / checked_name(name))
    return {
        "elements": elements,
        "lost": {},
        "patches": patches,
        "attrs": list(outcome.attrs),
        "files": list(outcome.files),
    }


def advance(
    done: Mapping[str, Done],
    stage: str,
    made: Mapping[str, Any],
    number: int,
    provenance: Provenance,
) -> dict[str, Any]:
    """Build the stages of ``state.json`` after a stage published version `number`."""
    state = {
        name: {**vars(entry), "made": _without(entry.made, made, stage)}
        for name, entry in done.items()
        if name != stage
    }
    files = made["files"]
    record = {**provenance.record, "version": number, "files": files}
    state[stage] = {
        "version": number,
        "recipe": provenance.recipe,
        "inputs": provenance.inputs,
        "made": made,
        "record": record,
    }
    return state


def files_gone(done: Mapping[str, Done], state: Mapping[str, Any]) -> list[str]:
    """Name the files that no stage makes any longer."""
    kept = {name for entry in state.values() for name in entry["made"]["files"]}
    return sorted({n for entry in done.values() for n in entry.made["files"]} - kept)


def _join(base: Path, store: Path, written: Written, dropped: list[str]) -> None:
    """Share the store before, less what is replaced or dropped, and move the new elements in."""
    leave_out = {
        f"{kind.name}/{name}"
        for kind in base.iterdir()
        if kind.is_dir()
        for name in (*dropped, *written)
        if name
    }
    versions.link_tree(base, store, frozenset(leave_out))
    for name, path in written.items():
        if name:
            kind = store / path.parent.name
            if not kind.exists():
                kind.mkdir()
                shutil.copyfile(path.parent / "zarr.json", kind / "zarr.json")
            _move(path, kind / name)


def _write_root(store: Path, attrs: Mapping[str, Any], gone: list[str]) -> None:
    """Set the store's attributes and gather the metadata of all its parts in its root."""
    import zarr

    root = zarr.open_group(store, mode="r+", use_consolidated=False)
    if attrs or gone:
        kept = {k: v for k, v in root.attrs.asdict().items() if k not in gone}
        root.attrs.put({**kept, **attrs})
    zarr.consolidate_metadata(root.store)


def _move(source: Path, target: Path) -> None:
    """Move a file or folder, from another disk if need be."""
    try:
        os.rename(source, target)
    except OSError:
        shutil.move(source, target)


def _less(old: Mapping[str, list[str]], new: Mapping[str, list[str]] | None) -> patching.Made:
    """Give the columns and keys of `old` that are not in `new`."""
    new = new or {}
    return {slot: [n for n in names if n not in new.get(slot, [])] for slot, names in old.items()}


def _without(made: Mapping[str, Any], taken: Mapping[str, Any], taker: str) -> dict[str, Any]:
    """Leave out of what one stage made what another has made since: it belongs to that one."""
    lost = {name: taker for name in made["elements"] if name in taken["elements"]}
    return {
        "lost": {**made.get("lost", {}), **lost},
        "elements": [name for name in made["elements"] if name not in taken["elements"]],
        "patches": {
            table: _less(slots, taken["patches"].get(table))
            for table, slots in made["patches"].items()
            if table not in taken["elements"]
        },
        "attrs": [name for name in made["attrs"] if name not in taken["attrs"]],
        "files": [name for name in made["files"] if name not in taken["files"]],
    }
