"""A categorical column as a Labels layer: pixels are codes, a colour for each category."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .views import forget_coarsest, reread, views

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from napari.layers import Labels as LabelsLayer
    from numpy.typing import NDArray

    from napari_vhd.corrections.columns import Labels

    from .frame import Frame
    from .raster import CellRaster

NOT_ASSIGNED, DROPPED = "<not assigned>", "<dropped>"
"""What cells without a label, and cells that a filter dropped, are called in a legend."""
NOT_ASSIGNED_COLOR, DROPPED_COLOR = "#BDBDBD", "#7A7A7A"
_CLEAR = (0.0, 0.0, 0.0, 0.0)
# What is not known lets more of the H&E through.
_FAINT = 0.55


@dataclass(frozen=True)
class Category:
    """One line of a legend.

    Attributes
    ----------
    name
        As in the column, or `NOT_ASSIGNED` or `DROPPED`.
    label
        For a reader.
    color
        ``#RRGGBB``.
    count
        Cells that have it.
    visible
        Whether its cells are drawn.
    named
        Whether it is a category of the column.
    """

    name: str
    label: str
    color: str
    count: int
    visible: bool
    named: bool = True


class Codes:
    """Code of each cell as it is drawn: 0 nothing, 1 the first category, and so on.

    After the categories come two codes more: not assigned, and dropped by a filter.

    Parameters
    ----------
    labels
        A live column.
    dropped
        Rows that a filter dropped, by row; shown as such where they have no label. None: none is.
    """

    def __init__(self, labels: Labels, dropped: NDArray[np.bool_] | None) -> None:
        self.names = tuple(labels.names)
        self.colors = tuple(labels.colors)
        # Room for categories that come with corrections, without making all codes anew.
        wide = len(self.names) + 2 > np.iinfo(np.uint8).max
        self._lut = np.zeros(len(labels.codes) + 1, dtype=np.uint16 if wide else np.uint8)
        self._dropped = dropped
        self._write(slice(None), labels.codes)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a code."""
        return self._lut.dtype

    @property
    def lut(self) -> NDArray[Any]:
        """By row + 1."""
        return self._lut

    def patch(self, labels: Labels, rows: NDArray[np.int64]) -> bool:
        """Take over the labels of rows; False where all codes must be made anew instead."""
        if labels.names != self.names:
            return False
        more = len(labels.codes) + 1 - len(self._lut)
        if more > 0:
            self._lut = np.concatenate([self._lut, np.zeros(more, dtype=self.dtype)])
        self._write(rows, labels.codes[rows])
        return True

    def _write(self, rows: Any, codes: NDArray[np.int32]) -> None:
        drawn = np.where(codes < 0, len(self.names) + 1, codes + 1)
        if self._dropped is not None:
            if isinstance(rows, slice):
                gone = np.zeros(len(codes), dtype=bool)
                gone[: len(self._dropped)] = self._dropped[: len(codes)]
            else:
                inside = rows < len(self._dropped)
                gone = np.zeros(len(codes), dtype=bool)
                gone[inside] = self._dropped[rows[inside]]
            drawn[gone & (codes < 0)] = len(self.names) + 2
        if isinstance(rows, slice):
            self._lut[1:] = drawn
        else:
            self._lut[rows + 1] = drawn

    def categories(self, alive: NDArray[np.bool_], hidden: Collection[str]) -> tuple[Category, ...]:
        """Describe the categories, with the number of cells that are there."""
        # Cells that were added meanwhile are counted when their codes are known.
        codes = self._lut[1 : len(alive) + 1]
        counts = np.bincount(codes[alive[: len(codes)]], minlength=len(self.names) + 3)
        named = [
            Category(name, name, color, int(counts[code]), name not in hidden)
            for code, (name, color) in enumerate(zip(self.names, self.colors, strict=True), 1)
        ]
        others = [
            (NOT_ASSIGNED, "not assigned", NOT_ASSIGNED_COLOR),
            (DROPPED, "dropped by a filter", DROPPED_COLOR),
        ]
        rest = [
            Category(name, label, color, int(count), name not in hidden, named=False)
            for (name, label, color), count in zip(others, counts[-2:], strict=True)
            if count
        ]
        return (*named, *rest)

    def pixels(
        self, raster: CellRaster, level: int, top: int, bottom: int, left: int, right: int
    ) -> NDArray[Any]:
        """Give the codes of a part of a level."""
        return coded(self._lut, raster.read(level, top, bottom, left, right))


