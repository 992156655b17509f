"""Events of the mouse, as napari hands them to layers and to the viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils._proxies import ReadOnlyWrapper
from napari.utils._test_utils import MouseEvent
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    Place = tuple[float, float]


def event(kind: str, place: Place, *held: str, dragging: bool = False) -> Any:
    """Make an event at a place (y, x) of the world, with keys held."""
    made = MouseEvent(
        type=kind,
        button=1,
        is_dragging=dragging,
        position=place,
        view_direction=None,
        dims_displayed=[0, 1],
        modifiers=list(held),
    )
    return ReadOnlyWrapper(made, exceptions=("handled",))


def click(target: Any, place: Place, *held: str) -> None:
    """Press and release at a place (y, x) of the world."""
    mouse_press_callbacks(target, event("mouse_press", place, *held))
    mouse_release_callbacks(target, event("mouse_release", place, *held))


def drag(layer: Any, px: Sequence[Place], um_per_px: float) -> None:
    """Drag the mouse over a layer through places (x, y) in full-resolution px."""
    world = [(y * um_per_px, x * um_per_px) for x, y in px]
    mouse_press_callbacks(layer, event("mouse_press", world[0]))
    for place in world[1:]:
        mouse_move_callbacks(layer, event("mouse_move", place, dragging=True))
    mouse_release_callbacks(layer, event("mouse_release", world[-1]))
