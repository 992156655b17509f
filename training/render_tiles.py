"""Render tiles with the package's own simulator, to be mixed into training."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tiles import SIZE, without_crumbs

from napari_vhd.io.simulate import render_tile

#: Far from the seeds that ``evaluate.py`` renders.
FIRST_SEED = 1_000


def main() -> None:
    """Write ``images`` uint8 (n, SIZE, SIZE, 3) and ``labels`` uint16 (n, SIZE, SIZE)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="npz to write")
    parser.add_argument("--count", type=int, default=110, help="pictures, four tiles each")
    arguments = parser.parse_args()
    images, masks = [], []
    for seed in range(FIRST_SEED, FIRST_SEED + arguments.count):
        rgb, labels = render_tile(seed, 2 * SIZE)
        for top, left in ((0, 0), (0, SIZE), (SIZE, 0), (SIZE, SIZE)):
            window = (slice(top, top + SIZE), slice(left, left + SIZE))
            images.append(rgb[window])
            masks.append(without_crumbs(labels[window]).astype(np.uint16))
    np.savez(arguments.out, images=np.stack(images), labels=np.stack(masks))


if __name__ == "__main__":
    main()
