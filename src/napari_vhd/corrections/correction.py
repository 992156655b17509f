"""Correction: what a person asks for; Entry: the same as it stands in the ledger.

An entry is a set of deltas on slots: the label of a cell in a column, the outline of a cell, a
region, a category of a column, a label set, the colours of a column. The state of a slot is the
value of the last active entry on it, in the order of `key`, or what was computed. An undo, redo or
revert is an entry of its own that names the entry which it switches off or on: no row is ever
changed, an old entry can be taken back while later ones stay in force, and two ledgers merge by
taking the entries of both.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

RELABEL, RENAME_CATEGORY = "relabel", "rename_category"
ADD, DELETE, MERGE, SPLIT, REDRAW, REFINE = "add", "delete", "merge", "split", "redraw", "refine"
REGION, LABEL_SET, COLOR = "region", "label_set", "color"
SETTLE, UPDATE = "settle", "update"
UNDO, REDO, REVERT = "undo", "redo", "revert"

SWITCHES = frozenset({UNDO, REDO, REVERT})
OUTLINE_KINDS = frozenset({ADD, DELETE, MERGE, SPLIT, REDRAW, REFINE})
# A settlement may give a label, too.
RELABELLING = frozenset({RELABEL, SETTLE})
KINDS = (
    frozenset({RENAME_CATEGORY, REGION, LABEL_SET, COLOR, UPDATE})
    | RELABELLING
    | SWITCHES
    | OUTLINE_KINDS
)

# Longer JSON is deflated; what one click makes stays readable with any SQLite tool.
_PLAIN_BYTES = 1024

Outlines = Mapping[str, bytes | None]
NO_OUTLINES: Outlines = MappingProxyType({})


class Correction(NamedTuple):
    """What a person asks for, before it has an id.

    Attributes
    ----------
    kind
        One of `KINDS`.
    boundaries
        Segmentation it is about, "" if none.
    column
        Label column, "" if none.
    cell_ids
        Cells that it touches.
    before, after
        Labels, one a cell; for other kinds content that JSON can hold. `after` of a switch is the
        entry that it switches. `before` of a settlement is an entry and those of its cells that are
        decided on. `after` of an update is what `napari_vhd.corrections.updates.Content` writes.
    outlines_before, outlines_after
        Name of a cell or region -> polygon as WKB in full-resolution px; None: absent.
    note
        In the author's words.
    """

    kind: str
    boundaries: str = ""
    column: str = ""
    cell_ids: tuple[str, ...] = ()
    before: tuple[Any, ...] = ()
    after: tuple[Any, ...] = ()
    outlines_before: Outlines = NO_OUTLINES
    outlines_after: Outlines = NO_OUTLINES
    note: str = ""

    @property
    def target(self) -> str:
        """Id of the entry that a switch switches; "" for other kinds."""
        return str(self.after[0]) if self.kind in SWITCHES else ""


class Entry(NamedTuple):
    """One row of the ledger.

    Attributes
    ----------
    entry_id
        Hexadecimal uuid; the same in every ledger that holds it.
    seq
        Place in this ledger file, from 1.
    order
        One more than that of any entry its writer's ledger held (Lamport).
    time
        UTC, ISO 8601.
    author
        Initials or an id.
    correction
        What was asked for.
    parents
        The newest entries that the author had been shown.
    epoch
        Fingerprint of the computed outlines that the cell ids belong to, "" where it has none.
    program
        Version of napari-vhd.
    checksum
        SHA-256 over this entry and the checksum of the row before.
    """

    entry_id: str
    seq: int
    order: int
    time: str
    author: str
    correction: Correction
    parents: tuple[str, ...]
    epoch: str
    program: str
    checksum: str = ""

    @property
    def key(self) -> tuple[int, str, str]:
        """Where the entry stands in the order of replay: the same in every ledger."""
        return self.order, self.time, self.entry_id


Fields = tuple[Any, ...]


def pack(value: Any) -> str | bytes:
    """Write a JSON value as text, or deflated where it is long."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    if len(text) <= _PLAIN_BYTES:
        return text
    return zlib.compress(text.encode(), 1)


