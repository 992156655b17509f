"""Our layers in a viewer's list: each kind above the one before, other layers left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .removal import quickly, remove

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari.layers import Layer

IMAGE, BINS, FILLS, PAINT, LINES, SHAPES, SELECTION, REGIONS = range(8)
"""Kinds of layers, from the bottom up."""


class Stack:
    """Layers that were put into a viewer by us.

    Parameters
    ----------
    layers
        The viewer's list.
    """

    def __init__(self, layers: Any) -> None:
        self._all = layers
        self._kind: dict[int, int] = {}
        self._own: list[Layer] = []
        self._names: dict[int, str] = {}
        self._covered: dict[int, list[Any]] = {}

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Ours that are in the viewer still."""
        return tuple(layer for layer in self._own if layer in self._all)

    def add(self, layer: Layer, kind: int) -> None:
        """Put a layer below all of ours that belong above it."""
        self._put(layer, kind)
        self._choose(layer)

    def adding(self, layer: Layer, kind: int) -> Generator[None, None, None]:
        """Put a layer in, hidden, and show it in a step of its own: only then it reads pixels."""
        visible, layer.visible = layer.visible, False
        self._put(layer, kind)
        yield
        self._choose(layer)
        if visible:
            layer.visible = True
            yield

    def uncover(self, layer: Layer) -> Generator[None, None, None]:
        """Let napari make what a brush draws over a Labels layer, one thing in each step.

        That is half of what putting the layer in takes, and none of ours but one is painted in.
        """
        for overlay in self._covered.pop(id(layer), ()):
            overlay.visible = True
            yield

    def _put(self, layer: Layer, kind: int) -> None:
        above = [
            place for place, other in enumerate(self._all) if self._kind.get(id(other), -1) > kind
        ]
        place = above[0] if above else len(self._all)
        self._own.append(layer)
        self._kind[id(layer)] = kind
        self._names[id(layer)] = layer.name
        # napari makes overlays when they are first visible, and has no public way to them.
        overlays = [one for one in layer._overlays.values() if one.visible]  # noqa: SLF001
        self._covered[id(layer)] = overlays
        for overlay in overlays:
            overlay.visible = False
        selection = self._all.selection
        active = selection.active
        # A layer that is made on the way must not take the tool out of a hand; nor need napari
        # take it away and give it back, which is a third of what adding a layer costs.
        with selection.events.blocker_all():
            self._all.insert(place, layer)
            selection.active = active

    def _choose(self, layer: Layer) -> None:
        """Have napari's controls show a layer where they show none."""
        selection = self._all.selection
        if selection.active not in self._all:
            selection.active = layer

    def remove(self, layer: Layer) -> None:
        """Take a layer out, if it is still there."""
        if layer in self._own:
            self._own.remove(layer)
            del self._kind[id(layer)], self._names[id(layer)]
            self._covered.pop(id(layer), None)
        remove(self._all, layer)

    def clear(self) -> None:
        """Take all of ours out."""
        own, self._own = self._own, []
        for known in (self._kind, self._names, self._covered):
            known.clear()
        with quickly(self._all):
            for layer in own:
                if layer in self._all:
                    self._all.remove(layer)

    def leave(self) -> Generator[None, None, None]:
        """Take all of ours out, one in each step."""
        for layer in self.layers:
            remove(self._all, layer)
            yield

    def name_of(self, layer: Layer) -> str:
        """Give the name that a layer was put in with."""
        return self._names.get(id(layer), layer.name)

    def name_again(self) -> None:
        """Give layers the names they were meant to have, where others that are gone had these."""
        for layer in self.layers:
            name = self._names[id(layer)]
            if layer.name.startswith(f"{name} ["):
                layer.name = name
