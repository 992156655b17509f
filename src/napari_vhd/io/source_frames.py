"""Where the elements of a SpatialData store lie, read from their metadata alone.

SpatialData keeps transformations as NGFF does: from an element's own coordinates to each of its
coordinate systems. Here they become 3 × 3 matrices of x and y, without loading the element.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

_XY = ("x", "y")


@dataclass(frozen=True)
class Frame:
    """The frame of full-resolution px of a store, and ways into it.

    Attributes
    ----------
    ways
        Coordinate system -> matrix from it to full-resolution px; the sample's own comes first.
    um_per_px
        Side of a full-resolution pixel in µm, None where the store has no system in µm.
    """

    ways: Mapping[str, Matrix]
    um_per_px: float | None

    @classmethod
    def of(cls, sample_id: str, anchors: Sequence[Mapping[str, Matrix]]) -> Frame:
        """Find the frame from the elements that are known to be in full-resolution px.

        Parameters
        ----------
        sample_id
            The system of this name is full-resolution px, where an anchor has it without scaling.
        anchors
            Systems of the full-resolution image, then of the bins. Without a system of the
            sample's name, the first one's own coordinates are full-resolution px.
        """
        ways: dict[str, Matrix] = {}
        for systems in anchors:
            to_px = np.eye(3)
            if (named := systems.get(sample_id)) is not None:
                if _moves_only(named):
                    ways.setdefault(sample_id, np.eye(3))
                    to_px = named
            elif (common := next((name for name in systems if name in ways), None)) is not None:
                to_px = ways[common] @ systems[common]
            elif ways:
                continue
            for name, matrix in systems.items():
                if name not in ways and abs(np.linalg.det(matrix)) > 0:
                    ways[name] = to_px @ np.linalg.inv(matrix)
        um = ways.get(keys.MICRONS)
        scale = None if um is None else 1 / float(np.sqrt(abs(np.linalg.det(um[:2, :2]))))
        return cls(ways, scale)

    def matrix(self, systems: Mapping[str, Matrix]) -> Matrix | None:
        """Matrix from an element's own coordinates to full-resolution px; None: no way known."""
        for name, way in self.ways.items():
            if name in systems:
                matrix: Matrix = way @ systems[name]
                return matrix
        return None


def systems_of(attrs: Mapping[str, Any]) -> dict[str, Matrix]:
    """Read the coordinate systems of an element: name -> matrix from its own coordinates.

    Parameters
    ----------
    attrs
        Attributes of the element's zarr group, image or shapes.
    """
    described = attrs.get("ome", attrs)
    if "multiscales" in described:
        described = described["multiscales"][0]
    found = {}
    for entry in described.get("coordinateTransformations", ()):
        name = entry.get("output", {}).get("name")
        if name is not None:
            found[str(name)] = _xy(entry)
    return found


def _xy(entry: Mapping[str, Any]) -> Matrix:
    """Reduce one transformation to x and y."""
    matrix = _matrix(entry)
    rows, columns = (_places(_axes(entry, side)) for side in ("output", "input"))
    return np.vstack([matrix[np.ix_(rows, [*columns, matrix.shape[1] - 1])], [0.0, 0.0, 1.0]])


def _matrix(entry: Mapping[str, Any]) -> Matrix:
    """Give the homogeneous matrix of one transformation over all its axes."""
    kind = entry["type"]
    inputs, outputs = _axes(entry, "input"), _axes(entry, "output")
    matrix = np.zeros((len(outputs) + 1, len(inputs) + 1))
    matrix[-1, -1] = 1.0
    if kind == "sequence":
        whole = np.eye(len(inputs) + 1)
        for part in entry["transformations"]:
            whole = _matrix(part) @ whole
        return whole
    if kind == "affine":
        matrix[:-1] = np.asarray(entry["affine"], dtype=float)
        return matrix
    if kind == "rotation":
        matrix[:-1, :-1] = np.asarray(entry["rotation"], dtype=float)
        return matrix
    names = entry["mapAxis"] if kind == "mapAxis" else {axis: axis for axis in outputs}
    for row, axis in enumerate(outputs):
        source = names.get(axis)
        if source in inputs:
            matrix[row, inputs.index(source)] = 1.0
    if kind == "scale":
        matrix[:-1, :-1] *= np.asarray(entry["scale"], dtype=float)[None, :]
    elif kind == "translation":
        matrix[:-1, -1] = np.asarray(entry["translation"], dtype=float)
    elif kind not in ("identity", "mapAxis"):
        raise ValueError(f"the transformation {kind!r} is not known")
    return matrix


def _axes(entry: Mapping[str, Any], side: str) -> list[str]:
    return [str(axis["name"]) for axis in entry[side]["axes"]]


def _places(axes: Sequence[str]) -> list[int]:
    return [axes.index(axis) for axis in _XY]


def _moves_only(matrix: Matrix) -> bool:
    return bool(np.allclose(matrix[:2, :2], np.eye(2), atol=1e-6))
