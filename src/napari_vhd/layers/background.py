"""What lies under the cells: the H&E, the slide around it, and bins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from napari_vhd.exceptions import BadInputError

from .bins import layer_of, values_of
from .image import image_layer, overview_layer
from .regions import NAME, RegionsLayer
from .stack import BINS, IMAGE, REGIONS

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari.layers import Layer

    from .metadata import Metadata
    from .prepared import Prepared
    from .scene import Scene
    from .stack import Stack

H_AND_E, SLIDE = "H&E", "H&E of the slide"


class Background:
    """The pictures, bins and regions of a Scene.

    Parameters
    ----------
    scene
        Whose viewer they are in.
    prepared
        As of the Scene.
    stack
        Where layers are put.
    metadata
        Of the sample's layers.

    Attributes
    ----------
    images
        H&E layers, the slide first.
    regions
        The Shapes layer of regions.
    bins
        What each size shows, with its layer.
    """

    regions: RegionsLayer

    def __init__(self, scene: Scene, prepared: Prepared, stack: Stack, metadata: Metadata) -> None:
        self._scene = ref(scene)
        self._prepared, self._stack, self._metadata = prepared, stack, metadata
        self.images: list[Layer] = []
        self.bins: dict[int, tuple[str, Layer]] = {}

    def make_images(self) -> Generator[None, None, None]:
        """Make the pictures, in steps."""
        prepared, frame = self._prepared, self._prepared.frame
        if prepared.slide is not None:
            yield from self._adding(image_layer(prepared.slide, frame, SLIDE))
        if prepared.image is not None:
            metadata = self._metadata.of(self._metadata.image_name)
            yield from self._adding(image_layer(prepared.image, frame, H_AND_E, metadata))
        if prepared.overview is not None:
            yield from self._adding(overview_layer(*prepared.overview, frame, SLIDE))

    def _adding(self, layer: Layer) -> Generator[None, None, None]:
        self.images.append(layer)
        yield
        yield from self._stack.adding(layer, IMAGE)

    def make_regions(self) -> Generator[None, None, None]:
        """Make the layer of regions, in steps."""
        scene = self._scene()
        if scene is None:
            return
        self.regions = RegionsLayer(
            self._prepared.frame,
            NAME,
            scene.on_region_drawn,
            scene.on_region_moved,
            scene.on_regions_removed,
        )
        yield
        self.regions.fit(scene.camera.zoom)
        yield from self._stack.adding(self.regions.layer, REGIONS)
        # Writing none would take as long as writing some.
        if self._prepared.regions is not None and len(self._prepared.regions):
            self.regions.show(self._prepared.regions)
            yield

    def show_bins(self, size_um: int, what: str | None) -> None:
        """Show bins of a size, or hide them."""
        scene = self._scene()
        if scene is None:
            return
        topic = f"bins {size_um}"
        if what is None:
            scene.tasks.forget(topic)
            self._take_away(size_um)
            scene.layers_changed.emit()
            return

        def read_bins() -> Any:
            bins = scene.session.source.bins(size_um)
            if bins is None:
                raise BadInputError(
                    f"{scene.session.sample_id}: there are no bins of {size_um} µm here."
                )
            return bins, values_of(bins, what)

        def show(found: Any) -> None:
            bins, values = found
            self._take_away(size_um)
            name = f"bins {size_um} µm: {what}"
            layer = layer_of(bins, values, scene.frame_, name)
            self.bins[size_um] = (what, layer)
            self._stack.add(layer, BINS)
            scene.layers_changed.emit()

        scene.tasks.ask(topic, read_bins, show)

    def _take_away(self, size_um: int) -> None:
        if size_um in self.bins:
            self._stack.remove(self.bins.pop(size_um)[1])
