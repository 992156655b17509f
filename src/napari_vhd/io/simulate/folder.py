"""Write a sample's files, strip by strip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from napari_vhd.io.simulate.counts.reference import write_invented_reference
from napari_vhd.io.simulate.counts.umis import BIN_UM, Grid, count_umis, expected_umis
from napari_vhd.io.simulate.output.pyramid import STRIP_PX, Rgb, overview_scales, write_picture
from napari_vhd.io.simulate.output.space_ranger import BIN_SIZES_UM, BinnedOutput, write_frame
from napari_vhd.io.simulate.output.truth import (
    BinTruth,
    domains_at,
    write_outlines,
    write_parameters,
)
from napari_vhd.io.simulate.tissue.celltypes import TYPES
from napari_vhd.io.simulate.tissue.shapes import areas

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_vhd.io.simulate.content import Content, Request
    from napari_vhd.io.simulate.scene import Scene

Progress = Callable[[str, float], None]

# Corner (x, y) of the bins' grid on the picture (um): never exactly the picture's.
_OFFSET_UM = (1.3, 0.9)
_RIM_UM = 18.0


def write_sample(folder: Path, request: Request, content: Content, report: Progress) -> None:
    """Write all files of a sample into an empty folder."""
    scene = content.scene
    spatial, truth = folder / "outs" / "spatial", folder / "truth"
    spatial.mkdir(parents=True)
    truth.mkdir()
    strips = _reported(scene, report)
    write_picture(folder / "tissue_image.tif", spatial, scene.shape, scene.mpp, strips)
    write_frame(folder / "outs", request.sample_id, overview_scales(scene.shape), scene.mpp)
    types = [content.expression.type_names[k] for k in content.cell_type]
    write_outlines(truth, scene.cells, types, scene.shape)
    _write_bins(folder, request, content, report)
    report("reference", 0.95)
    if content.held_out is None:
        write_invented_reference(
            folder / "reference.h5ad", request.genes, request.seed, request.type_column
        )
    else:
        content.held_out.write(folder / "reference.h5ad", request.type_column)
    _write_config(folder, request, _markers(content))
    write_parameters(truth, _parameters(request, content))


def _reported(scene: Scene, report: Progress) -> Iterator[Rgb]:
    """Hand on the picture's strips and tell how far they are."""
    count = -(-scene.shape[0] // STRIP_PX)
    for number, strip in enumerate(scene.strips()):
        yield strip
        report("picture", 0.05 + 0.55 * (number + 1) / count)


def _write_bins(folder: Path, request: Request, content: Content, report: Progress) -> None:
    scene, expression = content.scene, content.expression
    grid = _grid(scene)
    scales = overview_scales(scene.shape)
    expected, rim = _abundance(content, grid, request)
    truth = BinTruth(folder / "truth", content.cell_type, expression.type_names)
    outputs = {
        size: BinnedOutput(folder / "outs", size, expression.genes, grid, scene.mpp, scales)
        for size in BIN_SIZES_UM
    }
    for strip in count_umis(
        scene.cells, content.cell_type, expected, rim, expression, grid, request.umis_per_bin,
        request.seed,
    ):  # fmt: skip
        report("counts", 0.6 + 0.35 * strip.first_row / len(grid.in_tissue))
        for size, output in outputs.items():
            names, group, bins = output.add(strip)
            if size == 2:
                truth.add_fine(strip, names)
            elif size == 8:
                domain = domains_at(scene.domain, grid, strip.first_row // 4, scene.mpp, bins, 4)
                truth.add_coarse(strip, names, group, domain)
    for output in outputs.values():
        output.close()
    truth.close()


def _abundance(
    content: Content, grid: Grid, request: Request
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the expected transcripts of each cell, and how near it is to the rim (1 there)."""
    scene, cells = content.scene, content.scene.cells
    richness = np.array([t.richness for t in TYPES])[cells.kind]
    total = request.umis_per_bin * int(grid.in_tissue.sum())
    rng = np.random.default_rng((request.seed, 50))
    expected = expected_umis(areas(cells.body) * scene.mpp**2, richness, total, rng)
    rows = np.clip((cells.y * scene.mpp).astype(int), 0, scene.depth.shape[0] - 1)
    cols = np.clip((cells.x * scene.mpp).astype(int), 0, scene.depth.shape[1] - 1)
    depth = np.clip(scene.depth[rows, cols], 0, None).astype(float)
    return expected, np.exp(-depth / _RIM_UM)


def _grid(scene: Scene) -> Grid:
    """Lay the bins on the picture: whole 16 um bins only."""
    height, width = (n * scene.mpp for n in scene.shape)
    cols = int((width - _OFFSET_UM[0]) // 16) * 8
    rows = int((height - _OFFSET_UM[1]) // 16) * 8
    x = _OFFSET_UM[0] + (np.arange(cols) + 0.5) * BIN_UM
    y = _OFFSET_UM[1] + (np.arange(rows) + 0.5) * BIN_UM
    in_tissue = scene.depth[np.ix_(y.astype(int), x.astype(int))] > 0
    offset = (_OFFSET_UM[0] / scene.mpp, _OFFSET_UM[1] / scene.mpp)
    return Grid(offset, BIN_UM / scene.mpp, in_tissue)


def _markers(content: Content) -> dict[str, list[str]]:
    if content.held_out is not None:
        return content.held_out.markers()
    symbols = set(content.expression.genes.symbols)
    return {t.name: [gene for gene in t.markers if gene in symbols] for t in TYPES}


def _write_config(folder: Path, request: Request, markers: dict[str, list[str]]) -> None:
    config: dict[str, Any] = {
        "paths": {"spaceranger_outs": ".", "processed": "processed", "reference": "reference.h5ad"},
        "samples": [
            {"id": request.sample_id, "name": "simulated", "fullres_image": "tissue_image.tif"}
        ],
        "params": {
            "stardist_model": "vhd-he-small",
            # Half of ProSeg's own iterations: outlines differ little, and the demo stays short.
            "proseg": {"burnin_samples": 100, "samples": 100, "hillclimb": 25},
            "novae_model": None,
            "novae_max_epochs": 8,
            "domain_range": [5, 8],
            "clustering_col": "novae_domains_8",
            "cell_type_col": request.type_column,
            "seed": 0,
        },
        "marker_genes": markers,
    }
    if request.reference is not None:
        # Real cells bring their own mitochondrial share, which no fixed limit fits.
        config["params"]["percentile_pct_mito"] = 0.95
    text = yaml.safe_dump(config, sort_keys=False, default_flow_style=None, width=100)
    (folder / "config.yaml").write_text(text, encoding="utf-8")


def _parameters(request: Request, content: Content) -> dict[str, object]:
    """Every argument, and what it came to."""
    arguments = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(request).items()}
    arguments.pop("out")
    try:
        made_by = version("napari-vhd")
    except PackageNotFoundError:
        made_by = "not installed"
    found = {
        "shape_px": list(content.scene.shape),
        "microns_per_pixel": content.scene.mpp,
        "n_cells": len(content.scene.cells),
        "n_genes": len(content.expression.genes),
        "cell_types": {
            name: int(number)
            for name, number in zip(
                content.expression.type_names,
                np.bincount(content.cell_type, minlength=len(content.expression.type_names)),
                strict=True,
            )
        },
    }
    return {"napari_vhd": made_by, "arguments": arguments, **found}
