"""The rule of counting 2 µm bins into cells, for all cells and for a few.

A bin belongs to a cell when its centre lies within the cell's outline, grown by
``expand_radius_ratio`` times the mean radius of all cells (`sopa.aggregation.aggregate_bins`).
With ``no_overlap`` a bin within several cells goes to the one with the nearest profile (sopa's
rule too, here seeded and with its components kept). The stage ``aggregation`` counts all cells by
it, `napari_vhd.corrections.recount` those that a correction touches; what is needed to count these
exactly as all were counted is a `Rule`, in ``uns["vhd_aggregation"]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData
    from geopandas import GeoDataFrame
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

MAX_COMPONENTS = 50  # sopa's
QUAD_SEGS = 16  # geopandas', by which sopa grows outlines


@dataclass(frozen=True)
class Rule:
    """How bins were counted into cells.

    Attributes
    ----------
    boundaries
        Name of the counted outlines.
    expand_radius_ratio
        As computed: never None.
    mean_radius_px, expansion_px
        Mean radius of all cells when the table was made, and what every outline grew by; both in
        full-resolution px. An edit of a cell changes neither.
    no_overlap
        A bin within several cells was given to the one with the nearest profile: log1p counts per
        million of the bins that are in this cell only, times ``varm["vhd_aggregation"]`` (genes ×
        components); the cells' profiles are ``obsm["vhd_aggregation"]``.
    """

    boundaries: str
    expand_radius_ratio: float
    mean_radius_px: float
    expansion_px: float
    no_overlap: bool

    @classmethod
    def of(cls, table: AnnData) -> Rule:
        """Read back how a table was counted."""
        return cls.read(table.uns[keys.AGGREGATION])

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Rule:
        """Read what a table keeps in ``uns["vhd_aggregation"]``."""
        return cls(
            boundaries=str(kept["boundaries"]),
            expand_radius_ratio=float(kept["expand_radius_ratio"]),
            mean_radius_px=float(kept["mean_radius_px"]),
            expansion_px=float(kept["expansion_px"]),
            no_overlap=bool(kept["no_overlap"]),
        )

    @classmethod
    def made(cls, cells: GeoDataFrame, name: str, ratio: float, no_overlap: bool) -> Rule:
        """Work out what every outline grows by, as `sopa.shapes.expand_radius` does.

        Parameters
        ----------
        cells
            All outlines, full-resolution px.
        name
            Of these boundaries.
        ratio, no_overlap
            As in the config.
        """
        radius = float(np.mean(np.sqrt(cells.area / np.pi)))
        return cls(name, float(ratio), radius, float(ratio) * radius, no_overlap)


def grown(outlines: Any, expansion_px: float) -> Any:
    """Grow outlines before bins are counted (an array of shapely geometries; px)."""
    import shapely

    return shapely.buffer(outlines, expansion_px, quad_segs=QUAD_SEGS) if expansion_px else outlines


def bins_within(
    outlines: Any, centres: NDArray[np.float64], expansion_px: float = 0.0
) -> csr_matrix:
    """Say which points lie within which outlines, the edge included, wherever they lie.

    For bins on their grid `BinGrid.within` says the same, and needs no tree of all of them.

    Parameters
    ----------
    outlines
        Shapely geometries (n,), full-resolution px.
    centres
        Bin centres (m, 2), full-resolution px.
    expansion_px
        What the outlines grow by first.

    Returns
    -------
    csr_matrix
        (n, m), int8, 1 where the bin is in the cell.
    """
    import shapely
    from scipy.sparse import csr_matrix

    wide = grown(outlines, expansion_px)
    cell, inside = shapely.STRtree(shapely.points(centres)).query(wide, predicate="intersects")
    ones = np.ones(len(cell), dtype=np.int8)
    return csr_matrix((ones, (cell, inside)), shape=(len(outlines), len(centres)))


def profiles(counts: csr_matrix, components: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log1p counts per million (rows) in the given components (genes, k).

    The profile of a row does not depend on what other rows there are, to the last bit.
    """
    from scipy.sparse import csr_matrix

    counts = counts.copy()
    counts.sort_indices()  # the order of a product's entries, and so of the sums, is open
    lengths = np.diff(counts.indptr)
    totals = np.bincount(
        np.repeat(np.arange(len(lengths)), lengths), counts.data, minlength=len(lengths)
    )
    scaled = np.log1p(counts.data * np.repeat(1e6 / (totals + 1e-8), lengths))
    logged = csr_matrix((scaled, counts.indices, counts.indptr), shape=counts.shape)
    result: NDArray[np.float32] = (logged @ components).astype(np.float32)
    return result


