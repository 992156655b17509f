"""Cell types by CellTypist: for each cell, and by vote over the domains.

A domain holds several cell types, so the vote blurs them (in one measured sample 99 % of the cells
were right by themselves and 65 % after the vote): both labels are kept, and how often they agree
is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import StageError, require_engine
from napari_vhd.io.models import (
    TRAIN,
    celltypist_file,
    celltypist_files,
    check_celltypist,
    load_celltypist,
)
from napari_vhd.io.reference import check_reference, read_reference, sample_genes
from napari_vhd.palettes import colors_for
from napari_vhd.parameters import CelltypistParameters

from .celltyping import MODEL_FILE, PORTION, Typed, lognormalized, predicted, quiet
from .kept import all_rows, all_rows_categorical, kept, kept_part
from .stage import Inputs, Outcome, Sample, Stage, TablePatch, each

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from celltypist.models import Model
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

TOP_GENES = 300
"""Genes selected for each type when a model is trained (CellTypist's default)."""

_SHOWN_TYPES = 3


def annotate(sample: Sample, parameters: CelltypistParameters) -> Outcome:
    """Give each kept cell a type.

    Returns
    -------
    Outcome
        A patch of ``table``: ``cell_type_celltypist_per_cell``, ``conf_score_celltypist`` (its
        probability), ``cell_type_celltypist`` (majority over `clustering_col`; ``Unassigned``
        where a cell has no domain) and layer ``lognorm_counts_celltypist``; missing in cells that
        are not kept or have no counts; genes that it is normalised over are marked in
        ``var["used_by_celltypist"]``. The model, ``celltypist_model.pkl``.

    Raises
    ------
    StageError
        Where there are no domains, or the model and the sample share no genes.
    BadInputError
        Where the reference or the model cannot be used.
    """
    table = sample.sdata.tables[keys.CELLS]
    if parameters.clustering_col not in table.obs:
        raise StageError(
            f"{sample.id}: 'table' has no column {parameters.clustering_col!r} to vote over; run "
            "the stage domains, or set clustering_col to a column that is there."
        )
    counts = _counts(sample, table, parameters)
    sample.report.progress(0, 4, "model")
    model, genes = _model(sample, table, parameters)
    lognorm = lognormalized(counts, genes)
    mask = kept(table.obs) & (np.diff(lognorm.indptr) > 0)
    if not mask.any():
        raise StageError(
            f"{sample.id}: no cell is kept and has counts of the model's genes; loosen the filters."
        )
    typed = predicted(lognorm, table.var_names, mask, model, sample.report)
    with quiet(sample.report):
        voted = _voted(typed.labels, table.obs[parameters.clustering_col][mask])
    patch = _patch(table, typed, voted, lognorm, genes)
    file = sample.scratch / MODEL_FILE
    model.write(str(file))
    h5ad = sample.scratch / keys.annotated_h5ad(sample.id)
    kept_part(table, [patch]).write_h5ad(h5ad, compression="gzip")
    return Outcome(
        patches={keys.CELLS: patch},
        files={MODEL_FILE: file, h5ad.name: h5ad},
        numbers=_numbers(patch, typed),
        weights={parameters.celltypist_model: celltypist_file(parameters.celltypist_model) or file},
    )


def _counts(sample: Sample, table: AnnData, parameters: CelltypistParameters) -> csr_matrix:
    """Give the counts that are typed, with the rows and columns of ``table``."""
    from scipy.sparse import csr_matrix

    if parameters.cell_counts == "boundaries":
        return csr_matrix(table.layers.get(keys.COUNTS, table.X), dtype=np.float32)
    if keys.PROSEG_COUNTS not in sample.sdata.tables:
        raise StageError(
            f"{sample.id}: there is no {keys.PROSEG_COUNTS!r}; run the stage proseg, or set "
            "cell_counts: boundaries."
        )
    own = sample.sdata.tables[keys.PROSEG_COUNTS]
    rows = table.obs_names.get_indexer(own.obs_names)
    columns = table.var_names.get_indexer(own.var_names)
    if (missing := table.n_obs - int((rows >= 0).sum())) > 0:
        sample.report.notice(
            f"{missing} cells are not in {keys.PROSEG_COUNTS} and get no type from CellTypist."
        )
    values = own.X.tocoo()
    known = (rows[values.row] >= 0) & (columns[values.col] >= 0)
    where = (rows[values.row[known]], columns[values.col[known]])
    return csr_matrix((values.data[known].astype(np.float32), where), shape=table.shape)


def _model(
    sample: Sample, table: AnnData, parameters: CelltypistParameters
) -> tuple[Model, NDArray[np.bool_]]:
    """Load or train a model; say which genes of the table normalisation is over.

    A pretrained model was made from all genes of its cells. One that is trained here sees the
    genes that reference and sample share, and so does the sample: depths are then comparable.
    """
    if parameters.celltypist_model != TRAIN:
        model = load_celltypist(parameters.celltypist_model)
        if not table.var_names.isin(model.features).any():
            raise StageError(
                f"celltypist_model {parameters.celltypist_model!r}: none of its "
                f"{len(model.features)} genes (such as {', '.join(model.features[:3])}) are genes "
                "of the sample; use a model of the same species with gene symbols."
            )
        return model, np.ones(table.n_vars, dtype=bool)
    if sample.reference is None:
        raise StageError(
            f"{sample.id}: there is no reference to train from; set paths: reference, or "
            "celltypist_model to a model file."
        )
    reference = read_reference(
        sample.reference,
        parameters.cell_type_col,
        parameters.max_reference_cells,
        parameters.seed,
        genes=tuple(table.var_names),
    )
    sample.report.progress(1, 4, "training the model")
    genes = table.var_names.isin(reference.var_names)
    return _trained(reference, parameters.cell_type_col, parameters.seed, sample), genes


def _trained(reference: AnnData, cell_type_col: str, seed: int, sample: Sample) -> Model:
    """Train a model, with feature selection where there are genes to choose from."""
    reference.X = lognormalized(reference.X, np.ones(reference.n_vars, dtype=bool))
    # CellTypist looks at the first cell to see whether values are normalised: no empty cells.
    reference = reference[np.diff(reference.X.indptr) > 0]
    with quiet(sample.report):
        import celltypist

        model = celltypist.train(
            reference.copy(),
            labels=cell_type_col,
            n_jobs=1,
            feature_selection=reference.n_vars > TOP_GENES,
            top_genes=TOP_GENES,
            random_state=seed,
            details="trained by napari-vhd from the reference",
            # Else the time of training: two equal runs would give two different files.
            date="not recorded",
        )
    return model


def _voted(labels: NDArray[np.object_], domains: pd.Series) -> NDArray[np.object_]:
    """Give each cell the most common type of its domain, by CellTypist's own vote."""
    import pandas as pd
    from celltypist.classifier import AnnotationResult, Classifier

    known = domains.notna().to_numpy()
    voted = np.full(len(labels), keys.UNASSIGNED, dtype=object)
    if known.any():
        own = pd.DataFrame({"predicted_labels": labels[known]}, index=domains.index[known])
        result = Classifier.majority_vote(
            AnnotationResult(own, None, None, None), domains[known].astype(str).to_numpy()
        )
        voted[known] = result.predicted_labels["majority_voting"].astype(object).to_numpy()
    return voted


def _patch(
    table: AnnData,
    typed: Typed,
    voted: NDArray[np.object_],
    lognorm: csr_matrix,
    genes: NDArray[np.bool_],
) -> TablePatch:
    import pandas as pd

    everything = [*typed.types, keys.UNASSIGNED]
    colors = dict(zip(everything, colors_for(everything), strict=True))
    columns: dict[str, Any] = {}
    uns: dict[str, Any] = {}
    for name, labels in (
        (keys.TYPE_CELLTYPIST_PER_CELL, typed.labels),
        (keys.TYPE_CELLTYPIST, voted),
    ):
        columns[name] = all_rows_categorical(labels, typed.mask, everything)
        uns[f"{name}_colors"] = [colors[one] for one in columns[name].categories]
    columns[keys.CONFIDENCE_CELLTYPIST] = all_rows(typed.confidence, typed.mask)
    return TablePatch(
        obs=pd.DataFrame(columns, index=table.obs_names),
        # To type an edited cell again just so.
        var=pd.DataFrame({keys.CELLTYPIST_GENES: genes}, index=table.var_names),
        layers={keys.LOGNORM_CELLTYPIST: lognorm},
        uns=uns,
    )


def _numbers(patch: TablePatch, typed: Typed) -> dict[str, float | int | str]:
    """Say which types there are, and how often the vote overrules a cell."""
    import pandas as pd

    if patch.obs is None:
        return {}
    shares = pd.Series(typed.labels).value_counts(normalize=True)
    common = [f"{name} {100 * share:.0f} %" for name, share in shares.head(_SHOWN_TYPES).items()]
    voted = patch.obs[keys.TYPE_CELLTYPIST].astype(object).to_numpy()[typed.mask]
    return {
        "cells typed": len(typed.labels),
        "types found": len(shares),
        "most common types": ", ".join(common),
        "median confidence": round(float(np.median(typed.confidence)), 3),
        "vote over domains agrees with the cell (%)": round(
            100 * float(np.mean(voted == typed.labels)), 1
        ),
    }


def check(inputs: Inputs) -> None:
    """Raise unless CellTypist is installed, and its model or the reference can be used."""
    require_engine("celltypist", "celltypist")
    params, reference = inputs.config.params, inputs.config.paths.reference
    check_celltypist(params.celltypist_model)
    if params.celltypist_model == TRAIN and reference is not None:
        check_reference(reference, params.cell_type_col, sample_genes(inputs.outs))


def files(inputs: Inputs) -> Iterable[Path]:
    """Name the model file, or the reference a model is trained from."""
    from pathlib import Path

    params, reference = inputs.config.params, inputs.config.paths.reference
    if params.celltypist_model != TRAIN:
        return celltypist_files(params.celltypist_model)
    return [] if reference is None else [Path(reference)]


def memory(sample: Sample, parameters: CelltypistParameters) -> int:
    """Estimate the bytes that CellTypist needs; training makes the reference dense.

    Measured: 152 MB to train on 3,000 cells × 3,000 genes, 798 MB on 8,000 × 6,000.
    """
    import h5py

    table = sample.sdata.tables[keys.CELLS]
    need = 40 * table.X.nnz + 72 * PORTION * TOP_GENES * 10
    if parameters.celltypist_model != TRAIN or sample.reference is None:
        return need
    with h5py.File(sample.reference, "r") as file:
        index = file["obs"].attrs.get("_index", "_index")
        cells = min(len(file["obs"][index]), parameters.max_reference_cells)
        genes = min(len(file["var"][file["var"].attrs.get("_index", "_index")]), table.n_vars)
    return need + 17 * cells * genes


STAGE = Stage(
    name="celltypist",
    title="CellTypist",
    parameters=CelltypistParameters,
    run=each(annotate),
    needs=("domains",),
    makes=(keys.CELLS,),
    check=check,
    files=files,
    imports=("celltypist",),
    memory=memory,
)
