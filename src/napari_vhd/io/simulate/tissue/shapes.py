"""Nuclei and cells as star-shaped outlines: one radius for each of a few directions.

An outline is a centre, an angle and `RAYS` radii, one every 360/RAYS degrees from that angle.
Neighbours are kept apart by straight cuts between their nuclei (as in a Voronoi diagram weighted by
size), so neither two nuclei nor two cells overlap.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Real = NDArray[np.floating]

RAYS = 32
THETA = np.arange(RAYS) * (2 * np.pi / RAYS)
_NEIGHBOURS = 20
_CHUNK = 20_000


def ellipse_extent(long: Real, short: Real, angle: Real) -> Real:
    """Half-length of an ellipse in a direction, counted from its long axis."""
    return long * short / np.hypot(short * np.cos(angle), long * np.sin(angle))


def wobbly(rng: np.random.Generator, long: Real, short: Real, wobble: Real) -> Real:
    """Radii, shape (n, RAYS), of ellipses with irregular outlines."""
    radii = ellipse_extent(long[:, None], short[:, None], THETA[None])
    factor = np.ones_like(radii)
    for order in (2, 3, 4, 5):
        size = rng.normal(0, 1, (len(long), 1)) * wobble[:, None] / (order - 1) ** 0.5
        phase = rng.uniform(0, 2 * np.pi, (len(long), 1))
        factor += size * np.cos(order * THETA[None] + phase)
    return radii * np.clip(factor, 0.55, 1.5)


def extent(radii: Real, angle: Real) -> Real:
    """Radius of outline ``radii[i]`` in its direction ``angle[i]`` (linear between two rays)."""
    place = np.mod(angle, 2 * np.pi) / (2 * np.pi) * RAYS
    low = np.floor(place).astype(int) % RAYS
    part = place - np.floor(place)
    first = np.take_along_axis(radii, low, 1)
    second = np.take_along_axis(radii, (low + 1) % RAYS, 1)
    return first * (1 - part) + second * part


def keep_apart(
    x: Real, y: Real, angle: Real, nuclei: Real, bodies: Real, cores: Real, gap: float
) -> tuple[Real, Real]:
    """Cut outlines so that neighbours touch at most.

    Parameters
    ----------
    x, y, angle
        Centres and angles of n outlines.
    nuclei, bodies
        Radii wished for, (n, RAYS).
    cores
        Radii that decide where between two centres the cut lies, (n, RAYS).
    gap
        Least distance between two nuclei.

    Returns
    -------
    The radii that nuclei and bodies keep.
    """
    n = len(x)
    k = min(_NEIGHBOURS + 1, n)
    nuclei, bodies = nuclei.copy(), bodies.copy()
    if k < 2:
        return nuclei, bodies
    tree = cKDTree(np.column_stack([x, y]))
    for start in range(0, n, _CHUNK):
        own = np.arange(start, min(start + _CHUNK, n))
        distance, other = tree.query(np.column_stack([x[own], y[own]]), k=k)
        distance, other = distance[:, 1:], other[:, 1:]
        towards = np.arctan2(y[other] - y[own, None], x[other] - x[own, None])
        mine = extent(cores[own], towards - angle[own, None])
        theirs = extent(
            cores[other.ravel()], (towards + np.pi - angle[other]).reshape(-1, 1)
        ).reshape(mine.shape)
        cut = np.clip((distance + mine - theirs) / 2, 0.15 * distance, 0.85 * distance)
        for j in range(k - 1):
            cosine = np.cos(angle[own, None] + THETA[None] - towards[:, j, None])
            reach = np.where(cosine > 1e-3, 1 / np.maximum(cosine, 1e-3), np.inf)
            bodies[own] = np.minimum(bodies[own], cut[:, j, None] * reach)
            nuclei[own] = np.minimum(
                nuclei[own], np.maximum(cut[:, j, None] - gap / 2, 0.1) * reach
            )
    return nuclei, np.maximum(bodies, nuclei)


def vertices(x: Real, y: Real, angle: Real, radii: Real) -> Real:
    """Corners (x, y) of outlines, shape (n, RAYS, 2)."""
    direction = angle[:, None] + THETA[None]
    return np.stack(
        [x[:, None] + radii * np.cos(direction), y[:, None] + radii * np.sin(direction)], axis=-1
    )


def areas(radii: Real) -> Real:
    """Areas of star-shaped outlines, shape (n,)."""
    area: Real = 0.5 * np.sin(2 * np.pi / RAYS) * (radii * np.roll(radii, -1, 1)).sum(1)
    return area


def rasterize(
    x: Real, y: Real, angle: Real, radii: Real, shape: tuple[int, int]
) -> NDArray[np.int32]:
    """Label image of outlines.

    Parameters
    ----------
    x, y, angle, radii
        Outlines in px from the image's corner.
    shape
        Height and width (px).

    Returns
    -------
    int32: position + 1 of the outline that holds a pixel's centre, 0 where there is none.
    """
    corners = vertices(x, y, angle, radii) - 0.5
    before, after = corners, np.roll(corners, -1, axis=1)
    top = np.ceil(np.minimum(before[..., 1], after[..., 1])).astype(np.int64)
    bottom = np.ceil(np.maximum(before[..., 1], after[..., 1])).astype(np.int64)
    top, bottom = np.clip(top, 0, shape[0]), np.clip(bottom, 0, shape[0])
    # Every edge crosses the pixel rows top .. bottom - 1; between two crossings lies the inside.
    crossings = (bottom - top).ravel()
    edge = np.repeat(np.arange(crossings.size), crossings)
    row = np.arange(edge.size) - np.repeat(np.cumsum(crossings) - crossings, crossings)
    row += top.ravel()[edge]
    (x0, y0), (x1, y1) = before.reshape(-1, 2)[edge].T, after.reshape(-1, 2)[edge].T
    col = np.ceil(x0 + (row - y0) * (x1 - x0) / (y1 - y0)).astype(np.int64)
    col = np.clip(col, 0, shape[1])
    owner = edge // RAYS
    order = np.lexsort((col, row, owner))
    return _fill(shape, owner[order][::2], row[order][::2], col[order][::2], col[order][1::2])


def _fill(
    shape: tuple[int, int],
    owner: NDArray[np.int64],
    row: NDArray[np.int64],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
) -> NDArray[np.int32]:
    plane = np.zeros(shape, np.int32)
    length = stop - start
    span = np.repeat(np.arange(len(owner)), length)
    col = np.arange(span.size) - np.repeat(np.cumsum(length) - length, length) + start[span]
    plane[row[span], col] = owner[span] + 1
    return plane
