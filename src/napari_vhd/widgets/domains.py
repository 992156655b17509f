"""Domains: which cells are kept, who neighbours whom, and Novae's spatial domains."""

from __future__ import annotations

from .parts.step import StepDock, StepPanel
from .parts.steps import DOMAINS


class DomainsPanel(StepPanel):
    """Quality of cells, neighbours and domains."""

    step = DOMAINS


class DomainsDock(StepDock):
    """The step Domains as a dock."""

    kind = DomainsPanel
