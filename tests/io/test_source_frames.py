"""Matrices from metadata are those that SpatialData itself finds."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003
from typing import Any

import numpy as np
import pytest
import zarr

from napari_vhd.io.source_frames import Frame, systems_of


def _transformations() -> dict[str, Any]:
    from spatialdata.transformations import (
        Affine,
        Identity,
        MapAxis,
        Scale,
        Sequence,
        Translation,
    )

    turn = [[0.8, -0.6, 5.0], [0.6, 0.8, -7.0], [0.0, 0.0, 1.0]]
    move, scale = Translation([3.0, 4.0], ("x", "y")), Scale([2.0, 0.5], ("x", "y"))
    return {
        "same": Identity(),
        "moved": move,
        "scaled": scale,
        "turned": Affine(turn, ("x", "y"), ("x", "y")),
        "all": Sequence([move, scale, Affine(turn, ("x", "y"), ("x", "y"))]),
        "swapped": MapAxis({"x": "y", "y": "x"}),
        "yx": Affine([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [0.0, 0.0, 1.0]], ("x", "y"), ("y", "x")),
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import geopandas as gpd
    from shapely import box
    from spatialdata import SpatialData
    from spatialdata.models import Image2DModel, ShapesModel

    image = Image2DModel.parse(
        np.zeros((3, 8, 9), np.uint8), dims=("c", "y", "x"), transformations=_transformations()
    )
    shapes = ShapesModel.parse(
        gpd.GeoDataFrame(geometry=[box(0, 0, 1, 1)]), transformations=_transformations()
    )
    path = tmp_path_factory.mktemp("frames") / "frames.zarr"
    SpatialData(images={"image": image}, shapes={"shapes": shapes}).write(path)
    return path


@pytest.mark.parametrize("kind", ["images/image", "shapes/shapes"])
def test_every_kind_of_transformation_is_read_as_spatialdata_reads_it(
    store: Path, kind: str
) -> None:
    import spatialdata
    from spatialdata.transformations import get_transformation

    element = spatialdata.read_zarr(store)[kind.split("/")[1]]
    expected = get_transformation(element, get_all=True)
    found = systems_of(dict(zarr.open_group(store / kind, mode="r").attrs))
    assert set(found) == set(expected)
    for name, matrix in found.items():
        np.testing.assert_allclose(
            matrix, expected[name].to_affine_matrix(("x", "y"), ("x", "y")), atol=1e-12
        )


def test_a_system_of_the_samples_name_is_full_resolution_px() -> None:
    crop = np.array([[1.0, 0, 100], [0, 1, 50], [0, 0, 1]])
    um = np.diag([0.25, 0.25, 1.0])
    frame = Frame.of("s", [{"s": crop, "microns": um @ crop}])
    assert frame.um_per_px == pytest.approx(0.25)
    np.testing.assert_allclose(frame.matrix({"microns": np.eye(3)}), np.diag([4, 4, 1.0]))
    np.testing.assert_allclose(frame.matrix({"s": crop}), crop)
    assert frame.matrix({"elsewhere": crop}) is None


def test_without_such_a_system_the_pictures_own_px_are_it() -> None:
    world = np.array([[0.5, 0, 10], [0, 0.5, 20], [0, 0, 1]])
    frame = Frame.of("s", [{"global": world}])
    np.testing.assert_allclose(frame.matrix({"global": world}), np.eye(3), atol=1e-12)
    assert frame.um_per_px is None
