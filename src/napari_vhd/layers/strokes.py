"""Strokes of napari's brush, fill and polygon: the cells that one touches, each whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from napari.layers import Labels
    from numpy.typing import NDArray

    from .raster import CellRaster

    Box = tuple[int, int, int, int]

# Boxes are written one by one where the box around them all would be so many pixels.
_MANY_PIXELS = 1_000_000


@dataclass(frozen=True)
class Stroke:
    """What one stroke asks for.

    Attributes
    ----------
    cell_ids
        Cells that it touched and that have another label than the painted one.
    value
        Value that was painted.
    boxes
        Parts of the layer where pixels changed: top, bottom, left, right.
    """

    cell_ids: tuple[str, ...]
    value: int
    boxes: tuple[Box, ...]


class Strokes:
    """Reads strokes on a Labels layer whose pixels are the codes of cells.

    Parameters
    ----------
    layer
        The paint window; a pixel is a pixel of a level of the raster.
    raster
        The cells.
    um_per_px
        Side of a full-resolution pixel in µm, the unit of napari's world.
    codes
        Gives by row + 1 the code of each cell, as they are now.
    """

    def __init__(
        self,
        layer: Labels,
        raster: CellRaster,
        um_per_px: float,
        codes: Callable[[], NDArray[Any]],
    ) -> None:
        self._layer, self._raster, self._codes = layer, raster, codes
        step = float(layer.scale[-1]) / um_per_px
        self._level = raster.level_of(step * 1.01)
        top, left = (np.asarray(layer.translate)[-2:] / um_per_px - step / 2).tolist()
        self._top = round((top - raster.top) / step)
        self._left = round((left - raster.left) / step)

    def read(self, item: Iterable[Any]) -> Stroke | None:
        """Read the value of napari's ``paint`` event; None where no pixel changed.

        The touched cells are painted whole there and then, and pixels between cells cleared: what
        one sees is what one gets, before it is written down.
        """
        value, boxes, found = 0, [], [np.empty(0, dtype=np.int64)]
        for box, mask, painted in _pieces(item, self._layer.data.shape):
            ids = self._ids(box)
            found.append(np.unique(ids if mask is None else ids[mask]).astype(np.int64))
            boxes.append(box)
            value = painted
        if not boxes:
            return None
        ids = np.unique(np.concatenate(found))
        ids = ids[ids > 0]
        codes = self._codes()
        ids = ids[ids < len(codes)]
        ids = ids[codes[ids] != value]
        outlines = self._raster.outlines
        boxes += [self._pixels(box) for box in outlines.bounds[ids - 1].tolist()]
        stroke = Stroke(tuple(outlines.ids_of(ids - 1)), value, tuple(_few(boxes)))
        self._write(stroke.boxes, {int(i): value for i in ids})
        return stroke

    def put_back(self, stroke: Stroke) -> None:
        """Show the cells as they are, where a stroke was not taken."""
        self._write(stroke.boxes, {})

    def _write(self, boxes: Iterable[Box], painted: Mapping[int, int]) -> None:
        codes = self._codes()
        if painted:
            codes = codes.copy()
            codes[list(painted)] = list(painted.values())
        for top, bottom, left, right in boxes:
            if top < bottom and left < right:
                ids = self._ids((top, bottom, left, right))
                inside = np.where(ids < len(codes), ids, 0)
                self._layer.data[top:bottom, left:right] = codes[inside]
        self._layer.refresh(extent=False, thumbnail=False)

    def _ids(self, box: Box) -> NDArray[np.int32]:
        top, bottom, left, right = box
        y, x = self._top, self._left
        return self._raster.read(self._level, y + top, y + bottom, x + left, x + right)

    def _pixels(self, bounds: list[float]) -> Box:
        """Give the pixels of bounds in full-resolution px, within the layer."""
        step, (height, width) = self._raster.steps[self._level], self._layer.data.shape
        left, top, right, bottom = (
            (edge - corner) / step - offset
            for edge, corner, offset in zip(
                bounds,
                (self._raster.left, self._raster.top) * 2,
                (self._left, self._top) * 2,
                strict=True,
            )
        )
        return (
            max(int(np.floor(top)), 0),
            min(int(np.ceil(bottom)), height),
            max(int(np.floor(left)), 0),
            min(int(np.ceil(right)), width),
        )


def _few(boxes: list[Box]) -> list[Box]:
    """Join boxes into one, unless that would be large."""
    whole = [box for box in boxes if box[0] < box[1] and box[2] < box[3]]
    if not whole:
        return []
    sides = np.array(whole)
    one = (sides[:, 0].min(), sides[:, 1].max(), sides[:, 2].min(), sides[:, 3].max())
    area = int((one[1] - one[0]) * (one[3] - one[2]))
    parts = int(((sides[:, 1] - sides[:, 0]) * (sides[:, 3] - sides[:, 2])).sum())
    if area <= max(_MANY_PIXELS, 2 * parts):
        top, bottom, left, right = (int(side) for side in one)
        return [(top, bottom, left, right)]
    return whole


def _pieces(
    item: Iterable[Any], shape: tuple[int, ...]
) -> Iterator[tuple[Box, NDArray[np.bool_] | None, int]]:
    """Read what napari says was changed: a box with a mask, or a list of pixels.

    Nothing of napari's own is imported for it: pieces are told apart by what they have.
    """
    for piece in item:
        if hasattr(piece, "slice_key"):
            spans = [
                span.indices(length) for span, length in zip(piece.slice_key, shape, strict=True)
            ]
            (top, bottom, _), (left, right, _) = spans[-2:]
            mask = None if piece.mask is None else np.asarray(piece.mask)
            yield (top, bottom, left, right), mask, int(piece.new_value)
            continue
        places, _, values = piece
        rows, columns = (np.atleast_1d(np.asarray(place)) for place in places[-2:])
        if not rows.size:
            continue
        top, left = int(rows.min()), int(columns.min())
        bottom, right = int(rows.max()) + 1, int(columns.max()) + 1
        mask = np.zeros((bottom - top, right - left), dtype=bool)
        mask[rows - top, columns - left] = True
        yield (top, bottom, left, right), mask, int(np.asarray(values).flat[-1])
