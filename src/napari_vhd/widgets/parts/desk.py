"""What the panels of the correction dock work on: the open sample, questions, corrections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_vhd.layers.scene import Scene


class Desk(Protocol):
    """The dock, as its panels see it."""

    scene: Scene | None

    def ask(
        self, topic: str, function: Callable[..., Any], *arguments: Any, then: Callable[[Any], None]
    ) -> None:
        """Call a function beside the GUI thread; a newer question about a topic makes it void."""

    def correct(
        self,
        verb: Callable[..., Any],
        *arguments: Any,
        then: Callable[[Any], None] | None = None,
        **named: Any,
    ) -> None:
        """Call a verb of the session, in the order they are asked for."""
