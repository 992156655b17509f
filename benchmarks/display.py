"""What it costs to look at a sample and to recolour it, without drawing, at any number of cells.

    xvfb-run -a python benchmarks/display.py [--cells 12000]

Makes a run folder (`drawn_run.py`), opens it through Session and Scene, then in a window with its
docks (`window_turns.py`), and does the same with napari's Shapes and with napari-spatialdata (both
up to 100,000 cells), each in a process of its own. Prints one JSON object on its last line: ours at
the top, the others under ``peers``. Times are CPU time of the process: others may use the machine.
What a window draws comes on top for all.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import display_peers
import numpy as np
from measuring import (
    CANVAS,
    DOMAINS,
    NUMBER,
    REPEATS,
    TYPES,
    cpu_ms,
    lasso_around,
    median_ms,
    peak_mb,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ZOOMS = (2.0, 1.0, 0.5, 0.25)  # screen px for a full-resolution px
MOST_SHAPES = 100_000


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=12_000)
    parser.add_argument("--contender", choices=tuple(CONTENDERS), help=argparse.SUPPRESS)
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        print(json.dumps(CONTENDERS[options.contender](options.run)))
        return
    with tempfile.TemporaryDirectory() as folder:
        import drawn_run

        run = drawn_run.make(Path(folder), options.cells)
        figures: dict[str, Any] = {"cells": options.cells}
        figures |= _measured("opening", run)
        figures |= _measured("ours", run)
        figures |= _measured("window", run)
        figures |= _measured("first window", run)
        many = options.cells > MOST_SHAPES
        figures["peers"] = {
            name: f"left out above {MOST_SHAPES:,} cells" if many else _measured(name, run)
            for name in display_peers.CONTENDERS
        }
    figures["machine"] = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(json.dumps(figures))


def _measured(name: str, run: Path) -> dict[str, Any]:
    """Measure one contender in a process of its own."""
    command = [sys.executable, __file__, "--contender", name, "--run", str(run)]
    # A window has a canvas, which needs a screen with OpenGL.
    environment = {**os.environ} | ({} if "window" in name else {"QT_QPA_PLATFORM": "offscreen"})
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


class Looked:
    """A Scene that is looked at as a window would, but for the drawing."""

    def __init__(self, run: Path, dispatch: Callable[[Any], None] | None = None) -> None:
        from napari.components import ViewerModel

        from napari_vhd.layers import Scene
        from napari_vhd.session import Session

        # A window has Python look for garbage when nobody works.
        gc.disable()
        self.session = Session.open(run, author="bench")
        self.viewer = ViewerModel()
        self.viewer.canvas.size = CANVAS
        self.scene = Scene(self.viewer, self.session, dispatch=dispatch)
        self.boundaries = self.scene.coloring.boundaries or self.session.segmentations()[0]
        self.outlines = self.session.outlines(self.boundaries)
        self.read()

    def read(self) -> None:
        """Have every layer in sight read what the camera sees, as a draw does beforehand."""
        xmin, ymin, xmax, ymax = self.scene.view_box()
        frame, camera = self.scene.frame_, self.viewer.scene.camera
        corners = np.array([frame.to_world(xmin, ymin), frame.to_world(xmax, ymax)])
        for layer in self.viewer.layers:
            if layer.visible:
                # Private, but what napari itself calls before it draws.
                layer._update_draw(1 / camera.zoom, corners, np.array(CANVAS))  # noqa: SLF001

    def close(self) -> None:
        """Look no longer."""
        self.scene.close()
        self.session.close()
        gc.enable()

    def go(self, place: Any, zoom: float) -> None:
        """Look at another place."""
        self.scene.go_to(float(place[0]), float(place[1]), zoom)
        self.read()


def opening(run: Path) -> dict[str, Any]:
    """Measure opening as a window does it: to the first coloured view, and until all is there."""
    import napari.components  # noqa: F401  (imports are not what opening costs)

    import napari_vhd.layers
    import napari_vhd.session  # noqa: F401

    turns: SimpleQueue[Callable[[], None]] = SimpleQueue()
    started = time.process_time(), time.perf_counter()

    def so_far() -> tuple[float, float]:
        return (
            round(time.process_time() - started[0], 3),
            round(time.perf_counter() - started[1], 3),
        )

    looked = Looked(run, turns.put)
    first = so_far()
    while looked.scene.awaited:
        turns.get(timeout=600)()
    looked.read()
    both = so_far()
    figures = dict(zip(("open_s", "open_wall_s"), first, strict=True))
    figures |= dict(zip(("open_both_s", "open_both_wall_s"), both, strict=True))
    figures["open_peak_rss_mb"] = peak_mb()
    looked.close()
    return figures


def ours(run: Path) -> dict[str, Any]:
    """Measure Session and Scene."""
    looked, figures = Looked(run), dict[str, Any]()
    scene, session, outlines = looked.scene, looked.session, looked.outlines
    rng = np.random.default_rng(0)
    low, high = outlines.centroids.min(axis=0), outlines.centroids.max(axis=0)
    middle = (low + high) / 2
    looked.go(middle, 0.5)

    columns = (DOMAINS, TYPES)
    figures["switch_colouring_ms"] = median_ms(lambda n: scene.color_by(columns[n % 2]))
    figures["switch_number_ms"] = median_ms(lambda n: scene.color_by(_NUMBERS[n % 2]))
    scene.color_by(TYPES)
    names = session.labels(looked.boundaries, TYPES).names
    row = outlines.pick(*middle.tolist())
    row = row if row >= 0 else int(outlines.query(*(middle - 40), *(middle + 40))[0])
    cell = outlines.id_of(row)

    def relabel(number: int) -> None:
        session.relabel([cell], TYPES, names[number % 2])

    figures["relabel_one_ms"] = median_ms(relabel)
    figures["category_colour_ms"] = median_ms(
        lambda n: scene.set_category_color(names[0], ("#FF0000", "#00FF00")[n % 2])
    )
    lasso = lasso_around(outlines.centroids)
    looked.go(middle, 0.5)
    chosen = outlines.ids_of(outlines.within(lasso))

    def lasso_and_show(number: int) -> None:
        scene.select(())
        scene.select_within(lasso)
        _show_relabelled(looked, number)

    figures["lasso_5000_ms"] = median_ms(lasso_and_show)
    figures["lasso_cells"] = len(chosen)
    scene.select(())
    figures["lasso_5000_with_ledger_ms"] = median_ms(
        lambda n: session.relabel(chosen, TYPES, names[n % 2]), 5
    )
    places = rng.uniform(low, high, (1000, 2)).tolist()
    figures["pick_ms"] = round(cpu_ms(lambda: [scene.pick(x, y) for x, y in places]) / 1000, 4)
    views = {str(zoom): new_place_ms(looked, zoom, rng, low, high) for zoom in ZOOMS}
    figures["viewport_ms"] = max(views.values())
    figures["viewport_ms_by_zoom"] = views
    figures["peak_rss_mb"] = peak_mb()
    looked.close()
    return figures


def new_place_ms(looked: Looked, zoom: float, rng: Any, low: Any, high: Any) -> float:
    """Median CPU time of looking at a place whose pixels were never made.

    Views are full of cells, as far as the sample goes: else a small one would have less to draw.
    """
    raster = looked.scene.raster(looked.boundaries)
    half = np.minimum(np.array(CANVAS[::-1]) / zoom, high - low) / 2

    times = []
    for place in rng.uniform(low + half, high - half, (REPEATS + 1, 2)):
        looked.go(place + 0.3 * (high - low), zoom)
        raster._tiles.clear()  # noqa: SLF001
        times.append(cpu_ms(lambda place=place: looked.go(place, zoom)))
    return round(statistics.median(times[1:]), 3)


_NUMBERS = (NUMBER, "Tumor_score")


def _show_relabelled(looked: Looked, number: int) -> None:
    """Give the chosen cells another label on the screen: all that comes after the ledger."""
    from napari_vhd.corrections.reviewed import CellsChanged

    rows = looked.outlines.rows_of(looked.scene.selection)
    codes = looked.session.labels(looked.boundaries, TYPES).codes
    codes[rows] = number % 2
    news = CellsChanged(looked.boundaries, rows, columns=frozenset({TYPES}))
    looked.session.cells_changed.emit(news)


def window(run: Path) -> dict[str, Any]:
    """Measure a window with its docks."""
    import window_turns

    return window_turns.while_opening(run)


def first_window(run: Path) -> dict[str, Any]:
    """Measure a window in which nothing of ours was shown before."""
    import window_turns

    return window_turns.from_nothing(run)


CONTENDERS = {
    "opening": opening,
    "ours": ours,
    "window": window,
    "first window": first_window,
    **display_peers.CONTENDERS,
}

if __name__ == "__main__":
    main()
