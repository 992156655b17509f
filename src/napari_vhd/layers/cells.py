"""All layers of one segmentation: fills, outlines, chosen cells, Shapes; made when first shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .boundaries import BoundariesLayer
from .categories import CategoryLayer
from .lines import OutlineLayer, SelectionLayer
from .stack import FILLS, LINES, SELECTION, SHAPES
from .values import ValueLayer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import numpy as np
    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_vhd.corrections.outlines import Outlines

    from .coloring import Read
    from .frame import Frame
    from .raster import CellRaster
    from .stack import Stack

    Rows = NDArray[np.int64]


class CellsLayers:
    """The layers of one segmentation.

    Parameters
    ----------
    raster
        Its cells.
    frame
        Of the sample.
    stack
        Where layers are put.
    title
        For the names of layers.
    color
        Of outlines, ``#RRGGBB``.
    metadata
        Makes the metadata of a layer.
    columns
        Reads further columns of the boundaries, for the features of shapes.
    recolored
        As of `napari_vhd.layers.categories.CategoryLayer`.

    Attributes
    ----------
    lines, shapes
        There after `make_outlines`; shapes are empty until first made visible.
    """

    lines: OutlineLayer
    shapes: BoundariesLayer

    def __init__(
        self,
        raster: CellRaster,
        frame: Frame,
        stack: Stack,
        title: str,
        color: str,
        metadata: Callable[[], dict[str, Any]],
        columns: Callable[[], dict[str, NDArray[np.float32]]],
        recolored: Callable[[str], None],
    ) -> None:
        self.raster = raster
        self._recolored = recolored
        self._frame, self._stack, self._title, self._metadata = frame, stack, title, metadata
        self._fills: CategoryLayer | None = None
        self._numbers: ValueLayer | None = None
        self._selection: SelectionLayer | None = None
        self._color, self._columns = color, columns

    def make_fill(self, first: Read) -> Generator[None, None, None]:
        """Make the layer of a column that is to be shown, in steps; nothing where it is there."""
        # One that is dropped before it is in the viewer is as if it had never been made.
        if first.codes is not None and self._fills is None:
            fills = self._make_fills()
            fills.show(first.codes)
            yield
            self._fills = fills
            yield from self._stack.adding(fills.layer, FILLS)
        elif first.values is not None and self._numbers is None:
            numbers = self._make_numbers()
            numbers.show(first.values, first.limits or (0.0, 1.0))
            yield
            self._numbers = numbers
            yield from self._stack.adding(numbers.layer, FILLS)

    def make_outlines(self, visible: bool) -> Generator[None, None, None]:
        """Make the layers that are always there, in steps; shapes are hidden."""
        title, color = self._title, self._color
        self.lines = OutlineLayer(
            self.raster, self._frame, f"{title} outlines", color, {}, visible=visible
        )
        yield
        yield from self._stack.adding(self.lines.layer, LINES)
        self.shapes = BoundariesLayer(
            self.outlines, self._columns, self._frame, f"{title} shapes", color, self._metadata()
        )
        yield
        yield from self._stack.adding(self.shapes.layer, SHAPES)

    @property
    def outlines(self) -> Outlines:
        """Live outlines."""
        return self.raster.outlines

    @property
    def fills(self) -> CategoryLayer:
        """The Labels layer of categories."""
        if self._fills is None:
            self._fills = self._make_fills()
            self._stack.add(self._fills.layer, FILLS)
        return self._fills

    @property
    def numbers(self) -> ValueLayer:
        """The Image layer of numbers."""
        if self._numbers is None:
            self._numbers = self._make_numbers()
            self._stack.add(self._numbers.layer, FILLS)
        return self._numbers

    def _make_fills(self) -> CategoryLayer:
        return CategoryLayer(
            self.raster, self._frame, self._title, self._metadata(), self._recolored
        )

    def _make_numbers(self) -> ValueLayer:
        return ValueLayer(self.raster, self._frame, f"{self._title} values", {})

    def fills_seen(self, kind: str) -> list[tuple[Layer, bool]]:
        """Give the layer to be seen for ``"categorical"`` or ``"number"``, and the one not."""
        made = {"categorical": self._fills, "number": self._numbers}
        return [(one.layer, own == kind) for own, one in made.items() if one is not None]

    def choose(self, rows: Rows) -> None:
        """Mark rows."""
        if self._selection is None:
            if not len(rows):
                return
            name = f"{self._title} selected"
            self._selection = SelectionLayer(self.raster, self._frame, name)
            self._stack.add(self._selection.layer, SELECTION)
        self._selection.choose(rows, self.outlines.n_rows)

    def refresh(self, outlines: bool) -> None:
        """Read the pixels in view again: of fills, and of outlines where these changed."""
        layers: list[Any] = [self._fills, self._numbers]
        if outlines:
            layers += [self.lines, self._selection]
        for layer in layers:
            if layer is not None and layer.layer.visible:
                layer.refresh()
