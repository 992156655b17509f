"""Scene: keeps a viewer's layers in step with its Session."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from psygnal import Signal

from napari_vhd import keys
from napari_vhd.corrections.catalogue import GENE_PREFIX

from .background import Background
from .camera import Camera
from .cells import CellsLayers
from .color_verbs import ColorVerbs
from .coloring import Coloring, Wish, read_if_there
from .comparison import Comparison
from .corrector import close_corrector, corrector_of
from .metadata import Metadata
from .mouse import Mouse
from .prepared import Prepared
from .stack import Stack
from .tasks import Tasks
from .view_state import restored, state_of
from .view_verbs import OutlineStyle, ViewVerbs, boxes_of

if TYPE_CHECKING:
    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_vhd.corrections.reviewed import CellsChanged
    from napari_vhd.session import Session

    from .coloring import Read
    from .frame import Frame
    from .paint import PaintWindow
    from .raster import CellRaster
    from .tasks import Dispatch

__all__ = ["Coloring", "OutlineStyle", "Scene", "scene_of"]

OUTLINE_COLORS = ("#FFFFFF", "#00E5FF", "#FFD400", "#FF5CF4")
TITLES = {keys.STARDIST: "StarDist nuclei", keys.PROSEG: "ProSeg cells"}
# Edits that are looked at again when a column comes in that was read meanwhile.
_RECENT = 256
_NUMBER_COLUMNS = (keys.PROBABILITY,)
# Kept with the unwrapped viewer: napari hands docks a proxy that dies with the dock.
_SCENES: WeakKeyDictionary[Any, Scene] = WeakKeyDictionary()


class Scene(ViewVerbs, ColorVerbs):
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
    ) -> None:
        unwrapped = getattr(viewer, "__wrapped__", viewer)
        if (before := _SCENES.get(unwrapped)) is not None:
            before.close()
        self._viewer = ref(unwrapped)
        self.session = session
        self.tasks = Tasks(dispatch, self.failed.emit)
        self._stack = Stack(unwrapped.layers)
        self._coloring = Coloring(None, "")
        self._read: Read | None = None
        self._hidden: set[str] = set()
        self._selection: tuple[str, ...] = ()
        self._recent: deque[tuple[int, CellsChanged]] = deque(maxlen=_RECENT)
        self._edits = 0
        self._paint: PaintWindow | None = None
        self._build(prepared or Prepared.of(session))
        self.camera.show(*self._prepared.extent)
        unwrapped.canvas.overlays["scale_bar"].visible = True
        self._mouse = Mouse(self)
        self.comparison = Comparison(self)
        self._connect()
        _SCENES[unwrapped] = self

    def _build(self, prepared: Prepared) -> None:
        """Make the layers."""
        self._prepared = prepared
        self.frame_: Frame = prepared.frame
        self.camera = Camera(self.viewer, self.frame_)
        self.metadata = Metadata(self)
        self.background = Background(self, prepared)
        self.cells: dict[str, CellsLayers] = {}
        for (name, raster), color in zip(
            prepared.rasters.items(), OUTLINE_COLORS * len(prepared.rasters), strict=False
        ):
            self.cells[name] = CellsLayers(
                raster,
                self.frame_,
                self._stack,
                TITLES.get(name, name),
                color,
                partial(self.metadata.of, name),
                partial(self._shape_columns, name),
                partial(self._on_recolored, name),
            )
            self.cells[name].lines.layer.visible = len(self.cells) == 1
            self.cells[name].shapes.layer.events.visible.connect(self._on_shapes_visible)
        for layer in self._stack.layers:
            layer.events.visible.connect(self._on_style)
        if prepared.first is not None:
            self._show(prepared.first)
        for name, raster in prepared.rasters.items():
            if not self.tasks.is_direct:
                raster.waits = False
                show = partial(self._on_drawn, name)
                self.tasks.ask(f"raster {name}", raster.prepare, show)
        self.metadata.begin()

    def _on_drawn(self, boundaries: str, _nothing: Any) -> None:
        self.cells[boundaries].refresh(outlines=True)

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

    # In step with the session

    def _on_cells_changed(self, news: CellsChanged) -> None:
        """Take in an edit: pixels in the thread that made it, layers where they may be touched."""
        cells = self.cells.get(news.boundaries)
        if cells is None:
            return
        boxes = []
        if news.outlines:
            boxes = cells.raster.redraw(news.rows)
        self._edits += 1
        self._recent.append((self._edits, news))
        self.tasks.soon(lambda: self._follow(news, boxes))

    def _follow(self, news: CellsChanged, boxes: list[Any]) -> None:
        cells = self.cells.get(news.boundaries)
        if cells is None:
            return
        colored = self._patch(news)
        if colored or news.outlines:
            cells.refresh(news.outlines)
        if news.outlines:
            self.comparison.refresh(news.boundaries)
            self.tasks.later("shapes", 0.0, self._update_shapes)
            self.select(self._selection)
        if news.boundaries == self._coloring.boundaries and (colored or news.outlines):
            self.rewrite_paint(boxes or boxes_of(cells.outlines.bounds[news.rows]))
            self._say_coloring()

    def _patch(self, news: CellsChanged) -> bool:
        """Take over the values of changed cells; says whether any is coloured by them."""
        read, coloring = self._read, self._coloring
        if read is None or coloring.column is None or news.boundaries != coloring.boundaries:
            return False
        if keys.KEPT in news.columns and not news.outlines and read.codes is not None:
            # Cells that a filter dropped and that were brought back are no longer drawn as such.
            self._color_anew()
            return False
        if not news.outlines and coloring.column not in news.columns:
            return False
        if read.codes is not None:
            labels = self.session.labels(
                coloring.boundaries, coloring.column, computed=coloring.computed
            )
            if not read.codes.patch(labels, news.rows):
                # There is a new category: other codes for all.
                self._ask(Wish(coloring.column, coloring.boundaries, coloring.computed))
                return False
        elif read.values is not None:
            numbers = self.session.numbers(coloring.boundaries, coloring.column)
            read.values.patch(numbers, news.rows)
        return True

    def _catch_up(self, since: int | None) -> None:
        """Take in the edits that were made while a column was read."""
        for number, news in list(self._recent):
            if since is not None and number > since:
                self._patch(news)

    def _on_recolored(self, boundaries: str, column: str) -> None:
        """Colour by the column that napari-spatialdata was asked for, or as before."""
        columns = {one.name for one in self.session.columns(boundaries)}
        gene = f"{GENE_PREFIX}{column}"
        if column in columns or column in self.session.genes():
            self.color_by(column if column in columns else gene, boundaries)
        else:
            self._color_anew()

    def _on_columns_changed(self) -> None:
        """Read the column in view again: it may have other categories or colours."""
        self.tasks.soon(self._color_anew)

    def _color_anew(self) -> None:
        coloring, since = self._coloring, self._edits
        if coloring.column is None or coloring.boundaries not in self.cells:
            return
        wish = Wish(coloring.column, coloring.boundaries, coloring.computed)

        def show(found: Read | None) -> None:
            if found is None:
                self._show_nothing(wish.boundaries)
            else:
                self._show(found, since)

        self.tasks.ask("column", lambda: read_if_there(self.session, wish), show)

    def _on_regions_changed(self) -> None:
        def ask() -> None:
            self.tasks.ask("regions", self.session.regions, self.background.regions.show)

        self.tasks.soon(ask)

    def _on_reloaded(self) -> None:
        """Show what is computed now: other cells, perhaps."""
        column = self._coloring.column

        def ask() -> None:
            make = Prepared.of
            self.tasks.ask("reload", lambda: make(self.session, column or ""), self._rebuild)

        self.tasks.soon(ask)

    def _rebuild(self, prepared: Prepared) -> None:
        state = state_of(self)
        self.end_paint()
        self.comparison.end()
        self._stack.clear()
        self._read, self._coloring = None, Coloring(None, "")
        self._recent.clear()
        self._selection = ()
        self._build(prepared)
        self.restore(state)
        self.selection_changed.emit(())
        self.layers_changed.emit()

    def on_region_drawn(self, polygon: Any) -> None:
        """Add a region that was drawn in the layer of regions."""
        self._correct(self._add_region, polygon)

    def on_region_moved(self, name: str, polygon: Any) -> None:
        """Keep the vertices of a region that were moved in its layer."""
        self._correct(self.session.edit_region, name, polygon)

    def on_regions_removed(self, names: tuple[str, ...]) -> None:
        """Delete regions that were deleted in their layer."""
        for name in names:
            self._correct(self.session.delete_region, name)

    def _add_region(self, polygon: Any) -> None:
        taken = set(self.session.regions().index)
        number = 1
        while f"region {number}" in taken:
            number += 1
        self.session.add_region(polygon, f"region {number}")

    def _correct(self, verb: Any, *arguments: Any) -> None:
        """Call a verb where corrections are written; the layer is written anew if it is refused."""
        if self.tasks.is_direct:
            verb(*arguments)
        else:
            corrector_of(self).do(verb, *arguments, refused=lambda _: self._on_regions_changed())

    # The view, kept

    def view_state(self) -> dict[str, Any]:
        """Describe what is shown, as JSON holds it: camera, colours, outlines, bins."""
        return state_of(self)

    def restore(self, state: dict[str, Any]) -> None:
        """Show the sample as `view_state` described it; what is gone is left out."""
        restored(self, state)

    def close(self) -> None:
        """Take the layers out of the viewer and let go of the session."""
        viewer = self._viewer()
        session = self.session
        session.cells_changed.disconnect(self._on_cells_changed)
        session.regions_changed.disconnect(self._on_regions_changed)
        session.columns_changed.disconnect(self._on_columns_changed)
        session.reloaded.disconnect(self._on_reloaded)
        self.tasks.close()
        close_corrector(self)
        if viewer is not None:
            self.comparison.end()
            for name in ("center", "zoom"):
                getattr(self.camera.changed, name).disconnect(self._on_camera)
            viewer.layers.selection.events.active.disconnect(self._on_active)
            self._mouse.close(viewer)
            self._stack.clear()
            if _SCENES.get(viewer) is self:
                del _SCENES[viewer]

    def _on_style(self, _event: Any = None) -> None:
        self.layers_changed.emit()

    def _shape_columns(self, boundaries: str) -> dict[str, NDArray[np.float32]]:
        """Read what shapes have as features besides id and area."""
        there = {column.name for column in self.session.columns(boundaries)}
        return {
            name: self.session.numbers(boundaries, name).values
            for name in _NUMBER_COLUMNS
            if name in there
        }


def scene_of(viewer: Any) -> Scene | None:
    """Give the Scene of a viewer, None while it shows no sample."""
    return _SCENES.get(getattr(viewer, "__wrapped__", viewer))
