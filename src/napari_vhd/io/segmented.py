"""Boundaries made elsewhere, or kept from an earlier run.

GeoJSON (QuPath, Space Ranger 4), GeoParquet, a run folder, or a SpatialData zarr store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError

from . import frames
from .geojson import read_features
from .regions import polygons
from .untrusted import check_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from anndata import AnnData
    from geopandas import GeoDataFrame, GeoSeries

    from .geojson import Feature

_GEOJSON = {".geojson", ".json"}
_PARQUET = {".parquet", ".geoparquet", ".pq"}
_COLUMNS = (keys.PROBABILITY, keys.NUCLEUS_ID)
# QuPath's StarDist extension calls it so.
_QUPATH_PROBABILITY = "Detection probability"


def _say_nothing(_sentence: str) -> None:
    """Drop a notice that nobody wants."""


def read_boundaries(
    path: Path,
    sample_id: str,
    name: str = keys.PROSEG,
    extent: tuple[float, float, float, float] | None = None,
    notice: Callable[[str], None] = _say_nothing,
) -> GeoDataFrame:
    """Read boundaries of cells or nuclei.

    Invalid outlines are repaired, empty ones left out; valid ones are taken as they are, so that
    boundaries kept from a run give its tables again.

    Parameters
    ----------
    path
        GeoJSON or GeoParquet in full-resolution px, a run folder or a SpatialData zarr store.
    sample_id
        Names the full-resolution px frame of a store.
    name
        Element of a store that is read.
    extent
        (xmin, ymin, xmax, ymax) in full-resolution px: only what touches it is kept.
    notice
        Told what was repaired and left out.

    Returns
    -------
    geopandas.GeoDataFrame
        Polygons in full-resolution px; index: cell ids as text; columns ``probability`` and
        ``nucleus_id`` where the source has them.

    Raises
    ------
    BadInputError
        Naming the file and the mend: unreadable, no polygons, ids that occur twice, or all of it
        outside the extent.
    """
    store = find_store(path)
    if store is not None:
        boundaries = _from_store(store, sample_id, name)
    elif path.suffix.lower() in _GEOJSON:
        boundaries = _from_features(read_features(path), notice)
    elif path.suffix.lower() in _PARQUET:
        boundaries = _from_parquet(path)
    else:
        raise BadInputError(
            f"{path}: boundaries are read from .geojson, .parquet, a run folder or a .zarr store."
        )
    boundaries = _mend(boundaries, path, notice)
    twice = boundaries.index[boundaries.index.duplicated()]
    if len(twice):
        raise BadInputError(f"{path}: the cell id {twice[0]!r} is there twice; make ids unique.")
    return boundaries if extent is None else _within(boundaries, path, extent, notice)


def read_proseg_counts(path: Path, ids: Iterable[str] | None = None) -> AnnData | None:
    """Read ProSeg's own counts that lie beside its boundaries in a run folder or store.

    Parameters
    ----------
    path
        As for `read_boundaries`.
    ids
        Cells to give, in this order; all, where None.

    Returns
    -------
    anndata.AnnData or None
        None where the source has none, or not for each of `ids`.
    """
    from anndata import read_zarr

    store = find_store(path)
    if store is None or not (store / "tables" / keys.PROSEG_COUNTS).is_dir():
        return None
    check_store(store)
    table = read_zarr(store / "tables" / keys.PROSEG_COUNTS)
    if ids is None:
        return table
    wanted = list(ids)
    if not set(wanted) <= set(table.obs_names):
        return None
    return table[wanted].copy()


def find_store(path: Path) -> Path | None:
    """Give the zarr store of a run folder, or the store itself; None where it is a file.

    Raises
    ------
    BadInputError
        Where there is nothing, or a folder without a store.
    """
    if not path.exists():
        raise BadInputError(f"{path}: there are no such boundaries; check params: boundaries.")
    if path.is_file():
        return None
    store = path / keys.STORE if (path / keys.STORE).exists() else path
    if not any((store / name).is_file() for name in ("zarr.json", ".zgroup")):
        raise BadInputError(
            f"{path}: is no run folder (there is no {keys.STORE}) and no zarr store; name one, or "
            "a GeoJSON or parquet file."
        )
    return store


def store_has(path: Path, name: str) -> bool:
    """Whether a run folder or store holds boundaries of that name."""
    store = find_store(path)
    return store is not None and (store / "shapes" / name).is_dir()


def _from_store(store: Path, sample_id: str, name: str) -> GeoDataFrame:
    """Read one element of a store."""
    from spatialdata import read_zarr
    from spatialdata.transformations import get_transformation

    check_store(store)
    found = sorted(p.name for p in (store / "shapes").glob("*_boundaries"))
    if name not in found:
        raise BadInputError(
            f"{store}: holds no {name}" + (f", only {', '.join(found)}" if found else "") + "; set "
            "boundaries_to_type to what is there, or name another store."
        )
    shapes = read_zarr(store, selection=("shapes",)).shapes[name]
    known = get_transformation(shapes, get_all=True)
    if sample_id not in known:
        raise BadInputError(
            f"{store}: {name} is not placed on the sample {sample_id!r} (its frames are "
            f"{', '.join(known)}); name boundaries of this sample."
        )
    matrix = frames.matrix_to(shapes, sample_id)
    moved = shapes.set_geometry(frames.moved(shapes.geometry.to_numpy(), matrix))
    return _frame(moved.geometry, moved.index, {c: moved[c] for c in _COLUMNS if c in moved})


def _from_parquet(path: Path) -> GeoDataFrame:
    """Read GeoParquet; ids are in the column ``cell_id``, else in an index that is not a count."""
    import geopandas as gpd
    import pandas as pd
    import pyarrow as pa

    try:
        read = gpd.read_parquet(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise BadInputError(
            f"{path}: is no GeoParquet file ({error}); write it with geopandas' to_parquet."
        ) from error
    if keys.CELL_ID in read:
        ids = read[keys.CELL_ID]
    elif isinstance(read.index, pd.RangeIndex):
        ids = _numbered(len(read))
    else:
        ids = read.index
    return _frame(read.geometry, ids, {c: read[c] for c in _COLUMNS if c in read})


def _from_features(features: list[Feature], notice: Callable[[str], None]) -> GeoDataFrame:
    """Take ids from ``properties.cell_id`` (Space Ranger, as its barcodes) or ``id`` (QuPath)."""
    import geopandas as gpd

    ids: list[str | None] = [_barcode(f.properties.get(keys.CELL_ID)) or f.id for f in features]
    if None in ids:
        notice("Not every outline has an id: they are numbered in the order of the file.")
        ids = list(_numbered(len(features)))
    columns = {
        column: [_value(feature, column) for feature in features]
        for column in _COLUMNS
        if any(_value(feature, column) is not None for feature in features)
    }
    return _frame(gpd.GeoSeries([feature.geometry for feature in features]), ids, columns)


def _barcode(cell_id: Any) -> str | None:
    """Name a cell as Space Ranger's matrices do, where its id is a number."""
    if isinstance(cell_id, int) and not isinstance(cell_id, bool):
        return f"cellid_{cell_id:09d}-1"
    return None if cell_id is None else str(cell_id)


