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
        for layer in self.background.make_images():
            layer.events.visible.connect(scene.on_style)
            yield
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
        yield from self._color()
        for name, cells in self.cells.items():
            for layer in cells.make_outlines(visible=name == next(iter(self.cells))):
                layer.events.visible.connect(scene.on_style)
                yield
            cells.shapes.layer.events.visible.connect(scene.on_shapes_visible)
        for layer in self.background.make_regions():
            layer.events.visible.connect(scene.on_style)
            yield

    def _color(self) -> Generator[None, None, None]:
        """Make the layer of the column that is shown first."""
        if (first := self.prepared.first) is None:
            return
        cells = self.cells[first.wish.boundaries]
        if first.codes is not None:
            fills = cells.fills
            yield
            fills.show(first.codes)
        elif first.values is not None:
            numbers = cells.numbers
            yield
            numbers.show(first.values, first.limits or (0.0, 1.0))
        yield

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
