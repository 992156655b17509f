"""Segmentation: StarDist nuclei, ProSeg cells, their counts, and previews of both."""

from __future__ import annotations

from .parts.preview_panel import PreviewPanel
from .parts.section import Section
from .parts.step import StepDock, StepPanel
from .parts.steps import SEGMENTATION


class SegmentationPanel(StepPanel):
    """Segmentation, with a look ahead on what is in view."""

    step = SEGMENTATION

    def add_tools(self) -> None:
        """Add the previews; they are of use also on a picture that is no sample."""
        self.preview = PreviewPanel(self.viewer, self.control)
        self.layout_.addWidget(Section("Try it on the view", self.preview, is_open=True))

    def refresh_tools(self) -> None:
        """Bring the previews up to date."""
        self.preview.refresh()

    def release(self) -> None:
        """End what is being previewed."""
        super().release()
        self.preview.release()


class SegmentationDock(StepDock):
    """The step Segmentation as a dock."""

    kind = SegmentationPanel