def _value(feature: Feature, column: str) -> Any:
    """Find a column's value in the properties, or where QuPath keeps it."""
    if column in feature.properties:
        return feature.properties[column]
    measured = feature.properties.get("measurements")
    if column == keys.PROBABILITY and isinstance(measured, dict):
        return measured.get(_QUPATH_PROBABILITY)
    return None


def _numbered(n: int) -> list[str]:
    """Ids for outlines that have none."""
    return [f"c{number:06d}" for number in range(1, n + 1)]


def _frame(geometry: GeoSeries, ids: Iterable[Any], columns: dict[str, Any]) -> GeoDataFrame:
    """Outlines with text ids and, where there are any, their columns in the usual types."""
    import geopandas as gpd
    import numpy as np
    import pandas as pd

    frame = gpd.GeoDataFrame(
        {column: np.asarray(values, dtype=object) for column, values in columns.items()},
        geometry=np.asarray(geometry.array),
        index=pd.Index([str(one) for one in ids]),
    )
    if keys.PROBABILITY in frame:
        frame[keys.PROBABILITY] = pd.to_numeric(frame[keys.PROBABILITY], errors="coerce")
    if keys.NUCLEUS_ID in frame:
        frame[keys.NUCLEUS_ID] = ["" if pd.isna(v) else str(v) for v in frame[keys.NUCLEUS_ID]]
    return frame


def _mend(boundaries: GeoDataFrame, path: Path, notice: Callable[[str], None]) -> GeoDataFrame:
    """Repair invalid outlines and leave out what has no area.

    Of what a repair leaves in several parts, the largest is kept. Outlines that were drawn in
    several parts stay so: ProSeg's cells may be, and all their bins are counted.
    """
    import numpy as np
    import shapely

    outlines = boundaries.geometry.to_numpy().copy()
    outlines[shapely.is_missing(outlines)] = shapely.Polygon()
    broken = np.flatnonzero(~shapely.is_valid(outlines))
    outlines[broken] = shapely.make_valid(outlines[broken])
    areas = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)
    odd = np.union1d(broken, np.flatnonzero(~np.isin(shapely.get_type_id(outlines), areas)))
    outlines[odd] = [_largest(outline) for outline in outlines[odd]]
    good = shapely.area(outlines) > 0
    if not good.any():
        raise BadInputError(f"{path}: holds no polygon with an area; export the boundaries again.")
    for count, what in (
        (int(good[broken].sum()), "invalid outlines were repaired"),
        (int((~good).sum()), "outlines without an area were left out"),
    ):
        if count:
            notice(f"{count} of {len(boundaries)} {what} ({path.name}).")
    return boundaries.set_geometry(outlines)[good]


def _largest(outline: Any) -> Any:
    """Give the largest polygon in a geometry of any kind, or an empty one."""
    from shapely import Polygon

    return max(polygons(outline), key=lambda part: part.area, default=Polygon())


def _within(
    boundaries: GeoDataFrame,
    path: Path,
    extent: tuple[float, float, float, float],
    notice: Callable[[str], None],
) -> GeoDataFrame:
    """Keep what touches the extent."""
    import shapely

    touching = shapely.intersects(boundaries.geometry.to_numpy(), shapely.box(*extent))
    if not touching.any():
        xmin, ymin, xmax, ymax = boundaries.total_bounds
        raise BadInputError(
            f"{path}: all boundaries (x {xmin:.0f} to {xmax:.0f}, y {ymin:.0f} to {ymax:.0f}) lie "
            f"outside the region, x {extent[0]:.0f} to {extent[2]:.0f}, y {extent[1]:.0f} to "
            f"{extent[3]:.0f}; give them in full-resolution px."
        )
    if not touching.all():
        notice(f"{(~touching).sum()} of {len(boundaries)} outlines lie outside the region.")
    return boundaries[touching]
