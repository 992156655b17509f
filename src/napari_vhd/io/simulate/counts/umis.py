"""Where transcripts lie: in cells, spilled over their borders, or free; counted in 2 um bins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from napari_vhd.io.simulate.tissue.shapes import RAYS, THETA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_vhd.io.simulate.counts.expression import Expression
    from napari_vhd.io.simulate.tissue.cells import Cells

BIN_UM = 2.0
# Bin rows handled at a time; a multiple of 8, so that 16 um bins are whole. Constant: the random
# numbers of a strip are its own, and no cell or its spill reaches farther than one strip.
STRIP_ROWS = 64
_NUCLEAR_SHARE = 0.2
_DIFFUSING_SHARE = 0.6
_DIFFUSION_UM = 1.5
_AMBIENT_SHARE = 0.02
# Transcripts placed at a time.
_CHUNK = 200_000


@dataclass(frozen=True)
class Grid:
    """The 2 um bins on a picture.

    Attributes
    ----------
    offset
        Corner (x, y) of bin (0, 0) in full-resolution px.
    px
        Edge of a bin (px).
    in_tissue
        bool (rows, cols), both multiples of 8.
    """

    offset: tuple[float, float]
    px: float
    in_tissue: NDArray[np.bool_]


@dataclass(frozen=True)
class Strip:
    """Counts of the bins of `STRIP_ROWS` bin rows.

    Attributes
    ----------
    first_row
        Bin row that the strip begins with.
    bins
        Numbers (row * columns + column, counted from the strip's corner) of the bins in tissue.
    counts
        Bins x genes.
    origin
        Bins x (cells + 1): how many of a bin's transcripts come from each cell; column 0: ambient.
    """

    first_row: int
    bins: NDArray[np.int64]
    counts: sparse.csr_matrix
    origin: sparse.csr_matrix


@dataclass(frozen=True)
class _Umis:
    """Transcripts one by one: bin row and column, gene, cell number (0 = ambient)."""

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    gene: NDArray[np.int64]
    cell: NDArray[np.int64]

    def between(self, low: int, high: int) -> _Umis:
        here = (self.row >= low) & (self.row < high)
        return _Umis(self.row[here], self.col[here], self.gene[here], self.cell[here])


def count_umis(
    cells: Cells,
    cell_type: NDArray[np.integer],
    expected: NDArray[np.floating],
    rim: NDArray[np.floating],
    expression: Expression,
    grid: Grid,
    umis_per_bin: float,
    seed: int,
) -> Iterator[Strip]:
    """Draw all transcripts, strip by strip from the top.

    Parameters
    ----------
    cells
        In full-resolution px.
    cell_type, expected, rim
        Of each cell: number of its type, expected number of transcripts, nearness to the rim.
    expression
        What the types express.
    grid
        The bins.
    umis_per_bin
        Mean of the bins in tissue; sets how much ambient there is.
    seed
        Same seed, same transcripts.
    """
    rows = grid.in_tissue.shape[0]
    shares = np.bincount(cell_type, expected, len(expression.type_names))
    ambient = np.cumsum(expression.ambient(shares / shares.sum()))
    strip_of = np.floor((cells.y - grid.offset[1]) / grid.px / STRIP_ROWS).astype(int)
    last = (rows - 1) // STRIP_ROWS
    strip_of = np.clip(strip_of, 0, last)
    drawn: dict[int, _Umis] = {}
    for number in range(last + 1):
        for wanted in {number, number + 1} - drawn.keys():
            if wanted > last:
                continue
            rng = np.random.default_rng((seed, 51, wanted))
            members = np.flatnonzero(strip_of == wanted)
            drawn[wanted] = _join(
                _of_cells(rng, cells, members, cell_type, expected, rim, expression, grid),
                _free(rng, ambient, grid, wanted, umis_per_bin * _AMBIENT_SHARE),
            )
        low, high = number * STRIP_ROWS, min((number + 1) * STRIP_ROWS, rows)
        here = [drawn[k].between(low, high) for k in sorted(drawn)]
        yield _count(_join(*here), low, high, grid, len(expression.genes), len(cells))
        drawn.pop(number - 1, None)


def expected_umis(
    areas_um2: NDArray[np.floating],
    richness: NDArray[np.floating],
    total: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw the expected transcripts of each cell: by area and type, with `total` together."""
    wanted = areas_um2 * richness * rng.gamma(6.0, 1 / 6.0, len(areas_um2))
    return wanted * (total * (1 - _AMBIENT_SHARE) / max(wanted.sum(), 1e-9))


def _of_cells(
    rng: np.random.Generator,
    cells: Cells,
    members: NDArray[np.int64],
    cell_type: NDArray[np.integer],
    expected: NDArray[np.floating],
    rim: NDArray[np.floating],
    expression: Expression,
    grid: Grid,
) -> _Umis:
    """Transcripts of some cells, wherever in the tissue they come to lie."""
    counts = expression.draw(rng, cell_type[members], expected[members], rim[members])
    counts.sort_indices()
    repeats = counts.data.astype(np.int64)
    of_entry = np.repeat(np.arange(len(members)), np.diff(counts.indptr))
    cell = members[np.repeat(of_entry, repeats)]
    gene = np.repeat(counts.indices.astype(np.int64), repeats)
    parts = [_place(rng, cells, cell[k : k + _CHUNK], grid) for k in range(0, len(cell), _CHUNK)]
    row = np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)])
    col = np.concatenate([np.empty(0, np.int64), *(part[1] for part in parts)])
    inside = (row >= 0) & (col >= 0)
    inside &= (row < grid.in_tissue.shape[0]) & (col < grid.in_tissue.shape[1])
    inside[inside] = grid.in_tissue[row[inside], col[inside]]
    return _Umis(row[inside], col[inside], gene[inside], cell[inside] + 1)


