"""RCTD's likelihood tables, made on this machine instead of a 404 MB download.

RCTD reads log P(count | mean) of a Poisson-lognormal model from tables: one for each noise level
sigma, rows for counts 0 to ``k_val`` + 2, columns for means. They are made here for all sigmas at
once from the same formula as ``rctd._likelihood.compute_q_matrix`` (a port of ``calc_Q_mat_one``
of spacexr; equal to 2e-12 in log space, 21 CPU seconds for the full set in place of hours).

RCTD looks up only rows up to the largest count and caps larger counts at 1000: tables that end
at the data's largest count give the same result as the full set, with less memory.
"""

from __future__ import annotations

import os
import tempfile
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from napari_vhd.exceptions import BadInputError, StageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Progress = Callable[[float, float, str], None]

ENVIRONMENT = "RCTD_Q_MATRICES"
"""rctd's own variable: a table file, or the folder of ``q_matrices.npz``."""
SIGMAS = (*range(10, 71), *range(72, 201, 2))
"""100 times every noise level that RCTD may choose (spacexr's ``choose_sigma_c``)."""
FULL_K_VAL = 1000
"""Counts above are capped by RCTD itself."""

_K_VALS = (125, 250, 500, FULL_K_VAL)
_INITIAL_SIGMA = "Q_100"
_MEANS = 439
_LATENT_STEP = 4e-3
_LATENT_STEPS = 5000
_ROWS_AT_ONCE = 64
_LOG_UNDERFLOW = -745.0
_FLOOR = 1e-300


@dataclass(frozen=True)
class Tables:
    """A file of likelihood tables.

    Attributes
    ----------
    path
        The npz file, for `ENVIRONMENT`.
    k_val
        Largest count it has a row for; for ``RCTDConfig(K_val=…)``.
    nbytes
        Size of all tables in memory.
    """

    path: Path
    k_val: int
    nbytes: int


def cache_folder() -> Path:
    """Folder of the tables in the user's cache, one for each version of rctd."""
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("napari-vhd")) / f"rctd-{version('rctd-py')}"


def tables_path(k_val: int) -> Path:
    """File of the tables that end at `k_val` counts."""
    return cache_folder() / f"q_matrices_{k_val}.npz"


def fitting_k_val(largest_count: int) -> int:
    """Length of the shortest tables that hold a count, or of the full set."""
    return next((k for k in _K_VALS if k >= largest_count), FULL_K_VAL)


def check_tables() -> None:
    """Raise unless tables that the user points to are there.

    Raises
    ------
    BadInputError
        If `ENVIRONMENT` names a file that is not there or holds no tables.
    """
    if given := os.environ.get(ENVIRONMENT):
        _given_tables(given)


def expected_bytes(largest_count: int) -> int:
    """Size in memory of the tables that `tables_for` would give."""
    if given := os.environ.get(ENVIRONMENT):
        return _given_tables(given).nbytes
    return len(SIGMAS) * (fitting_k_val(largest_count) + 3) * _MEANS * 8


def tables_for(largest_count: int, progress: Progress) -> Tables:
    """Find the tables for data with counts up to `largest_count`, making them where needed.

    Parameters
    ----------
    largest_count
        Largest count of a gene in a bin.
    progress
        Called with done, total and what is being done.

    Raises
    ------
    BadInputError
        If `ENVIRONMENT` names a file that is not there or holds no tables.
    StageError
        If the tables cannot be written.
    """
    if given := os.environ.get(ENVIRONMENT):
        return _given_tables(given)
    k_val = fitting_k_val(largest_count)
    path = tables_path(k_val)
    if (tables := _opened(path)) is None:
        try:
            build(path, k_val, progress)
        except OSError as error:
            raise StageError(
                f"{path.parent}: RCTD's likelihood tables cannot be written "
                f"({error.strerror or error}); make room, or set {ENVIRONMENT} to a file of them."
            ) from error
        tables = _opened(path)
    if tables is None:
        raise StageError(f"{path}: the likelihood tables just written cannot be read; try again.")
    return tables


def build(path: Path, k_val: int, progress: Progress, sigmas: tuple[int, ...] = SIGMAS) -> None:
    """Make tables and write them in one step (a reader never sees half a file).

    Parameters
    ----------
    path
        The npz file to write.
    k_val
        Largest count.
    progress
        Called with done, total and what is being done.
    sigmas
        100 times each noise level.
    """
    tables = compute(k_val, sigmas, progress)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **tables)  # type: ignore[arg-type]
        os.replace(part, path)
    finally:
        Path(part).unlink(missing_ok=True)


