"""What the two deconvolutions share: the bins that are fitted, the genes, and giving results.

Both read the same bins (deep enough, `umi_min` to `umi_max`), the same genes (those that bins and
reference share) and the same reference cells, and give one row for every bin of the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import StageError
from napari_vhd.io.reference import check_reference, read_reference, sample_genes
from napari_vhd.palettes import colors_for

from .kept import all_rows, all_rows_categorical
from .stage import TablePatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_vhd.parameters import FlashdeconvParameters, RctdParameters

    from .stage import Inputs, Sample

    DeconvolutionParameters = FlashdeconvParameters | RctdParameters

MIN_BINS = 20
"""Fewer bins say nothing about a tissue, and FlashDeconv wants six neighbours for each."""

_SHOWN_TYPES = 3


@dataclass(frozen=True)
class FittedBins:
    """What a deconvolution reads.

    Attributes
    ----------
    table
        Name of the table of bins.
    mask
        For every row of the table, whether it is fitted.
    reasons
        For every row of the table, why it is not fitted; missing where it is.
    bins
        The fitted bins × the common genes: raw counts (CSR), ``obsm["spatial"]`` in
        full-resolution px.
    reference
        Cells × the same genes in the same order: raw counts, the cell types in `cell_type_col`.
    types
        All cell types of the reference, also those that a method leaves out.
    """

    table: str
    mask: NDArray[np.bool_]
    reasons: pd.Categorical
    bins: AnnData
    reference: AnnData
    types: tuple[str, ...]


@dataclass(frozen=True)
class Method:
    """How the results of one method are named.

    Attributes
    ----------
    dominant
        Column of the dominant type.
    column
        Name of a type -> column of its proportion.
    matrix
        ``obsm`` of the weights.
    types
        ``uns`` of the types' names, as in the reference.
    not_fitted
        What `dominant` says of bins that are not fitted; None: missing.
    """

    dominant: str
    column: Callable[[str], str]
    matrix: str
    types: str
    not_fitted: str | None = None


@dataclass(frozen=True)
class Weights:
    """What a method found.

    Attributes
    ----------
    values
        Fitted bins × types.
    types
        Names as in the reference.
    mask
        For every row of the table, whether it has a row in `values`.
    """

    values: NDArray[np.floating]
    types: Sequence[str]
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Size:
    """How much a deconvolution reads, for an estimate of its memory.

    Attributes
    ----------
    bins, genes
        Number of fitted bins and of genes.
    counts
        Number of non-zero counts in the fitted bins.
    largest
        Largest count in the fitted bins.
    reference_counts
        Number of non-zero counts in the reference cells that are read.
    """

    bins: int
    genes: int
    counts: int
    largest: int
    reference_counts: int


def check_inputs(inputs: Inputs) -> None:
    """Raise unless the reference can be used with this sample.

    Raises
    ------
    BadInputError
        Naming the reference, what is wrong with it and what to do.
    """
    if reference := inputs.config.paths.reference:
        column = inputs.config.params.cell_type_col
        check_reference(reference, column, sample_genes(inputs.outs))


def reference_files(inputs: Inputs) -> Iterable[Path]:
    """Name the reference: results are out of date when it changes."""
    from pathlib import Path

    return [Path(inputs.config.paths.reference)] if inputs.config.paths.reference else []


def fitted_bins(sample: Sample, parameters: DeconvolutionParameters) -> FittedBins:
    """Choose bins, genes and reference cells.

    Raises
    ------
    StageError
        Where there are no bins of that size, or too few deep ones.
    BadInputError
        Where the reference cannot be used.
    """
    name = keys.bin_table(parameters.deconvolution_bins)
    table = _bins_table(sample, name)
    umis = _umis(table)
    mask, reasons = _by_depth(umis, parameters)
    if mask.sum() < MIN_BINS:
        raise StageError(
            f"{sample.id}: {mask.sum()} of {len(mask)} bins of {parameters.deconvolution_bins} µm "
            f"have {parameters.umi_min} to {parameters.umi_max} UMIs (median "
            f"{np.median(umis):.0f}), and {MIN_BINS} are needed; lower umi_min, or set "
            "deconvolution_bins: 16."
        )
    if sample.reference is None:
        raise StageError(f"{sample.id}: there is no reference; set paths: reference.")
    reference = read_reference(
        sample.reference,
        parameters.cell_type_col,
        parameters.max_reference_cells,
        parameters.seed,
        genes=tuple(table.var_names),
    )
    common = table.var_names[table.var_names.isin(reference.var_names)]
    return FittedBins(
        table=name,
        mask=mask,
        reasons=reasons,
        bins=_part(table, mask, table.var_names.get_indexer(common)),
        reference=reference[:, common].copy(),
        types=tuple(sorted(reference.obs[parameters.cell_type_col].astype(str).unique())),
    )


def measure(sample: Sample, parameters: DeconvolutionParameters) -> Size:
    """Say how much `fitted_bins` would read, without reading the reference."""
    table = _bins_table(sample, keys.bin_table(parameters.deconvolution_bins))
    mask, _ = _by_depth(_umis(table), parameters)
    fitted = table.X[mask]
    return Size(
        bins=fitted.shape[0],
        genes=table.n_vars,
        counts=fitted.nnz,
        largest=int(fitted.data.max(initial=0)),
        reference_counts=reference_counts(sample.reference, parameters.max_reference_cells),
    )


def reference_counts(reference: Path | None, most_cells: int) -> int:
    """Say how many non-zero counts of a reference are read, by its header."""
    import h5py

    if reference is None:
        return 0
    with h5py.File(reference, "r") as file:
        matrix = file["raw/X"] if "raw/X" in file else file["X"]
        sparse = isinstance(matrix, h5py.Group)
        cells = len(matrix["indptr"]) - 1 if sparse else matrix.shape[0]
        counts = len(matrix["data"]) if sparse else matrix.size
    return int(counts * min(1.0, most_cells / max(cells, 1)))


def safe_names(names: Iterable[str]) -> dict[str, str]:
    """Give each cell type a name that can stand in a column's name.

    SpatialData takes letters, digits, ``_``, ``-`` and ``.`` in names of columns, and no two that
    differ in case alone. Every other character becomes ``_``; of two that would be the same the
    later gets a number: ``T cells/NK`` is ``T_cells_NK``.
    """
    taken = {"dominant"}  # flashdeconv_dominant is a column of its own
    result = {}
    for name in names:
        plain = "".join(c if c.isalnum() or c in "_-." else "_" for c in str(name)) or "_"
        unique, number = plain, 2
        while unique.lower() in taken:
            unique, number = f"{plain}_{number}", number + 1
        taken.add(unique.lower())
        result[str(name)] = unique
    return result


def proportions_of(weights: NDArray[np.floating]) -> NDArray[np.float64]:
    """Make rows of weights sum to one; negative weights count as none, rows of none are NaN."""
    positive = np.clip(np.asarray(weights, dtype=np.float64), 0, None)
    totals = positive.sum(axis=1, keepdims=True)
    return np.divide(positive, totals, out=np.full_like(positive, np.nan), where=totals > 0)


def patch_of(fitted: FittedBins, weights: Weights, method: Method, index: pd.Index) -> TablePatch:
    """Give the results of one method for every bin of the table.

    Parameters
    ----------
    fitted
        What the method read.
    weights
        What it found.
    method
        How its results are named.
    index
        ``obs_names`` of the table.

    Returns
    -------
    TablePatch
        ``obs``: a proportion for each type (rows sum to 1), the dominant type, ``kept`` and
        ``kept_reason``; ``obsm``: the weights (bins × types, float32), NaN rows where not
        fitted; ``uns``: the types in the order of the weights' columns, and colours.
    """
    import pandas as pd

    proportions = proportions_of(weights.values)
    known = np.isfinite(proportions).all(axis=1)
    mask = weights.mask.copy()
    mask[mask] = known
    spread = all_rows(proportions[known], mask)
    names = safe_names(weights.types)
    columns: dict[str, Any] = {
        method.column(names[one]): spread[:, i] for i, one in enumerate(weights.types)
    }
    best = np.asarray(weights.types, dtype=object)[proportions[known].argmax(axis=1)]
    dominant = all_rows_categorical(best, mask, weights.types)
    if method.not_fitted is not None:
        dominant = dominant.add_categories([method.not_fitted])
        dominant[~mask] = method.not_fitted
    columns |= {
        method.dominant: dominant,
        keys.KEPT: fitted.mask,
        keys.KEPT_REASON: fitted.reasons,
    }
    # Chosen from the reference's types, so that both methods show a type in the same colour.
    everything = [*fitted.types, keys.NOT_FITTED]
    colors = dict(zip(everything, colors_for(everything), strict=True))
    return TablePatch(
        obs=pd.DataFrame(columns, index=index),
        obsm={method.matrix: all_rows(weights.values[known], mask)},
        uns={
            method.types: np.asarray(weights.types, dtype=str),
            f"{method.dominant}_colors": [colors[name] for name in dominant.categories],
        },
    )


def numbers_of(patch: TablePatch, method: Method) -> dict[str, float | int | str]:
    """Say how many bins were fitted and which types dominate them."""
    if patch.obs is None:
        return {}
    dominant = patch.obs[method.dominant]
    fitted = dominant.notna() & (dominant != method.not_fitted)
    shares = dominant[fitted].astype(str).value_counts(normalize=True)
    common = [f"{name} {100 * share:.0f} %" for name, share in shares.head(_SHOWN_TYPES).items()]
    return {
        "bins": len(dominant),
        "bins fitted": int(fitted.sum()),
        "most common dominant types": ", ".join(common),
    }


def _bins_table(sample: Sample, name: str) -> AnnData:
    if name not in sample.sdata.tables:
        raise StageError(
            f"{sample.id}: there is no table {name!r}; set deconvolution_bins to a size that "
            "Space Ranger wrote."
        )
    return sample.sdata.tables[name]


def _umis(table: AnnData) -> NDArray[np.float64]:
    return np.asarray(table.X.sum(axis=1), dtype=np.float64).ravel()


def _by_depth(
    umis: NDArray[np.float64], parameters: DeconvolutionParameters
) -> tuple[NDArray[np.bool_], pd.Categorical]:
    """Say which bins are fitted, and why the others are not."""
    import pandas as pd

    shallow, deep = umis < parameters.umi_min, umis > parameters.umi_max
    few, many = f"fewer than {parameters.umi_min} UMIs", f"more than {parameters.umi_max} UMIs"
    reasons = np.select([shallow, deep], [few, many], "").astype(object)
    reasons[~(shallow | deep)] = None
    names = [name for name in (few, many) if name in set(reasons)]
    return ~(shallow | deep), pd.Categorical(reasons, categories=names)


def _part(table: AnnData, rows: NDArray[np.bool_], columns: NDArray[np.intp]) -> AnnData:
    """Copy some bins and genes: counts and places alone."""
    from anndata import AnnData
    from scipy.sparse import csr_matrix

    part = AnnData(csr_matrix(table.X[rows][:, columns], dtype=np.float32))
    part.obs_names = table.obs_names[rows]
    part.var_names = table.var_names[columns]
    part.obsm[keys.SPATIAL] = np.asarray(table.obsm[keys.SPATIAL], dtype=np.float64)[rows]
    return part
