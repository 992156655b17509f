"""Layers that show previews; they are marked as such, and replaced by the next one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QFileDialog

from napari_vhd.export.shapes import write_areas
from napari_vhd.layers.boundaries import WHOLE
from napari_vhd.runner.preview import read_outlines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.viewer import Viewer
    from numpy.typing import NDArray
    from qtpy.QtWidgets import QWidget

    from napari_vhd.runner.preview import Answer


NUCLEI = "Preview: StarDist nuclei"
CELLS = "Preview: ProSeg cells (few iterations)"
_COLORS = {NUCLEI: "#00E5FF", CELLS: "#FFD400"}


def show_labels(viewer: Viewer, name: str, answer: Answer, place: Mapping[str, Any]) -> None:
    """Show the outlines of a view, in place of the last ones.

    Parameters
    ----------
    name
        Of the layer, `NUCLEI` or `CELLS`.
    place
        Scale, translation and units.
    """
    from napari.utils.colormaps import DirectLabelColormap

    labels = np.load(answer.labels) if answer.labels is not None else np.zeros((1, 1), np.int32)
    if name in viewer.layers:
        layer = viewer.layers[name]
        layer.data = labels
        layer.scale, layer.translate = place["scale"], place["translate"]
        return
    active = viewer.layers.selection.active
    layer = viewer.add_labels(
        labels,
        name=name,
        opacity=1.0,
        colormap=DirectLabelColormap(color_dict={0: "transparent", None: _COLORS[name]}),
        **place,
    )
    layer.contour = 2
    layer.editable = False
    viewer.layers.selection.active = active


@dataclass(frozen=True)
class PictureNuclei:
    """Nuclei of a whole picture.

    Attributes
    ----------
    picture
        Name of the picture.
    rings
        Vertices (y, x) of each outline, in px of the picture (corner convention).
    shown
        Which of them a Shapes layer shows: all, or so many that napari stays quick.
    """

    picture: str
    rings: list[NDArray[np.float64]]
    shown: NDArray[np.int64]

    @classmethod
    def read(cls, path: Path, picture: str, middle: tuple[float, float]) -> PictureNuclei:
        """Read the outlines of an answer.

        Parameters
        ----------
        path
            As `read_outlines` takes it.
        picture
            Name of the picture.
        middle
            Place (y, x; px of the picture) around which nuclei are shown where they are many.
        """
        import shapely

        outlines = read_outlines(path)
        rings = [shapely.get_coordinates(one.exterior)[:-1, ::-1] for one in outlines]
        shown = np.arange(len(rings))
        if len(rings) > WHOLE:
            away = shapely.distance(shapely.Point(middle[::-1]), outlines)
            shown = np.sort(np.argsort(away)[:WHOLE])
        return cls(picture, rings, shown)

    def show(self, viewer: Viewer, place: Mapping[str, Any]) -> None:
        """Make a Shapes layer of them."""
        viewer.add_shapes(
            [self.rings[row] for row in self.shown],
            shape_type="polygon",
            name=f"StarDist nuclei of {self.picture}",
            edge_color=_COLORS[NUCLEI],
            face_color="transparent",
            edge_width=1,
            features={"id": [_id(row) for row in self.shown]},
            **place,
        )

    def save(self, path: Path) -> None:
        """Save all as GeoJSON, in px of the picture.

        Raises
        ------
        BadInputError
            Where it cannot be written there, or there are none.
        """
        ids = [{"id": _id(row), "name": _id(row)} for row in range(len(self.rings))]
        write_areas(path, self.picture, self.rings, ["polygon"] * len(ids), ids)


def _id(row: int) -> str:
    return f"n{row + 1:06d}"


def ask_path(parent: QWidget, picture: str) -> Path | None:
    """Ask where nuclei are to be saved, None where the person thought better of it."""
    start = str(Path.home() / f"{Path(picture).stem}_nuclei.geojson")
    found, _ = QFileDialog.getSaveFileName(parent, "Save outlines", start, "GeoJSON (*.geojson)")
    return Path(found) if found else None
