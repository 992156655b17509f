"""How deep the bins of a Space Ranger folder are, without loading their counts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from . import outs, regions

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_BLOCK = 20_000_000
"""Counts that are read at once."""


@dataclass(frozen=True)
class BinDepth:
    """Depth of the bins of one size within a region.

    Attributes
    ----------
    genes
        Number of genes.
    umis, counts, largest
        Of each bin: its UMIs, how many genes have any, and the most of one gene.
    """

    genes: int
    umis: NDArray[np.int64]
    counts: NDArray[np.int64]
    largest: NDArray[np.int64]


def bin_depth(folder: Path, size_um: int, region: regions.Region | None = None) -> BinDepth:
    """Measure the bins of a checked Space Ranger folder.

    Parameters
    ----------
    folder
        The folder that holds ``binned_outputs``.
    size_um
        Size of the bins.
    region
        Full-resolution px; None: all bins.
    """
    import h5py

    with h5py.File(outs.bin_folder(folder, size_um) / outs.MATRIX, "r") as file:
        matrix = file["matrix"]
        genes, bins = (int(n) for n in matrix["shape"][:])
        starts = matrix["indptr"][:].astype(np.int64)
        umis, largest = np.zeros(bins, np.int64), np.zeros(bins, np.int64)
        filled = np.flatnonzero(np.diff(starts))
        for block in _blocks(starts[filled]):
            rows = filled[block]
            low, high = starts[rows[0]], starts[rows[-1] + 1]
            values = matrix["data"][low:high].astype(np.int64)
            umis[rows] = np.add.reduceat(values, starts[rows] - low)
            largest[rows] = np.maximum.reduceat(values, starts[rows] - low)
        inside = slice(None) if region is None else _inside(folder, size_um, region, matrix)
    return BinDepth(genes, umis[inside], np.diff(starts)[inside], largest[inside])


def _blocks(starts: NDArray[np.int64]) -> list[slice]:
    """Part bins into runs of about `_BLOCK` counts."""
    if not len(starts):
        return []
    last = int((starts[-1] - starts[0]) // _BLOCK)
    edges = np.searchsorted(starts - starts[0], np.arange(last + 1) * _BLOCK)
    edges = np.unique([*edges, len(starts)])
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]


def _inside(folder: Path, size_um: int, region: regions.Region, matrix: Any) -> NDArray[np.bool_]:
    """Say which bins of a matrix have their centre in a region."""
    import pandas as pd

    path = outs.bin_folder(folder, size_um) / outs.POSITIONS
    x, y = "pxl_col_in_fullres", "pxl_row_in_fullres"
    places = pd.read_parquet(path, columns=["barcode", x, y])
    chosen = places.loc[regions.inside(region, places[x].to_numpy(), places[y].to_numpy())]
    barcodes = pd.Index(matrix["barcodes"].asstr()[:])
    return np.asarray(barcodes.isin(chosen["barcode"]))
