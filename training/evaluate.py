"""Measure a StarDist model: F1, precision and recall at IoU 0.5 on tiles it was not trained on.

Prints one JSON object on the last line. Two settings of the thresholds are compared: the
model's own and the 0.2 / 0.6 that sopa passes to every model.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np
from prepare_tiles import held_out

SOPA_THRESHOLDS = (0.2, 0.6)
#: Rendered tiles with these seeds are kept out of training.
RENDERED_SEEDS = range(10)
RENDERED_PX = 512


def load_model(folder: Path) -> object:
    """Return the StarDist2D of a model folder."""
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    from stardist.models import StarDist2D

    return StarDist2D(None, name=folder.name, basedir=str(folder.parent))


def measure(
    model: object,
    images: list[np.ndarray],
    truth: list[np.ndarray],
    thresholds: tuple[float, float],
) -> dict[str, float]:
    """Compare the model with the truth, all tiles pooled.

    Parameters
    ----------
    images : list of uint8 (H, W, 3)
    truth : list of int (H, W)
    thresholds : (float, float)
        Probability and overlap (non-maximum suppression).

    Returns
    -------
    dict
        ``f1``, ``precision``, ``recall`` at IoU 0.5, ``iou`` of the matches, ``n_true``.
    """
    from csbdeep.utils import normalize
    from stardist.matching import matching_dataset

    found = [
        model.predict_instances(
            # As sopa's StarDist step does it: all channels together, 3 % and 99.8 %, clipped.
            normalize(image, clip=True),
            prob_thresh=thresholds[0],
            nms_thresh=thresholds[1],
        )[0]
        for image in images
    ]
    scores = matching_dataset(truth, found, thresh=0.5, show_progress=False)
    return {
        "f1": round(float(scores.f1), 4),
        "precision": round(float(scores.precision), 4),
        "recall": round(float(scores.recall), 4),
        "iou": round(float(scores.mean_matched_score), 4),
        "n_true": int(scores.n_true),
    }


def rendered_tiles(seeds: range) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return rendered tiles and their nuclei, or two empty lists where there is no renderer."""
    try:
        from napari_vhd.io.simulate import render_tile
    except ImportError:
        return [], []
    pairs = [render_tile(seed, RENDERED_PX) for seed in seeds]
    return [rgb for rgb, _ in pairs], [labels for _, labels in pairs]


def main() -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--tiles", type=Path, required=True, help="dsb2018_color.npz")
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    own = (model.thresholds.prob, model.thresholds.nms)
    with np.load(arguments.tiles) as archive:
        kept = held_out(len(archive["images"]))
        images, truth = list(archive["images"][kept]), list(archive["inst"][kept].astype(int))
    sets = {"held_out_dsb2018": (images, truth), "rendered": rendered_tiles(RENDERED_SEEDS)}
    result = {"model": arguments.model.name, "own_thresholds": own}
    for name, (pictures, labels) in sets.items():
        if pictures:
            result[name] = {
                "own": measure(model, pictures, labels, own),
                "sopa_0.2_0.6": measure(model, pictures, labels, SOPA_THRESHOLDS),
            }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
