"""The single-cell reference: gene symbols, counts, downsampling.

Everything is read with h5py alone, block by block: a reference of 370,000 cells is never in memory
as a whole, and checking one costs less than a second.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

MIN_CELLS = 25
"""A cell type with fewer cells is left out by RCTD, and is too small to learn from."""

MIN_COMMON_GENES = 20

_SYMBOL_COLUMNS = ("feature_name", "gene_symbols", "gene_symbol", "gene_name", "symbol")
_MISSING_TEXT = {"", "nan", "<NA>"}
_BLOCK = 10_000_000


@dataclass(frozen=True)
class _Source:
    """Where in the file raw counts are, and the table of genes that belongs to them."""

    counts: str
    var: str


_SOURCES = (
    _Source("X", "var"),
    _Source("raw/X", "raw/var"),
    _Source(f"layers/{keys.COUNTS}", "var"),
)


def sample_genes(outs: Path) -> tuple[str, ...] | None:
    """Read the gene names of a sample from its 2 µm matrix, and nothing else.

    Parameters
    ----------
    outs
        The Space Ranger folder.

    Returns
    -------
    tuple of str or None
        None where the matrix is not there or not readable: reading the sample says so itself.
    """
    folder = Path(outs) / "binned_outputs" / keys.bin_table(keys.BIN_SIZES_UM[0])
    try:
        with h5py.File(folder / "filtered_feature_bc_matrix.h5", "r") as file:
            return tuple(file["matrix/features/name"].asstr()[:])
    except (OSError, KeyError):
        return None


def check_reference(
    path: str | Path, cell_type_col: str, sample_genes: Collection[str] | None = None
) -> None:
    """Find out, lightly, whether a reference can be used.

    Parameters
    ----------
    path
        An h5ad file with raw integer counts in ``X``, ``raw/X`` or ``layers["counts"]``.
    cell_type_col
        Column of ``obs`` with the cell types.
    sample_genes
        Gene symbols of the sample, or None: common genes are not counted.

    Raises
    ------
    BadInputError
        Naming the file, what is wrong with it and what to do.
    """
    path = Path(path)
    with _opened(path) as file:
        labels = _cell_types(file, path, cell_type_col)
        missing = sum(label is None for label in labels)
        if missing:
            raise BadInputError(
                f"{path}: {missing} of {len(labels)} cells have no {cell_type_col!r}; remove them "
                "from the reference or label them."
            )
        _check_types(labels, path, cell_type_col)
        source = _counts_source(file, path)
        if sample_genes is not None:
            _common_genes(file, path, source, sample_genes)


def read_reference(
    path: str | Path,
    cell_type_col: str,
    max_cells: int,
    seed: int,
    genes: Collection[str] | None = None,
) -> AnnData:
    """Read a reference, downsampled by proportion.

    Each type keeps its share of `max_cells`, but never fewer than 25 cells (all, where it has
    fewer), so that rare types stay; the total may therefore be a little larger.

    Parameters
    ----------
    path, cell_type_col
        As in `check_reference`.
    max_cells
        Cells to keep in all; a smaller reference is kept whole.
    seed
        Of the random choice of cells.
    genes
        Keep only these gene symbols (those that are there), or None: all.

    Returns
    -------
    AnnData
        cells × genes; ``X`` raw counts (CSR, float32, whole numbers), ``var_names`` unique gene
        symbols, ``obs`` with the one categorical column `cell_type_col`.

    Raises
    ------
    BadInputError
        As `check_reference`, where this shows on the way.
    """
    import pandas as pd
    from anndata import AnnData

    path = Path(path)
    with _opened(path) as file:
        labels = _cell_types(file, path, cell_type_col)
        source = _counts_source(file, path)
        if genes is not None:
            _common_genes(file, path, source, genes)
        rows = _proportional(labels, max_cells, seed)
        symbols = _unique(_symbols(file[source.var], genes)[1])
        columns = np.arange(len(symbols))
        if genes is not None:
            wanted = set(genes)
            columns = np.flatnonzero([symbol in wanted for symbol in symbols])
        counts = _read_counts(file[source.counts], rows, columns)
        names = _column(file["obs"], _index_name(file["obs"]))
    types = pd.Categorical([str(labels[row]) for row in rows])
    obs = pd.DataFrame({cell_type_col: types}, index=_unique([str(names[row]) for row in rows]))
    var = pd.DataFrame(index=pd.Index([symbols[column] for column in columns]))
    return AnnData(X=counts, obs=obs, var=var)


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """Open an h5ad file, or say why not."""
    if not path.is_file():
        raise BadInputError(f"{path}: there is no such reference; check paths: reference.")
    mend = "give an h5ad file as anndata writes it"
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise BadInputError(f"{path}: not an h5ad file, or cut short; {mend}.") from error
    with file:
        if not all(isinstance(file.get(name), h5py.Group) for name in ("obs", "var")):
            raise BadInputError(f"{path}: without the tables obs and var; {mend} (0.8 or newer).")
        yield file


def _index_name(frame: h5py.Group) -> str:
    """Name of the dataset that is a table's index."""
    return str(frame.attrs.get("_index", "_index"))


