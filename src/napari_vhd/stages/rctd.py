"""Cell type proportions of bins by RCTD: each bin a mixture of any types, or of at most two.

The steps are those of ``rctd.run_rctd``; the bins are fitted in portions, which changes no result
(each bin is fitted by itself), bounds the memory and lets progress be told.
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import StageError, require_engine
from napari_vhd.io import rctd_tables
from napari_vhd.parameters import RctdParameters

from .bins import (
    Method,
    Weights,
    check_inputs,
    fitted_bins,
    measure,
    numbers_of,
    patch_of,
    reference_files,
)
from .kept import all_rows_categorical
from .stage import Inputs, Outcome, Sample, Stage, each

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from .bins import FittedBins, Size

METHOD = Method(
    dominant=keys.RCTD_DOMINANT,
    column=keys.proportion,
    matrix=keys.RCTD_WEIGHTS,
    types="rctd_types",
    not_fitted=keys.NOT_FITTED,
)
MIN_CELLS = 25
"""Types with fewer cells are left out (spacexr's ``CELL_MIN_INSTANCE``)."""
MIN_CELL_UMIS = 100
"""Reference cells with fewer UMIs are left out (spacexr's ``min_UMI``)."""
MIN_SIGMA_BINS = 50
"""The noise level is fitted on at least so many bins, where there are."""

_MAX_CELLS_PER_TYPE = 10_000
_PORTION_ENTRIES = 250_000
"""Bins × genes of one portion: its some 45 arrays of that size stay in the processor's cache."""
_ARRAYS = 45
_DOUBLET_FIELDS = ("spot_class", "first_type", "second_type")


def deconvolve(sample: Sample, parameters: RctdParameters) -> Outcome:
    """Estimate the proportion of each cell type in each bin.

    Returns
    -------
    Outcome
        A patch of the bins: ``prop_<type>`` (rows sum to 1), ``rctd_dominant`` (``filtered`` in
        bins that are not fitted), ``obsm["rctd_weights"]`` (as RCTD gives them, bins ×
        ``uns["rctd_types"]``); in doublet mode also ``rctd_spot_class``, ``rctd_first_type`` and
        ``rctd_second_type`` (RCTD names a second type for singlets too: the class decides).

    Raises
    ------
    StageError, BadInputError
        As `bins.fitted_bins`; and where too few types are left, or the likelihood tables cannot
        be had.
    """
    report = sample.report
    report.progress(0, 100, "reading the reference")
    fitted = fitted_bins(sample, parameters)
    _leave_out_small_types(sample, fitted, parameters)
    tables = rctd_tables.tables_for(
        int(fitted.bins.X.max()),
        lambda done, total, what: report.progress(5 + 15 * done / total, 100, what),
    )
    report.progress(20, 100, "noise level")
    with _quiet(sample), _tables_given(tables), _one_thread_an_operation():
        model, mask = _prepared(fitted, parameters, tables.k_val, sample)
        found = dict(_fit(model, parameters.rctd_mode, sample))
    types = [str(name) for name in model.reference.cell_type_names]
    full_mask = fitted.mask.copy()
    full_mask[full_mask] = mask
    index = sample.sdata.tables[fitted.table].obs_names
    patch = patch_of(fitted, Weights(found["weights"], types, full_mask), METHOD, index)
    if parameters.rctd_mode == "doublet" and patch.obs is not None:
        _add_doublets(patch.obs, found, types, full_mask)
    report.progress(100, 100, "RCTD")
    numbers = numbers_of(patch, METHOD) | {"noise level (sigma)": model.sigma / 100}
    weights = {"likelihood tables": tables.path}
    return Outcome(patches={fitted.table: patch}, numbers=numbers, weights=weights)


def _leave_out_small_types(sample: Sample, fitted: FittedBins, parameters: RctdParameters) -> None:
    """Say which types RCTD will leave out, and raise where too few are left."""
    types = fitted.reference.obs[parameters.cell_type_col]
    deep = np.asarray(fitted.reference.X.sum(axis=1)).ravel() >= MIN_CELL_UMIS
    cells = types[deep].value_counts().reindex(types.cat.categories, fill_value=0)
    small = sorted(str(name) for name in cells.index[cells < MIN_CELLS])
    left = len(cells) - len(small)
    why = f"fewer than {MIN_CELLS} cells with {MIN_CELL_UMIS} UMIs in the genes of the sample"
    if left < 2:
        raise StageError(
            f"{sample.reference}: {left} of {len(cells)} types of {parameters.cell_type_col!r} "
            f"are left for RCTD, because the others have {why}; give a deeper or larger reference."
        )
    if small:
        sample.report.notice(f"RCTD leaves out {', '.join(small)}: {why}.")


def _prepared(
    fitted: FittedBins, parameters: RctdParameters, k_val: int, sample: Sample
) -> tuple[Any, NDArray[np.bool_]]:
    """Fit platform effects and noise level; say which of the fitted bins RCTD keeps."""
    from rctd import RCTD, RCTDConfig, Reference

    umis = np.asarray(fitted.bins.X.sum(axis=1)).ravel()
    config = RCTDConfig(
        # The bins were chosen by all their UMIs; RCTD sees those of the common genes.
        UMI_min=1,
        UMI_max=int(umis.max()),
        UMI_min_sigma=_sigma_umis(umis, parameters.umi_min_sigma, sample),
        K_val=k_val,
        device="cpu",
        compile=False,
    )
    reference = Reference(
        fitted.reference,
        cell_type_col=parameters.cell_type_col,
        cell_min=MIN_CELLS,
        n_max_cells=_MAX_CELLS_PER_TYPE,
        min_UMI=MIN_CELL_UMIS,
    )
    model = RCTD(fitted.bins, reference, config)
    model.fit_platform_effects()
    mask: NDArray[np.bool_] = model._pixel_mask  # noqa: SLF001 - as run_rctd hands it on
    if not mask.any():
        raise StageError(
            f"{sample.id}: no bin has {config.counts_MIN} UMIs in the genes that tell the types "
            "of the reference apart; give a reference with more genes, or set "
            "deconvolution_bins: 16."
        )
    return model, mask


def _sigma_umis(umis: NDArray[np.float32], wanted: int, sample: Sample) -> int:
    """Lower the depth of the bins that the noise level is fitted on, where few reach it."""
    reached = int((umis > wanted).sum())
    if reached >= min(MIN_SIGMA_BINS, len(umis)):
        return wanted
    # The deepest quarter, and at least so many: RCTD takes bins above the limit.
    used = min(len(umis), max(MIN_SIGMA_BINS, len(umis) // 4))
    lowered = max(0, int(np.sort(umis)[-used]) - 1)
    sample.report.notice(
        f"RCTD's noise level is fitted on bins with more than {lowered} UMIs, because only "
        f"{reached} have more than {wanted} (umi_min_sigma)."
    )
    return lowered


def _fit(model: Any, mode: str, sample: Sample) -> Iterator[tuple[str, NDArray[Any]]]:
    """Fit the bins in portions: what was found, by the name RCTD gives it."""
    import rctd

    size = max(1, _PORTION_ENTRIES // model.counts.shape[1])

    def fit(start: int) -> Any:
        portion = slice(start, start + size)
        more = {} if mode == "full" else {"config": model.config}
        run = rctd.run_full_mode if mode == "full" else rctd.run_doublet_mode
        return run(
            spatial_counts=model.counts[portion],
            spatial_numi=model.nUMI[portion],
            norm_profiles=model.norm_profiles,
            cell_type_names=model.reference.cell_type_names,
            q_mat=model.q_mat,
            sq_mat=model.sq_mat,
            x_vals=model.x_vals,
            batch_size=size,
            device=model.config.device,
            **more,
        )

    starts = range(0, len(model.nUMI), size)
    parts = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, part in enumerate(pool.map(fit, starts), start=1):
            parts.append(part)
            share = done / len(starts)
            sample.report.progress(40 + 60 * share, 100, f"RCTD, {mode} mode")
    for name in ("weights", *(() if mode == "full" else _DOUBLET_FIELDS)):
        yield name, np.concatenate([getattr(part, name) for part in parts])


def _add_doublets(
    obs: pd.DataFrame, found: dict[str, NDArray[Any]], types: list[str], mask: NDArray[np.bool_]
) -> None:
    """Add what doublet mode alone gives."""
    from rctd import SPOT_CLASS_NAMES

    for column, field, names in (
        (keys.RCTD_SPOT_CLASS, "spot_class", list(SPOT_CLASS_NAMES)),
        (keys.RCTD_FIRST, "first_type", types),
        (keys.RCTD_SECOND, "second_type", types),
    ):
        labels = np.asarray(names, dtype=object)[found[field]]
        obs[column] = all_rows_categorical(labels, mask, names)


@contextlib.contextmanager
def _tables_given(tables: rctd_tables.Tables) -> Iterator[None]:
    """Point RCTD to the tables."""
    before = os.environ.get(rctd_tables.ENVIRONMENT)
    os.environ[rctd_tables.ENVIRONMENT] = str(tables.path)
    try:
        yield
    finally:
        if before is None:
            del os.environ[rctd_tables.ENVIRONMENT]
        else:
            os.environ[rctd_tables.ENVIRONMENT] = before


@contextlib.contextmanager
def _quiet(sample: Sample) -> Iterator[None]:
    """Keep RCTD's prints and warnings from the user: what matters is said in notices."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    for line in printed.getvalue().splitlines():
        if line.strip() and "[doublet]" not in line:  # those come once for each portion
            sample.report.log(f"rctd: {line.strip()}")


@contextlib.contextmanager
def _one_thread_an_operation() -> Iterator[None]:
    """Let torch compute each operation in one thread; portions have theirs.

    On a busy machine torch's threads wait for each other in busy loops (740 s in place of 50 s,
    measured on two cores), and the number of threads changes the last digits of sums.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check(inputs: Inputs) -> None:
    """Raise unless RCTD is installed, the reference fits and given tables are there."""
    require_engine("rctd", "deconvolution")
    check_inputs(inputs)
    rctd_tables.check_tables()


def memory(sample: Sample, parameters: RctdParameters) -> int:
    """Estimate the bytes that RCTD needs."""
    return needed_bytes(measure(sample, parameters))


def needed_bytes(read: Size) -> int:
    """Estimate the bytes that RCTD needs for what it reads: the larger of its two peaks.

    First it makes counts dense, twice, and sums those of the genes that tell types apart in long
    doubles: about half of a small panel's genes, and no more than about 4,000 of all (2,496 of
    4,210 in real colon data). Then it seeks the noise level, with each table there four times.
    Measured with 2,000 genes: 857 MB for 5,000 bins, first peak 840 MB for 20,000 (estimates: 821,
    859).
    """
    telling = min(0.55 * read.genes, 4_000)
    first = read.bins * max(8 * read.genes, 4 * read.genes + 24 * telling)
    tables = 4 * rctd_tables.expected_bytes(read.largest)
    noise_level = _ARRAYS * 8 * min(1e6, 1_000 * telling)
    portions = _ARRAYS * 8 * _PORTION_ENTRIES * (os.cpu_count() or 1)
    second = 12 * read.bins * telling + max(tables + noise_level, portions)
    return int(max(first, second) + 12 * read.reference_counts + 1.5e8)


STAGE = Stage(
    name="rctd",
    title="RCTD",
    parameters=RctdParameters,
    run=each(deconvolve),
    needs=("region",),
    makes=tuple(keys.bin_table(size_um) for size_um in keys.BIN_SIZES_UM[1:]),
    check=check,
    files=reference_files,
    imports=("rctd",),
    memory=memory,
)
