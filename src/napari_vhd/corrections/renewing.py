"""What is there to work out single cells anew: the run's own settings, genes and model."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import require_engine
from napari_vhd.io.models import TRAIN, celltypist_file, load_celltypist
from napari_vhd.stages import celltyping, qc
from napari_vhd.stages.silent import Silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from .opened import Opened
    from .settings import Settings
    from .stale import Stale

    Objects = NDArray[np.object_]
    Types = tuple[Objects, NDArray[np.float64]]

OUTLINES_FILE = "corrected.zarr"


@dataclass(frozen=True)
class Means:
    """What can be worked out, and how.

    Attributes
    ----------
    columns
        Columns of labels that are worked out.
    quality
        Counts -> why each cell is dropped, "" where it is kept; None: cannot be said by cell.
    types
        Counts and kept cells -> labels and confidence; None: cannot be said by cell.
    reasons
        Why something cannot be, a sentence each.
    """

    columns: tuple[str, ...]
    quality: Callable[[Any], Objects] | None
    types: Callable[[Any, NDArray[np.bool_]], Types] | None
    reasons: tuple[str, ...]


def means_of(source: Opened, run_dir: Path | None, model: str) -> Means:
    """Find out what can be worked out for single cells of a sample.

    Parameters
    ----------
    source
        The sample as computed.
    run_dir
        The run folder, where its model is kept.
    model
        ``celltypist_model`` as configured, for a run folder that holds none.
    """
    there = source.obs().columns
    columns: list[str] = []
    reasons: list[str] = []
    quality = types = None
    if keys.KEPT in there:
        reason = _no_quality(source)
        if reason:
            reasons.append(reason)
        else:
            columns += [name for name in (keys.KEPT, keys.KEPT_REASON) if name in there]
            quality = _quality(source)
    if keys.TYPE_CELLTYPIST_PER_CELL in there:
        file = _model_file(run_dir, model)
        genes = _genes(source)
        reason = _no_types(source.settings, file, genes)
        if file is None or genes is None or reason:
            reasons.append(reason)
        else:
            columns.append(keys.TYPE_CELLTYPIST_PER_CELL)
            types = _types(source, file, genes)
    return Means(tuple(columns), quality, types, tuple(reasons))


def how_to_rerun(left: Stale, run_dir: Path | None, settings: Settings) -> tuple[str, str]:
    """Say what brings the rest up to date: in words, and as commands; "" where nothing is left."""
    if not left.counts:
        return "", ""
    how = "they need a new run with the corrected outlines as its boundaries."
    run = shlex.quote("RUN" if run_dir is None else str(run_dir))
    asked = f"boundaries: {OUTLINES_FILE}"
    if settings.celltypist is not None and settings.celltypist.cell_counts == "proseg":
        asked += " and cell_counts: boundaries"
    command = (
        f"Write them with: napari-vhd corrections {run} outlines {OUTLINES_FILE}; then set params: "
        f"{asked} in the config, and: napari-vhd run config.yaml"
    )
    return how, command


def _no_quality(source: Opened) -> str:
    """Say why the filters cannot judge a cell by itself, "" where they can."""
    if source.settings.qc is None or source.quality is None:
        return "Nothing says how quality control was set, so it is left as it is."
    if not qc.filters_each_cell(source.settings.qc):
        return (
            "Whether quality control keeps a cell hangs on all cells here (a quantile, or islands)."
        )
    return ""


def _quality(source: Opened) -> Callable[[Any], Objects]:
    quality, settings = source.quality, source.settings.qc

    def work_out(counts: Any) -> Objects:
        if quality is None or settings is None:
            return np.full(counts.shape[0], "", dtype=object)
        return qc.reasons_of_each(quality.of_all(counts), settings)

    return work_out


def _no_types(settings: Settings, file: Path | None, genes: NDArray[np.bool_] | None) -> str:
    """Say why CellTypist cannot type a cell by itself, "" where it can."""
    if settings.celltypist is not None and settings.celltypist.cell_counts == "proseg":
        return "CellTypist typed ProSeg's own counts, which follow no edit."
    if file is None:
        return (
            f"CellTypist's labels are left: {celltyping.MODEL_FILE} is not in the run folder; run "
            "the stage celltypist again."
        )
    if settings.celltypist is None or genes is None:
        return (
            "CellTypist's labels are left: nothing says over which genes it normalised; run the "
            "stage celltypist again."
        )
    return ""


def _types(
    source: Opened, file: Path, genes: NDArray[np.bool_]
) -> Callable[[Any, NDArray[np.bool_]], Types]:
    def work_out(counts: Any, kept: NDArray[np.bool_]) -> Types:
        import pandas as pd

        require_engine("celltypist", "celltypist")
        report = Silent()
        with celltyping.quiet(report):
            model = load_celltypist(str(file))
        names = pd.Index(source.genes())
        return celltyping.type_of_each(counts, names, genes, kept, model, report)

    return work_out


def _model_file(run_dir: Path | None, model: str) -> Path | None:
    """Find the model that the run kept, else the configured one where it is on this machine."""
    kept = None if run_dir is None else run_dir / celltyping.MODEL_FILE
    if kept is not None and kept.is_file():
        return kept
    return None if model in ("", TRAIN) else celltypist_file(model)


def _genes(source: Opened) -> NDArray[np.bool_] | None:
    """Say over which genes CellTypist normalised; None where nothing tells."""
    var, settings = source.var, source.settings.celltypist
    if var is not None and keys.CELLTYPIST_GENES in var:
        return var[keys.CELLTYPIST_GENES].to_numpy(dtype=bool)
    if var is not None and settings is not None and settings.celltypist_model != TRAIN:
        return np.ones(len(var), dtype=bool)
    return None
