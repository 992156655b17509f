"""How elements are called on the screen."""

from __future__ import annotations

from napari_vhd import keys

_TITLES = {keys.STARDIST: "StarDist nuclei", keys.PROSEG: "ProSeg cells"}


_ONE = {keys.STARDIST: "StarDist nucleus", keys.PROSEG: "ProSeg cell"}


def title_of(boundaries: str) -> str:
    """Call a segmentation as people do: "ProSeg cells"; others by their element's name."""
    return _TITLES.get(boundaries, boundaries.removesuffix("_boundaries").replace("_", " "))


def one_of(boundaries: str) -> str:
    """Call one cell of a segmentation: "ProSeg cell"."""
    return _ONE.get(boundaries, f"cell of {title_of(boundaries)}")
