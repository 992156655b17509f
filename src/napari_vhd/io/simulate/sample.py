"""Make a Visium HD sample with known truth: Space Ranger's files, picture, reference, config."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import yaml
from numpy.typing import NDArray

from napari_vhd.exceptions import BadInputError
from napari_vhd.io.simulate.celltypes import TYPES
from napari_vhd.io.simulate.expression import Expression, InventedExpression
from napari_vhd.io.simulate.pyramid import STRIP_PX, overview_scales, write_picture
from napari_vhd.io.simulate.reference import write_invented_reference
from napari_vhd.io.simulate.scene import Scene, invent_scene
from napari_vhd.io.simulate.shapes import areas
from napari_vhd.io.simulate.space_ranger import BIN_SIZES_UM, BinnedOutput, write_frame
from napari_vhd.io.simulate.truth import BinTruth, domains_at, write_outlines, write_parameters
from napari_vhd.io.simulate.umis import BIN_UM, STRIP_ROWS, Grid, count_umis, expected_umis

Progress = Callable[[str, float], None]

# Corner (x, y) of the bins' grid on the picture (um): never exactly the picture's.
_OFFSET_UM = (1.3, 0.9)
_RIM_UM = 18.0


@dataclass(frozen=True)
class Content:
    """Everything a sample is made from.

    Attributes
    ----------
    scene
        Picture and cells.
    cell_type
        Number of each cell's type in `expression.type_names`.
    richness
        Transcripts per area of each cell.
    expression
        What the types express.
    density
        Share of the natural cells that are there.
    """

    scene: Scene
    cell_type: NDArray[np.int64]
    richness: NDArray[np.float64]
    expression: Expression


def simulate(
    out: Path,
    *,
    size_px: int = 1600,
    cells: int | None = None,
    genes: int = 2000,
    seed: int = 0,
    umis_per_bin: float = 11.0,
    sample_id: str = "SIM",
    picture: Path | None = None,
    reference: Path | None = None,
    cell_type_col: str | None = None,
    layout: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Make a Visium HD sample whose truth is known."""
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInputError(f"{out} is not empty; name a new folder.")
    report = progress or (lambda what, share: None)
    report("cells", 0.0)
    scene = invent_scene(size_px, seed)
    expression = InventedExpression(genes, seed)
    kinds = scene.cells.kind.astype(np.int64)
    content = Content(scene, kinds, np.array([t.richness for t in TYPES])[kinds], expression)
    column = cell_type_col or "ClusterMidway"
    parameters = {"size_px": size_px, "cells": cells, "genes": genes, "seed": seed,
                  "umis_per_bin": umis_per_bin, "sample_id": sample_id}  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
    try:
        _write(stage, content, sample_id, seed, umis_per_bin, report)
        write_invented_reference(stage / "reference.h5ad", genes, seed, column)
        markers = {t.name: [g for g in t.markers if g in expression.genes.symbols] for t in TYPES}
        _write_config(stage, sample_id, column, markers)
        write_parameters(stage / "truth", parameters)
        if out.exists():
            out.rmdir()
        stage.chmod(0o755)
        stage.rename(out)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise
    report("done", 1.0)
    return out


def _write(
    stage: Path, content: Content, sample_id: str, seed: int, umis_per_bin: float, report: Progress
) -> None:
    scene = content.scene
    outs, truth = stage / "outs", stage / "truth"
    (outs / "spatial").mkdir(parents=True)
    truth.mkdir()
    scales = overview_scales(scene.shape)
    count = -(-scene.shape[0] // STRIP_PX)

    def strips():
        for k, strip in enumerate(scene.strips()):
            report("picture", 0.05 + 0.55 * k / count)
            yield strip

    write_picture(stage / "tissue_image.tif", outs / "spatial", scene.shape, scene.mpp, strips())
    write_frame(outs, sample_id, scales, scene.mpp)
    write_outlines(truth, scene.cells, [content.expression.type_names[k] for k in content.cell_type])
    grid = _grid(scene)
    depth = _at(scene.depth, scene.cells.x * scene.mpp, scene.cells.y * scene.mpp)
    rng = np.random.default_rng((seed, 50))
    expected = expected_umis(
        areas(scene.cells.body) * scene.mpp**2, content.richness, umis_per_bin * grid.in_tissue.sum(), rng
    )
    rim = np.exp(-np.clip(depth, 0, None) / _RIM_UM)
    bins = BinTruth(content.cell_type, content.expression.type_names)
    outputs = {
        s: BinnedOutput(outs, s, content.expression.genes, grid, scene.mpp, scales) for s in BIN_SIZES_UM
    }
    for strip in count_umis(
        scene.cells, content.cell_type, expected, rim, content.expression, grid, umis_per_bin, seed
    ):
        report("counts", 0.6 + 0.35 * strip.first_row / len(grid.in_tissue))
        for size, output in outputs.items():
            names, group, kept = output.add(strip)
            if size == 2:
                bins.add_fine(strip, names)
            elif size == 8:
                domain = domains_at(scene.domain, grid, strip.first_row // 4, scene.mpp, kept, 4)
                bins.add_coarse(strip, names, group, domain)
    for output in outputs.values():
        output.close()
    bins.write(truth)


def _grid(scene: Scene) -> Grid:
    """Lay the bins on the picture: whole 16 um bins only."""
    height, width = (n * scene.mpp for n in scene.shape)
    cols = int((width - _OFFSET_UM[0]) // 16) * 8
    rows = int((height - _OFFSET_UM[1]) // 16) * 8
    x = _OFFSET_UM[0] + (np.arange(cols) + 0.5) * BIN_UM
    y = _OFFSET_UM[1] + (np.arange(rows) + 0.5) * BIN_UM
    depth = scene.depth[np.ix_(y.astype(int), x.astype(int))]
    offset = (_OFFSET_UM[0] / scene.mpp, _OFFSET_UM[1] / scene.mpp)
    return Grid(offset, BIN_UM / scene.mpp, depth > 0)


def _at(plane: NDArray[np.float32], x_um: NDArray[np.float64], y_um: NDArray[np.float64]) -> NDArray[np.float32]:
    rows = np.clip(y_um.astype(int), 0, plane.shape[0] - 1)
    cols = np.clip(x_um.astype(int), 0, plane.shape[1] - 1)
    values: NDArray[np.float32] = plane[rows, cols]
    return values


def _write_config(stage: Path, sample_id: str, column: str, markers: dict[str, list[str]]) -> None:
    config = {
        "paths": {"spaceranger_outs": ".", "processed": "processed", "reference": "reference.h5ad"},
        "samples": [{"id": sample_id, "name": "simulated", "fullres_image": "tissue_image.tif"}],
        "params": {
            "stardist_model": "vhd-he-small",
            "novae_model": None,
            "novae_max_epochs": 8,
            "domain_range": [5, 8],
            "clustering_col": "novae_domains_8",
            "cell_type_col": column,
            "seed": 0,
        },
        "marker_genes": markers,
    }
    text = yaml.safe_dump(config, sort_keys=False, default_flow_style=None, width=100)
    (stage / "config.yaml").write_text(text)
