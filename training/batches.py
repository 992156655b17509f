"""Batches for training, made in a process of their own."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import dataclass
from queue import Empty, Full
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Tiles kept at hand; every second step puts one new tile in the place of the oldest.
POOL = 128
STEPS_A_TILE = 2
N_RAYS, GRID = 32, 2


@dataclass(frozen=True)
class Recipe:
    """What fixes every batch: step ``s`` gives the same batch whenever it is asked for."""

    sources: Path
    seed: int
    batch: int
    patch: int
    rendered: Path | None = None
    rendered_share: float = 0.0


def normalised(rgb: np.ndarray, low: float, high: float) -> np.ndarray:
    """Scale as ``csbdeep.utils.normalize(..., clip=True)`` does between two percentiles."""
    return np.clip((rgb.astype(np.float32) - low) / (high - low + 1e-20), 0.0, 1.0)


class TilePool:
    """Composed tiles, renewed one a step, and the crops drawn from them."""

    def __init__(self, recipe: Recipe) -> None:
        from sources import Sources

        self._recipe = recipe
        self._sources = Sources(recipe.sources)
        self._rendered = None
        if recipe.rendered is not None:
            with np.load(recipe.rendered) as archive:
                self._rendered = archive["images"], archive["labels"]
        self._tiles: list[tuple[np.ndarray, np.ndarray, float, float]] = []

    def fill(self, step: int) -> None:
        """Bring the pool to what it held at ``step``."""
        self._tiles = [self._tile(number) for number in self._numbers(step)]

    def advance(self, step: int) -> None:
        """Add the tile of this step, drop the oldest."""
        if step % STEPS_A_TILE == 0:
            self._tiles.append(self._tile(self._numbers(step)[-1] + 1))
            del self._tiles[:-POOL]

    @staticmethod
    def _numbers(step: int) -> range:
        newest = POOL + (step + STEPS_A_TILE - 1) // STEPS_A_TILE
        return range(newest - POOL, newest)

    def _tile(self, number: int) -> tuple[np.ndarray, np.ndarray, float, float]:
        import tiles

        seed = (self._recipe.seed, number)
        if self._rendered is not None:
            rng = np.random.default_rng((*seed, 1))
            if rng.random() < self._recipe.rendered_share:
                images, masks = self._rendered
                chosen = rng.integers(len(images))
                rgb, labels = images[chosen], masks[chosen]
                low, high = np.percentile(rgb, (3, 99.8))
                return rgb, labels.astype(np.int32), float(low), float(high)
        rgb, labels = tiles.make_tile(self._sources, seed)
        low, high = np.percentile(rgb, (3, 99.8))
        return rgb, labels, float(low), float(high)

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw a batch: images float32, object probabilities float32, distances float16."""
        from stardist.geometry import star_dist
        from stardist.utils import edt_prob

        rng = np.random.default_rng((self._recipe.seed, step, 2))
        images, probabilities, distances = [], [], []
        for _ in range(self._recipe.batch):
            rgb, labels = self._crop(rng)
            images.append(rgb)
            labels = np.ascontiguousarray(labels)
            probabilities.append(edt_prob(labels[::GRID, ::GRID])[..., None])
            rays = star_dist(labels, N_RAYS, mode="cpp", grid=(GRID, GRID))
            distances.append(rays.astype(np.float16))
        return np.stack(images), np.stack(probabilities), np.stack(distances)

    def _crop(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        rgb, labels, low, high = self._tiles[rng.integers(len(self._tiles))]
        top, left = (rng.integers(0, side - self._recipe.patch + 1) for side in labels.shape)
        window = (
            slice(top, top + self._recipe.patch),
            slice(left, left + self._recipe.patch),
        )
        # In use the percentiles come from a patch of 2,000 px, not from this small tile.
        if rng.random() < 0.6:
            share = rng.uniform(0, 1)
            low = (1 - share) * low + share * rng.uniform(30, 120)
            high = (1 - share) * high + share * rng.uniform(222, 253)
        image = normalised(rgb[window], min(low, high - 60), high)
        if rng.random() < 0.5:
            image = image ** np.float32(np.exp(rng.normal(0, 0.12)))
        turns = rng.integers(4)
        image, labels = np.rot90(image, turns), np.rot90(labels[window], turns)
        if rng.random() < 0.5:
            image, labels = image[:, ::-1], labels[:, ::-1]
        return image, labels


def _produce(recipe: Recipe, first: int, last: int, queue: multiprocessing.Queue) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pool = TilePool(recipe)
    pool.fill(first)
    for step in range(first, last):
        pool.advance(step)
        batch = pool.batch(step)
        while True:
            try:
                queue.put(batch, timeout=5)
                break
            except Full:
                if not multiprocessing.parent_process().is_alive():
                    # Nobody reads any more: end without waiting for the pipe to be emptied.
                    queue.cancel_join_thread()
                    return


def batches(recipe: Recipe, first: int, last: int) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield the batches of steps ``first`` to ``last`` (without it), made beside."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("spawn")
    queue = context.Queue(maxsize=6)
    producer = context.Process(target=_produce, args=(recipe, first, last, queue), daemon=True)
    producer.start()
    try:
        for _ in range(first, last):
            while True:
                try:
                    yield queue.get(timeout=30)
                    break
                except Empty:
                    if not producer.is_alive():
                        raise RuntimeError("The process that makes batches has ended.") from None
    finally:
        producer.terminate()
        producer.join()
