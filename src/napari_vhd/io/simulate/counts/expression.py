"""What each cell expresses: invented profiles, cell states, and differences between samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy import sparse

from napari_vhd.io.simulate.counts.genes import (
    HOUSEKEEPING,
    MITOCHONDRIAL,
    SHARED,
    Genes,
    invent_genes,
)
from napari_vhd.io.simulate.tissue.celltypes import NAMES, TYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Share of all transcripts that is mitochondrial away from the tissue's rim, and at it.
_MT_SHARE, _MT_RIM_SHARE = 0.05, 0.14
_MARKER_SHARE = 0.075
_STATES = 4


class Expression(Protocol):
    """Gives cells of known types their transcripts."""

    genes: Genes
    type_names: tuple[str, ...]

    def draw(
        self,
        rng: np.random.Generator,
        cell_type: NDArray[np.integer],
        expected: NDArray[np.floating],
        rim: NDArray[np.floating],
    ) -> sparse.csr_matrix:
        """Draw counts (cells x genes): `expected` transcripts a cell, `rim` 1 at the edge."""
        ...

    def ambient(self, shares: NDArray[np.floating]) -> NDArray[np.float64]:
        """Profile of free transcripts in a tissue whose types hold these shares of them."""
        ...


class InventedExpression:
    """Profiles for the nine types: their markers, shared programmes, private and common genes.

    Parameters
    ----------
    count
        Number of genes.
    seed
        Names the set of profiles.
    batch
        Samples of one seed differ from each other by batch, as patients do.
    """

    type_names = NAMES

    def __init__(self, count: int, seed: int, batch: int = 0) -> None:
        self.genes = invent_genes(count)
        rng = np.random.default_rng((seed, 61))
        self._mt = np.isin(self.genes.symbols, MITOCHONDRIAL)
        profiles = _profiles(self.genes, rng)
        self._loadings = rng.normal(0, 0.28, (_STATES, count)).astype(np.float32)
        if batch:
            own = np.random.default_rng((seed, 62, batch))
            profiles *= np.exp(own.normal(0, 0.3, count))[None]
            profiles *= np.exp(own.normal(0, 0.12, profiles.shape))
        self.profiles = profiles / profiles.sum(1, keepdims=True)

    def draw(
        self,
        rng: np.random.Generator,
        cell_type: NDArray[np.integer],
        expected: NDArray[np.floating],
        rim: NDArray[np.floating],
    ) -> sparse.csr_matrix:
        """Draw counts (cells x genes): `expected` transcripts a cell, `rim` 1 at the edge."""
        state = rng.standard_normal((len(cell_type), _STATES), dtype=np.float32)
        rate = self.profiles[cell_type].astype(np.float32) * np.exp(state @ self._loadings)
        rate *= raise_at_rim(self._mt[None], rim[:, None].astype(np.float32))
        rate *= (expected / rate.sum(1))[:, None].astype(np.float32)
        return sparse.csr_matrix(rng.poisson(rate).astype(np.int32))

    def ambient(self, shares: NDArray[np.floating]) -> NDArray[np.float64]:
        """Profile of free transcripts in a tissue whose types hold these shares of them."""
        profile: NDArray[np.float64] = shares @ self.profiles
        return profile / profile.sum()


def raise_at_rim(
    mitochondrial: NDArray[np.bool_], rim: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Factor by which a transcript is more common at the tissue's rim (1 there, 0 inside)."""
    more = np.float32(_MT_RIM_SHARE / _MT_SHARE - 1)
    return (1 + more * mitochondrial * rim).astype(np.float32)


def _profiles(genes: Genes, rng: np.random.Generator) -> NDArray[np.float64]:
    """Share of each gene in each type's transcripts (unnormalised), (types, genes)."""
    symbols = np.array(genes.symbols)
    number = {symbol: i for i, symbol in enumerate(genes.symbols)}
    common = np.exp(np.clip(rng.normal(0, 1.5, len(genes)), -4, 3.5))
    high = np.array([g in HOUSEKEEPING or g.startswith(("RPL", "RPS")) for g in genes.symbols])
    common[high] = 14 * np.exp(rng.normal(0, 0.8, high.sum()))
    marker = np.isin(symbols, [g for t in TYPES for g in t.markers])
    mt = np.isin(symbols, MITOCHONDRIAL)
    common[marker | mt] = 0
    common /= common.sum()
    profiles = np.tile(common, (len(TYPES), 1))
    # Besides markers, every type has genes of its own among the common ones.
    profiles *= np.exp(rng.normal(0, 0.35, profiles.shape))
    private = rng.random(profiles.shape) < 0.03
    profiles[private] *= rng.uniform(3, 8, private.sum())
    for text, members in SHARED:
        rows = [g in members for g in NAMES]
        for gene in (number[g] for g in text.split() if g in number):
            profiles[:, gene] = 2e-3 * np.where(rows, 1.0, 0.06) * np.exp(rng.normal(0, 0.4))
    for row, kind in enumerate(TYPES):
        known = [number[g] for g in kind.markers if g in number]
        weight = np.exp(-np.arange(len(known)) / 9 + rng.normal(0, 0.3, len(known)))
        weight *= _MARKER_SHARE / weight.sum()
        for gene, w in zip(known, weight, strict=True):
            others = w * rng.uniform(0.01, 0.07, len(TYPES))
            others[row] = w
            profiles[:, gene] = np.maximum(profiles[:, gene], others)
    profiles[:, mt] = 0
    weight = np.exp(rng.normal(0, 0.6, mt.sum()))
    profiles[:, mt] = _MT_SHARE * profiles.sum(1, keepdims=True) * weight / weight.sum()
    return profiles
