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

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

CANVAS = (1000, 1150)  # height, width on the screen
ZOOMS = (2.0, 1.0, 0.5, 0.25)  # screen px for a full-resolution px
REPEATS = 9
LASSO = 5000
MOST_SHAPES = 100_000
DOMAINS, TYPES = "novae_domains_8", "cell_type_domain"


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
        many = options.cells > MOST_SHAPES
        peers = ("napari_shapes", "napari_spatialdata")
        figures["peers"] = {
            name: f"left out above {MOST_SHAPES:,} cells" if many else _measured(name, run)
            for name in peers
        }
    figures["machine"] = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(json.dumps(figures))


def _measured(name: str, run: Path) -> dict[str, Any]:
    """Measure one contender in a process of its own."""
    command = [sys.executable, __file__, "--contender", name, "--run", str(run)]
    # A window has a canvas, which needs a screen with OpenGL.
    environment = {**os.environ} | ({} if name == "window" else {"QT_QPA_PLATFORM": "offscreen"})
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def cpu_ms(function: Callable[[], Any]) -> float:
    """CPU time of all threads of this process, ms."""
    started = time.process_time()
    function()
    return 1e3 * (time.process_time() - started)


def median_ms(function: Callable[[int], Any], repeats: int = REPEATS) -> float:
    """Median CPU time of calls with 0, 1, …; a first call is not counted."""
    function(0)
    times = [cpu_ms(lambda number=number: function(number + 1)) for number in range(repeats)]
    return round(statistics.median(times), 3)


