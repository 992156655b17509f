"""Two segmentations beside each other: blinking, outlines over each other, or side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from napari_vhd.exceptions import BadInputError

from .batch import quickly, show
from .image import image_layer, overview_layer
from .lines import OutlineLayer
from .listeners import listeners
from .stack import LINES, Stack

if TYPE_CHECKING:
    from collections.abc import Generator

    from .scene import Scene

MODES = ("off", "blink", "outlines", "side")


class Comparison:
    """Compares two segmentations of a Scene.

    Side by side is napari's grid with two places, whose cameras are one: on the left everything
    as it is, with the outlines of the first; on the right the H&E again, with those of the second.

    Parameters
    ----------
    scene
        Of the sample.

    Attributes
    ----------
    mode
        One of `MODES`.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = ref(scene)
        self.mode = "off"
        self._pair = ("", "")
        self._before: dict[str, bool] = {}
        self._copies = Stack(scene.viewer.layers, scene.tasks)
        self._copied: OutlineLayer | None = None
        self._grid: dict[str, Any] = {}

    def show(self, mode: str, first: str | None = None, second: str | None = None) -> None:
        """Compare in one of `MODES`; None: the first two segmentations.

        Raises
        ------
        BadInputError
            Where there are no two.
        """
        scene = self._scene()
        if scene is None:
            return
        if mode not in MODES:
            raise BadInputError(f"{mode!r}: no way to compare; there are: {', '.join(MODES)}.")
        names = list(scene.cells)
        first = first or next(iter(names), "")
        second = second or next((name for name in names if name != first), "")
        self.end()
        if mode == "off":
            return
        for name in (first, second):
            if name not in scene.cells:
                raise BadInputError(
                    f"{scene.session.sample_id}: two segmentations are needed to compare; there "
                    f"are: {', '.join(names) or 'none'}."
                )
        self.mode, self._pair = mode, (first, second)
        self._before = {name: bool(c.lines.layer.visible) for name, c in scene.cells.items()}
        both = {first, second} if mode == "outlines" else {first}
        _show(scene, {name: name in both for name in scene.cells})
        if mode == "side":
            self._grid = scene.viewer.canvas.grid.model_dump()
            scene.tasks.in_turns("side", self._beside(scene, second))
        scene.layers_changed.emit()

    def blink(self, on: bool) -> None:
        """Show the outlines of the second segmentation instead of the first, or back."""
        scene = self._scene()
        if scene is None or self.mode != "blink":
            return
        first, second = self._pair
        same = first == second
        _show(scene, {first: same or not on, second: same or on})

    def refresh(self, boundaries: str) -> None:
        """Read the copied outlines again after an edit of a segmentation."""
        if self._copied is not None and boundaries == self._pair[1]:
            self._copied.refresh()

    def end(self) -> None:
        """Show everything as it was before."""
        scene = self._scene()
        if scene is None or self.mode == "off":
            return
        layers, before = scene.viewer.layers, self._before
        if self.mode == "side":
            layers.events.inserted.disconnect(self._on_layers)
            layers.events.removed.disconnect(self._on_layers)
            with quickly(layers):
                scene.viewer.canvas.grid.update(self._grid)
                show(layers, [(layer, False) for layer in self._copies.layers])
                _show(scene, before)
            scene.tasks.in_turns("side", self._copies.leave(), self._copies.clear)
            self._copied = None
        else:
            _show(scene, before)
        self.mode = "off"
        scene.layers_changed.emit()

    def close(self) -> None:
        """Leave nothing in the viewer."""
        self.end()
        self._copies.clear()

    def _beside(self, scene: Scene, second: str) -> Generator[None, None, None]:
        """Make the layers for the right, split the view and show them there, in steps."""
        # Of a comparison before.
        yield from self._copies.leave()
        self._copies.clear()
        prepared, cells = scene.prepared, scene.cells[second]
        layers: list[Any] = []
        if prepared.slide is not None:
            layers.append(image_layer(prepared.slide, scene.frame_, "H&E of the slide (right)"))
        if prepared.image is not None:
            layers.append(image_layer(prepared.image, scene.frame_, "H&E (right)"))
        if prepared.overview is not None:
            name = "H&E of the slide (right)"
            layers.append(overview_layer(*prepared.overview, scene.frame_, name))
        name = f"{cells.lines.layer.name} (right)"
        self._copied = OutlineLayer(cells.raster, scene.frame_, name, cells.lines.color, {})
        layers.append(self._copied.layer)
        for layer in layers:
            # They are on the left until the view is split.
            layer.visible = False
            yield
            yield from self._copies.adding(layer, LINES)
        viewer = scene.viewer
        yield
        grid = viewer.canvas.grid
        grid.shape = (1, 2)
        yield
        _make_places(grid)
        yield
        with quickly(viewer.layers):
            self._on_layers()
            grid.enabled = True
        viewer.layers.events.inserted.connect(self._on_layers)
        viewer.layers.events.removed.connect(self._on_layers)
        yield
        show(viewer.layers, [(layer, True) for layer in self._copies.layers])

    def _on_layers(self, _event: Any = None) -> None:
        """Keep the copies, and nothing else, on the right."""
        scene = self._scene()
        if scene is None:
            return
        layers, copies = scene.viewer.layers, list(self._copies.layers)
        if list(layers)[len(layers) - len(copies) :] == copies and len(copies) < len(layers):
            scene.viewer.canvas.grid.stride = max(len(layers) - len(copies), 1)


def _make_places(grid: Any) -> None:
    """Have napari make the two places of its grid: half of what splitting the view takes it."""
    for canvas, _ in listeners(grid.events.enabled):
        make = getattr(canvas, "_init_or_update_grid", None)
        if make is not None:
            with grid.events.enabled.blocker():
                grid.enabled = True
                make()
                grid.enabled = False


def _show(scene: Scene, seen: dict[str, bool]) -> None:
    """Show or hide outlines by the names of segmentations; those that are gone are left out."""
    lines = ((scene.cells[name].lines.layer, seen[name]) for name in seen if name in scene.cells)
    show(scene.viewer.layers, lines)
