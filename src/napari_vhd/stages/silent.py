"""A report to nobody, for what runs without somebody who looks on."""

from __future__ import annotations


class Silent:
    """A `napari_vhd.stages.stage.Report` that says nothing."""

    def progress(self, done: float, total: float, what: str = "") -> None:
        """Say nothing."""

    def notice(self, sentence: str) -> None:
        """Say nothing."""

    def log(self, text: str) -> None:
        """Say nothing."""
