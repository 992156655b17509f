"""Outlines of a GeoParquet file, read in pieces: half a million cells at once fill the memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from geopandas import GeoDataFrame

_PIECE = 32_768


def read_shapes(file: Path) -> GeoDataFrame:
    """Read a GeoParquet file as geopandas does, with a third of the memory on the way."""
    import geopandas as gpd
    import pyarrow as pa
    import pyarrow.parquet as pq
    import shapely

    with pq.ParquetFile(file) as parquet:
        names = parquet.schema_arrow.names
        described = json.loads((parquet.schema_arrow.metadata or {}).get(b"geo", b"{}"))
        name = described.get("primary_column", "geometry")
        encoding = described.get("columns", {}).get(name, {}).get("encoding")
        if encoding != "WKB" or len(described["columns"]) > 1:
            return gpd.read_parquet(file)
        others = [other for other in names if other != name]
        frame = parquet.read(columns=others, use_pandas_metadata=True).to_pandas()
        outlines = np.empty(parquet.metadata.num_rows, dtype=object)
        at = 0
        for piece in parquet.iter_batches(_PIECE, columns=[name]):
            part = shapely.from_wkb(piece.column(0).to_numpy(zero_copy_only=False))
            outlines[at : at + len(part)] = part
            at += len(part)
    pa.default_memory_pool().release_unused()
    return gpd.GeoDataFrame(frame, geometry=outlines)