def coded(lut: NDArray[Any], ids: NDArray[np.int32]) -> NDArray[Any]:
    """Look up ids; cells added since the table was made have 0."""
    if ids.size and len(lut) <= int(ids.max()):
        ids = np.where(ids < len(lut), ids, 0)
    return lut.take(ids)


class CategoryLayer:
    """The Labels layer of one segmentation.

    Parameters
    ----------
    raster
        Its cells.
    frame
        Of the sample.
    name
        Of the layer.
    metadata
        Of the layer.
    recolored
        Told the column that somebody else, napari-spatialdata for one, gave the layer's colours.

    Attributes
    ----------
    layer
        napari's; multiscale, so not to be painted on.
    codes
        What it shows, None before the first.
    """

    def __init__(
        self,
        raster: CellRaster,
        frame: Frame,
        name: str,
        metadata: dict[str, Any],
        recolored: Callable[[str], None] = lambda _: None,
    ) -> None:
        from napari.layers import Labels

        self._raster = raster
        self._recolored, self._styling = recolored, False
        self.codes: Codes | None = None
        self.hidden: set[str] = set()
        place = frame.picture(raster.left, raster.top, raster.steps[0])
        self.layer: LabelsLayer = Labels(
            views(raster, self),
            name=name,
            multiscale=True,
            opacity=0.65,
            metadata=metadata,
            colormap=direct_colormap((), ()),
            **place,
        )
        self.layer.events.features.connect(self._on_features)
        self.layer.events.colormap.connect(self._on_colormap)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a code."""
        return np.dtype(np.uint8) if self.codes is None else self.codes.dtype

    def pixels(
        self, raster: CellRaster, level: int, top: int, bottom: int, left: int, right: int
    ) -> NDArray[Any]:
        """Give the codes of a part of a level."""
        if self.codes is None:
            return np.zeros((bottom - top, right - left), dtype=np.uint8)
        return self.codes.pixels(raster, level, top, bottom, left, right)

    def show(self, codes: Codes, hidden: Collection[str] = ()) -> None:
        """Show another column."""
        import pandas as pd

        if codes is self.codes and set(hidden) == self.hidden:
            return
        self.codes, self.hidden = codes, set(hidden)
        forget_coarsest(self.layer)
        names = ["", *codes.names, "not assigned", "dropped by a filter"]
        # napari shows the features of the label under the mouse in its status line.
        self.layer.features = pd.DataFrame({"index": np.arange(len(names)), "category": names})
        self.restyle()

    def restyle(self) -> None:
        """Draw with the colours and the visible categories of now."""
        if self.codes is not None:
            self._styling = True
            try:
                codes = self.codes
                self.layer.colormap = direct_colormap(codes.names, codes.colors, self.hidden)
            finally:
                self._styling = False

    def refresh(self) -> None:
        """Read the pixels in view again."""
        reread(self.layer)

    def _foreign(self) -> list[str]:
        """Columns of features that somebody else gave the layer."""
        return [str(name) for name in self.layer.features if name not in {"index", "category"}]

    def _on_features(self) -> None:
        """Let napari-spatialdata find colours for none of the pixels: they are no cells' ids.

        Its View widget gives the features of a column, then looks up the ids, then gives colours.
        With numbers it must find one id, which stands for the background; with names none.
        """
        if others := self._foreign():
            numbers = self.layer.features[others[0]].dtype.kind in "fiu"
            self.layer.metadata["indices"] = ["0"] if numbers else []

    def _on_colormap(self) -> None:
        """Take other colours that come with a column of features as a wish for that column."""
        if not self._styling and self.codes is not None and (others := self._foreign()):
            self._recolored(others[0])


def direct_colormap(
    names: Sequence[str], colors: Sequence[str], hidden: Collection[str] = ()
) -> Any:
    """Make napari's colour map of codes: as many entries as there are categories."""
    from napari.utils import DirectLabelColormap

    table: dict[int | None, Any] = {None: _CLEAR, 0: _CLEAR}
    last = ((NOT_ASSIGNED, NOT_ASSIGNED_COLOR), (DROPPED, DROPPED_COLOR))
    entries = [*zip(names, colors, strict=True), *last]
    for code, (name, color) in enumerate(entries, 1):
        alpha = _FAINT if code > len(names) else 1.0
        table[code] = _CLEAR if name in hidden else (*rgb(color), alpha)
    return DirectLabelColormap(color_dict=table)


def rgb(color: str) -> tuple[float, float, float]:
    """Read ``#RRGGBB``."""
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue
