"""How a sample was looked at last: camera, colours, outlines, bins; as JSON holds it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from napari_vhd.exceptions import VhdError

from .views import set_visible

if TYPE_CHECKING:
    from collections.abc import Generator

    from .scene import Scene


def state_of(scene: Scene) -> dict[str, Any]:
    """Describe what a Scene shows."""
    camera, name_of = scene.camera, scene.stack.name_of
    return {
        "camera": {"center": list(camera.center), "zoom": camera.zoom},
        "coloring": _coloring_of(scene),
        "outlines": {name: style for name, style in scene.awaited.items() if style}
        | {
            name: {
                "visible": style.visible,
                "color": style.color,
                "opacity": style.opacity,
                "shapes": style.shapes,
            }
            for name, style in ((name, scene.outline_style(name)) for name in scene.cells)
        },
        "bins": {str(size): what for size, (what, _) in scene.background.bins.items()},
        "visible": {name_of(layer): bool(layer.visible) for layer in scene.background.images},
    }


def _coloring_of(scene: Scene) -> dict[str, Any]:
    coloring = scene.coloring
    return {
        "column": coloring.column,
        "boundaries": coloring.boundaries,
        "computed": coloring.computed,
        "hidden": sorted(one.name for one in coloring.categories if not one.visible),
        "limits": None if coloring.limits is None else list(coloring.limits),
        "only": None if coloring.only is None else list(coloring.only),
        "colormap": coloring.colormap,
    }


def looked_at_first(state: dict[str, Any]) -> frozenset[str]:
    """Name the segmentations of which something is seen."""
    styles = state.get("outlines", {})
    shown = {name for name, style in styles.items() if style.get("visible") or style.get("shapes")}
    return frozenset(shown | {state.get("coloring", {}).get("boundaries") or ""})


def looked_at(scene: Scene, state: dict[str, Any]) -> None:
    """Look where one looked."""
    camera = state.get("camera", {})
    if "center" in camera:
        x, y = camera["center"]
        scene.go_to(x, y, camera.get("zoom"))


def restored(scene: Scene, state: dict[str, Any]) -> Generator[None, None, None]:
    """Show a sample as it was looked at, in steps; what is not there any more is left out."""
    looked_at(scene, state)
    for name, style in state.get("outlines", {}).items():
        if name in scene.cells:
            scene.set_outline_style(name, style["color"], style["opacity"])
            yield
            scene.show_outlines(name, style["visible"])
            yield
            scene.show_shapes(name, style["shapes"])
            yield
    for layer in scene.background.images:
        shown = state.get("visible", {}).get(scene.stack.name_of(layer), layer.visible)
        set_visible(layer, shown)
        yield
    for size, what in state.get("bins", {}).items():
        with contextlib.suppress(VhdError):
            scene.show_bins(int(size), what)
            yield
    coloring = state.get("coloring", {})
    boundaries = coloring.get("boundaries") or next(iter(scene.cells), "")
    if coloring and boundaries in scene.cells and coloring != _coloring_of(scene):
        with contextlib.suppress(VhdError):
            scene.color_again(
                coloring.get("column"),
                boundaries,
                computed=bool(coloring.get("computed")),
                hidden=coloring.get("hidden", ()),
                limits=_pair(coloring.get("limits")),
                only=_pair(coloring.get("only")),
                colormap=coloring.get("colormap"),
            )


def _pair(values: Any) -> tuple[float, float] | None:
    return None if values is None else (float(values[0]), float(values[1]))