def shared(membership: csr_matrix) -> NDArray[np.bool_]:
    """Say which bins (columns) lie within several cells."""
    return np.bincount(membership.indices, membership.data, minlength=membership.shape[1]) > 1


def unshared(membership: csr_matrix) -> csr_matrix:
    """Leave out the bins that lie within several cells."""
    kept = membership.copy()
    kept.data[shared(membership)[kept.indices]] = 0
    kept.eliminate_zeros()
    return kept


def share_out(
    membership: csr_matrix,
    of_cells: NDArray[np.float32],
    of_bins: NDArray[np.float32],
    ids: Sequence[str],
) -> csr_matrix:
    """Give each shared bin to the cell with the nearest profile.

    Parameters
    ----------
    membership
        As `bins_within` gives it (n, m).
    of_cells
        `profiles` of the cells' unshared bins (n, k).
    of_bins
        `profiles` of the shared bins (number of shared bins, k), in their order.
    ids
        Of the cells: the first of equals by id has the bin, whatever the order of rows.
    """
    from scipy.sparse import csr_matrix

    where = shared(membership)
    position = np.cumsum(where) - 1
    entries = membership.tocoo()
    asked = where[entries.col]
    cell, column = entries.row[asked], entries.col[asked]
    apart = of_cells[cell].astype(float) - of_bins[position[column]]
    distance = (apart**2).sum(axis=1)
    rank = np.argsort(np.argsort(np.asarray(ids, dtype=str), kind="stable"), kind="stable")
    order = np.lexsort((rank[cell], distance, column))
    first = order[np.unique(column[order], return_index=True)[1]]
    won = csr_matrix(
        (np.ones(len(first), dtype=np.int8), (cell[first], column[first])), membership.shape
    )
    result: csr_matrix = (unshared(membership) + won).tocsr()
    return result


@dataclass(frozen=True)
class Shares:
    """Bins of each cell when every bin is in one cell only.

    Attributes
    ----------
    membership
        (cells, bins), int8.
    of_cells
        Profiles of the cells' unshared bins (cells, k).
    components
        What the profiles are in (genes, k).
    """

    membership: csr_matrix
    of_cells: NDArray[np.float32]
    components: NDArray[np.float32]


def shared_out(
    membership: csr_matrix,
    counts: csr_matrix,
    ids: Sequence[str],
    components: NDArray[np.float32] | None = None,
) -> Shares:
    """Give each bin that lies in several cells to one: the rule of ``no_overlap``.

    Parameters
    ----------
    membership
        Which bins lie in which cells (n, m).
    counts
        Of these bins (m, genes).
    ids
        Of the cells.
    components
        As they were recorded; None: those of these cells.
    """
    if components is None:
        components = _components(membership, counts)
    of_cells = profiles(unshared(membership) @ counts, components)
    of_bins = profiles(counts[shared(membership)], components)
    return Shares(share_out(membership, of_cells, of_bins, ids), of_cells, components)


def recorded_components(
    rule: Rule, kept: NDArray[np.float32] | None, n_genes: int
) -> NDArray[np.float32] | None:
    """Components by which a correction shares out bins.

    Where no bin was shared when all cells were counted, none were kept: the first of the cells then
    has the bin.
    """
    if not rule.no_overlap:
        return None
    return np.zeros((n_genes, 1), dtype=np.float32) if kept is None else np.asarray(kept)


def _components(membership: csr_matrix, counts: csr_matrix) -> NDArray[np.float32]:
    """Principal components (genes, k) of the profiles of the cells' unshared bins."""
    from sklearn.decomposition import PCA

    cells = unshared(membership) @ counts
    number = min(
        MAX_COMPONENTS, cells.shape[1] - 1, int(shared(membership).sum()) - 1, cells.shape[0] - 1
    )
    if number < 1:
        return np.zeros((cells.shape[1], 1), dtype=np.float32)
    totals = np.asarray(cells.sum(axis=1), dtype=float).ravel()
    scaled = cells.multiply(1e6 / (totals + 1e-8)[:, None]).tocsr().log1p()
    result: NDArray[np.float32] = (
        PCA(n_components=number, random_state=0).fit(scaled).components_.T.astype(np.float32)
    )
    return result
