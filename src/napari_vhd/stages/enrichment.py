"""Cell types from marker signatures: EnrichMap scores, ranked by domain (decoupler), elbow gap."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import StageError, require_engine
from napari_vhd.palettes import colors_for
from napari_vhd.parameters import EnrichmentParameters

from .bins import safe_names
from .kept import all_rows, all_rows_categorical, kept, kept_part, lognormalized
from .signatures import check_signatures, reference_files, signatures_of
from .stage import Inputs, Outcome, Sample, Stage, TablePatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from .stage import Report

_NEIGHBORS = 6
_SIGNIFICANT = 0.05
_BATCH = "sample"


@dataclass(frozen=True)
class _Scored:
    """The cells of one sample that are scored.

    Attributes
    ----------
    mask
        Rows of the sample's table.
    rows
        Their rows among the cells of all samples.
    """

    sample: Sample
    table: AnnData
    mask: NDArray[np.bool_]
    rows: slice


def assign_elbow_gap(ranking: pd.DataFrame) -> dict[str, str]:
    """Name each domain by the signatures that stand out in it.

    Of the signatures with a positive mean change and an adjusted p below 0.05, those above the
    largest gap between successive mean changes are taken.

    Parameters
    ----------
    ranking
        As ``decoupler.tl.rankby_group`` gives it, rows in any order; read are ``group`` (domain),
        ``name`` (signature), ``meanchange`` and ``padj``.

    Returns
    -------
    dict of str to str
        Domain -> signature, several joined by ``/`` from the largest change on, or ``Unknown``.
    """
    labels = {}
    for domain in sorted({str(group) for group in ranking["group"]}, key=_natural):
        own = ranking[ranking["group"].astype(str) == domain]
        own = own[(own["meanchange"] > 0) & (own["padj"] < _SIGNIFICANT)]
        # Signatures that change alike are told apart by name, so that order does not matter.
        own = own.assign(name=own["name"].astype(str)).sort_values(
            ["meanchange", "name"], ascending=[False, True]
        )
        names = own["name"].tolist()
        if len(names) > 1:
            gaps = -np.diff(own["meanchange"].to_numpy(dtype=float))
            names = names[: int(np.argmax(gaps)) + 1]
        labels[domain] = "/".join(names) or keys.UNKNOWN
    return labels


def run(samples: Sequence[Sample], parameters: EnrichmentParameters) -> list[Outcome]:
    """Score signatures in all samples together, and name domains and cells by them.

    Returns
    -------
    list of Outcome
        For each sample a patch of ``table``: ``<signature>_score`` and ``<signature>_score_raw``,
        ``cell_type_domain``, ``cell_type_enrichmap`` and their colours, the genes of each
        signature that were scored (``uns["signatures"]``); the ranking (CSV) and
        ``<id>_annotated.h5ad``.

    Raises
    ------
    StageError
        Where there are too few cells, no domains or no signature.
    """
    import pandas as pd

    report = samples[0].report
    cells, scored = _cells(samples, parameters)
    signatures = signatures_of(samples[0], cells.var_names, parameters)
    smooth, raw = _scores(cells, signatures, parameters.smoothing, report)
    domains = pd.concat([_domains(one, parameters.clustering_col) for one in scored])
    ranking = _ranking(smooth, domains.to_numpy(dtype=object), parameters.clustering_col, samples)
    label_of = assign_elbow_gap(ranking) if len(ranking) else {}
    by_domain = np.array(
        [
            keys.UNASSIGNED if pd.isna(domain) else label_of.get(str(domain), keys.UNKNOWN)
            for domain in domains
        ],
        dtype=object,
    )
    if label_of and set(label_of.values()) == {keys.UNKNOWN}:
        for sample in samples:
            sample.report.notice(
                f"No domain of {parameters.clustering_col} stands out by a signature: "
                f"{keys.TYPE_DOMAIN} is {keys.UNKNOWN}; look at the types of single cells "
                f"({keys.TYPE_ENRICHMAP}, CellTypist), or choose another clustering_col."
            )
    names = np.array(list(signatures), dtype=object)
    by_cell = names[smooth.to_numpy().argmax(axis=1)]
    labels = {keys.TYPE_DOMAIN: by_domain, keys.TYPE_ENRICHMAP: by_cell}
    return [_outcome(one, smooth, raw, labels, ranking, signatures, parameters) for one in scored]


def _cells(
    samples: Sequence[Sample], parameters: EnrichmentParameters
) -> tuple[AnnData, list[_Scored]]:
    """Put together the kept cells of all samples: normalised counts of the genes all share."""
    import anndata as ad

    parts: list[AnnData] = []
    scored: list[_Scored] = []
    start = 0
    for sample in samples:
        table = sample.sdata.tables[keys.CELLS]
        part, mask = _expression(sample, table, parameters.cell_counts)
        if len(part) <= _NEIGHBORS:
            raise StageError(
                f"{sample.id}: {len(part)} cells are too few to score signatures (more than "
                f"{_NEIGHBORS} are needed); choose a larger region or filter less."
            )
        part.obs[_BATCH] = sample.id
        part.obs_names = [f"{len(parts)}:{name}" for name in part.obs_names]
        parts.append(part)
        scored.append(_Scored(sample, table, mask, slice(start, start + len(part))))
        start += len(part)
    cells = ad.concat(parts, join="inner")
    counted = np.asarray((cells.X != 0).sum(axis=0)).ravel() > 0
    return cells[:, counted].copy(), scored


def _expression(sample: Sample, table: AnnData, source: str) -> tuple[AnnData, NDArray[np.bool_]]:
    """Normalised counts of a sample's cells, and which rows of its table they are."""
    from anndata import AnnData

    cells, genes = kept(table.obs), kept(table.var)
    if source == "proseg":
        own = sample.sdata.tables.get(keys.PROSEG_COUNTS)
        if own is None:
            raise StageError(
                f"{sample.id}: there is no table {keys.PROSEG_COUNTS!r} for cell_counts: proseg; "
                "run proseg, or set cell_counts: boundaries."
            )
        cells = cells & table.obs_names.isin(own.obs_names)
        genes = genes & table.var_names.isin(own.var_names)
        counts = own[table.obs_names[cells], table.var_names[genes]].X.tocsr()
        every = (np.ones(n, dtype=bool) for n in counts.shape)
        lognorm = lognormalized(counts, *every)
    elif keys.LOGNORM in table.layers:
        lognorm = table.layers[keys.LOGNORM][cells][:, genes]
    else:
        raise StageError(f"{sample.id}: there are no {keys.LOGNORM}; run the stage domains first.")
    part = AnnData(lognorm, obs=table.obs.loc[cells, []].copy())
    part.var_names = table.var_names[genes]
    # Named so because EnrichMap's smoothing looks for no other name.
    part.obsm[keys.SPATIAL] = np.asarray(table.obsm[keys.SPATIAL_UM], dtype=float)[cells]
    return part, cells


