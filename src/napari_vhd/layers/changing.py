"""Layers put into a viewer's list and taken out, which napari's window follows in turns."""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from .batch import quickly
from .controls import Controls
from .listeners import listeners

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari.layers import Layer

    from .tasks import Tasks

_DRAW = ("QtViewer", "_on_add_layer_change")
_ADD_CONTROLS = ("QtLayerControlsContainer", "_add")
_REMOVE_CONTROLS = ("QtLayerControlsContainer", "_remove")


class Change:
    """What napari's window has yet to do about a layer that came or went.

    napari makes what draws a layer, puts it in order among the others and makes a panel of
    controls in one call, which stops a window for a twentieth of a second and more. Here the first
    two are steps of their own, done at once as soon as a layer is taken out, which needs them;
    controls are made when the layer is first chosen.

    Parameters
    ----------
    layers
        The viewer's list.
    tasks
        Where what is not done at once is done.
    """

    def __init__(self, layers: Any, tasks: Tasks) -> None:
        self._layers, self._tasks = layers, tasks
        self._left: deque[Callable[[], Any]] = deque()

    @classmethod
    def inserting(cls, layers: Any, place: int, layer: Layer, tasks: Tasks) -> Change:
        """Put a layer in.

        What its tools draw over it is made when such a tool is first taken: for a Labels layer
        that is half of all.
        """
        # napari makes overlays when they are first visible, and has no public way to them.
        for overlay in layer._overlays.values():  # noqa: SLF001
            if "enabled" in overlay.events.signals:
                overlay.visible = overlay.enabled
                overlay.events.enabled.connect_setattr(overlay, "visible", maxargs=1)
        change, selection = cls(layers, tasks), layers.selection
        active = selection.active
        # A layer that is made on the way must not take the tool out of a hand; nor need napari
        # take it away and give it back, which is a third of what adding a layer costs.
        with selection.events.blocker_all(), change._holding(layers.events.inserted):
            layers.insert(place, layer)
            selection.active = active
        layers.events.removing.connect(change.finish, position="first")
        return change

    @classmethod
    def removing(cls, layers: Any, layer: Layer, tasks: Tasks) -> Change:
        """Take a layer out."""
        change = cls(layers, tasks)
        layers.events.begin_batch()
        change._left.append(change._order)
        try:
            with change._holding(layers.events.removed):
                layers.remove(layer)
        except BaseException:
            change.finish()
            raise
        return change

    def soon(self, topic: str, then: Callable[[], None] = lambda: None) -> None:
        """Have the window do it in turns; `then` is called after the last, in a turn of its own."""
        steps = self.steps()
        # What has begun is finished also where the rest is dropped.
        next(steps, None)
        self._tasks.in_turns(topic, steps, then)

    def steps(self) -> Generator[None, None, None]:
        """Have the window do it, one thing in each step."""
        try:
            yield
            while self._left:
                self._left.popleft()()
                yield
        finally:
            self.finish()

    def finish(self, _event: Any = None) -> None:
        """Have the window do it now."""
        self._layers.events.removing.disconnect(self.finish)
        while self._left:
            self._left.popleft()()

    def _holding(self, emitter: Any) -> ExitStack:
        """Keep what the window does when something is emitted for later."""
        held = ExitStack()
        keeping = {_DRAW: self._draw_later, _REMOVE_CONTROLS: self._later}
        for owner, method in listeners(emitter):
            name, follow = (type(owner).__name__, method), getattr(owner, method)
            if name == _ADD_CONTROLS:
                Controls.can_wait(owner)
                held.enter_context(emitter.blocker(follow))
            elif name in keeping:
                held.enter_context(emitter.blocker(follow))
                keep = partial(keeping[name], follow)
                emitter.connect(keep, position="first")
                held.callback(emitter.disconnect, keep)
        return held

    def _later(self, follow: Callable[[Any], Any], event: Any) -> None:
        self._left.append(partial(follow, event))

    def _draw_later(self, follow: Callable[[Any], Any], event: Any) -> None:
        self._left.append(partial(self._draw, follow, event))
        self._left.append(self._order)

    def _draw(self, follow: Callable[[Any], Any], event: Any) -> None:
        """Have the canvas make what draws a layer, not yet in order among the others."""
        self._layers.events.begin_batch()
        follow(event)

    def _order(self) -> None:
        """Have the canvas put its layers in order."""
        with quickly(self._layers):
            pass


def put(layers: Any, layer: Layer, tasks: Tasks, then: Callable[[], None] = lambda: None) -> None:
    """Put a layer on top, for a tool; `then` is called when it is drawn, if it is still there."""

    def drawn() -> None:
        if layer in layers:
            then()

    Change.inserting(layers, len(layers), layer, tasks).soon(layer.name, drawn)


def take(layers: Any, layer: Layer, tasks: Tasks) -> None:
    """Take a layer out, if it is still there."""
    if layer in layers:
        Change.removing(layers, layer, tasks).soon(layer.name)


def lay_down(layers: Any, layer: Layer, before: Layer | None, tasks: Tasks) -> None:
    """Have the layer chosen that was chosen before that of a tool, and take the latter out.

    In this order, or napari chooses a neighbour and makes controls for it; in turns.
    """

    def steps() -> Generator[None, None, None]:
        try:
            yield
        finally:
            take(layers, layer, tasks)

    if before in layers:
        layers.selection.active = before
    going = steps()
    # From here on it goes, also where nobody has another turn.
    next(going)
    tasks.in_turns(f"{layer.name} {id(layer)}", going)
