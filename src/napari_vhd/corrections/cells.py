"""The reviewed cells as a table: counts that follow the outlines, labels, and who gave them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys

from .stale import find_stale

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData
    from scipy.sparse import csr_matrix

    from .reviewed import Reviewed

N_BINS = "n_bins"


def reviewed_cells(table: AnnData, reviewed: Reviewed, radius_um: float) -> AnnData:
    """Make the table of reviewed cells.

    Cells that a person deleted are left out, cells that a person made stand at the end; every cell
    that is there stays, even with no counts. Counts, quality numbers, places and areas are those of
    the outlines as they are. What only a stage can compute is missing for new cells and marked in
    ``stale`` for all that it is out of date for. All other columns are as computed; labels that
    were reviewed or brought up to date are in ``<column>_reviewed``, and who gave them, or asked
    for it, in ``<column>_reviewed_by``.

    Parameters
    ----------
    table
        ``table`` as computed; not changed.
    reviewed
        The sample.
    radius_um
        Within which cells are neighbours.
    """
    typed = reviewed.source.typed or ""
    outlines = reviewed.outlines(typed)
    names = table.obs_names.astype(str)
    rows = reviewed.computed.rows_of_table()
    # A cell without an outline was never anybody's to delete.
    stays = (rows < 0) | outlines.alive[rows]
    rows_kept = rows[stays]
    known = set(names)
    new = [cell for cell in outlines.live_ids() if cell not in known]
    result = table.copy() if stays.all() else table[stays].copy()
    if new:
        result = _with_new(result, new, typed)
    all_rows = np.concatenate([rows_kept, outlines.rows_of(new)]).astype(np.int64)
    _follow_outlines(result, all_rows, reviewed)
    _follow_counts(result, all_rows, reviewed)
    _add_labels(result, all_rows, reviewed, typed)
    _add_numbers(result, all_rows, reviewed, typed)
    stale = find_stale(reviewed, radius_um).cells
    result.obs[keys.STALE] = [",".join(stale.get(cell, ())) for cell in result.obs_names]
    return result


def _with_new(table: AnnData, new: Sequence[str], typed: str) -> AnnData:
    """Append rows of cells that a person made: no counts yet, nothing computed."""
    from anndata import AnnData
    from scipy.sparse import csr_matrix, vstack

    number, total = len(new), table.n_obs + len(new)

    def longer(matrix: Any) -> Any:
        if matrix is None:
            return None
        if hasattr(matrix, "tocsr"):
            return vstack(
                [matrix.tocsr(), csr_matrix((number, matrix.shape[1]), dtype=matrix.dtype)]
            ).tocsr()
        values = np.asarray(matrix)
        fill = np.full((number, *values.shape[1:]), np.nan if values.dtype.kind == "f" else 0)
        return np.concatenate([values, fill.astype(values.dtype)])

    obsp = {}
    for name, matrix in table.obsp.items():
        wide = matrix.tocsr().copy()
        wide.resize((total, total))
        obsp[name] = wide
    return AnnData(
        longer(table.X),
        obs=_obs_with_new(table.obs, new, typed),
        var=table.var.copy(),
        obsm={name: longer(values) for name, values in table.obsm.items()},
        varm={name: np.array(values) for name, values in table.varm.items()},
        layers={name: longer(values) for name, values in table.layers.items()},
        obsp=obsp,
        uns=dict(table.uns),
    )


def _obs_with_new(obs: pd.DataFrame, new: Sequence[str], typed: str) -> pd.DataFrame:
    import pandas as pd

    columns: dict[str, Any] = {}
    index = pd.Index([*obs.index, *new], name=obs.index.name)
    for name in obs:
        values = obs[name]
        if name == keys.CELL_ID:
            columns[name] = [*values, *new]
        elif name == keys.REGION_KEY:
            columns[name] = pd.Categorical([*values, *[typed] * len(new)])
        elif pd.api.types.is_bool_dtype(values.dtype):
            columns[name] = [*values, *[name == keys.KEPT] * len(new)]
        elif isinstance(values.dtype, pd.CategoricalDtype):
            codes = np.concatenate([values.cat.codes, np.full(len(new), -1)])
            columns[name] = pd.Categorical.from_codes(codes, dtype=values.dtype)
        elif pd.api.types.is_integer_dtype(values.dtype) and isinstance(values.dtype, np.dtype):
            # There is no missing whole number: of these only counts are known, and are set below.
            columns[name] = np.concatenate([values.to_numpy(), np.zeros(len(new), values.dtype)])
        else:
            columns[name] = (
                pd.concat(
                    [values, pd.Series([None] * len(new), index=list(new), dtype=values.dtype)]
                ).to_numpy()
                if isinstance(values.dtype, np.dtype)
                else pd.concat(
                    [values, pd.Series([pd.NA] * len(new), index=list(new), dtype=values.dtype)]
                ).array
            )
    return pd.DataFrame(columns, index=index)


def _follow_outlines(table: AnnData, rows: Any, reviewed: Reviewed) -> None:
    """Set places and areas of cells whose outline is not as computed."""
    typed = reviewed.source.typed or ""
    outlines = reviewed.outlines(typed)
    edited = reviewed.segmentation(typed).edited()
    if not edited:
        return
    changed = outlines.rows_of(list(edited))
    here = np.flatnonzero(np.isin(rows, changed[changed >= 0]))
    mine = rows[here]
    scale = reviewed.source.um_per_px
    if keys.AREA_UM2 in table.obs:
        values = table.obs[keys.AREA_UM2].to_numpy(dtype=float).copy()
        values[here] = outlines.areas[mine] * scale**2
        table.obs[keys.AREA_UM2] = values
    for name, factor in ((keys.SPATIAL, 1.0), (keys.SPATIAL_UM, scale)):
        if name in table.obsm:
            places = np.array(table.obsm[name], dtype=float)
            places[here] = outlines.centroids[mine] * factor
            table.obsm[name] = places


def _follow_counts(table: AnnData, rows: Any, reviewed: Reviewed) -> None:
    """Set counts, bins and quality numbers of cells that were counted again."""
    counts = reviewed.counts
    if counts is None:
        return
    counted = set(counts.rows())
    here = [place for place, row in enumerate(rows.tolist()) if row in counted]
    if not here:
        return
    new, bins = counts.stacked([int(rows[place]) for place in here])
    table.X = _replaced(table.X, here, new)
    if keys.COUNTS in table.layers:
        table.layers[keys.COUNTS] = _replaced(table.layers[keys.COUNTS], here, new)
    if reviewed.source.quality is not None:
        numbers = reviewed.source.quality.of_all(new)
        for name in numbers.columns.intersection(table.obs.columns):
            values = table.obs[name].to_numpy().copy()
            values[here] = numbers[name].to_numpy()
            table.obs[name] = values
    if N_BINS in table.obs:
        values = table.obs[N_BINS].to_numpy().copy()
        values[here] = np.asarray(bins.sum(axis=1)).ravel()
        table.obs[N_BINS] = values
    if keys.BINS_ASSIGNMENTS in table.obsm:
        old = table.obsm[keys.BINS_ASSIGNMENTS]
        if old.shape[1] == bins.shape[1]:
            table.obsm[keys.BINS_ASSIGNMENTS] = _replaced(old, here, bins)


def _replaced(matrix: Any, places: Sequence[int], new: csr_matrix) -> csr_matrix:
    """Put other rows in the place of some, without going through a dense matrix."""
    from scipy.sparse import csr_matrix, vstack

    old = csr_matrix(matrix)
    number = old.shape[0]
    source = np.arange(number)
    source[list(places)] = number + np.arange(len(places))
    return vstack([old, new.astype(old.dtype)]).tocsr()[source]


def _add_labels(table: AnnData, rows: Any, reviewed: Reviewed, typed: str) -> None:
    """Add reviewed labels, and who gave them, of the columns that were corrected."""
    import pandas as pd

    for boundaries, name, column in reviewed.corrected_columns():
        if boundaries != typed or not (column.corrected or reviewed.filing.label_set(typed, name)):
            continue
        labels, codes = column.labels, column.codes
        here = np.where(rows >= 0, codes[rows], -1)
        used = np.unique(here[here >= 0])
        position = np.full(len(labels.names) + 1, -1)
        position[used] = np.arange(len(used))
        names = [labels.names[code] for code in used]
        table.obs[keys.reviewed(name)] = pd.Categorical.from_codes(position[here], names)
        table.uns[f"{keys.reviewed(name)}_colors"] = [labels.colors[code] for code in used]
        authors = column.authors()
        table.obs[keys.reviewed_by(name)] = pd.Categorical(
            [authors.get(row, "") for row in rows.tolist()]
        )


def _add_numbers(table: AnnData, rows: Any, reviewed: Reviewed, typed: str) -> None:
    """Add the confidence of types, where some were brought up to date."""
    name = keys.CONFIDENCE_CELLTYPIST
    updates = reviewed.segmentation(typed).updates
    if name in table.obs and any(updates.of(cell, name) for cell in updates.cells()):
        values = reviewed.numbers(typed, name).values
        table.obs[keys.reviewed(name)] = np.where(rows >= 0, values[rows], np.nan)
