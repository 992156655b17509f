"""Marker signatures: from the config, or taken from the single-cell reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd.exceptions import BadInputError, StageError, require_engine
from napari_vhd.io.reference import MIN_CELLS, check_reference, read_reference, sample_genes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from anndata import AnnData

    from napari_vhd.parameters import EnrichmentParameters

    from .stage import Inputs, Sample

    Signatures = dict[str, tuple[str, ...]]

MIN_GENES = 2
"""EnrichMap scores no signature with fewer genes."""

_ENGINES = {"celltypist": "celltypist", "scmags": "enrichmap"}
_CELLS = {"celltypist": 6000, "rank_genes_groups": 20_000, "scmags": 2000}
"""Reference cells that are enough to find markers.

scmags compares all pairs of cells for each candidate gene; CellTypist's training is dense.
"""


def check_signatures(inputs: Inputs) -> None:
    """Raise where no signature could be scored, as far as can be known beforehand.

    Raises
    ------
    BadInputError
        If none of the config's signatures has two genes in the sample, or the reference that
        signatures are to be taken from cannot be used.
    """
    params = inputs.config.params
    genes = sample_genes(inputs.outs)
    if params.marker_source != "config":
        if params.marker_source in _ENGINES:
            require_engine(params.marker_source, _ENGINES[params.marker_source])
        if inputs.config.paths.reference is None:
            raise BadInputError(
                f"params: marker_source {params.marker_source!r} needs a reference; set "
                "paths: reference, or marker_source: config."
            )
        check_reference(inputs.config.paths.reference, params.cell_type_col, genes)
    elif genes is not None and not present(inputs.config.marker_genes, genes):
        raise BadInputError(_none_left(inputs.sample.id, inputs.config.marker_genes, genes))


def signatures_of(
    sample: Sample, genes: Collection[str], parameters: EnrichmentParameters
) -> Signatures:
    """Give the signatures that can be scored.

    Parameters
    ----------
    sample
        Its `marker_genes` or `reference` are used, and its report is told what is left out.
    genes
        Gene symbols that were counted.

    Returns
    -------
    dict
        Signature -> its genes, only those in `genes`, two or more.

    Raises
    ------
    StageError
        If none is left.
    """
    if parameters.marker_source == "config":
        wanted: Mapping[str, Collection[str]] = sample.marker_genes
    else:
        wanted = _from_reference(sample, genes, parameters)
    found = present(wanted, genes)
    if not found:
        raise StageError(_none_left(sample.id, wanted, genes))
    left_out = [name for name in wanted if name not in found]
    if left_out:
        sample.report.notice(
            f"Left out, with fewer than {MIN_GENES} of their genes in the sample: "
            f"{', '.join(left_out)}."
        )
    return found


def present(signatures: Mapping[str, Collection[str]], genes: Collection[str]) -> Signatures:
    """Keep of each signature the genes that are there, each once, and those with two or more."""
    there = set(genes)
    kept = {
        name: tuple(gene for gene in dict.fromkeys(markers) if gene in there)
        for name, markers in signatures.items()
    }
    return {name: markers for name, markers in kept.items() if len(markers) >= MIN_GENES}


def _none_left(
    sample_id: str, signatures: Mapping[str, Collection[str]], genes: Collection[str]
) -> str:
    """Say that no signature can be scored, with an example of both sides."""
    name, markers = next(iter(signatures.items()), ("none", ()))
    return (
        f"{sample_id}: none of the {len(signatures)} marker_genes signatures has {MIN_GENES} genes "
        f"in the sample ({name}: {', '.join(list(markers)[:3])}; the sample has "
        f"{', '.join(sorted(genes)[:3])} and {max(0, len(genes) - 3)} more); use the sample's "
        "gene symbols."
    )


def _from_reference(
    sample: Sample, genes: Collection[str], parameters: EnrichmentParameters
) -> Signatures:
    """Take the markers of each cell type of the reference."""
    source = parameters.marker_source
    if sample.reference is None:
        raise StageError(
            f"{sample.id}: marker_source {source!r} needs a reference; set paths: reference."
        )
    sample.report.progress(0, 1, "markers from the reference")
    cells = min(parameters.max_reference_cells, _CELLS[source])
    column = parameters.cell_type_col
    reference = read_reference(sample.reference, column, cells, parameters.seed, genes)
    sizes = reference.obs[column].value_counts()
    small = [str(name) for name in sizes.index if sizes[name] < MIN_CELLS]
    counted = np.asarray(reference.X.sum(axis=1)).ravel() > 0
    reference = reference[counted & ~reference.obs[column].isin(small).to_numpy()].copy()
    if small:
        sample.report.notice(
            f"Without a signature, with fewer than {MIN_CELLS} cells in the reference: "
            f"{', '.join(sorted(small))}."
        )
    if reference.obs[column].nunique() < 2:
        raise StageError(
            f"{sample.reference}: fewer than two types of {column!r} have counts in the genes of "
            "the sample; give a reference that fits it."
        )
    take = {
        "celltypist": _celltypist,
        "rank_genes_groups": _rank_genes_groups,
        "scmags": _scmags,
    }[source]
    found = take(reference, column, parameters.n_markers, parameters.seed)
    sample.report.log(f"markers by {source}: {found}")
    sample.report.progress(1, 1, "markers from the reference")
    return found


def _normalized(reference: AnnData) -> AnnData:
    """Copy with log1p of counts per 10,000, as CellTypist wants it."""
    import scanpy as sc

    result = reference.copy()
    sc.pp.normalize_total(result, target_sum=1e4)
    sc.pp.log1p(result)
    return result


def _celltypist(reference: AnnData, column: str, number: int, seed: int) -> Signatures:
    """Take the genes with the largest coefficients of a CellTypist model."""
    import celltypist

    top_genes = 300
    model = celltypist.train(
        _normalized(reference),
        labels=column,
        n_jobs=1,
        feature_selection=reference.n_vars > top_genes,
        top_genes=top_genes,
        random_state=seed,
    )
    return {
        str(name): tuple(str(gene) for gene in model.extract_top_markers(name, number))
        for name in model.cell_types
    }


def _rank_genes_groups(reference: AnnData, column: str, number: int, _seed: int) -> Signatures:
    """Take the genes that are most raised in a type, by scanpy's Wilcoxon test."""
    import scanpy as sc

    normalized = _normalized(reference)
    sc.tl.rank_genes_groups(normalized, column, method="wilcoxon", n_genes=number)
    found = {}
    for name in normalized.obs[column].cat.categories:
        table = sc.get.rank_genes_groups_df(normalized, str(name), pval_cutoff=0.05, log2fc_min=0)
        found[str(name)] = tuple(str(gene) for gene in table["names"])
    return found


