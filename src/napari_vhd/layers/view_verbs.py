"""What a Scene is asked about the view: cells, outlines, bins, the camera, the paint window."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd.exceptions import BadInputError

from .paint import PaintWindow
from .stack import PAINT
from .views import set_visible

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterable

    from napari.layers import Labels, Layer

    from napari_vhd.corrections.reviewed import CellsChanged
    from napari_vhd.session import Session

    from .awaited import Awaited
    from .background import Background
    from .camera import Camera
    from .categories import CategoryLayer
    from .cells import CellsLayers
    from .coloring import Coloring, Read
    from .comparison import Comparison
    from .frame import Frame
    from .stack import Stack
    from .tasks import Tasks

    Box = tuple[float, float, float, float]

# After the camera has come to rest, Shapes show the cells in view.
REST_S = 0.2
_CLOSE = 2.0  # screen px for a full-resolution px, when a cell is gone to


@dataclass(frozen=True)
class OutlineStyle:
    """How the outlines of a segmentation are drawn; `shapes`: as Shapes, too."""

    visible: bool
    color: str
    opacity: float
    shapes: bool


class ViewVerbs:
    """The part of a Scene that looks, points and chooses."""

    session: Session
    tasks: Tasks
    camera: Camera
    frame_: Frame
    cells: dict[str, CellsLayers]
    background: Background
    comparison: Comparison
    selection_changed: Any
    failed: Any
    layers_changed: Any
    _stack: Stack
    _coloring: Coloring
    _read: Read | None
    _hidden: set[str]
    _selection: tuple[str, ...]
    _paint: PaintWindow | None
    _recent: deque[tuple[int, CellsChanged]]
    _edits: int
    _awaited: Awaited

    # What was corrected

    @property
    def edits(self) -> int:
        """Number of corrections that were taken in; for `news_since`."""
        return self._edits

    def news_since(self, since: int) -> list[CellsChanged]:
        """Give the corrections that were made after there were so many."""
        return [news for number, news in list(self._recent) if number > since]

    # Cells

    @property
    def selection(self) -> tuple[str, ...]:
        """Ids of the chosen cells."""
        return self._selection

    def pick(self, x: float, y: float) -> str | None:
        """Give the cell that is drawn on top at a place (full-resolution px), None: there is none.

        Cells of the coloured segmentation come first, then those whose outlines are shown.
        """
        for name in self._in_sight():
            outlines = self.cells[name].outlines
            row = outlines.pick(x, y)
            if row >= 0:
                return outlines.id_of(row)
        return None

    def _in_sight(self) -> list[str]:
        shown = [
            name
            for name, cells in self.cells.items()
            if cells.lines.layer.visible or cells.shapes.layer.visible
        ]
        first = self._coloring.boundaries if self._coloring.column is not None else ""
        return list(dict.fromkeys([*([first] if first in self.cells else []), *shown]))

    def select(self, ids: Iterable[str]) -> None:
        """Choose cells, of any segmentation; ids of cells that are not there are left out."""
        wanted = list(dict.fromkeys(ids))
        known: set[str] = set()
        for cells in self.cells.values():
            rows = cells.outlines.rows_of(wanted)
            rows = rows[rows >= 0]
            cells.choose(rows)
            known.update(cells.outlines.ids_of(rows))
        selection = tuple(cell for cell in wanted if cell in known)
        if selection != self._selection:
            self._selection = selection
            self.selection_changed.emit(selection)

    def select_within(self, polygon: Any) -> None:
        """Choose the cells of the coloured segmentation whose centroid lies in a polygon (px)."""
        name = next(iter(self._in_sight()), next(iter(self.cells), ""))
        if name:
            outlines = self.cells[name].outlines
            self.select(outlines.ids_of(outlines.within(polygon)))

    # Outlines

    def show_outlines(self, boundaries: str, visible: bool) -> None:
        """Show or hide the outlines of a segmentation."""
        set_visible(self.cells[boundaries].lines.layer, visible)

    def show_shapes(self, boundaries: str, visible: bool) -> None:
        """Show or hide a segmentation as napari Shapes; they are made when first shown."""
        set_visible(self.cells[boundaries].shapes.layer, visible)

    def set_outline_style(self, boundaries: str, color: str, opacity: float) -> None:
        """Draw the outlines of a segmentation in a colour (``#RRGGBB``) and opacity (0 to 1)."""
        cells = self.cells[boundaries]
        if color != cells.lines.color:
            cells.lines.set_color(color)
            cells.shapes.set_color(color)
        for layer in (cells.lines.layer, cells.shapes.layer):
            layer.opacity = opacity
        self.layers_changed.emit()

    def outline_style(self, boundaries: str) -> OutlineStyle:
        """Say how the outlines of a segmentation are drawn."""
        cells = self.cells[boundaries]
        lines = cells.lines
        return OutlineStyle(
            bool(lines.layer.visible),
            lines.color,
            float(lines.layer.opacity),
            bool(cells.shapes.layer.visible),
        )

    def _update_shapes(self) -> None:
        """Show as Shapes the cells that are in view now."""
        for cells in self.cells.values():
            if cells.shapes.layer.visible:
                cells.shapes.show(self.camera.box())

    def on_shapes_visible(self) -> None:
        """Fill Shapes that are shown with the cells in view."""
        self._update_shapes()

    def _fit_regions(self) -> None:
        self.background.regions.fit(self.camera.zoom)

    def _on_camera(self) -> None:
        # Nothing waits while one moves about at one zoom.
        if not self.background.regions.fits(self.camera.zoom):
            self.tasks.later("region edges", REST_S, self._fit_regions)
        if any(c.shapes.layer.visible and not c.shapes.whole for c in self.cells.values()):
            self.tasks.later("shapes", REST_S, self._update_shapes)

    def _on_dimensions(self, event: Any) -> None:
        """Leave three dimensions again."""

        def flatten() -> None:
            if self.camera.flatten():
                said = f"{self.session.sample_id}: a slide is flat; it is not shown in 3D."
                self.failed.emit(BadInputError(said))

        if event.value != 2:
            self.tasks.soon(flatten)

    # Bins and pictures

    def show_bins(self, size_um: int, what: str | None) -> None:
        """Show bins of a size (µm) as a picture.

        Parameters
        ----------
        size_um
            2, 8 or 16.
        what
            ``"total"``, ``"gene:<symbol>"`` or a column of their table; None: hide them.

        Raises
        ------
        BadInputError
            Where there are no such bins (with `dispatch`: `failed` is told).
        """
        self.background.show_bins(size_um, what)

    def compare(self, mode: str, first: str | None = None, second: str | None = None) -> None:
        """Compare two segmentations: ``"off"``, ``"blink"``, ``"outlines"`` or ``"side"``."""
        names = [] if mode == "off" else [first, second]
        if self._awaited.put_off(names, lambda: self.compare(mode, first, second)):
            return
        self.comparison.show(mode, first, second)

    def blink(self, on: bool) -> None:
        """While comparing by blinking: show the second segmentation, or the first again."""
        self.comparison.blink(on)

    # The camera

    def view_box(self) -> Box:
        """Give what is in view: xmin, ymin, xmax, ymax, full-resolution px."""
        return self.camera.box()

    def show_box(self, xmin: float, ymin: float, xmax: float, ymax: float) -> None:
        """Look at a box (full-resolution px) as a whole."""
        self.camera.show(xmin, ymin, xmax, ymax)

    def go_to(self, x: float, y: float, zoom: float | None = None) -> None:
        """Look at a place in full-resolution px; zoom: screen px for one of them."""
        self.camera.go_to(x, y, zoom)

    def go_to_cell(self, cell_id: str) -> None:
        """Look at a cell closely, and choose it.

        Raises
        ------
        BadInputError
            Where there is no such cell.
        """
        for cells in self.cells.values():
            row = cells.outlines.row_of(cell_id)
            if row >= 0:
                x, y = cells.outlines.centroids[row].tolist()
                self.camera.go_to(x, y, max(self.camera.zoom, _CLOSE))
                self.select((cell_id,))
                return
        if not self._awaited.put_off([None], lambda: self.go_to_cell(cell_id)):
            raise BadInputError(
                f"{self.session.sample_id}: there is no cell {cell_id!r}; if it was deleted or "
                "merged, undo brings it back."
            )

    # Painting

    def paint_window(self, then: Callable[[Labels], None] = lambda _: None) -> None:
        """Open a window over the view in which the labels can be painted, once it is read.

        Its pixels are codes: 0 no cell, 1 the first category, and so on.

        Parameters
        ----------
        then
            Told its layer when it is there.

        Raises
        ------
        BadInputError
            Where the cells are not coloured by a categorical column, or none of the sample is in
            view.
        """
        if self._read is None or self._read.codes is None or self._coloring.computed:
            raise BadInputError(
                "There are no labels to paint; colour the cells by reviewed labels first: domains, "
                "cell types or your own."
            )
        self.end_paint()
        codes, cells = self._read.codes, self.cells[self._coloring.boundaries]
        box, since = self.camera.box(), self.edits
        xmin, ymin, xmax, ymax = cells.raster.box
        if not (box[0] < xmax and xmin < box[2] and box[1] < ymax and ymin < box[3]):
            raise BadInputError(
                "Nothing of the sample is in view; go back to it (the house below the layers), and "
                "paint there."
            )

        def make(window: PaintWindow) -> None:
            if any(news.boundaries == cells.outlines.name for news in self.news_since(since)):
                # A correction was made meanwhile.
                self.paint_window(then)
                return
            window.make(codes, self._hidden, self.frame_, f"paint {self._coloring.title}")
            self._paint = window
            self.tasks.soon(partial(self._put_paint, window, cells, then))

        self.tasks.ask("paint", lambda: PaintWindow(cells.raster, codes, box), make)

    def _put_paint(
        self, window: PaintWindow, cells: CellsLayers, then: Callable[[Labels], None]
    ) -> None:
        if self._paint is not window:
            return
        self._stack.add(window.layer, PAINT, partial(then, window.layer))
        set_visible(cells.fills.layer, False)
        self.layers_changed.emit()

    def end_paint(self, before: Layer | None = None) -> None:
        """Take the paint window away, also one that is still being read.

        Parameters
        ----------
        before
            Layer that was chosen before, and is chosen again; None: napari chooses one.
        """
        self.tasks.forget("paint")
        paint, self._paint = self._paint, None
        if paint is not None:
            self.tasks.soon(self._unpainted)
            self._stack.remove(paint.layer, before)
            self.layers_changed.emit()

    def _unpainted(self) -> None:
        """Show the labels again where nobody paints them."""
        cells = self.cells.get(self._coloring.boundaries)
        if self._paint is None and self._coloring.kind == "categorical" and cells is not None:
            set_visible(cells.fills.layer, True)

    @property
    def painting(self) -> PaintWindow | None:
        """The open paint window."""
        return self._paint

    def _restyle_paint(self, fills: CategoryLayer) -> None:
        if self._paint is not None and fills.codes is not None:
            self._paint.style(fills.codes, self._hidden)

    def rewrite_paint(self, boxes: Iterable[Box]) -> None:
        """Write boxes (full-resolution px) of the paint window anew, whole cells as they are."""
        if self._paint is not None and self._read is not None and self._read.codes is not None:
            self._paint.rewrite(self._read.codes, boxes)


def boxes_of(bounds: np.ndarray) -> list[Box]:
    """Take bounds (n, 4) of cells as boxes."""
    return [tuple(box) for box in bounds[~np.isnan(bounds[:, 0])].tolist()]
