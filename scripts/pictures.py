"""Take the pictures of the README: the window and its docks on the demo sample.

    xvfb-run -a -s "-screen 0 1400x1000x24" .venv/bin/python scripts/pictures.py [--folder FOLDER]

The demo is made in a temporary folder (about a minute); nobody's settings are read or changed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.viewer import Viewer

    from napari_vhd.layers.scene import Scene

SETTLE_S = 2.5
SEGMENTATION = 2


def main() -> None:
    """Take them all."""
    from PIL import Image

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=Path(__file__).parents[1] / "docs" / "pictures"
    )
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as own:
        os.environ |= {"NAPARI_CONFIG": f"{own}/napari.yaml", "XDG_CONFIG_HOME": own}
        for name, picture in pictures(Path(own)):
            path = folder / f"{name}.png"
            # A palette that keeps the legend's colours; a fifth of the size.
            small = picture.convert("RGB").quantize(
                method=Image.Quantize.MAXCOVERAGE, kmeans=5, dither=0
            )
            small.save(path, optimize=True)
            print(f"{path}: {path.stat().st_size // 1024} kB")


def pictures(folder: Path) -> Iterator[tuple[str, Any]]:
    """Give the name and the picture of the window for each view."""
    import napari
    from PIL import Image

    from napari_vhd.layers.scene import scene_of
    from napari_vhd.runner.known_run import make_demo
    from napari_vhd.widgets.docks import show_docks
    from napari_vhd.widgets.opening import open_path, opening_of
    from napari_vhd.widgets.window import SIZE, wait

    run = make_demo(folder)
    viewer = napari.Viewer(title="napari-vhd: demo", show=True)
    viewer.window.resize(*SIZE)
    show_docks(viewer)
    open_path(viewer, run, "AB")
    while opening_of(viewer).is_busy:
        wait(0.05)
    scene = scene_of(viewer)
    if scene is None:
        raise RuntimeError(f"{run} could not be opened")
    for name, arrange in VIEWS.items():
        arrange(viewer, scene)
        wait(SETTLE_S)
        shown = viewer.screenshot(canvas_only=False, flash=False)
        yield name, Image.fromarray(shown)
    opening_of(viewer).close()
    viewer.close()


def dock(viewer: Viewer, name: str) -> Any:
    """Bring a dock to the front, and wait until it is filled."""
    from napari_vhd.widgets.docks import raise_dock
    from napari_vhd.widgets.window import wait

    held = raise_dock(viewer, name)
    while held.dock is None:
        wait(0.05)
    return held.dock


def types(viewer: Viewer, scene: Scene) -> None:
    """Show cell types over the H&E, as the demo opens."""
    dock(viewer, "Legend")


def cell(viewer: Viewer, scene: Scene) -> None:
    """Show cells near by, and the card of one of them."""
    from napari_vhd import keys

    outlines = scene.session.outlines(keys.PROSEG)
    middle = outlines.bounds.mean(axis=0)
    near = outlines.query(*middle[:2], *middle[2:])
    one = outlines.id_of(int(near[0]))
    scene.go_to_cell(one)
    scene.select([one])
    dock(viewer, "Cell")


def corrections(viewer: Viewer, scene: Scene) -> None:
    """Correct some: labels of a lasso, an outline, in review mode."""
    from napari_vhd import keys

    session, chosen = scene.session, scene.selection[0]
    outlines = session.outlines(keys.PROSEG)
    x, y = outlines.centroids[outlines.row_of(chosen)]
    around = [outlines.id_of(int(row)) for row in outlines.query(x - 40, y - 40, x + 40, y + 40)]
    column = scene.coloring.column
    shown = dock(viewer, "Corrections")
    shown.head.review.setChecked(True)
    session.relabel(around, column, "Macrophages", note="seen in the H&E")
    session.expand([chosen], 1.5)
    scene.select(around)


def workflow(viewer: Viewer, scene: Scene) -> None:
    """Show a step of the workflow with what came out."""
    dock(viewer, "Corrections").head.review.setChecked(False)
    scene.select([])
    viewer.reset_view()
    dock(viewer, "Workflow").open_step(SEGMENTATION)


def plots(viewer: Viewer, scene: Scene) -> None:
    """Draw the figures of quality control beside domains."""
    from napari_vhd import keys

    scene.color_by(keys.domains(5), keys.PROSEG)
    dock(viewer, "Plots")


VIEWS = {
    "cell_types": types,
    "cell": cell,
    "corrections": corrections,
    "workflow": workflow,
    "plots": plots,
}

if __name__ == "__main__":
    main()
