"""Typing cells with a CellTypist model, each by itself: all, or a few that were edited."""

from __future__ import annotations

import contextlib
import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from celltypist.models import Model
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from .stage import Report

MODEL_FILE = "celltypist_model.pkl"
"""In the run folder; loaded again only by `napari_vhd.io.models.load_celltypist`."""
TARGET_SUM = 1e4
"""Depth that CellTypist's models are made for."""
PORTION = 5_000
"""Cells that are typed at once: CellTypist makes them dense."""


@dataclass(frozen=True)
class Typed:
    """Labels of the typed cells.

    Attributes
    ----------
    mask
        Cells of the table that were typed: kept, and with counts.
    labels, confidence
        Of each typed cell: its best type and that type's probability.
    types
        All types of the model.
    """

    mask: NDArray[np.bool_]
    labels: NDArray[np.object_]
    confidence: NDArray[np.float64]
    types: list[str]


def type_of_each(
    counts: csr_matrix,
    names: pd.Index,
    genes: NDArray[np.bool_],
    kept_cells: NDArray[np.bool_],
    model: Model,
    report: Report,
) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """Type cells each by itself, as the stage does.

    Parameters
    ----------
    counts
        cells × genes, raw.
    names, genes
        Of the genes: their symbols, and over which to normalise.
    kept_cells
        Others get no type.
    model, report
        What types them; who is told.

    Returns
    -------
    labels, confidence
        None and NaN for cells that are not kept or have no counts.
    """
    lognorm = lognormalized(counts, genes)
    mask = kept_cells & (np.diff(lognorm.indptr) > 0)
    labels = np.full(len(mask), None, dtype=object)
    confidence = np.full(len(mask), np.nan)
    if mask.any():
        typed = predicted(lognorm, names, mask, model, report)
        labels[mask], confidence[mask] = typed.labels, typed.confidence
    return labels, confidence


def lognormalized(counts: csr_matrix, genes: NDArray[np.bool_]) -> csr_matrix:
    """Scale each row to 10,000 over the given genes, then log1p; other genes are zero."""
    from scipy.sparse import csr_matrix, diags

    used = counts @ diags(genes.astype(np.float32))
    totals = np.asarray(used.sum(axis=1), dtype=np.float64).ravel()
    scale = np.divide(TARGET_SUM, totals, out=np.zeros_like(totals), where=totals > 0)
    result = csr_matrix(diags(scale) @ used).log1p().astype(np.float32)
    result.eliminate_zeros()
    return result


def predicted(
    lognorm: csr_matrix, names: pd.Index, mask: NDArray[np.bool_], model: Model, report: Report
) -> Typed:
    """Type each cell by itself, in portions: CellTypist makes them dense."""
    from anndata import AnnData

    rows = np.flatnonzero(mask)
    labels, confidence = [], []
    for start in range(0, len(rows), PORTION):
        portion = AnnData(lognorm[rows[start : start + PORTION]])
        portion.var_names = names
        with quiet(report):
            import celltypist

            found = celltypist.annotate(portion, model=model, majority_voting=False)
        labels.append(found.predicted_labels["predicted_labels"].astype(str).to_numpy(object))
        confidence.append(found.probability_matrix.max(axis=1).to_numpy(dtype=float))
        done = min(start + PORTION, len(rows)) / len(rows)
        report.progress(2 + 2 * done, 4, "cell types")
    types = [str(name) for name in model.cell_types]
    return Typed(mask, np.concatenate(labels), np.concatenate(confidence), types)


@contextlib.contextmanager
def quiet(report: Report) -> Iterator[None]:
    """Take CellTypist's messages and the warnings of its scikit-learn calls to the log."""

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            report.log(f"celltypist: {record.getMessage()}")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from celltypist.logger import logger

        handlers, handed_on = logger.handlers, logger.propagate
        logger.handlers, logger.propagate = [Lines()], False
        try:
            yield
        finally:
            logger.handlers, logger.propagate = handlers, handed_on
