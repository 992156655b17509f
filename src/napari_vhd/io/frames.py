"""One frame for every coordinate: full-resolution px, and the same place in µm.

The libraries disagree among themselves: bins lie in full-resolution px, a cropped image and what
is segmented on it in px of the crop, ProSeg's cells in µm. Each stage converts once, at its edge,
with these functions. Full-resolution px has its origin at the top left and the corner convention
(the first pixel spans 0 to 1); its coordinate system is named by the sample id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from numpy.typing import NDArray
    from spatialdata import SpatialData

    Matrix = NDArray[np.floating[Any]]

AXES = ("x", "y")


def matrix_to(element: Any, system: str) -> Matrix:
    """3 × 3 matrix from an element's own coordinates to a coordinate system.

    Parameters
    ----------
    element
        Image, shapes or points.
    system
        A sample id for full-resolution px, or ``microns``.
    """
    from spatialdata.transformations import get_transformation

    transformation = get_transformation(element, to_coordinate_system=system)
    matrix: Matrix = transformation.to_affine_matrix(AXES, AXES)
    return matrix


def px_to_um(sdata: SpatialData, sample_id: str) -> Matrix:
    """3 × 3 matrix from full-resolution px to µm (the coordinate system ``microns``)."""
    bins = sdata.shapes[keys.bin_shapes(sample_id, 2)]
    matrix: Matrix = matrix_to(bins, keys.MICRONS) @ np.linalg.inv(matrix_to(bins, sample_id))
    return matrix


def um_per_px(sdata: SpatialData, sample_id: str) -> float:
    """Side of a full-resolution pixel in µm."""
    return float(np.sqrt(abs(np.linalg.det(px_to_um(sdata, sample_id)[:2, :2]))))


def in_full_px(sdata: SpatialData, name: str, sample_id: str) -> GeoDataFrame:
    """Shapes with their vertices in full-resolution px; index and columns as they are."""
    shapes = sdata.shapes[name]
    here = shapes.set_geometry(moved(shapes.geometry.to_numpy(), matrix_to(shapes, sample_id)))
    here.attrs = {}  # the transformations of where the vertices were
    return here


def points_moved(points: Matrix, matrix: Matrix) -> NDArray[np.float64]:
    """Apply a 3 × 3 matrix to points (n, 2)."""
    result: NDArray[np.float64] = points @ matrix[:2, :2].T + matrix[:2, 2]
    return result


def moved(geometries: Any, matrix: Matrix) -> Any:
    """Apply a 3 × 3 matrix to an array of shapely geometries."""
    import shapely

    if np.array_equal(matrix, np.eye(3)):
        return geometries
    return shapely.transform(geometries, lambda points: points_moved(points, matrix))


def full_px_shapes(shapes: GeoDataFrame, sdata: SpatialData, sample_id: str) -> GeoDataFrame:
    """Parse shapes whose vertices are in full-resolution px as an element of the sample.

    They get every coordinate system that the bins have, so that they overlay whatever the bins do.
    """
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Affine, Identity, get_transformation

    bins = sdata.shapes[keys.bin_shapes(sample_id, 2)]
    own = np.linalg.inv(matrix_to(bins, sample_id))
    transformations: dict[str, Any] = {}
    for system in get_transformation(bins, get_all=True):
        matrix = matrix_to(bins, system) @ own
        identity = system == sample_id or np.allclose(matrix, np.eye(3))
        transformations[system] = (
            Identity() if identity else Affine(matrix, input_axes=AXES, output_axes=AXES)
        )
    plain = shapes.copy()
    plain.attrs = {}
    return ShapesModel.parse(plain, transformations=transformations)