def _place(
    rng: np.random.Generator, cells: Cells, cell: NDArray[np.int64], grid: Grid
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bin row and column of one transcript of each of the cells named."""
    nuclear = rng.random(len(cell)) < _NUCLEAR_SHARE
    radii = np.where(nuclear[:, None], cells.nucleus[cell], cells.body[cell])
    dx, dy = _points(rng, radii, cells.angle[cell])
    spill = np.where(rng.random(len(cell)) < _DIFFUSING_SHARE, _DIFFUSION_UM / BIN_UM * grid.px, 0)
    x = cells.x[cell] + dx + spill * rng.standard_normal(len(cell))
    y = cells.y[cell] + dy + spill * rng.standard_normal(len(cell))
    col = np.floor((x - grid.offset[0]) / grid.px).astype(np.int64)
    row = np.floor((y - grid.offset[1]) / grid.px).astype(np.int64)
    return row, col


def _points(
    rng: np.random.Generator, radii: NDArray[np.floating], angle: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One uniform point in each star-shaped outline, relative to its centre."""
    following = np.roll(radii, -1, axis=1)
    area = np.cumsum(radii * following, axis=1)
    slice_ = (area < rng.random((len(radii), 1)) * area[:, -1:]).sum(1).clip(0, RAYS - 1)
    rows = np.arange(len(radii))
    a, b = radii[rows, slice_], following[rows, slice_]
    u, v = rng.random(len(radii)), rng.random(len(radii))
    flip = u + v > 1
    u, v = np.where(flip, 1 - u, u), np.where(flip, 1 - v, v)
    first = angle + THETA[slice_]
    second = first + 2 * np.pi / RAYS
    return (
        u * a * np.cos(first) + v * b * np.cos(second),
        u * a * np.sin(first) + v * b * np.sin(second),
    )


def _free(
    rng: np.random.Generator, ambient: NDArray[np.float64], grid: Grid, number: int, per_bin: float
) -> _Umis:
    """Ambient transcripts, spread evenly over the tissue of one strip."""
    rows, cols = np.nonzero(grid.in_tissue[number * STRIP_ROWS : (number + 1) * STRIP_ROWS])
    count = int(rng.poisson(len(rows) * per_bin))
    if not count:
        none = np.empty(0, np.int64)
        return _Umis(none, none, none, none)
    chosen = rng.integers(0, len(rows), count)
    gene = np.searchsorted(ambient, rng.random(count) * ambient[-1]).astype(np.int64)
    return _Umis(rows[chosen] + number * STRIP_ROWS, cols[chosen], gene, np.zeros(count, np.int64))


def _join(*parts: _Umis) -> _Umis:
    return _Umis(
        np.concatenate([p.row for p in parts]), np.concatenate([p.col for p in parts]),
        np.concatenate([p.gene for p in parts]), np.concatenate([p.cell for p in parts]),
    )  # fmt: skip


def _count(umis: _Umis, low: int, high: int, grid: Grid, genes: int, cells: int) -> Strip:
    columns = grid.in_tissue.shape[1]
    bins = np.flatnonzero(grid.in_tissue[low:high])
    place = np.searchsorted(bins, (umis.row - low) * columns + umis.col)
    return Strip(
        low, bins, _tally(place, umis.gene, (len(bins), genes)),
        _tally(place, umis.cell, (len(bins), cells + 1)),
    )  # fmt: skip


def _tally(
    row: NDArray[np.int64], col: NDArray[np.int64], shape: tuple[int, int]
) -> sparse.csr_matrix:
    ones = np.ones(len(row), np.int32)
    matrix = sparse.csr_matrix((ones, (row, col)), shape=shape)
    matrix.sum_duplicates()
    return matrix
