"""Train the small StarDist model for H&E that the package ships.

Stops and goes on at any step (``--resume``): the batch of a step depends only on the seed and
the number of the step.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from batches import GRID, N_RAYS, Recipe, batches

LOG = logging.getLogger("train")
WARM_UP_STEPS = 200
AVERAGE = 0.998


def build(folder: Path, filters: int) -> object:
    """Return a new StarDist2D whose files go to ``folder``."""
    from stardist.models import Config2D, StarDist2D

    config = Config2D(
        axes="YXC", n_channel_in=3, n_rays=N_RAYS, grid=(GRID, GRID), unet_n_filter_base=filters,
        net_conv_after_unet=64, train_patch_size=(192, 192), use_gpu=False,
    )  # fmt: skip
    return StarDist2D(config, name=folder.name, basedir=str(folder.parent))


def widen(model: object, start: Path) -> None:
    """Fill a model with the weights of a narrower one, so that it computes the same.

    Old channels keep their weights and get nothing from the new ones; new channels begin with
    small weights of their own, so that they learn. Concatenated inputs keep their halves apart.
    """
    from stardist.models import StarDist2D

    old = StarDist2D(None, name=start.name, basedir=str(start.parent)).keras_model
    new = model.keras_model
    pairs = zip(
        [layer for layer in old.layers if layer.get_weights()],
        [layer for layer in new.layers if layer.get_weights()],
        strict=True,
    )
    for old_layer, new_layer in pairs:
        old_kernel, old_bias = old_layer.get_weights()
        kernel, bias = new_layer.get_weights()
        n_in, n_out = old_kernel.shape[2:]
        halves = 2 if old_layer.name.startswith("up_level") and "no_0" in old_layer.name else 1
        old_rows = np.arange(n_in).reshape(halves, -1)
        rows = old_rows + np.arange(halves)[:, None] * (kernel.shape[2] - n_in) // halves
        kernel[:, :, :, :n_out] = 0
        kernel[:, :, rows.ravel(), :n_out] = old_kernel
        bias[:n_out] = old_bias
        new_layer.set_weights([kernel, bias])


class Trainer:
    """Adam with cosine decay, clipped gradients and a running mean of the weights."""

    def __init__(self, model: object, steps: int, rate: float) -> None:
        import keras
        import tensorflow as tf

        self.network = model.keras_model
        self.steps, self.rate = steps, rate
        self.optimizer = keras.optimizers.Adam(rate, global_clipnorm=1.0)
        self.optimizer.build(self.network.trainable_variables)
        self.mean = [v.numpy() for v in self.network.trainable_variables]
        self._mean_variables = [tf.Variable(v) for v in self.mean]
        self._update = tf.function(self._step, reduce_retracing=True)

    def _step(self, image, probability, distance, average):
        import keras
        import tensorflow as tf

        with tf.GradientTape() as tape:
            found, rays = self.network(image, training=True)
            entropy = tf.reduce_mean(keras.losses.binary_crossentropy(probability, found))
            error = tf.reduce_mean(tf.abs(rays - distance), axis=-1, keepdims=True)
            # The loss of StarDist: distances count as far as a pixel is inside a nucleus.
            inside = tf.reduce_sum(error * probability) / (tf.reduce_sum(probability) + 1.0)
            outside = tf.reduce_mean((1 - probability) * tf.abs(rays))
            loss = entropy + 0.2 * (inside + 1e-4 * outside)
        variables = self.network.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        for mean, variable in zip(self._mean_variables, variables, strict=True):
            mean.assign(average * mean + (1 - average) * variable.value)
        return entropy, inside

    def update(self, step: int, batch: tuple[np.ndarray, ...]) -> tuple[float, float]:
        """Take one step; returns cross-entropy and mean error of the distances, px."""
        import tensorflow as tf

        decay = 0.5 * (1 + np.cos(np.pi * min(step / self.steps, 1.0)))
        warm = min((step + 1) / WARM_UP_STEPS, 1.0)
        self.optimizer.learning_rate.assign(self.rate * warm * (0.02 + 0.98 * decay))
        average = np.float32(min(AVERAGE, (1 + step) / (10 + step)))
        image, probability, distance = batch
        parts = self._update(
            tf.constant(image), tf.constant(probability, tf.float32),
            tf.constant(distance.astype(np.float32)), tf.constant(average),
        )  # fmt: skip
        return float(parts[0]), float(parts[1])

    def save(self, path: Path, step: int) -> None:
        """Write everything that ``load`` needs to go on."""
        state = {f"w{i}": v.numpy() for i, v in enumerate(self.network.trainable_variables)}
        state |= {f"m{i}": v.numpy() for i, v in enumerate(self._mean_variables)}
        state |= {f"o{i}": np.asarray(v) for i, v in enumerate(self.optimizer.variables)}
        beside = path.with_suffix(".new.npz")
        np.savez(beside, step=step, **state)
        beside.replace(path)

    def load(self, path: Path) -> int:
        """Return the step to go on with."""
        with np.load(path) as state:
            for i, variable in enumerate(self.network.trainable_variables):
                variable.assign(state[f"w{i}"])
                self._mean_variables[i].assign(state[f"m{i}"])
            for i, variable in enumerate(self.optimizer.variables):
                variable.assign(state[f"o{i}"])
            return int(state["step"])

    def write_mean(self, path: Path) -> None:
        """Write the running mean as the weights that StarDist loads."""
        variables = self.network.trainable_variables
        kept = [v.numpy() for v in variables]
        for variable, mean in zip(variables, self._mean_variables, strict=True):
            variable.assign(mean)
        beside = path.with_name("weights_new.h5")
        self.network.save_weights(str(beside))
        beside.replace(path)
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=Path, required=True, help="of prepare_tiles.py")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--start", type=Path, help="model folder to start from, if any")
    parser.add_argument("--rendered", type=Path, help="npz of rendered tiles to mix in")
    parser.add_argument("--rendered-share", type=float, default=0.08)
    parser.add_argument("--filters", type=int, default=20)
    parser.add_argument("--steps", type=int, default=15_000)
    parser.add_argument("--stop", type=int, help="step to stop at, before the last")
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--every", type=int, default=500, help="steps between checkpoints")
    parser.add_argument("--resume", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Train, writing weights and a checkpoint every few hundred steps."""
    arguments = parse()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    recipe = Recipe(
        arguments.sources, arguments.seed, arguments.batch, 192,
        arguments.rendered, arguments.rendered_share,
    )  # fmt: skip
    # Off by default on processors without AVX-512, though it halves the time of a step there.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(arguments.seed)
    model = build(arguments.out, arguments.filters)
    checkpoint = arguments.out / "checkpoint.npz"
    first = 0
    if arguments.start is not None and not arguments.resume:
        widen(model, arguments.start)
    trainer = Trainer(model, arguments.steps, arguments.rate)
    if arguments.resume:
        first = trainer.load(checkpoint)
    last = arguments.stop or arguments.steps
    LOG.info("%s", json.dumps(asdict(recipe) | {"first": first, "last": last}, default=str))
    sums, began = np.zeros(2), time.monotonic()
    for step, batch in enumerate(batches(recipe, first, last), first):
        sums += trainer.update(step, batch)
        done = step + 1
        if done % 100 == 0:
            pace = (time.monotonic() - began) / 100
            LOG.info("%d  %.4f  %.3f px  %.2f s a step", done, *(sums / 100), pace)
            sums, began = np.zeros(2), time.monotonic()
        if done % arguments.every == 0 or done == last:
            trainer.save(checkpoint, done)
            trainer.write_mean(arguments.out / "weights_best.h5")
            LOG.info("%d written", done)


if __name__ == "__main__":
    main()
