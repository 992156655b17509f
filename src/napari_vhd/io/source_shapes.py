"""Outlines of a GeoParquet file, read in pieces: half a million cells at once fill the memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa
    from geopandas import GeoDataFrame
    from numpy.typing import NDArray

    Pieces = Iterator[NDArray[Any]]

_PIECE = 16_384


def read_shapes(file: Path) -> tuple[pd.DataFrame, Pieces]:
    """Read the columns of a GeoParquet file, and its geometries piece by piece.

    Returns
    -------
    columns, pieces
        As geopandas reads them; arrays of shapely geometries, one after the other.
    """
    import geopandas as gpd
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as parquet:
        names = parquet.schema_arrow.names
        described = json.loads((parquet.schema_arrow.metadata or {}).get(b"geo", b"{}"))
        name = described.get("primary_column", "geometry")
        encoding = described.get("columns", {}).get(name, {}).get("encoding")
        if encoding != "WKB" or len(described["columns"]) > 1:
            return whole(gpd.read_parquet(file))
        others = [other for other in names if other != name]
        table = parquet.read(columns=others, use_pandas_metadata=True)
    return _frame(table), _pieces(file, name)


def whole(frame: GeoDataFrame) -> tuple[pd.DataFrame, Pieces]:
    """Give a frame as `read_shapes` does: all of it is one piece."""
    geometries = frame.geometry.to_numpy()
    return frame.drop(columns=frame.geometry.name), iter([geometries])


def _frame(table: pa.Table) -> pd.DataFrame:
    """Convert a table piece by piece: while texts are made of one no other thread works."""
    import pandas as pd

    described = table.schema.pandas_metadata or {}
    if not all(isinstance(column, str) for column in described.get("index_columns", [{}])):
        return table.to_pandas()  # rows that are only numbered are numbered as a whole
    starts = range(0, max(len(table), 1), _PIECE)
    return pd.concat([table.slice(start, _PIECE).to_pandas() for start in starts])


def _pieces(file: Path, name: str) -> Pieces:
    import pyarrow as pa
    import pyarrow.parquet as pq
    import shapely

    with pq.ParquetFile(file) as parquet:
        for piece in parquet.iter_batches(_PIECE, columns=[name]):
            yield shapely.from_wkb(piece.column(0).to_numpy(zero_copy_only=False))
    pa.default_memory_pool().release_unused()