def _domains(one: _Scored, column: str) -> pd.Series:
    """Domains of a sample's scored cells, missing where a cell has none."""
    if column not in one.table.obs:
        there = [name for name in one.table.obs if name.startswith(keys.domains(0)[:-1])]
        raise StageError(
            f"{one.sample.id}: clustering_col {column!r} is not a column of the cells; use one of "
            f"{', '.join(there) or 'the domains that the stage domains makes'}."
        )
    return one.table.obs.loc[one.mask, column].astype(object)


def _scores(
    cells: AnnData, signatures: Mapping[str, Sequence[str]], smoothing: bool, report: Report
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score signatures twice: smoothed as configured, and not smoothed.

    Both are corrected for spatial covariates, and standardised within samples where there are
    several. Rounded to float32: EnrichMap adds genes in the order of a set of names, which Python
    changes from run to run, and the last bits of a sum with it.
    """
    genes = sorted({gene for markers in signatures.values() for gene in markers})
    results = []
    passes = (True, False) if smoothing else (False,)
    for number, smooth in enumerate(passes):
        part = cells[:, genes].copy()
        with _told(report, number, len(passes)) as enrichmap:
            enrichmap.tl.score(
                part,
                gene_set={name: list(markers) for name, markers in signatures.items()},
                spatial_key=keys.SPATIAL,
                n_neighbors=_NEIGHBORS,
                smoothing=smooth,
                correct_spatial_covariates=True,
                batch_key=_BATCH if part.obs[_BATCH].nunique() > 1 else None,
            )
        scores = part.obs[[f"{name}_score" for name in signatures]].astype(np.float32)
        scores.columns = list(signatures)
        results.append(scores)
    return results[0], results[-1]


@contextmanager
def _told(report: Report, number: int, passes: int) -> Iterator[Any]:
    """Give EnrichMap, telling the report of each signature in place of a progress bar."""
    import logging
    import warnings

    import scanpy as sc

    verbosity = sc.settings.verbosity
    level = logging.getLogger("squidpy").level
    with warnings.catch_warnings():
        # What its dependencies warn of is their own documentation, at import.
        warnings.simplefilter("ignore")
        import enrichmap
        from enrichmap.tools import _score as scoring

    class Told:
        def __init__(self, names: Sequence[str]) -> None:
            self.names = names

        def __iter__(self) -> Iterator[str]:
            for done, name in enumerate(self.names):
                total = passes * len(self.names)
                report.progress(number * len(self.names) + done, total, f"score of {name}")
                yield name

        def set_description(self, _text: str) -> None:
            """Take what a progress bar would say."""

    own = scoring.tqdm
    scoring.tqdm = Told
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield enrichmap
    finally:
        scoring.tqdm = own
        sc.settings.verbosity = verbosity
        logging.getLogger("squidpy").setLevel(level)


def _ranking(
    scores: pd.DataFrame, domains: NDArray[Any], column: str, samples: Sequence[Sample]
) -> pd.DataFrame:
    """Rank signatures in each domain against all other cells that have one."""
    import decoupler as dc
    import pandas as pd
    from anndata import AnnData

    has_domain = ~pd.isna(domains)
    found = {str(domain) for domain in domains[has_domain]}
    if len(found) < 2:
        for sample in samples:
            sample.report.notice(
                f"{column} has {len(found) or 'no'} domain, which cannot be compared with others: "
                f"{keys.TYPE_DOMAIN} is {keys.UNKNOWN}."
            )
        return pd.DataFrame(
            columns=["group", "reference", "name", "stat", "meanchange", "pval", "padj"]
        )
    table = AnnData(
        scores.to_numpy(dtype=float)[has_domain],
        obs=pd.DataFrame({column: domains[has_domain].astype(str)}, index=scores.index[has_domain]),
        var=pd.DataFrame(index=scores.columns),
    )
    ranking = dc.tl.rankby_group(table, groupby=column, reference="rest", method="wilcoxon")
    order = {name: place for place, name in enumerate(sorted(found, key=_natural))}
    place = ranking["group"].astype(str).map(order)
    return ranking.iloc[np.argsort(place.to_numpy(), kind="stable")].reset_index(drop=True)


def _outcome(
    one: _Scored,
    smooth: pd.DataFrame,
    raw: pd.DataFrame,
    labels: Mapping[str, NDArray[Any]],
    ranking: pd.DataFrame,
    signatures: Mapping[str, Sequence[str]],
    parameters: EnrichmentParameters,
) -> Outcome:
    """Give the results of one sample for all rows of its table."""
    import pandas as pd

    sample = one.sample
    column_of = safe_names(smooth.columns)
    columns: dict[str, Any] = {}
    for name, plain in column_of.items():
        columns[keys.score(plain)] = all_rows(smooth[name].to_numpy()[one.rows], one.mask)
        columns[keys.raw_score(plain)] = all_rows(raw[name].to_numpy()[one.rows], one.mask)
    uns: dict[str, Any] = {
        keys.SIGNATURES: {
            plain: np.asarray(signatures[name], dtype=str) for name, plain in column_of.items()
        }
    }
    # Signatures first, as types are ordered elsewhere: one colour for a type in every figure.
    found = _ordered(name for values in labels.values() for name in values)
    everything = [*sorted(signatures), *(name for name in found if name not in signatures)]
    color = dict(zip(everything, colors_for(everything), strict=True))
    for column, values in labels.items():
        names = _ordered(values)
        columns[column] = all_rows_categorical(values[one.rows], one.mask, names)
        uns[f"{column}_colors"] = [color[name] for name in columns[column].categories]
    patch = TablePatch(obs=pd.DataFrame(columns, index=one.table.obs_names), uns=uns)
    csv = sample.scratch / keys.ranking_csv(parameters.clustering_col)
    ranking.to_csv(csv, index=False)
    h5ad = sample.scratch / keys.annotated_h5ad(sample.id)
    kept_part(one.table, [patch]).write_h5ad(h5ad, compression="gzip")
    return Outcome(
        patches={keys.CELLS: patch},
        files={csv.name: csv, h5ad.name: h5ad},
        numbers={
            "signatures": len(column_of),
            "cells": int(one.mask.sum()),
            **_counts("domain", columns[keys.TYPE_DOMAIN]),
            **_counts("highest score", columns[keys.TYPE_ENRICHMAP]),
        },
    )


def _counts(how: str, labels: pd.Categorical) -> dict[str, str]:
    """Say how many cells got each type."""
    counts = labels.value_counts()
    return {f"cells by {how}": ", ".join(f"{name}: {n}" for name, n in counts.items() if n)}


def _ordered(values: Iterable[object]) -> list[str]:
    """Sort types by name, what is not known last."""
    last = (keys.UNKNOWN, keys.UNASSIGNED)
    names = {str(value) for value in values}
    return [*sorted(names.difference(last)), *(name for name in last if name in names)]


def _natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """Sort key by which D9 comes before D10."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in parts)


def check(inputs: Inputs) -> None:
    """Raise where EnrichMap is missing, or no signature could be scored."""
    require_engine("enrichmap", "enrichmap")
    check_signatures(inputs)


STAGE = Stage(
    name="enrichment",
    title="Cell types by signatures",
    parameters=EnrichmentParameters,
    run=run,
    # Not for its result: so that the annotated cells hold the types of both.
    needs=("domains", "celltypist"),
    makes=(keys.CELLS,),
    check=check,
    files=reference_files,
    imports=("enrichmap", "decoupler"),
    joint=True,
)
