"""Choose a model's thresholds on composed training tiles, and write ``thresholds.json``."""

from __future__ import annotations

import argparse
from pathlib import Path

import tiles
from evaluate import load_model
from sources import Sources

#: Seeds of training are one number long before the tile's; this keeps these tiles apart.
SEED = 77_000


def main() -> None:
    """Optimise F1 at IoU 0.5 over the probability and the overlap."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--sources", type=Path, required=True, help="of prepare_tiles.py")
    parser.add_argument("--count", type=int, default=30, help="tiles to compose")
    arguments = parser.parse_args()
    from csbdeep.utils import normalize

    source = Sources(arguments.sources)
    pairs = [tiles.make_tile(source, (SEED, number)) for number in range(arguments.count)]
    load_model(arguments.model).optimize_thresholds(
        [normalize(rgb, clip=True) for rgb, _ in pairs],
        [labels for _, labels in pairs],
        nms_threshs=[0.2, 0.3, 0.4],
        iou_threshs=[0.5],
        optimize_kwargs={"measure": "f1", "tol": 0.02, "maxiter": 8},
    )


if __name__ == "__main__":
    main()
