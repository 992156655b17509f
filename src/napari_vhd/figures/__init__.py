"""The pictures of each stage, drawn without a screen."""

from __future__ import annotations

from .draw import draw

__all__ = ["draw"]