def _scmags(reference: AnnData, column: str, number: int, _seed: int) -> Signatures:
    """Take the genes that set a type apart by their silhouette (scmags)."""
    scmags = _imported_scmags()
    labels = reference.obs[column].astype(str).to_numpy()
    names = reference.var_names.to_numpy(dtype=object)
    choice = scmags.ScMags(reference.X.tocsr(), labels, names, verbose=False)
    choice.filter_genes(nof_sel=2 * number)
    # scmags names its columns by the number asked for, which must not exceed what it found.
    most = max(len(genes) for genes in choice.get_filter_genes(ind_return=True).values())
    choice.sel_clust_marker(nof_markers=min(number, most), n_cores=1)
    markers = choice.get_markers()
    return {
        str(label).removeprefix("C_"): tuple(str(gene) for gene in row.dropna())
        for label, row in markers.iterrows()
    }


def _imported_scmags() -> Any:
    """Import scmags, whose figures (not drawn here) ask for a function matplotlib 3.9 dropped."""
    from importlib import import_module

    import matplotlib as mpl

    maps: Any = import_module("matplotlib.cm")
    missing = not hasattr(maps, "get_cmap")
    if missing:
        maps.get_cmap = mpl.colormaps.get_cmap
    try:
        return import_module("scmags")
    finally:
        if missing:
            del maps.get_cmap


def reference_files(inputs: Inputs) -> list[Path]:
    """Name the reference, where signatures are taken from it."""
    from pathlib import Path

    given = inputs.config.paths.reference
    return [Path(given)] if given and inputs.config.params.marker_source != "config" else []
