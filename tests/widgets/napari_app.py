"""A napari application of one module of tests, as napari's own fixture makes one for one test."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

from app_model import Application
from napari._app_model._app import NapariApplication, _napari_names
from napari._qt._qapp_model.qactions import init_qactions
from napari.plugins import _initialize_plugins

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = "module_app"


@contextmanager
def own_app() -> Iterator[None]:
    """Register what plugins bring in an application that goes with the block.

    Else the second window outside of ``make_napari_viewer`` finds it registered already.
    """
    caches = (_initialize_plugins, init_qactions)
    for cache in caches:
        cache.cache_clear()
    app = NapariApplication(_NAME)
    app.injection_store.namespace = _napari_names
    with patch.object(NapariApplication, "get_app_model", return_value=app):
        try:
            yield
        finally:
            Application.destroy(_NAME)
            for cache in caches:
                cache.cache_clear()