def _column(frame: h5py.Group, name: str) -> NDArray[np.object_]:
    """Read one column of a table as texts, None where missing."""
    element = frame[name]
    if isinstance(element, h5py.Group) and "codes" in element:
        categories = _column(element, "categories")
        return _pick(categories, element["codes"][:])
    if isinstance(element, h5py.Group):  # a nullable array: values and mask
        values, missing = _column(element, "values"), element["mask"][:].astype(bool)
        values[missing] = None
        return values
    reference = element.attrs.get("categories")
    if isinstance(reference, h5py.Reference):  # as anndata < 0.8 wrote categories
        return _pick(_column(frame, frame.file[reference].name), element[:])
    text = h5py.check_string_dtype(element.dtype) is not None
    values = element.asstr()[:] if text else element[:]
    return np.array(
        [None if value != value or str(value) in _MISSING_TEXT else str(value) for value in values],
        dtype=object,
    )


def _pick(categories: NDArray[np.object_], codes: NDArray[np.integer]) -> NDArray[np.object_]:
    """Turn codes into their categories; a negative code is missing."""
    choices = np.array([*categories, None], dtype=object)
    return choices[np.where(codes < 0, len(categories), codes)]


def _cell_types(file: h5py.File, path: Path, column: str) -> NDArray[np.object_]:
    """Read the cell types, or name the columns that are there."""
    obs = file["obs"]
    if column not in obs:
        there = [name for name in obs if name not in {_index_name(obs), "__categories"}]
        raise BadInputError(
            f"{path}: no column {column!r} of cell types; set cell_type_col to one of "
            f"{', '.join(sorted(there)) or 'none (obs has no columns)'}."
        )
    return _column(obs, column)


def _check_types(labels: NDArray[np.object_], path: Path, column: str) -> None:
    """Raise unless two cell types are large enough."""
    names, sizes = np.unique(labels.astype(str), return_counts=True)
    if (sizes >= MIN_CELLS).sum() >= 2:
        return
    order = np.argsort(-sizes, kind="stable")[:8]
    counts = ", ".join(f"{names[i]}: {sizes[i]}" for i in order)
    more = f" and {len(names) - len(order)} more" if len(names) > len(order) else ""
    raise BadInputError(
        f"{path}: fewer than two types of {column!r} have at least {MIN_CELLS} cells "
        f"({counts or 'no cells'}{more}); give a larger reference or a coarser column."
    )


def _counts_source(file: h5py.File, path: Path) -> _Source:
    """Find raw counts in the file."""
    there = [source for source in _SOURCES if source.counts in file and source.var in file]
    for source in there:
        if _is_whole(file[source.counts]):
            return source
    raise BadInputError(
        f"{path}: no raw integer counts in {' or '.join(s.counts for s in there) or 'X'}; give a "
        "reference with raw counts (normalised values cannot be used)."
    )


