"""Segmentations that are read after the first view, and what is asked of them meanwhile."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .prepared import raster_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .making import Making
    from .raster import CellRaster
    from .scene import Scene


class Awaited:
    """What a Scene still waits for of one version of its sample; nothing before `begin`.

    Parameters
    ----------
    scene
        Whose segmentations they are.

    Attributes
    ----------
    styles
        How the outlines of each will be drawn, as `view_state` gives it; empty where it was not
        looked at before.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.styles: dict[str, dict[str, Any]] = {}
        self._wanted: Callable[[], None] | None = None

    def begin(self, making: Making, styles: Mapping[str, dict[str, Any]]) -> None:
        """Read the segmentations of a version that are not looked at first."""
        prepared = making.prepared
        rest = [name for name in prepared.segmentations if name not in prepared.rasters]
        self.styles = {name: styles.get(name, {}) for name in rest}
        for name in rest:
            self._read(making, name)

    def put_off(self, names: Iterable[str | None], call: Callable[[], None]) -> bool:
        """Put a call off until what it needs is there: segmentations, any of them for None.

        Says whether it was; of two such calls only the later is made.
        """
        wanted = self.styles if None in names else [one for one in names if one in self.styles]
        self._wanted = call if wanted else None
        return bool(wanted)

    def forget(self) -> None:
        """Wait no longer for the version before."""
        for name in self.styles:
            self._scene.tasks.forget(f"cells of {name}")
            self._scene.tasks.forget(f"layers of {name}")
        self.styles, self._wanted = {}, None

    def _read(self, making: Making, name: str) -> None:
        """Read a segmentation beside the window, and make its layers."""
        scene, extent = self._scene, making.prepared.extent
        since = scene.edits

        def read() -> CellRaster:
            try:
                return raster_of(scene.session, name, extent)
            except Exception:
                scene.tasks.soon(partial(self._give_up, name))
                raise

        def make(raster: CellRaster) -> None:
            scene.tasks.in_turns(
                f"layers of {name}",
                making.more(scene, name, raster),
                lambda: self._on_made(name, raster, since),
            )

        scene.tasks.ask(f"cells of {name}", read, make)

    def _give_up(self, name: str) -> None:
        """Wait no longer for a segmentation that cannot be read; `Scene.failed` is told why."""
        self._wanted = None
        self.styles.pop(name, None)
        self._scene.layers_changed.emit()

    def _on_made(self, name: str, raster: CellRaster, since: int) -> None:
        """Show a segmentation as corrections left it, and do what was asked of it meanwhile."""
        for news in self._scene.news_since(since):
            if news.boundaries == name and news.outlines:
                raster.redraw(news.rows)
        self._scene.on_more(name, self.styles.pop(name))
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            wanted()
