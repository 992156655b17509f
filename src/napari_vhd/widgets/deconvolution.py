"""Deconvolution: the share of each cell type in every bin."""

from __future__ import annotations

from pathlib import Path

from napari_vhd.io.reference_columns import text_columns

from .parts.step import StepDock, StepPanel
from .parts.steps import DECONVOLUTION


class DeconvolutionPanel(StepPanel):
    """FlashDeconv and RCTD."""

    step = DECONVOLUTION
    _looked_at: str | None = None

    def refresh_tools(self) -> None:
        """Offer the columns of the reference that could be its cell types."""
        config = self.control.config
        reference = None if config is None else config.paths.reference
        if reference is None or reference == self._looked_at:
            return
        self._looked_at = reference
        self.control.background.ask(
            f"reference columns {id(self)}",
            text_columns,
            Path(reference),
            then=self._suggest,
            # What is wrong with the file is said by the stages that read it.
            failed=lambda _: None,
        )

    def _suggest(self, columns: tuple[str, ...]) -> None:
        for form in self.forms():
            if "cell_type_col" in form.editors and columns:
                form.editors["cell_type_col"].suggest(columns)


class DeconvolutionDock(StepDock):
    """The step Deconvolution as a dock."""

    kind = DeconvolutionPanel
