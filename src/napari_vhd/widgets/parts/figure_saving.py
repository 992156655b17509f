"""Asking where a figure is to be saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

_FORMATS = {
    "PNG picture (*.png)": ".png",
    "SVG drawing (*.svg)": ".svg",
    "CSV, the numbers (*.csv)": ".csv",
}


def ask_path(parent: QWidget) -> Path | None:
    """Ask for a file; None where the person thought better of it."""
    name, chosen = QFileDialog.getSaveFileName(
        parent, "Save figure", "figure.png", ";;".join(_FORMATS)
    )
    if not name:
        return None
    path = Path(name)
    # A name left as it was proposed takes the ending of the format that was chosen.
    return path.with_suffix(_FORMATS.get(chosen, path.suffix or ".png"))
