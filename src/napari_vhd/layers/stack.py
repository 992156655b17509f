"""Our layers in a viewer's list: each kind above the one before, other layers left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .batch import quickly
from .changing import Change, lay_down, take
from .controls import make_controls

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari.layers import Layer

    from .tasks import Tasks

IMAGE, BINS, FILLS, PAINT, LINES, SHAPES, SELECTION, REGIONS = range(8)
"""Kinds of layers, from the bottom up."""
_IDLE_S = 2.0


class Stack:
    """Layers that were put into a viewer by us.

    Parameters
    ----------
    layers
        The viewer's list.
    tasks
        Where what is not done at once is done.
    """

    def __init__(self, layers: Any, tasks: Tasks) -> None:
        self._all, self._tasks = layers, tasks
        self._kind: dict[int, int] = {}
        self._own: list[Layer] = []
        self._names: dict[int, str] = {}

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Ours that are in the viewer still."""
        return tuple(layer for layer in self._own if layer in self._all)

    def add(self, layer: Layer, kind: int, then: Callable[[], None] = lambda: None) -> None:
        """Put a layer below all of ours that belong above it; `then` is called when it is drawn."""

        def drawn() -> None:
            if self._nothing_is_chosen and layer in self._all:
                self._all.selection.active = layer
            then()

        self._put(layer, kind).soon(f"layer {kind}", drawn)

    def adding(self, layer: Layer, kind: int) -> Generator[None, None, None]:
        """Put a layer in, hidden, and show it in a step of its own: only then it reads pixels."""
        visible, layer.visible = layer.visible, False
        yield from self._put(layer, kind).steps()
        if self._nothing_is_chosen:
            yield from self._choosing(layer)
        if visible:
            layer.visible = True
            yield

    def _put(self, layer: Layer, kind: int) -> Change:
        above = [
            place for place, other in enumerate(self._all) if self._kind.get(id(other), -1) > kind
        ]
        self._own.append(layer)
        self._kind[id(layer)] = kind
        self._names[id(layer)] = layer.name
        self._tasks.later(f"controls {id(self)}", _IDLE_S, self._make_controls)
        place = above[0] if above else len(self._all)
        return Change.inserting(self._all, place, layer, self._tasks)

    @property
    def _nothing_is_chosen(self) -> bool:
        """Whether napari shows the controls of no layer."""
        return self._all.selection.active not in self._all

    def _choosing(self, layer: Layer) -> Generator[None, None, None]:
        """Have napari show the controls of a layer, which are made in a step of their own."""
        make_controls(self._all, layer)
        yield
        if layer in self._all:
            self._all.selection.active = layer
        yield

    def _make_controls(self) -> None:
        """Make the controls of all layers, one in each turn: whoever chooses one waits less."""

        def steps() -> Generator[None, None, None]:
            for layer in self.layers:
                yield
                make_controls(self._all, layer)

        self._tasks.in_turns(f"controls {id(self)}", steps())

    def choosing_as(self, before: Stack) -> Generator[None, None, None]:
        """Choose the layer that is what the chosen one was among those of another version."""
        active = self._all.selection.active
        if active in before.layers:
            name = before.name_of(active)
            ours = [layer for layer in self.layers if self.name_of(layer) == name]
            yield from self._choosing(next(iter(ours), self.layers[-1]))

    def remove(self, layer: Layer, before: Layer | None = None) -> None:
        """Take a layer out, if it is still there; for a tool see `lay_down`."""
        if layer in self._own:
            self._tasks.forget(f"layer {self._kind[id(layer)]}")
            self._own.remove(layer)
            del self._kind[id(layer)], self._names[id(layer)]
            if before is None:
                take(self._all, layer, self._tasks)
            else:
                lay_down(self._all, layer, before, self._tasks)

    def clear(self) -> None:
        """Take all of ours out."""
        there = self.layers
        for known in (self._own, self._kind, self._names):
            known.clear()
        if there:
            with quickly(self._all):
                for layer in there:
                    self._all.remove(layer)

    def leave(self) -> Generator[None, None, None]:
        """Take all of ours out, one in each step."""
        for layer in self.layers:
            if layer in self._all:
                yield from Change.removing(self._all, layer, self._tasks).steps()

    def name_of(self, layer: Layer) -> str:
        """Give the name that a layer was put in with."""
        return self._names.get(id(layer), layer.name)

    def name_again(self) -> None:
        """Give layers the names they were meant to have, where others that are gone had these."""
        for layer in self.layers:
            name = self._names[id(layer)]
            if layer.name.startswith(f"{name} ["):
                layer.name = name
