"""Layers that show previews; they are marked as such, and replaced by the next one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QFileDialog

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
class OutlinesFile:
    """Nuclei of a whole picture, to be saved.

    Attributes
    ----------
    outlines
        In px of the picture (corner convention).
    picture
        Name of the picture.
    """

    outlines: NDArray[Any]
    picture: str

    def ask_and_save(self, parent: QWidget) -> None:
        """Ask for a file, and save as GeoJSON (as QuPath reads it)."""
        start = str(Path.home() / f"{Path(self.picture).stem}_nuclei.geojson")
        found, _ = QFileDialog.getSaveFileName(
            parent, "Save outlines", start, "GeoJSON (*.geojson)"
        )
        if found:
            self.save(Path(found))

    def save(self, path: Path) -> None:
        """Save as GeoJSON, in px of the picture."""
        from shapely.geometry import mapping

        features = [
            {
                "type": "Feature",
                "geometry": mapping(outline),
                "properties": {"objectType": "detection", "name": f"n{number:06d}"},
            }
            for number, outline in enumerate(self.outlines, start=1)
        ]
        text = json.dumps({"type": "FeatureCollection", "features": features})
        path.write_text(text, encoding="utf-8")


def show_shapes(
    viewer: Viewer, answer: Answer, place: Mapping[str, Any], name: str
) -> OutlinesFile:
    """Make a Shapes layer of the nuclei of a whole picture, which has that name."""
    import shapely

    outlines = read_outlines(answer.outlines)
    corners = [shapely.get_coordinates(one.exterior)[:-1, ::-1] for one in outlines]
    viewer.add_shapes(
        corners,
        shape_type="polygon",
        name=f"StarDist nuclei of {name}",
        edge_color=_COLORS[NUCLEI],
        face_color="transparent",
        edge_width=1,
        features={"id": [f"n{n:06d}" for n in range(1, len(outlines) + 1)]},
        **place,
    )
    return OutlinesFile(outlines, name)
