"""The docks as napari asks for them: there at once, filled as soon as they can be.

What a dock needs takes up to a second to import, the first time in a process, and a tenth of one
to make; a window that waited for it would not answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from .parts.dispatch import dispatcher
from .parts.dock_title import shorten_title
from .parts.loading import when_loaded

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer
    from qtpy.QtGui import QShowEvent

_MARGIN = 12


class Docked(QWidget):
    """A dock that is loaded beside the window, then made in turns.

    Parameters
    ----------
    napari_viewer
        The viewer that it is for.

    Attributes
    ----------
    dock
        What it holds, None until that is there.
    filled
        It is there.
    """

    holds: ClassVar[str]
    """Its class, as `napari_vhd.widgets.parts.loading.when_loaded` takes it."""

    filled = Signal()

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer: Viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self.dock: QWidget | None = None
        self._made: QWidget | None = None
        # All of the place, which napari would else fill up below it.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._said = QLabel("Getting ready…")
        self._said.setWordWrap(True)
        self._said.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._said.setMargin(_MARGIN)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.addWidget(self._said)
        self._forget = when_loaded(self.viewer, self.holds, self._make, self._say)

    def when_filled(self, then: Callable[[], None]) -> None:
        """Call something when the dock is there."""
        if self.dock is None:
            self.filled.connect(then)
        else:
            then()

    def _make(self, kind: type[QWidget]) -> None:
        self._made = kind(self.viewer)
        # Taking it in is as much again: for another turn.
        dispatcher()(self._take)

    def _take(self) -> None:
        if self._made is None or not isalive(self):
            return  # it was closed meanwhile
        self.dock = self._made
        self._layout.replaceWidget(self._said, self.dock)
        self._said.deleteLater()
        self.filled.emit()

    def _say(self, error: Exception) -> None:
        self._said.setText(f"This dock cannot be shown: {error}")

    def changeEvent(self, event: QEvent) -> None:
        """Go when napari takes the widget out of its dock: it is never put back."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._forget()
            made, self._made = self._made, None
            if made is not None:
                if (let_go := getattr(made, "let_go", None)) is not None:
                    let_go()
                # One that was not taken in yet would be gone before others hear that it goes.
                made.setParent(self)
                made.deleteLater()
            self.deleteLater()

    def showEvent(self, event: QShowEvent) -> None:
        """Have a title that its tab shows in full."""
        super().showEvent(event)
        shorten_title(self)


class Workflow(Docked):
    """Steps from a folder to cell types."""

    holds = "workflow:WorkflowDock"


class Legend(Docked):
    """Colours and their meaning."""

    holds = "legend:LegendDock"


class Cell(Docked):
    """The card of a cell."""

    holds = "cell:CellDock"


class Corrections(Docked):
    """Labels and outlines, by hand."""

    holds = "corrections:CorrectionsDock"


class Regions(Docked):
    """Regions of interest."""

    holds = "regions:RegionsDock"


class Bins(Docked):
    """Bins of 2, 8 and 16 µm."""

    holds = "bins:BinsDock"


class Compare(Docked):
    """Two segmentations."""

    holds = "compare:CompareDock"


class Plots(Docked):
    """Figures of a selection."""

    holds = "plots:PlotsDock"


class Log(Docked):
    """What the run says."""

    holds = "log:LogDock"


class Sample(Docked):
    """The first step."""

    holds = "sample:SampleDock"


class Region(Docked):
    """The step that crops."""

    holds = "region:RegionDock"


class Segmentation(Docked):
    """Nuclei and cells."""

    holds = "segmentation:SegmentationDock"


class Domains(Docked):
    """Spatial domains."""

    holds = "domains:DomainsDock"


class Deconvolution(Docked):
    """Cell types of bins."""

    holds = "deconvolution:DeconvolutionDock"


class CellTypes(Docked):
    """Cell types of cells."""

    holds = "cell_types:CellTypesDock"


class Review(Docked):
    """The last step."""

    holds = "review:ReviewDock"