def _is_whole(element: h5py.Group | h5py.Dataset) -> bool:
    """Look at the beginning, middle and end of a matrix for anything but whole numbers."""
    values = element["data"] if isinstance(element, h5py.Group) else element
    length = values.shape[0]
    if length == 0:
        return False
    size = 100_000 if values.ndim == 1 else max(1, 1_000_000 // max(1, values.shape[1]))
    for start in {0, max(0, length // 2 - size // 2), max(0, length - size)}:
        block = np.asarray(values[start : start + size], dtype=float)
        if not np.isfinite(block).all() or (block < 0).any() or (block != np.rint(block)).any():
            return False
    return True


def _symbols(var: h5py.Group, genes: Collection[str] | None) -> tuple[str, list[str]]:
    """Choose the gene symbols: where a sample's genes are known, what fits them best."""
    index = _index_name(var)
    names = [name for name in (*_SYMBOL_COLUMNS, index) if name in var]
    fallback = _column(var, index)
    found = {}
    for name in names:
        column = _column(var, name)
        found[name] = [str(own or other) for own, other in zip(column, fallback, strict=True)]
    if genes is None:
        return names[0], found[names[0]]
    wanted = set(genes)
    best = max(names, key=lambda name: len(wanted.intersection(found[name])))
    return best, found[best]


def _common_genes(
    file: h5py.File, path: Path, source: _Source, sample_genes: Collection[str]
) -> None:
    """Raise unless reference and sample share enough genes."""
    column, symbols = _symbols(file[source.var], sample_genes)
    common = len(set(symbols).intersection(sample_genes))
    if common < MIN_COMMON_GENES:
        raise BadInputError(
            f"{path}: only {common} of its {len(symbols)} genes ({source.var}[{column!r}], such as "
            f"{', '.join(symbols[:3])}) are genes of the sample; give a reference of the same "
            "species with gene symbols in var['feature_name']."
        )


def _unique(names: list[str]) -> list[str]:
    """Make names unique as AnnData does."""
    import pandas as pd
    from anndata.utils import make_index_unique

    index = pd.Index(names, dtype=object)
    return list(index if index.is_unique else make_index_unique(index))


def _proportional(labels: NDArray[np.object_], max_cells: int, seed: int) -> NDArray[np.intp]:
    """Choose rows of labelled cells, every type by its share; in the order of the file."""
    known = np.flatnonzero([label is not None for label in labels])
    if len(known) <= max_cells:
        return known
    random = np.random.default_rng(seed)
    types = labels[known].astype(str)
    chosen = []
    for name in np.unique(types):
        rows = known[types == name]
        share = round(len(rows) * max_cells / len(known))
        size = min(len(rows), max(share, MIN_CELLS))
        chosen.append(random.choice(rows, size, replace=False))
    return np.sort(np.concatenate(chosen))


def _read_counts(
    element: h5py.Group | h5py.Dataset, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> csr_matrix:
    """Read some rows and columns of a matrix, in blocks along the axis it is stored by."""
    from scipy import sparse

    if isinstance(element, h5py.Dataset):
        step = max(1, _BLOCK // max(1, element.shape[1]))
        parts = [
            sparse.csr_matrix(element[start : start + step][own][:, columns])
            for start, own in _blocks(rows, range(0, element.shape[0] + step, step))
        ]
        return sparse.vstack(parts, format="csr", dtype=np.float32)
    by_row = _text(element.attrs.get("encoding-type", element.attrs.get("h5sparse_format"))) in {
        "csr_matrix",
        "csr",
    }
    along, across = (rows, columns) if by_row else (columns, rows)
    pointers = element["indptr"][:]
    shape = element.attrs.get("shape", element.attrs.get("h5sparse_shape"))
    width = int(shape[1 if by_row else 0])
    bounds = _bounds(pointers)
    parts = []
    for start, own in _blocks(along, bounds):
        stop = next(bound for bound in bounds if bound > start)
        first, last = pointers[start], pointers[stop]
        block = sparse.csr_matrix(
            (
                element["data"][first:last].astype(np.float32),
                element["indices"][first:last],
                pointers[start : stop + 1] - first,
            ),
            shape=(stop - start, width),
        )
        parts.append(block[own][:, across])
    stacked = sparse.vstack(parts, format="csr", dtype=np.float32)
    return stacked if by_row else stacked.T.tocsr()


def _bounds(pointers: NDArray[np.integer]) -> list[int]:
    """Cut the compressed axis so that each block holds a bounded number of values."""
    bounds = [0]
    while bounds[-1] < len(pointers) - 1:
        limit = pointers[bounds[-1]] + _BLOCK
        stop = int(np.searchsorted(pointers, limit, side="right")) - 1
        bounds.append(max(stop, bounds[-1] + 1))
    return bounds


def _blocks(
    wanted: NDArray[np.intp], bounds: Iterable[int]
) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Give each block that holds something wanted: its start, and the positions in it."""
    for start, stop in pairwise(bounds):
        first, last = np.searchsorted(wanted, (start, stop))
        if last > first:
            yield start, wanted[first:last] - start


def _text(value: Any) -> str:
    """Attributes are texts or bytes, by who wrote them."""
    return value.decode() if isinstance(value, bytes) else str(value)
