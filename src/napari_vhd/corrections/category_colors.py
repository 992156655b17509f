"""Colours of categories: those that people chose, and free ones for the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_vhd.palettes import colors_for

from .correction import LABEL_SET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .correction import Entry


def chosen_in(entry: Entry) -> Mapping[str, str]:
    """Give the colours that an entry chose, by category."""
    content = entry.correction.after[0]
    if entry.correction.kind == LABEL_SET:
        return dict(zip(content["names"], content["colors"], strict=True))
    return content


def free_colors(names: Sequence[str], taken: set[str]) -> list[str]:
    """Palette colours for names, leaving out what is taken."""
    own = colors_for(names)
    spare = (c for c in colors_for(f"\0{i}" for i in range(len(names) + len(taken) + 1)))
    clean = [color for color in spare if color.upper() not in taken and color not in own]
    return [color if color.upper() not in taken or not clean else clean.pop(0) for color in own]
