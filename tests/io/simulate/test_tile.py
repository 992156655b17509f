"""Rendered tiles: pictures and masks fit, and seeds differ."""

from __future__ import annotations

import numpy as np
import pytest

from napari_vhd.io.simulate import render_tile


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nuclei_are_bluer_and_darker_than_what_surrounds_them(seed: int) -> None:
    rgb, labels = render_tile(seed, 192)
    assert rgb.shape == (192, 192, 3)
    assert rgb.dtype == np.uint8
    assert labels.shape == (192, 192)
    assert labels.dtype == np.int32
    inside, outside = rgb[labels > 0].mean(axis=0), rgb[labels == 0].mean(axis=0)
    assert inside.mean() < outside.mean() - 25
    assert inside[0] - inside[2] < outside[0] - outside[2]


def test_the_seed_names_the_tile() -> None:
    first, again, other = (render_tile(seed, 128)[0] for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
