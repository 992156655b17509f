"""Layers that show previews; they are marked as such, and replaced by the next one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QFileDialog

from napari_vhd.export.shapes import write_areas
from napari_vhd.layers.boundaries import WHOLE
from napari_vhd.layers.changing import put
from napari_vhd.runner.preview import read_outlines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.layers import Shapes
    from napari.viewer import Viewer
    from numpy.typing import NDArray
    from qtpy.QtWidgets import QWidget

    from napari_vhd.layers.tasks import Tasks

NUCLEI = "Preview: StarDist nuclei"
CELLS = "Preview: ProSeg cells (few iterations)"
_COLORS = {NUCLEI: "#00E5FF", CELLS: "#FFD400"}


def outlines_in(labels: Path) -> NDArray[np.uint8]:
    """Read a picture of labels (``.npy``): 1 along the rims of labels, two px wide, else 0."""
    from skimage.segmentation import find_boundaries

    return find_boundaries(np.load(labels), mode="thick").astype(np.uint8)


def show_outlines(
    viewer: Viewer, name: str, outlines: NDArray[np.uint8], place: Mapping[str, Any], tasks: Tasks
) -> None:
    """Show the outlines of a view, in place of the last ones.

    Parameters
    ----------
    name
        Of the layer, `NUCLEI` or `CELLS`.
    outlines
        As `outlines_in` gives them.
    place
        Scale, translation and units.
    tasks
        Where what is not done at once is done.
    """
    from napari.layers import Labels
    from napari.utils.colormaps import DirectLabelColormap

    if name in viewer.layers:
        layer = viewer.layers[name]
        layer.data = outlines
        layer.scale, layer.translate = place["scale"], place["translate"]
        return
    colors = {0: "transparent", 1: _COLORS[name], None: "transparent"}
    layer = Labels(
        outlines,
        name=name,
        opacity=1.0,
        colormap=DirectLabelColormap(color_dict=colors),
        **place,
    )
    layer.editable = False
    put(viewer.layers, layer, tasks)


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

    def layer(self, place: Mapping[str, Any]) -> Shapes:
        """Make a Shapes layer of them, which takes long for many."""
        from napari.layers import Shapes

        return Shapes(
            [self.rings[row] for row in self.shown],
            ndim=2,
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
