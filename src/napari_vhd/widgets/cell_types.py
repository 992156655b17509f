"""Cell types: CellTypist, and marker genes over the domains."""

from __future__ import annotations

from .parts.domain_columns import domain_columns
from .parts.step import StepDock, StepPanel
from .parts.steps import CELL_TYPES


class CellTypesPanel(StepPanel):
    """CellTypist and EnrichMap."""

    step = CELL_TYPES

    def refresh_tools(self) -> None:
        """Offer the domains that the step before computes."""
        config = self.control.config
        if config is None:
            return
        for form in self.forms():
            if "clustering_col" in form.editors:
                form.editors["clustering_col"].suggest(domain_columns(config.params.domain_range))


class CellTypesDock(StepDock):
    """The step Cell types as a dock."""

    kind = CellTypesPanel
