"""Controls of layers in napari's window, made when a layer is chosen or nothing else happens."""

from __future__ import annotations

from typing import Any
from weakref import ref

from napari.utils.events import Event

from .listeners import listeners


class Controls(dict[Any, Any]):
    """Controls by layer; those that are missing are made when somebody asks for them.

    They take a window a fiftieth of a second and more to make, and most layers are never chosen.

    Parameters
    ----------
    container
        napari's container of controls, whose `widgets` these are to be.
    """

    def __init__(self, container: Any) -> None:
        super().__init__(container.widgets)
        self._container = ref(container)

    @classmethod
    def can_wait(cls, container: Any) -> None:
        """Have a container make controls when they are asked for."""
        if not isinstance(container.widgets, cls):
            container.widgets = cls(container)

    def __missing__(self, layer: Any) -> Any:
        container = self._container()
        if container is None:
            raise KeyError(layer)
        if layer in container.viewer.layers:
            container._add(Event("inserted", value=layer))  # noqa: SLF001
        else:
            # Of a layer that is gone: napari takes its controls out.
            self[layer] = type(container.empty_widget)()
        return self[layer]


def make_controls(layers: Any, layer: Any) -> None:
    """Make the controls of a layer, where the window has none of it."""
    if layer not in layers:
        return
    for container, _ in listeners(layers.events.inserted):
        if isinstance(controls := getattr(container, "widgets", None), Controls):
            controls[layer]
