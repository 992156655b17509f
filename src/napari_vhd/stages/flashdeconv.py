"""Cell type proportions of bins by FlashDeconv, which smooths over neighbouring bins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_vhd import keys
from napari_vhd.exceptions import require_engine
from napari_vhd.parameters import FlashdeconvParameters

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
from .stage import Inputs, Outcome, Sample, Stage, each

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .bins import FittedBins, Size

METHOD = Method(
    dominant=keys.FLASHDECONV_DOMINANT,
    column=keys.flashdeconv,
    matrix=keys.FLASHDECONV,
    types=f"{keys.FLASHDECONV}_types",
)


def deconvolve(sample: Sample, parameters: FlashdeconvParameters) -> Outcome:
    """Estimate the proportion of each cell type in each bin.

    Returns
    -------
    Outcome
        A patch of the bins: ``flashdeconv_<type>`` (rows sum to 1), ``flashdeconv_dominant``
        and ``obsm["flashdeconv"]`` (bins × ``uns["flashdeconv_types"]``); missing in bins that
        are not fitted.

    Raises
    ------
    StageError, BadInputError
        As `bins.fitted_bins`.
    """
    sample.report.progress(0, 3, "reading the reference")
    fitted = fitted_bins(sample, parameters)
    sample.report.progress(1, 3, "FlashDeconv")
    proportions, types = _proportions(fitted, parameters)
    table = sample.sdata.tables[fitted.table]
    weights = Weights(proportions, types, fitted.mask)
    patch = patch_of(fitted, weights, METHOD, table.obs_names)
    sample.report.progress(3, 3, "FlashDeconv")
    return Outcome(patches={fitted.table: patch}, numbers=numbers_of(patch, METHOD))


def _proportions(
    fitted: FittedBins, parameters: FlashdeconvParameters
) -> tuple[NDArray[np.float64], list[str]]:
    """Run FlashDeconv with its own defaults: fitted bins × types, and the types."""
    import flashdeconv

    flashdeconv.tl.deconvolve(
        fitted.bins,
        fitted.reference,
        cell_type_key=parameters.cell_type_col,
        spatial_key=keys.SPATIAL,
        key_added=keys.FLASHDECONV,
        random_state=parameters.seed,
    )
    frame = fitted.bins.obsm[keys.FLASHDECONV]
    return frame.to_numpy(dtype=float), [str(name) for name in frame.columns]


def check(inputs: Inputs) -> None:
    """Raise unless FlashDeconv is installed and the reference fits."""
    require_engine("flashdeconv", "deconvolution")
    check_inputs(inputs)


def memory(sample: Sample, parameters: FlashdeconvParameters) -> int:
    """Estimate the bytes that FlashDeconv needs."""
    return needed_bytes(measure(sample, parameters))


def needed_bytes(read: Size) -> int:
    """Estimate the bytes that FlashDeconv needs for what it reads.

    Fitted to 5,000 to 80,000 bins of 2,000 and 18,000 genes: within 20 % of 225 to 1,068 MB.
    """
    return 40 * read.counts + 12 * read.reference_counts + 170_000_000


STAGE = Stage(
    name="flashdeconv",
    title="FlashDeconv",
    parameters=FlashdeconvParameters,
    run=each(deconvolve),
    needs=("region",),
    makes=tuple(keys.bin_table(size_um) for size_um in keys.BIN_SIZES_UM[1:]),
    check=check,
    files=reference_files,
    imports=("flashdeconv",),
    memory=memory,
)
