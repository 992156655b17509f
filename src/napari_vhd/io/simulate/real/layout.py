"""Real cell types on a grid of 8 um bins, to lay out a sample by."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import ndimage as ndi
from scipy.signal import fftconvolve

from napari_vhd.exceptions import BadInputError
from napari_vhd.io.simulate.real.names import kind_of
from napari_vhd.io.simulate.tissue import anatomy as an
from napari_vhd.io.simulate.tissue.celltypes import (
    B_CELL,
    ENDOTHELIAL,
    ENTEROCYTE,
    FIBROBLAST,
    GOBLET,
    MACROPHAGE,
    NEUTROPHIL,
    T_CELL,
    TUMOR,
)
from napari_vhd.io.simulate.tissue.distance import distance_inside

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

BIN_UM = 8
_LABELS = "DeconvolutionLabel1"
# Windows are tried every so many bins, and one of the best few is taken.
_STRIDE, _BEST = 8, 5
_MARGIN_UM = 45.0
# More 8 um bins on a side than any slide has.
_LARGEST_GRID = 5000
_COMPARTMENTS = ((TUMOR,), (GOBLET, ENTEROCYTE), (FIBROBLAST, ENDOTHELIAL), (T_CELL, B_CELL),
                 (MACROPHAGE, NEUTROPHIL))  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """Types on a grid of 8 um bins.

    Attributes
    ----------
    codes
        Number of the label in each bin, -1 where there is none, (rows, columns).
    labels
        Their names.
    """

    codes: NDArray[np.int16]
    labels: tuple[str, ...]

    def window(self, tissue: NDArray[np.bool_], path: Path, seed: int) -> Layout:
        """Cut a window out, one where the tissue of the sample meets many types.

        Parameters
        ----------
        tissue
            Where the sample has tissue, one value per 8 um; as large as the window.
        path
            File of the layout, for messages.
        seed
            Chooses among the best windows.

        Raises
        ------
        BadInputError
            If the grid is smaller than the window.
        """
        size = tissue.shape
        if size[0] > self.codes.shape[0] or size[1] > self.codes.shape[1]:
            has, needs = (" x ".join(str(n * BIN_UM) for n in s) for s in (self.codes.shape, size))
            raise BadInputError(
                f"{path} covers {has} um but the sample {needs} um; make size_px smaller."
            )
        score = _diversity(_kinds(self.labels)[self.codes], tissue)
        best = np.argsort(-score, axis=None, kind="stable")[:_BEST]
        chosen = int(np.random.default_rng((seed, 81)).choice(best))
        row, col = (int(i) * _STRIDE for i in np.unravel_index(chosen, score.shape))
        return Layout(self.codes[row : row + size[0], col : col + size[1]], self.labels)

    def plan(self, usable: NDArray[np.bool_]) -> Plan:
        """Fill every bin: where there is no label, or one not `usable`, from the nearest bin."""
        labelled = self.codes >= 0
        tissue = ndi.binary_closing(labelled, iterations=2) | labelled
        _, nearest = ndi.distance_transform_edt(
            ~(labelled & usable[self.codes]), return_indices=True
        )
        codes = self.codes[tuple(nearest)]
        return Plan(codes.astype(np.int64), _kinds(self.labels)[codes], tissue)


@dataclass(frozen=True)
class Plan:
    """What a sample has in each 8 um, (rows, columns).

    Attributes
    ----------
    codes
        Number of the label.
    kinds
        Number of our type.
    tissue
        Whether there is tissue.
    """

    codes: NDArray[np.int64]
    kinds: NDArray[np.int64]
    tissue: NDArray[np.bool_]


def _kinds(labels: tuple[str, ...]) -> NDArray[np.int64]:
    """Our kind of each label; -1 for one that means none, and at the end for no label."""
    of_label = [kind_of(name) for name in labels]
    return np.array([*(-1 if kind is None else kind for kind in of_label), -1], np.int64)


def read_layout(path: Path) -> Layout:
    """Read a table of bins with barcodes ``s_008um_<row>_<column>-1`` and labels.

    Raises
    ------
    BadInputError
        If it is no such table.
    """
    try:
        table = pd.read_csv(path, dtype=str)
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise BadInputError(f"{path}: cannot be read as a CSV table ({error}).") from error
    if "barcode" not in table:
        raise BadInputError(f"{path} has no column 'barcode'; give a table of 8 um bins.")
    place = table["barcode"].str.extract(r"^s_008um_(\d{5})_(\d{5})")
    if place.isna().to_numpy().all():
        raise BadInputError(f"{path}: no barcode like s_008um_00012_00034-1; give 8 um bins.")
    others = [c for c in table.columns if c != "barcode"]
    column = _LABELS if _LABELS in others else next(iter(others), None)
    known = place.notna().all(axis=1) & (table[column].notna() if column else False)
    if column is None or not known.any():
        raise BadInputError(f"{path} has no labels beside its barcodes; add a column with them.")
    labels = pd.Categorical(table[column][known])
    rows, cols = (place[k][known].to_numpy().astype(int) for k in (0, 1))
    if max(rows.max(), cols.max()) >= _LARGEST_GRID:
        raise BadInputError(
            f"{path}: bin {rows.max()}, {cols.max()} is on no Visium HD slide; give its 8 um bins."
        )
    codes = np.full((rows.max() + 1, cols.max() + 1), -1, np.int16)
    codes[rows, cols] = labels.codes
    return Layout(codes, tuple(map(str, labels.categories)))


def _diversity(kinds: NDArray[np.int64], tissue: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Entropy of the compartments on the tissue of each window, less where bins are empty."""
    shares = []
    for compartment in _COMPARTMENTS:
        here = np.isin(kinds, compartment).astype(np.float32)
        inside = fftconvolve(here, tissue[::-1, ::-1].astype(np.float32), mode="valid")
        shares.append(np.clip(inside[::_STRIDE, ::_STRIDE] / tissue.sum(), 0, 1))
    share = np.round(np.array(shares, float), 4)
    filled = share.sum(0)
    relative = share / np.maximum(filled, 1e-9)
    entropy = -(relative * np.log(np.maximum(relative, 1e-12))).sum(0)
    score: NDArray[np.float64] = entropy * filled
    return score


def domains_of(kinds: NDArray[np.int64], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Domains from the types around each place.

    Parameters
    ----------
    kinds
        Our kind in each 8 um bin.
    shape
        Height and width of the map (um).

    Returns
    -------
    Codes of `anatomy.DOMAINS`, one per um (no glass).
    """

    def around(*wanted: int) -> NDArray[np.float32]:
        smooth = ndi.gaussian_filter(np.isin(kinds, wanted).astype(np.float32), 2.5, mode="nearest")
        zoomed: NDArray[np.float32] = ndi.zoom(
            smooth, BIN_UM, order=1, grid_mode=True, mode="nearest"
        )
        return zoomed[: shape[0], : shape[1]]

    tumour = around(TUMOR) > 0.4
    domain = np.full(shape, an.STROMA, np.uint8)
    domain[around(T_CELL, B_CELL) > 0.4] = an.AGGREGATE
    domain[around(GOBLET, ENTEROCYTE) > 0.3] = an.MUCOSA
    domain[(distance_inside(~tumour) < _MARGIN_UM) & (domain == an.STROMA)] = an.MARGIN
    domain[tumour] = an.TUMOUR
    return domain
