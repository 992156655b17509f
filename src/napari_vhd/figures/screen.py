"""Figures as pictures for a screen, and as files in any format."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

from napari_vhd.io.whole_file import whole

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_EDGE = 0.15
_SCREEN_DPI = 64
_LETTER = 0.115  # inches of a letter of a title
_LEAST = 26


@dataclass(frozen=True)
class Panel:
    """Where axes lie in a picture, and what their x axis says.

    Attributes
    ----------
    left, top, right, bottom
        Of the axes, picture px from the top left.
    low, high
        x at the left and at the right.
    log
        Whether x is logarithmic.
    """

    left: float
    top: float
    right: float
    bottom: float
    low: float
    high: float
    log: bool

    def place(self, value: float) -> float:
        """Give the picture px of a value on the x axis."""
        low, high, at = (self._scaled(v) for v in (self.low, self.high, value))
        return self.left + (at - low) / (high - low) * (self.right - self.left)

    def value(self, place: float) -> float:
        """Give the value on the x axis at a picture px."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        at = low + (place - self.left) / (self.right - self.left) * (high - low)
        return float(10**at) if self.log else float(at)

    def _scaled(self, value: float) -> float:
        return float(np.log10(max(value, np.finfo(float).tiny))) if self.log else float(value)


def frame(figure: Figure) -> Figure:
    """Enlarge a figure so that its titles, legends and notes lie within it.

    The figures of this room grow beyond their edges, as long as they are only saved. Titles are
    wrapped to the width of what stands below them.
    """
    width, _ = figure.get_size_inches()
    for text in figure.texts:
        if text.get_verticalalignment() == "bottom":
            text.set_text(textwrap.fill(text.get_text(), max(_LEAST, int(width / _LETTER))))
    figure.set_dpi(_SCREEN_DPI)  # letters are wider, for their height, than on paper
    box = figure.get_tightbbox(FigureCanvasAgg(figure).get_renderer()).padded(_EDGE)
    width, height = figure.get_size_inches()
    for axes in figure.axes:
        old = axes.get_position(original=True)
        axes.set_position(
            (
                (old.x0 * width - box.x0) / box.width,
                (old.y0 * height - box.y0) / box.height,
                old.width * width / box.width,
                old.height * height / box.height,
            )
        )
    for text in figure.texts:
        x, y = text.get_position()
        text.set_position(((x * width - box.x0) / box.width, (y * height - box.y0) / box.height))
    figure.set_size_inches(box.width, box.height)
    return figure


def render(figure: Figure, dpi: float) -> NDArray[np.uint8]:
    """Draw a framed figure; RGBA, shape (height, width, 4)."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def panel_of(axes: Axes, height: int) -> Panel:
    """Tell where axes lie in the picture that was just rendered, `height` px high."""
    box = axes.get_window_extent()
    low, high = axes.get_xlim()
    log = axes.get_xscale() == "log"
    return Panel(box.x0, height - box.y1, box.x1, height - box.y0, low, high, log)


def write(figure: Figure, path: Path, dpi: float = 200) -> Path:
    """Write a figure in the format of the file's ending; see `napari_vhd.io.whole_file.whole`."""
    with whole(path) as beside:
        figure.savefig(beside, bbox_inches="tight", pad_inches=_EDGE, dpi=dpi)
    return path
