"""What takes long to import, loaded beside the window."""

from __future__ import annotations

import itertools
import sys
from contextlib import suppress
from functools import cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari.settings import get_plugin_settings

from napari_vhd.keys import PLUGIN

from .background import Background
from .garbage import GarbageTimer

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer

_ROOM = "napari_vhd.widgets"
# One thread a viewer: modules that import each other are not to be imported by several.
_KNOWN: WeakKeyDictionary[Any, Background] = WeakKeyDictionary()
_NUMBERS = itertools.count(1)


def when_loaded(
    viewer: Viewer,
    what: str,
    then: Callable[[Any], None],
    failed: Callable[[Exception], None] | None = None,
) -> Callable[[], None]:
    """Load something of the widgets, and hand it over on the GUI thread.

    Parameters
    ----------
    viewer
        For whose window.
    what
        Module below `napari_vhd.widgets` and name in it, ``"legend:LegendDock"``.
    then
        Given what was loaded.
    failed
        Given the exception; without it a sentence is shown.

    Returns
    -------
    callable
        Call it where nobody waits any longer.
    """
    unwrapped = getattr(viewer, "__wrapped__", viewer)
    if unwrapped not in _KNOWN:
        _KNOWN[unwrapped] = Background()
        GarbageTimer.begin(unwrapped)
    background, question = _KNOWN[unwrapped], str(next(_NUMBERS))
    background.ask(question, _load, what, then=then, failed=failed)
    return partial(background.forget, question)


def _load(what: str) -> Any:
    _get_ready()
    place, _, name = what.partition(":")
    module = f"{_ROOM}.{place}"
    if module not in sys.modules:
        import_module(module)
        GarbageTimer.set_aside()
    return getattr(sys.modules[module], name)


@cache
def _get_ready() -> None:
    """Have napari read what all plugins let a user set."""
    GarbageTimer.set_aside()
    with suppress(KeyError):
        get_plugin_settings(PLUGIN)
