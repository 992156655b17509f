"""Spatial domains by Novae, trained and assigned jointly over the samples of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError, StageError, require_engine
from napari_vhd.io.models import check_novae, novae_files, novae_source
from napari_vhd.palettes import colors_for
from napari_vhd.parameters import DomainsParameters

from . import novae_model
from .kept import all_rows, all_rows_categorical, kept, kept_part, lognormalized
from .stage import Inputs, Outcome, Sample, Stage, TablePatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

_MIN_CELLS = 40
_COMPONENTS = 50
_HIGHLY_VARIABLE = "highly_variable"


@dataclass(frozen=True)
class _Part:
    """What of a sample is parted into domains: its cells or its bins.

    Attributes
    ----------
    name, table
        The table that holds them.
    used
        Its rows that Novae sees.
    lognorm
        All rows × all genes, log1p of normalised counts.
    """

    sample: Sample
    name: str
    table: AnnData
    used: NDArray[np.bool_]
    lognorm: csr_matrix


def run(samples: Sequence[Sample], parameters: DomainsParameters) -> list[Outcome]:
    """Find domains in all samples with one model.

    Returns
    -------
    list of Outcome
        For each sample a patch of ``table``: ``novae_domains_<n>`` and its colours, layer
        ``lognorm_counts``, ``obsm["X_pca"]``, and (unless bins are parted, which then have them)
        ``obsm["novae_latent"]``, ``obsm["novae_latent_<n>"]``; the model and
        ``<id>_clustered.h5ad``.

    Raises
    ------
    StageError
        Where there are too few cells or genes, or the model does not fit them.
    """
    import novae

    report = samples[0].report
    parts = [_part(sample, parameters) for sample in samples]
    novae_model.prepare_torch(parameters.seed, sum(int(part.used.sum()) for part in parts))
    slides = _slides(parts, parameters)
    slides, _ = novae.utils.prepare_adatas(slides)
    fit = novae_model.trained(slides, parameters, report)
    for sample in samples:
        # Saved before zero-shot inference, which replaces the prototypes that were learned.
        fit.model.save_pretrained(sample.scratch / keys.NOVAE_MODEL)
    novae_model.represent(fit.model, slides, parameters, report)
    levels = range(parameters.domain_range[0], parameters.domain_range[1] + 1)
    for done, number in enumerate(levels):
        report.progress(done, len(levels), "domains")
        novae_model.assign(fit.model, slides, number)
    _notice_fewer(samples, slides, levels)
    return [
        _outcome(part, slide, slides, levels, fit, parameters)
        for part, slide in zip(parts, slides, strict=True)
    ]


def _part(sample: Sample, parameters: DomainsParameters) -> _Part:
    """Take what a sample gives to Novae."""
    on_bins = parameters.domains_on == "bins"
    name = keys.bin_table(parameters.deconvolution_bins) if on_bins else keys.CELLS
    table = sample.sdata.tables[name]
    if "spatial_distances" not in table.obsp:
        raise StageError(
            f"{sample.id}: {name!r} has no neighbours; run the stage neighbors with "
            f"domains_on: {parameters.domains_on} first."
        )
    used = table.obs["novae_sid"].notna().to_numpy()
    lognorm = lognormalized(_counts(table), used, kept(table.var))
    return _Part(sample, name, table, used, lognorm)


def _counts(table: AnnData) -> csr_matrix:
    """Raw counts of a table; those of bins have no layer of their own."""
    return table.layers.get(keys.COUNTS, table.X)


def _slides(parts: Sequence[_Part], parameters: DomainsParameters) -> list[AnnData]:
    """Make what Novae reads: the genes kept in all samples, normalised here.

    Novae would normalise only where a count reaches 10, and leave shallow samples raw.
    """
    import pandas as pd
    from anndata import AnnData

    first = parts[0].table
    shared = first.var_names[kept(first.var)]
    for part in parts[1:]:
        there = part.table.var_names[kept(part.table.var)]
        shared = shared[shared.isin(there)]
    if len(shared) < novae_model.MIN_GENES:
        raise StageError(
            f"{parts[0].sample.id}: {len(shared)} genes are kept in all samples and Novae needs "
            f"{novae_model.MIN_GENES}; lower filter_genes_counts."
        )
    slides = []
    for part in parts:
        columns = part.table.var_names.get_indexer(shared)
        used = part.used
        slide = AnnData(
            part.lognorm[used][:, columns],
            obs=part.table.obs.loc[used, ["novae_sid"]].copy(),
            var=pd.DataFrame(index=shared),
        )
        slide.obs_names = [f"{part.sample.id}:{name}" for name in slide.obs_names]
        for name in ("spatial_connectivities", "spatial_distances"):
            slide.obsp[name] = part.table.obsp[name][used][:, used]
        cells = novae_model.in_neighborhoods(slide)
        least = max(_MIN_CELLS, 2 * parameters.domain_range[1])
        if cells < least:
            what = "bins" if parameters.domains_on == "bins" else "cells"
            raise StageError(
                f"{part.sample.id}: {cells} {what} with a neighbourhood are too few for "
                f"{parameters.domain_range[1]} domains ({least} are needed); choose a larger "
                "region or radius, or lower domain_range."
            )
        slides.append(slide)
    return slides


def _notice_fewer(samples: Sequence[Sample], slides: Sequence[AnnData], levels: range) -> None:
    """Tell which numbers of domains were not reached."""
    fewer = []
    for number in levels:
        found = len(slides[0].obs[keys.domains(number)].cat.categories)
        if found < number:
            fewer.append(f"{found} of {number}")
    if fewer:
        for sample in samples:
            sample.report.notice(
                f"Fewer domains than asked for hold any cell: {', '.join(fewer)}; the columns "
                "keep the number that was asked for."
            )


def _outcome(
    part: _Part,
    slide: AnnData,
    slides: Sequence[AnnData],
    levels: range,
    fit: novae_model.Trained,
    parameters: DomainsParameters,
) -> Outcome:
    """Give the results of one sample for all rows of its tables."""
    sample = part.sample
    obs = part.table.obs[[]].copy()
    obsm: dict[str, Any] = {}
    uns: dict[str, Any] = {}
    obsm[keys.LATENT] = all_rows(novae_model.latent_rows(slide, keys.LATENT), part.used)
    for number in levels:
        column = keys.domains(number)
        names = list(slide.obs[column].cat.categories)
        obs[column] = all_rows_categorical(slide.obs[column], part.used, names)
        obsm[keys.latent(number)] = all_rows(
            novae_model.latent_rows(slide, keys.latent(number)), part.used
        )
        color = dict(zip(names, colors_for(names), strict=True))
        uns[f"{column}_colors"] = [color[name] for name in obs[column].cat.categories]
    patches = {part.name: TablePatch(obs=obs, obsm=obsm, uns=uns)}
    if parameters.domains_on == "bins":
        table = sample.sdata.tables[keys.CELLS]
        obs = _on_cells(table, part, obs, sample)
        uns = {f"{name}_colors": _colors_of(obs[name], patches[part.name], name) for name in obs}
        used = kept(table.obs)
        lognorm = lognormalized(_counts(table), used, kept(table.var))
        cells = _Part(sample, keys.CELLS, table, used, lognorm)
        patches[keys.CELLS] = _with_expression(cells, None, obs, {}, uns, parameters.seed)
    else:
        patches[keys.CELLS] = _with_expression(part, slide, obs, obsm, uns, parameters.seed)
    path = sample.scratch / keys.clustered_h5ad(sample.id)
    clustered = kept_part(sample.sdata.tables[keys.CELLS], [patches[keys.CELLS]])
    clustered.write_h5ad(path, compression="gzip")
    return Outcome(
        patches=patches,
        files={keys.NOVAE_MODEL: sample.scratch / keys.NOVAE_MODEL, path.name: path},
        numbers=_numbers(patches[keys.CELLS].obs, levels, fit),
        weights=_weights(sample, parameters),
    )


def _with_expression(
    part: _Part,
    slide: AnnData | None,
    obs: Any,
    obsm: dict[str, Any],
    uns: dict[str, Any],
    seed: int,
) -> TablePatch:
    """Add normalised counts and their PCA to the patch of the cells."""
    import pandas as pd
    import scanpy as sc
    from anndata import AnnData

    table, used = part.table, part.used
    genes = kept(table.var)
    expression = AnnData(
        part.lognorm[used][:, genes], var=pd.DataFrame(index=table.var_names[genes])
    )
    if slide is not None and _HIGHLY_VARIABLE in slide.var:
        chosen = slide.var_names[slide.var[_HIGHLY_VARIABLE]]
        expression.var[_HIGHLY_VARIABLE] = expression.var_names.isin(chosen)
    else:
        sc.pp.highly_variable_genes(expression, n_top_genes=max(1, expression.n_vars // 2))
    most = min(expression.n_obs, int(expression.var[_HIGHLY_VARIABLE].sum())) - 1
    sc.pp.pca(expression, n_comps=min(_COMPONENTS, most), random_state=seed)
    var = table.var[[]].copy()
    chosen = expression.var_names[expression.var[_HIGHLY_VARIABLE]]
    var[_HIGHLY_VARIABLE] = table.var_names.isin(chosen)
    return TablePatch(
        obs=obs,
        var=var,
        obsm={**obsm, keys.PCA: all_rows(expression.obsm["X_pca"], used)},
        layers={keys.LOGNORM: part.lognorm},
        uns=uns,
    )


def _on_cells(table: AnnData, part: _Part, bins: Any, sample: Sample) -> Any:
    """Give each kept cell the domain of the bin at its centroid."""
    import pandas as pd
    from scipy.spatial import KDTree

    centers = np.asarray(part.table.obsm[keys.SPATIAL], dtype=float)
    tree = KDTree(centers)
    # The side of a bin in px: bins are squares, and nearly all have a neighbour.
    side = float(np.median(tree.query(centers, k=2)[0][:, 1]))
    used = kept(table.obs)
    distance, nearest = tree.query(np.asarray(table.obsm[keys.SPATIAL], dtype=float)[used])
    inside = distance <= side * np.sqrt(0.5) * 1.01
    if not inside.all():
        sample.report.notice(f"{(~inside).sum()} cells lie in no bin; they get no domain.")
    obs = table.obs[[]].copy()
    for name in bins:
        labels = bins[name].to_numpy(dtype=object)[nearest]
        labels[~inside] = None
        obs[name] = all_rows_categorical(labels, used, bins[name].cat.categories)
    return pd.DataFrame(obs)


def _colors_of(column: Any, patch: TablePatch, name: str) -> list[str]:
    """Take over the colours of the bins for the domains that cells have."""
    if patch.obs is None:
        return []
    color = dict(zip(patch.obs[name].cat.categories, patch.uns[f"{name}_colors"], strict=True))
    return [color[label] for label in column.cat.categories]


def _numbers(obs: Any, levels: range, fit: novae_model.Trained) -> dict[str, float | int | str]:
    """Count what came out."""
    found = [f"{n}: {obs[keys.domains(n)].nunique()}" for n in levels]
    numbers: dict[str, float | int | str] = {
        "cells with a domain": int(obs[keys.domains(levels[0])].notna().sum()),
        "domains found": ", ".join(found),
        "epochs": fit.epochs,
    }
    if fit.epochs:
        numbers["loss"] = round(fit.loss, 4)
    return numbers


def _weights(sample: Sample, parameters: DomainsParameters) -> dict[str, Path]:
    """Name the model that was loaded, and the one that came of it."""
    weights = {"trained": sample.scratch / keys.NOVAE_MODEL}
    # A hub model has its folder in the cache, now that it was loaded.
    source = novae_source(parameters.novae_model)
    if parameters.novae_model is not None and source and Path(source).is_dir():
        weights[parameters.novae_model] = Path(source)
    return weights


def check(inputs: Inputs) -> None:
    """Raise where Novae or its weights are missing, or there is nothing to train with."""
    require_engine("novae", "novae")
    params = inputs.config.params
    check_novae(params.novae_model)
    if params.novae_model is None and params.novae_max_epochs == 0:
        raise BadInputError(
            "params: novae_max_epochs 0 means no training, and novae_model null has nothing "
            "learned before; set novae_max_epochs to 3 or more, or name a novae_model."
        )


def files(inputs: Inputs) -> tuple[Path, ...]:
    """Give the weights that are in a folder."""
    return novae_files(inputs.config.params.novae_model)


STAGE = Stage(
    name="domains",
    title="Spatial domains",
    parameters=DomainsParameters,
    run=run,
    needs=("neighbors",),
    makes=(keys.CELLS, keys.bin_table(8), keys.bin_table(16)),
    check=check,
    files=files,
    imports=("novae",),
    joint=True,
)
