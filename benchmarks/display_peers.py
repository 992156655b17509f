"""What `display.py` compares with: napari's own Shapes, and napari-spatialdata."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from measuring import CANVAS, DOMAINS, TYPES, cpu_ms, lasso_around, median_ms, peak_mb

if TYPE_CHECKING:
    from pathlib import Path


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
    viewer.close()
    QApplication.processEvents()
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


CONTENDERS = {"napari_shapes": napari_shapes, "napari_spatialdata": napari_spatialdata}
