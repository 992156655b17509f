"""A Visium HD sample with known truth, in Space Ranger's own files."""

from napari_vhd.io.simulate.sample import simulate
from napari_vhd.io.simulate.tile import render_tile

__all__ = ["render_tile", "simulate"]