def peak_mb() -> float:
    """Most memory that this process has had, MB."""
    # Not getrusage's: that begins with the size of who started the process.
    lines = Path("/proc/self/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return round(int(kilobytes) / 1024, 0)


def lasso_around(centres: Any) -> Any:
    """Draw a circle that holds about `LASSO` cells (fewer where there are fewer)."""
    import shapely

    middle = centres.mean(axis=0)
    away = np.sort(np.linalg.norm(centres - middle, axis=1))
    return shapely.Point(*middle).buffer(float(away[min(LASSO, len(away)) - 1]))


# Ours


class Looked:
    """A Scene that is looked at as a window would, but for the drawing."""

    def __init__(self, run: Path, dispatch: Callable[[Any], None] | None = None) -> None:
        from napari.components import ViewerModel

        from napari_vhd.layers import Scene
        from napari_vhd.session import Session

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
    looked.scene.close()
    looked.session.close()
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
    scene.close()
    session.close()
    return figures


def new_place_ms(looked: Looked, zoom: float, rng: Any, low: Any, high: Any) -> float:
    """Median CPU time of looking at a place whose pixels were never made."""
    raster = looked.scene.raster(looked.boundaries)

    times = []
    for place in rng.uniform(low, high, (REPEATS + 1, 2)):
        looked.go(place + 0.3 * (high - low), zoom)
        raster._tiles.clear()  # noqa: SLF001
        times.append(cpu_ms(lambda place=place: looked.go(place, zoom)))
    return round(statistics.median(times[1:]), 3)


_NUMBERS = ("area_um2", "Tumor_score")


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


# Others


def _opened(run: Path) -> tuple[Any, Any]:
    import spatialdata

    from napari_vhd import keys

    sdata = spatialdata.read_zarr(run / keys.STORE)
    return sdata, sdata.shapes[keys.PROSEG]


def napari_shapes(run: Path) -> dict[str, Any]:
    """Measure napari's own Shapes, a polygon a cell."""
    import shapely
    from napari.components import ViewerModel
    from napari.layers import Shapes

    from napari_vhd import keys

    started = time.process_time(), time.perf_counter()
    sdata, frame = _opened(run)
    table = sdata.tables[keys.CELLS]
    colors = {name: _rgba(table, name) for name in (DOMAINS, TYPES)}
    rings = [shapely.get_coordinates(cell)[:-1, ::-1] for cell in frame.geometry]
    viewer = ViewerModel()
    layer = Shapes(rings, shape_type="polygon", face_color=colors[TYPES], edge_width=0)
    viewer.add_layer(layer)
    figures: dict[str, Any] = {
        "open_s": round(time.process_time() - started[0], 3),
        "open_wall_s": round(time.perf_counter() - started[1], 3),
    }
    centres = shapely.get_coordinates(shapely.centroid(frame.geometry.to_numpy()))
    few = 3 if len(frame) > 20_000 else 5
    columns = (DOMAINS, TYPES)

    def color(values: Any) -> None:
        layer.face_color = values

    figures["switch_colouring_ms"] = median_ms(lambda n: color(colors[columns[n % 2]]), few)
    one = colors[TYPES].copy()

    def relabel(number: int) -> None:
        one[0] = (number % 2, 0, 0, 1)
        color(one)

    figures["relabel_one_ms"] = median_ms(relabel, few)
    lasso = lasso_around(centres)

    def choose(number: int) -> None:
        inside = shapely.contains_xy(lasso, *centres.T)
        one[inside] = (number % 2, 0, 0, 1)
        color(one)

    figures["lasso_5000_ms"] = median_ms(choose, few)
    figures |= _looked_at(layer, centres)
    return figures


def napari_spatialdata(run: Path) -> dict[str, Any]:
    """Measure napari-spatialdata's Interactive with its View widget."""
    import napari
    from napari_spatialdata import Interactive
    from qtpy.QtWidgets import QApplication

    from napari_vhd import keys

    import drawn_run  # isort: skip

    sdata, frame = _opened(run)
    started = time.process_time(), time.perf_counter()
    # It takes whole numbers for ids alone.
    frame.index = np.arange(1, len(frame) + 1)
    table = sdata.tables[keys.CELLS]
    table.obs[keys.CELL_ID] = np.arange(1, len(frame) + 1)
    # With a cell that has no label it draws all in white.
    types = table.obs[TYPES].cat.add_categories([keys.UNASSIGNED])
    table.obs[TYPES] = types.fillna(keys.UNASSIGNED)
    table.uns[f"{TYPES}_colors"] = np.array([*table.uns[f"{TYPES}_colors"], "#BDBDBD"])
    viewer = napari.Viewer(show=False)
    interactive = Interactive(sdata, headless=True)
    interactive.add_element(keys.PROSEG, drawn_run.SAMPLE)
    while not len(viewer.layers):
        QApplication.processEvents()
    layer = viewer.layers[0]
    viewer.layers.selection.active = layer
    view = viewer.window.dock_widgets["View (napari-spatialdata)"]
    QApplication.processEvents()
    _color(view, TYPES)
    figures: dict[str, Any] = {
        "open_s": round(time.process_time() - started[0], 3),
        "open_wall_s": round(time.perf_counter() - started[1], 3),
    }
    few = 3 if len(frame) > 20_000 else 5
    columns = (DOMAINS, TYPES)
    figures["switch_colouring_ms"] = median_ms(lambda n: _color(view, columns[n % 2]), few)
    # It has no way to recolour some cells: the column is changed and shown again.
    figures["relabel_one_ms"] = figures["switch_colouring_ms"]
    figures["lasso_5000_ms"] = figures["switch_colouring_ms"]
    import shapely

    centres = shapely.get_coordinates(shapely.centroid(frame.geometry.to_numpy()))
    figures |= _looked_at(layer, centres)
    return figures


def _color(view: Any, column: str) -> None:
    """Do what a double click in the View widget does."""
    view.obs_widget._onAction((column,))  # noqa: SLF001


def _looked_at(layer: Any, centres: Any) -> dict[str, Any]:
    """Pick, and move the view."""
    rng = np.random.default_rng(0)
    places = rng.uniform(centres.min(axis=0), centres.max(axis=0), (100, 2))[:, ::-1]
    pick = cpu_ms(lambda: [layer.get_value(place, world=False) for place in places]) / 100
    half = np.array(CANVAS) / 2

    def go(_number: int) -> None:
        place = places[rng.integers(0, len(places))]
        corners = np.array([place - half, place + half])
        layer._update_draw(1.0, corners, np.array(CANVAS))  # noqa: SLF001

    return {
        "pick_ms": round(pick, 4),
        # All is uploaded once and drawn whole each time, which is not counted here.
        "viewport_ms": median_ms(go),
        "peak_rss_mb": peak_mb(),
    }


def _rgba(table: Any, column: str) -> Any:
    from napari_vhd.layers.categories import rgb

    colors = [(*rgb(color), 1.0) for color in table.uns[f"{column}_colors"]]
    return np.array([*colors, (0.7, 0.7, 0.7, 1.0)])[table.obs[column].cat.codes]


CONTENDERS = {
    "opening": opening,
    "ours": ours,
    "window": window,
    "napari_shapes": napari_shapes,
    "napari_spatialdata": napari_spatialdata,
}

if __name__ == "__main__":
    main()
