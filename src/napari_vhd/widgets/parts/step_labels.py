"""Labels and scrolling as all steps have them."""

from __future__ import annotations

import html

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QScrollArea, QSizePolicy, QWidget


def scrolled(widget: QWidget) -> QScrollArea:
    """Put a widget where it can be scrolled up and down, never sideways."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(widget)
    area.setMinimumWidth(350)
    return area


def text_label(text: str) -> QLabel:
    """Make a label that wraps, and whose text can be copied."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.LinksAccessibleByMouse
    )
    # Ignored: a long word must not make the dock wider than its place.
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


def escaped(text: str) -> str:
    """Show text as it is in a label that reads HTML."""
    return html.escape(text, quote=False)
