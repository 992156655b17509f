"""Zarr stores from elsewhere, looked through before anything in them is decoded.

A zarr array names the codecs that decode it, and some of them (pickle) run programs. Measured in
2026: a store with the filters ``vlen-utf8, pickle`` ran code in `zarr`, `anndata.read_zarr` and
`spatialdata.read_zarr` with numcodecs before 0.16.6. So codecs are checked against a list of those
that only move numbers and text about.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_vhd.exceptions import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_METADATA_BYTES = 256 * 2**20
_METADATA = {"zarr.json", ".zarray", ".zmetadata"}
_UNSAFE_SWITCH = "NUMCODECS_ALLOW_UNSAFE_PICKLE_DECODE"
_CODECS = {
    *("bytes", "transpose", "sharding_indexed", "crc32c", "adler32", "crc32", "fletcher32"),
    *("blosc", "zstd", "gzip", "zlib", "lz4", "lzma", "bz2"),
    *("vlen-utf8", "vlen-bytes", "vlen-array", "delta", "shuffle", "fixedscaleoffset"),
    *("packbits", "quantize", "bitround", "astype", "categorize", "json2"),
}


def check_store(path: Path) -> None:
    """Raise unless a zarr store can be opened safely.

    Parameters
    ----------
    path
        Folder of the store, or a link to it.

    Raises
    ------
    BadInputError
        Where it is no store, an array uses a codec that is not known to be harmless, its metadata
        are damaged, or a link in it leads out of it.
    """
    if os.environ.get(_UNSAFE_SWITCH):
        raise BadInputError(
            f"{_UNSAFE_SWITCH} is set, which lets zarr stores run programs; unset it."
        )
    root = path.resolve()
    if not any((root / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray")):
        raise BadInputError(f"{path}: is no zarr store; name a folder that ends in .zarr.")
    for folder, subfolders, files in os.walk(root):
        for name in (*subfolders, *files):
            _check_link(path, root, Path(folder, name))
        for name in _METADATA.intersection(files):
            _check_metadata(path, Path(folder, name))


def _check_link(path: Path, root: Path, entry: Path) -> None:
    """Raise where a link leads out of the store."""
    if entry.is_symlink() and not entry.resolve().is_relative_to(root):
        raise BadInputError(
            f"{path}: {entry.relative_to(root)} is a link that leads out of the store; copy the "
            "store with its links resolved."
        )


def _check_metadata(path: Path, file: Path) -> None:
    """Raise where a metadata file names a codec that is not on the list."""
    where = file.relative_to(path.resolve())
    try:
        if file.stat().st_size > MAX_METADATA_BYTES:
            raise BadInputError(f"{path}: {where} is larger than any zarr metadata; do not use it.")
        names = set(_codecs(json.loads(file.read_bytes())))
    except (OSError, ValueError, RecursionError, AttributeError, TypeError) as error:
        raise BadInputError(
            f"{path}: {where} is damaged ({type(error).__name__}); copy the store again."
        ) from error
    if unknown := {name for name in names if name.removeprefix("numcodecs.") not in _CODECS}:
        raise BadInputError(
            f"{path}: {where} uses the codec {sorted(unknown)[0]!r}, which is not known to be "
            "harmless; write the store again with the default codecs."
        )


def _codecs(node: Any) -> Iterator[str]:
    """Give the names of all codecs in the metadata of a group or array, zarr format 2 or 3."""
    # zarr 3; a sharding codec holds further ones.
    for codec in node.get("codecs") or ():
        yield from _named(codec, "name")
    # zarr 2
    for codec in (node.get("compressor"), *(node.get("filters") or ())):
        if codec is not None:
            yield from _named(codec, "id")
    if node.get("storage_transformers"):
        yield "storage_transformers"
    # Consolidated metadata of both formats: path -> node.
    inner = node.get("consolidated_metadata") or node
    if "node_type" in inner or "zarr_format" in inner:
        return
    for name, child in (inner.get("metadata") or {}).items():
        if not name.endswith(".zattrs"):
            yield from _codecs(child)


def _named(codec: Any, key: str) -> Iterator[str]:
    """Give the name of a codec and of those inside it."""
    if isinstance(codec, str):
        yield codec
        return
    yield str(codec[key]).lower() if key in codec else "without a name"
    configuration = codec.get("configuration") or {}
    for name in ("codecs", "index_codecs"):
        for inner in configuration.get(name) or ():
            yield from _named(inner, key)
