"""The layers of a sample, made one in each step: what is looked at first comes first."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari_vhd import keys

from .background import Background
from .camera import Camera
from .cells import CellsLayers
from .metadata import Metadata
from .stack import Stack

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np
    from numpy.typing import NDArray

    from .prepared import Prepared
    from .scene import Scene

OUTLINE_COLORS = ("#FFFFFF", "#00E5FF", "#FFD400", "#FF5CF4")
TITLES = {keys.STARDIST: "StarDist nuclei", keys.PROSEG: "ProSeg cells"}
_NUMBER_COLUMNS = (keys.PROBABILITY,)


class Making:
    """What a Scene shows of one version of its sample.

    While it is made, the Scene has the parts of the version before.

    Parameters
    ----------
    scene
        Whose viewer the layers are in.
    prepared
        What is slow, done before.

    Attributes
    ----------
    prepared, frame, camera, metadata, stack, background, cells
        As of a Scene.
    """

    def __init__(self, scene: Scene, prepared: Prepared) -> None:
        viewer = scene.viewer
        self.prepared, self.frame = prepared, prepared.frame
        self.camera = Camera(viewer, self.frame)
        self.metadata = Metadata(scene)
        self.stack = Stack(viewer.layers)
        self.background = Background(scene, prepared, self.stack, self.metadata)
        self.cells: dict[str, CellsLayers] = {}

    def steps(self, scene: Scene) -> Generator[None, None, None]:
        """Make the layers: the tissue, the coloured cells, outlines, regions."""
        try:
            yield from self._steps(scene)
        except BaseException:
            # Also where the rest is not wanted any more.
            self.drop()
            raise

    def _steps(self, scene: Scene) -> Generator[None, None, None]:
        yield from self.background.make_images()
        colors = OUTLINE_COLORS * len(self.prepared.rasters)
        for (name, raster), color in zip(self.prepared.rasters.items(), colors, strict=False):
            self.cells[name] = CellsLayers(
                raster,
                self.frame,
                self.stack,
                TITLES.get(name, name),
                color,
                partial(self.metadata.of, name),
                partial(shape_columns, scene, name),
                partial(scene.on_recolored, name),
            )
        if (first := self.prepared.first) is not None:
            yield from self.cells[first.wish.boundaries].make_fill(first)
        for name, cells in self.cells.items():
            yield from cells.make_outlines(visible=name == next(iter(self.cells)))
            cells.shapes.layer.events.visible.connect(scene.on_shapes_visible)
        yield from self.background.make_regions()
        always = [cells.lines.layer for cells in self.cells.values()]
        always += [cells.shapes.layer for cells in self.cells.values()]
        for layer in (*self.background.images, *always, self.background.regions.layer):
            layer.events.visible.connect(scene.on_style)

    def drop(self) -> None:
        """Take out what was made, and make no more."""
        self.stack.clear()


def shape_columns(scene: Scene, boundaries: str) -> dict[str, NDArray[np.float32]]:
    """Read what shapes have as features besides id and area."""
    session: Any = scene.session
    there = {column.name for column in session.columns(boundaries)}
    return {
        name: session.numbers(boundaries, name).values for name in _NUMBER_COLUMNS if name in there
    }