def unpack(packed: str | bytes) -> Any:
    """Read what `pack` wrote.

    Raises
    ------
    ValueError
        Where it is neither.
    """
    if isinstance(packed, bytes):
        try:
            return json.loads(zlib.decompress(packed))
        except zlib.error as error:
            raise ValueError(str(error)) from error
    return json.loads(packed)


@lru_cache(maxsize=2**16)
def _one_name(packed: str) -> tuple[str, ...] | None:
    """Read a list of one plain name, None where it is anything else.

    By far the most common, and the same ones again and again: there are hundred thousands to read.
    """
    if packed[:2] == '["' and packed[-2:] == '"]' and packed.count('"') == 2 and "\\" not in packed:
        return (packed[2:-2],)
    return None


def unpack_names(packed: str | bytes) -> tuple[str, ...]:
    """Read a list of names that `pack` wrote."""
    found = _one_name(packed) if isinstance(packed, str) else None
    return tuple(unpack(packed)) if found is None else found


def pack_values(values: tuple[Any, ...]) -> str | bytes:
    """Write labels: as a list, or where many cells share few, as names and their numbers."""
    if len(values) < 16:
        return pack(list(values))
    try:
        names = list(dict.fromkeys(values))
    except TypeError:
        return pack(list(values))
    if len(names) > len(values) // 2:
        return pack(list(values))
    if len(names) == 1:
        return pack({"names": names, "times": len(values)})
    number = {name: code for code, name in enumerate(names)}
    return pack({"names": names, "codes": [number[value] for value in values]})


def unpack_values(packed: str | bytes) -> tuple[Any, ...]:
    """Read what `pack_values` wrote."""
    found = _one_name(packed) if isinstance(packed, str) else None
    if found is not None:
        return found
    data = unpack(packed)
    if isinstance(data, dict):
        names = data["names"]
        if "times" in data:
            return (names[0],) * int(data["times"])
        return tuple(names[code] for code in data["codes"])
    return tuple(data)


def pack_outlines(before: Outlines, after: Outlines) -> bytes | None:
    """Write outlines: the names with the length of each, then the polygons; None: there are none.

    Byte by byte, so that an outline comes back exactly as it was drawn.
    """
    if not before and not after:
        return None
    index = [
        [[name, -1 if wkb is None else len(wkb)] for name, wkb in side.items()]
        for side in (before, after)
    ]
    head = json.dumps(index, ensure_ascii=False, separators=(",", ":")).encode()
    body = b"".join(wkb for side in (before, after) for wkb in side.values() if wkb)
    return struct.pack("<I", len(head)) + head + body


def unpack_outlines(packed: bytes | None) -> tuple[Outlines, Outlines]:
    """Read what `pack_outlines` wrote."""
    if packed is None:
        return NO_OUTLINES, NO_OUTLINES
    (length,) = struct.unpack_from("<I", packed)
    place = 4 + length
    sides: list[dict[str, bytes | None]] = []
    for entries in json.loads(packed[4:place]):
        side: dict[str, bytes | None] = {}
        for name, size in entries:
            side[name] = None if size < 0 else packed[place : place + size]
            place += max(size, 0)
        sides.append(side)
    return sides[0], sides[1]


def digest(fields: Fields) -> bytes:
    """SHA-256 of an entry's fields, whatever ledger it stands in.

    Over the fields as Python's ``ascii`` writes them, which is the same in all its versions; bytes
    by their own SHA-256.
    """
    if bytes in map(type, fields):
        fields = tuple(
            ("sha256", hashlib.sha256(value).hexdigest()) if isinstance(value, bytes) else value
            for value in fields
        )
    return hashlib.sha256(ascii(fields).encode()).digest()


def chained(checksum: str, own: bytes) -> str:
    """Give the checksum of a row from that of the row before and its own digest."""
    return hashlib.sha256(checksum.encode() + own).hexdigest()
