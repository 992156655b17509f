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
    from .raster import CellRaster
    from .scene import Scene
    from .tasks import Tasks

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
        self.stack = Stack(viewer.layers, scene.tasks)
        self.background = Background(scene, prepared, self.stack, self.metadata)
        self.cells: dict[str, CellsLayers] = {}
        self._is_dropped = False

    def steps(self, scene: Scene) -> Generator[None, None, None]:
        """Make the layers: the tissue, the coloured cells, outlines, regions."""
        self.camera.flatten()
        try:
            yield from self._steps(scene)
        except BaseException:
            # Also where the rest is not wanted any more.
            self.drop(scene.tasks)
            raise

    def _steps(self, scene: Scene) -> Generator[None, None, None]:
        yield from self.background.make_images()
        rasters = self.prepared.rasters
        self.cells |= {name: self._cells_of(scene, name, rasters[name]) for name in rasters}
        if (first := self.prepared.first) is not None:
            yield from self.cells[first.wish.boundaries].make_fill(first)
        for name, cells in self.cells.items():
            yield from self._outlines_of(scene, cells, visible=name == next(iter(self.cells)))
        yield from self.background.make_regions()
        for layer in (*self.background.images, self.background.regions.layer):
            layer.events.visible.connect(scene.on_style)

    def more(self, scene: Scene, name: str, raster: CellRaster) -> Generator[None, None, None]:
        """Make the layers of a segmentation that was read later; hidden."""
        made = self._cells_of(scene, name, raster)
        yield from self._outlines_of(scene, made, visible=False)
        every = {**self.cells, name: made}
        self.cells.clear()
        self.cells |= {one: every[one] for one in self.prepared.segmentations if one in every}

    def _cells_of(self, scene: Scene, name: str, raster: CellRaster) -> CellsLayers:
        place = self.prepared.segmentations.index(name)
        return CellsLayers(
            raster,
            self.frame,
            self.stack,
            TITLES.get(name, name),
            OUTLINE_COLORS[place % len(OUTLINE_COLORS)],
            partial(self.metadata.of, name),
            partial(shape_columns, scene, name),
            partial(scene.on_recolored, name),
        )

    def _outlines_of(
        self, scene: Scene, cells: CellsLayers, visible: bool
    ) -> Generator[None, None, None]:
        yield from cells.make_outlines(visible)
        cells.shapes.layer.events.visible.connect(scene.on_shapes_visible)
        for layer in (cells.lines.layer, cells.shapes.layer):
            layer.events.visible.connect(scene.on_style)

    def drop(self, tasks: Tasks) -> None:
        """Take out what was made, and make no more."""
        if not self._is_dropped:
            self._is_dropped = True
            leaving = self._leaving()
            # What has begun is finished also where nobody waits any more.
            next(leaving, None)
            tasks.in_turns("drop", leaving)

    def _leaving(self) -> Generator[None, None, None]:
        try:
            yield from self.stack.leave()
        finally:
            self.stack.clear()


def shape_columns(scene: Scene, boundaries: str) -> dict[str, NDArray[np.float32]]:
    """Read what shapes have as features besides id and area."""
    session: Any = scene.session
    there = {column.name for column in session.columns(boundaries)}
    return {
        name: session.numbers(boundaries, name).values for name in _NUMBER_COLUMNS if name in there
    }
