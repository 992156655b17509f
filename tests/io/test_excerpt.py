"""An excerpt of a Space Ranger folder holds the same bins as the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_vhd.io.excerpt import write_excerpt
from napari_vhd.io.outs import bin_folder
from napari_vhd.io.visium_hd import check_outs, read

if TYPE_CHECKING:
    from pathlib import Path

BOX = (200.0, 100.0, 350.0, 420.0)


@pytest.mark.parametrize("size", [2, 8])
def test_bins_and_their_counts_are_those_of_the_whole_slide(simulated: Path, size: int) -> None:
    checked = check_outs(simulated / "outs", "demo", simulated / "tissue_image.tif")
    whole = read(checked, "demo", (size,))[f"square_{size:03d}um"]
    part = read(checked, "demo", (size,), BOX)[f"square_{size:03d}um"]
    x, y = whole.obsm["spatial"].T
    inside = (x >= BOX[0]) & (x <= BOX[2]) & (y >= BOX[1]) & (y <= BOX[3])
    assert set(whole.obs_names[inside]) <= set(part.obs_names)
    assert part.n_obs < whole.n_obs / 2
    same = whole[part.obs_names]
    assert (same.X != part.X).nnz == 0
    assert np.array_equal(same.obsm["spatial"], part.obsm["spatial"])
    assert list(same.var_names) == list(part.var_names)


def test_where_there_are_no_bins_nothing_is_written(simulated: Path, tmp_path: Path) -> None:
    source = bin_folder(simulated / "outs", 8)
    assert not write_excerpt(source, (-50, -50, -10, -10), tmp_path / "bins")
    assert not (tmp_path / "bins").exists()