def compute(
    k_val: int, sigmas: tuple[int, ...], progress: Progress
) -> dict[str, NDArray[np.float64]]:
    """Compute the tables.

    For a mean x, P(k | x) is the integral over y of Poisson(k; x exp(y)) times the heavy-tailed
    density of y at that sigma. The Poisson part is the same for every sigma: it is computed once
    for each x and multiplied with the densities of all sigmas as one matrix product.

    Returns
    -------
    dict
        ``X_vals`` (the means) and ``Q_<sigma>`` arrays, ``k_val`` + 3 counts x means, of log
        probabilities, as rctd reads them.
    """
    with warnings.catch_warnings():
        # rctd compiles functions with torch.jit.script on import, which newer torch deprecates.
        warnings.simplefilter("ignore", FutureWarning)
        from rctd._likelihood import _ht_pdf_norm, build_x_vals

    means = build_x_vals()
    latent = np.arange(-_LATENT_STEPS, _LATENT_STEPS + 1) * _LATENT_STEP
    densities = [
        np.maximum(_ht_pdf_norm(latent / (s / 100)) / (s / 100), _FLOOR) * _LATENT_STEP
        for s in sigmas
    ]
    weights = np.stack(densities, axis=1)
    table = np.empty((len(sigmas), k_val + 3, len(means)))
    # numpy lets go of the interpreter in exp and in matrix products: threads are enough, and
    # each product is left to one of them.
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        columns = {
            pool.submit(_column, latent + np.log(mean), weights, k_val + 3): i
            for i, mean in enumerate(means)
        }
        for done, column in enumerate(as_completed(columns), start=1):
            table[:, :, columns[column]] = column.result()
            progress(done, len(means), "RCTD's likelihood tables, once on this machine")
    return {"X_vals": means} | {f"Q_{s}": table[i] for i, s in enumerate(sigmas)}


def _column(
    log_rate: NDArray[np.float64], weights: NDArray[np.float64], rows: int
) -> NDArray[np.float64]:
    """Compute the tables' column for one mean: sigmas x counts."""
    from scipy.special import gammaln

    rate = np.exp(log_rate)
    column = np.full((weights.shape[1], rows), np.log(_FLOOR))
    for first in range(0, rows, _ROWS_AT_ONCE):
        counts = np.arange(first, min(first + _ROWS_AT_ONCE, rows), dtype=np.float64)
        # A Poisson probability is largest at the count nearest to the rate, and falls off on
        # both sides: rates whose best count underflows add exactly nothing.
        best = np.clip(rate, counts[0], counts[-1])
        seen = np.flatnonzero(best * log_rate - rate - gammaln(best + 1) > _LOG_UNDERFLOW)
        if len(seen) == 0:
            continue
        used = slice(seen[0], seen[-1] + 1)
        poisson = np.multiply.outer(counts, log_rate[used])
        poisson -= rate[used]
        poisson -= gammaln(counts + 1)[:, None]
        np.exp(poisson, out=poisson)
        sums = poisson @ weights[used]
        column[:, first : first + len(counts)] = np.log(np.maximum(sums, _FLOOR)).T
    return column


def _given_tables(given: str) -> Tables:
    """Tables that the user points to."""
    path = Path(given).expanduser()
    path = path / "q_matrices.npz" if path.is_dir() else path
    tables = _opened(path)
    if tables is None:
        raise BadInputError(
            f"{ENVIRONMENT}={given}: {path} is not there or holds no likelihood tables of RCTD; "
            f"unset {ENVIRONMENT} to have them made."
        )
    return tables


def _opened(path: Path) -> Tables | None:
    """Look at the shapes in a file of tables; None where it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {Path(name).stem for name in archive.namelist()}
            if not {"X_vals", _INITIAL_SIGMA} <= names:
                return None
            with np.load(path, allow_pickle=False) as arrays:
                rows, columns = arrays[_INITIAL_SIGMA].shape
    except (OSError, ValueError, zipfile.BadZipFile):
        return None
    return Tables(path, rows - 3, (len(names) - 1) * rows * columns * 8)
