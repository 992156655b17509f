"""Scene: keeps a viewer's layers in step with its Session."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from psygnal import Signal

from .awaited import Awaited
from .coloring import Coloring
from .comparison import Comparison
from .corrector import close_corrector
from .following import RECENT, Following
from .making import Making
from .mouse import Mouse
from .prepared import Prepared
from .tasks import Tasks
from .view_state import looked_at, looked_at_first, restored, state_of
from .view_verbs import OutlineStyle

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_vhd.answering import Dispatch
    from napari_vhd.corrections.reviewed import CellsChanged
    from napari_vhd.session import Session

    from .coloring import Read, Wish
    from .paint import PaintWindow
    from .raster import CellRaster
    from .stack import Stack

__all__ = ["Coloring", "OutlineStyle", "Scene", "scene_of"]

# Kept with the unwrapped viewer: napari hands docks a proxy that dies with the dock.
_SCENES: WeakKeyDictionary[Any, Scene] = WeakKeyDictionary()


class Scene(Following):
    """The layers of one open sample in one viewer; find it with `scene_of`.

    Parameters
    ----------
    viewer
        napari's.
    session
        The open sample.
    prepared
        What is slow, done before; None: it is done here.
    dispatch
        See `napari_vhd.layers.tasks.Tasks`.
    view
        How to show the sample, as `view_state` gave it.
    then
        Given: layers are made one in each turn of the window, and it is told the Scene when all
        are there; until then `scene_of` gives the Scene before. None: all are made at once.

    Attributes
    ----------
    coloring_changed
        What colours the cells, or how, has changed.
    selection_changed
        Told the ids of the chosen cells.
    hovered
        Told the id of the cell under the mouse, None where there is none.
    layers_changed
        Layers came, went, or are drawn in another style.
    failed
        Told what was raised by reading beside the window.
    """

    coloring_changed = Signal()
    selection_changed = Signal(tuple)
    hovered = Signal(object)
    layers_changed = Signal()
    failed = Signal(object)

    def __init__(
        self,
        viewer: Any,
        session: Session,
        *,
        prepared: Prepared | None = None,
        dispatch: Dispatch | None = None,
        view: dict[str, Any] | None = None,
        then: Callable[[Scene], None] | None = None,
    ) -> None:
        unwrapped = getattr(viewer, "__wrapped__", viewer)
        self._viewer = ref(unwrapped)
        self.session = session
        self.tasks = Tasks(dispatch, self.failed.emit)
        self._coloring = Coloring(None, "")
        self._read: Read | None = None
        self._hidden: set[str] = set()
        # The column that was asked for, until it is shown.
        self._wished: Wish | None = None
        self._selection: tuple[str, ...] = ()
        self._recent: deque[tuple[int, CellsChanged]] = deque(maxlen=RECENT)
        self._edits = 0
        self._awaited = Awaited(self)
        self._paint: PaintWindow | None = None
        self._mouse: Mouse | None = None
        view = view or {}
        if prepared is None:
            prepared = Prepared.of(session, looked_at=looked_at_first(view))
        self._making: Making | None = Making(self, prepared)
        making = self._making
        self._take(making)
        self.comparison = Comparison(self)
        if then is None:
            if (before := _SCENES.get(unwrapped)) is not None:
                before.close()
            for _ in self._first_steps(making, view):
                pass
            self._begin(making, view)
        else:
            self.tasks.in_turns(
                "layers",
                self._first_steps(making, view),
                lambda: then(self._begin(making, view)),
            )

    def _first_steps(self, making: Making, view: dict[str, Any]) -> Generator[None, None, None]:
        """Make the layers beside those of the sample before, then take these out."""
        unseen = True
        for _ in making.steps(self):
            if unseen and making.stack.layers:
                unseen = False
                # A step of its own: what is put in takes napari long enough, and is hidden yet.
                yield
                # napari has looked at its first layer as a whole.
                self.camera.show(*making.prepared.extent)
                looked_at(self, view)
            yield
        self.viewer.canvas.overlays["scale_bar"].visible = True
        yield
        yield from self._begin_with(making)
        yield from restored(self, view)
        if (before := _SCENES.get(self.viewer)) is not None:
            yield from making.stack.choosing_as(before.stack)
            yield from before.stack.leave()

    def _begin(self, making: Making, view: dict[str, Any]) -> Scene:
        """Be the Scene of the viewer, when all layers are there."""
        viewer = self.viewer
        if (before := _SCENES.get(viewer)) is not None:
            before.close()
        self._making = None
        self._stack.name_again()
        self._mouse = Mouse(self)
        self._connect()
        _SCENES[viewer] = self
        self._awaited.begin(making, view.get("outlines", {}))
        return self

    def _take(self, making: Making) -> None:
        """Have the parts of a version."""
        self._prepared, self.frame_ = making.prepared, making.frame
        self.camera, self.metadata = making.camera, making.metadata
        self._stack, self.background, self.cells = making.stack, making.background, making.cells

    def _begin_with(self, making: Making) -> Generator[None, None, None]:
        """Have the parts of a version whose layers are all there."""
        self._take(making)
        if making.prepared.first is not None:
            yield from self._showing(making.prepared.first)
            yield
        for name in making.prepared.rasters:
            self._finish(name)
        self.metadata.begin()
        yield

    def on_more(self, name: str, style: dict[str, Any]) -> None:
        """Show a segmentation that was read later.

        Parameters
        ----------
        name
            Of the segmentation; its layers are there.
        style
            How its outlines were drawn before, empty where they were not.
        """
        self._finish(name)
        if style:
            self.set_outline_style(name, style["color"], style["opacity"])
            self.show_outlines(name, style["visible"])
            self.show_shapes(name, style["shapes"])
        self._stack.name_again()
        self.select(self._selection)
        self.layers_changed.emit()

    def _finish(self, name: str) -> None:
        """Draw what is left of a segmentation, beside the window."""
        raster = self.raster(name)
        if not self.tasks.is_direct:
            raster.waits = False
            self.tasks.ask(f"raster {name}", raster.prepare, partial(self._on_drawn, name, raster))

    def _on_drawn(self, boundaries: str, raster: CellRaster, _nothing: Any) -> None:
        cells = self.cells.get(boundaries)
        # Others may be shown since, or these not yet anew.
        if cells is not None and cells.raster is raster:
            cells.refresh(outlines=True)

    def _on_active(self, event: Any) -> None:
        self.metadata.on_active(event)

    def _connect(self) -> None:
        session = self.session
        session.cells_changed.connect(self._on_cells_changed)
        session.regions_changed.connect(self._on_regions_changed)
        session.columns_changed.connect(self._on_columns_changed)
        session.reloaded.connect(self._on_reloaded)
        for name in ("center", "zoom"):
            getattr(self.camera.changed, name).connect(self._on_camera)
        self.viewer.layers.selection.events.active.connect(self._on_active)
        self.viewer.dims.events.ndisplay.connect(self._on_dimensions)

    # What there is

    @property
    def viewer(self) -> Any:
        """The viewer.

        Raises
        ------
        RuntimeError
            If it is gone.
        """
        viewer = self._viewer()
        if viewer is None:
            raise RuntimeError("the viewer of this Scene is gone")
        return viewer

    @property
    def prepared(self) -> Prepared:
        """What was read before the layers were made."""
        return self._prepared

    @property
    def awaited(self) -> dict[str, dict[str, Any]]:
        """Segmentations whose cells are still being read, and how their outlines will be drawn."""
        return self._awaited.styles

    @property
    def stack(self) -> Stack:
        """Our layers in the viewer's list."""
        return self._stack

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Our layers, in no order."""
        return self._stack.layers

    def raster(self, boundaries: str) -> CellRaster:
        """Give a segmentation as pixels."""
        return self.cells[boundaries].raster

    def frame(self) -> dict[str, Any]:
        """Arguments of a layer whose data are points (y, x) in full-resolution px."""
        return self.frame_.vertices()

    def to_px(self, layer: Layer, corners: Any) -> NDArray[np.float64]:
        """Take points (…, y, x) of any layer's data to (x, y) in full-resolution px."""
        points = np.atleast_2d(np.asarray(corners, dtype=float))
        world = [self.frame_.to_px(layer.data_to_world(point)) for point in points]
        return np.array(world, dtype=float).reshape(-1, 2)

    # Results that are computed anew

    def _on_reloaded(self) -> None:
        """Show what is computed now: other cells, perhaps."""
        column = self._coloring.column or ""
        known = self._prepared.columns

        def ask() -> None:
            shown = looked_at_first(state_of(self))

            def make() -> Prepared:
                return Prepared.of(self.session, column, known, shown)

            self.tasks.ask("reload", make, self._rebuild)

        self.tasks.soon(ask)

    def _rebuild(self, prepared: Prepared) -> None:
        making = self._making = Making(self, prepared)
        self.tasks.in_turns("layers", self._steps_again(making), lambda: self._begin_again(making))

    def _steps_again(self, making: Making) -> Generator[None, None, None]:
        """Make layers beside those of the version before, then take these out."""
        try:
            yield from making.steps(self)
            self.end_paint()
            self.comparison.end()
            yield
            yield from making.stack.choosing_as(self._stack)
            yield from self._stack.leave()
        except BaseException:
            # Also where yet another version comes while the one before is leaving.
            making.drop(self.tasks)
            raise

    def _begin_again(self, making: Making) -> None:
        """Show what is computed now, as the version before was shown.

        Cells are coloured by what is new, where that is cell types or domains.
        """
        state, prepared, wished = state_of(self), making.prepared, self._wished
        new = prepared.columns - self._prepared.columns
        if prepared.first is not None and prepared.first.wish.column in new:
            del state["coloring"]
        # A layer that is just being made for a column is one of the version before.
        self.tasks.forget("column")
        self.end_paint()
        self.comparison.end()
        self._stack.clear()
        self._read, self._coloring = None, Coloring(None, "")
        self._recent.clear()
        self._selection = ()
        self._making = None
        self._awaited.forget()
        for _ in self._begin_with(making):
            pass
        self._stack.name_again()
        self.restore(state)
        self._awaited.begin(making, state["outlines"])
        if wished is not None and wished.boundaries in prepared.segmentations:
            # Somebody asked for it when these results were about to be shown.
            self.color_by(wished.column, wished.boundaries, computed=wished.computed)
        self.selection_changed.emit(())
        self.layers_changed.emit()

    # The view, kept

    def view_state(self) -> dict[str, Any]:
        """Describe what is shown, as JSON holds it: camera, colours, outlines, bins."""
        return state_of(self)

    def restore(self, state: dict[str, Any]) -> None:
        """Show the sample as `view_state` described it; what is gone is left out."""
        for _ in restored(self, state):
            pass

    def close(self) -> None:
        """Take the layers out of the viewer and let go of the session."""
        viewer = self._viewer()
        self.tasks.close()
        close_corrector(self)
        if viewer is not None and self._making is not None:
            self._making.drop(self.tasks)
        if self._mouse is None:
            # It was closed before all layers were there: nothing else was begun.
            return
        session = self.session
        session.cells_changed.disconnect(self._on_cells_changed)
        session.regions_changed.disconnect(self._on_regions_changed)
        session.columns_changed.disconnect(self._on_columns_changed)
        session.reloaded.disconnect(self._on_reloaded)
        if viewer is not None:
            self.comparison.close()
            for name in ("center", "zoom"):
                getattr(self.camera.changed, name).disconnect(self._on_camera)
            viewer.layers.selection.events.active.disconnect(self._on_active)
            viewer.dims.events.ndisplay.disconnect(self._on_dimensions)
            self._mouse.close(viewer)
            self._stack.clear()
            if _SCENES.get(viewer) is self:
                del _SCENES[viewer]

    def on_style(self, _event: Any = None) -> None:
        """Tell that a layer is drawn in another style."""
        self.layers_changed.emit()


def scene_of(viewer: Any) -> Scene | None:
    """Give the Scene of a viewer, None while it shows no sample."""
    return _SCENES.get(getattr(viewer, "__wrapped__", viewer))
