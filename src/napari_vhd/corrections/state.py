"""One hash of everything that was reviewed: equal states have equal hashes."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from .counts import digest_of

if TYPE_CHECKING:
    from .reviewed import Reviewed


def state_hash(reviewed: Reviewed) -> str:
    """Hash outlines, labels with who gave them, counts, colours, label sets, regions, decisions.

    Only what differs from what was computed is looked at, and the fingerprint of what was computed:
    how a state came about, and in which order it was built, does not matter.
    """
    made = hashlib.sha256()
    for part in _parts(reviewed):
        made.update(json.dumps(part, sort_keys=True, ensure_ascii=False).encode())
        made.update(b"\n")
    return made.hexdigest()


def _parts(reviewed: Reviewed) -> list[Any]:
    parts: list[Any] = []
    for name in sorted(reviewed.source.segmentation_names()):
        segmentation = reviewed.segmentation(name)
        edited = {
            cell: None if shape is None else hashlib.sha256(shape.wkb).hexdigest()
            for cell, shape in segmentation.edited().items()
        }
        parts.append(["outlines", name, segmentation.epoch, edited])
    for boundaries, name, column in reviewed.corrected_columns():
        outlines = reviewed.outlines(boundaries)
        authors = column.authors()
        labels, codes = column.labels, column.codes
        now = {
            outlines.id_of(row): [labels.names[codes[row]] if codes[row] >= 0 else None, author]
            for row, author in authors.items()
        }
        chosen = column.chosen_colors()
        # What nobody has changed, or changed back, is as if never touched.
        if now or chosen:
            parts.append(["labels", boundaries, name, now, chosen])
    for boundaries, name, content in reviewed.filing.all_label_sets():
        parts.append(["label set", boundaries, name, content])
    if settled := reviewed.filing.settled():
        parts.append(["settled", sorted(settled)])
    parts.append(["counts", _counts(reviewed)])
    regions = {
        name: None
        if region is None
        else [hashlib.sha256(region.polygon).hexdigest(), region.content()]
        for name, region in reviewed.regions.edited().items()
    }
    parts.append(["regions", regions])
    return parts


def _counts(reviewed: Reviewed) -> dict[str, Any]:
    """Give counts of cells that were counted again, where they are not as computed."""
    counts, typed = reviewed.counts, reviewed.source.typed
    if counts is None or typed is None:
        return {}
    outlines = reviewed.outlines(typed)
    edited = reviewed.segmentation(typed).edited()
    found = {}
    for row in counts.rows():
        cell = outlines.id_of(row)
        own = counts.of(row)
        if own is None or (cell not in edited and reviewed.computed.is_counted_so(row, own)):
            continue
        found[cell] = digest_of(own)
    return found
