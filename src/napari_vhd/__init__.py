"""Look at, correct and trust a 10x Visium HD sample.

The names below are loaded when they are first used, so that importing the package stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_vhd.config import RunConfig
    from napari_vhd.io.simulate import simulate
    from napari_vhd.session import Session

__version__ = "0.1.0"
__all__ = ["RunConfig", "Session", "__version__", "simulate"]

_HOMES = {
    "RunConfig": "napari_vhd.config",
    "Session": "napari_vhd.session",
    "simulate": "napari_vhd.io.simulate",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
