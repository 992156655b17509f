"""A SpatialData store of Visium HD as a source: sopa's, Space Ranger's segmentation, a run's."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError

from . import frames
from .source import Kind, Source, readable
from .source_bins import Bins, Described, fit_affine
from .source_frames import Frame, systems_of
from .source_image import Pyramid, stored_pyramid
from .source_shapes import read_shapes, whole
from .source_table import BINS, Table
from .untrusted import check_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd
    from geopandas import GeoDataFrame
    from numpy.typing import NDArray
    from spatialdata import SpatialData

    from .source import Outlined, Overview
    from .source_frames import Matrix
    from .source_shapes import Pieces

_CELLS = re.compile(r"boundar|segmentation|cell|nucle", re.IGNORECASE)
_NO_CELLS = frozenset({keys.IMAGE_PATCHES, keys.TISSUE_OUTLINE, keys.REGIONS})


class ZarrSource(Source):
    """A SpatialData store.

    Parameters
    ----------
    path
        The store.
    sample_id
        Id of the sample; None: taken from the names of its elements.
    """

    kind: ClassVar[Kind] = "zarr"

    def __init__(self, path: Path, sample_id: str | None = None) -> None:
        import zarr

        check_store(path)
        self.path = path
        self._root = path.resolve()
        self._groups: Any = zarr.open_group(self._root, mode="r", use_consolidated=False)
        self._names = {kind: self._list(kind) for kind in ("images", "shapes", "tables")}
        self.sample_id = sample_id or self._find_id()
        self._systems = {
            (kind, name): systems_of(dict(self._group(kind, name).attrs))
            for kind in ("images", "shapes")
            for name in self._names[kind]
        }
        self._frame = Frame.of(self.sample_id, self._anchors())
        self.typed = self._typed
        self.um_per_px = self._frame.um_per_px or self._um_of_bins()
        self.notices = ()

    # What is there

    def _list(self, kind: str) -> tuple[str, ...]:
        folder = self._root / kind
        if not folder.is_dir():
            return ()
        there = [entry for entry in folder.iterdir() if entry.is_dir()]
        marks = ("zarr.json", ".zgroup", ".zattrs")
        named = [one.name for one in there if any((one / mark).is_file() for mark in marks)]
        return tuple(sorted(named))

    def _group(self, kind: str, name: str) -> Any:
        import zarr

        return zarr.open_group(self._root / kind / name, mode="r", use_consolidated=False)

    def _find_id(self) -> str:
        found = sample_id_of(self._names["images"], self._names["shapes"])
        if found is None:
            raise BadInputError(
                f"{self.path}: holds neither a '<id>{keys.full_image('')}' image nor Visium HD "
                "bins or cells; open a Visium HD sample."
            )
        return found

    def _anchors(self) -> list[dict[str, Matrix]]:
        """Systems of what lies in full-resolution px by its nature."""
        full = ("images", keys.full_image(self.sample_id))
        others = [("shapes", name) for name in self._names["shapes"] if BINS.match(name)]
        others += [("shapes", name) for name in self._names["shapes"] if not BINS.match(name)]
        return [self._systems[one] for one in (full, *others) if one in self._systems]

    def _matrix(self, kind: str, name: str) -> Matrix | None:
        return self._frame.matrix(self._systems[kind, name])

    # Pictures

    def image(self) -> Pyramid | None:
        """Open the full-resolution H&E."""
        return self._pyramid(keys.full_image(self.sample_id))

    def _pyramid(self, name: str) -> Pyramid | None:
        if name not in self._names["images"]:
            return None
        matrix = self._matrix("images", name)
        if matrix is None:
            return None
        with readable(self.path):
            return stored_pyramid(self._group("images", name), matrix)

    def hires(self) -> Overview | None:
        """Read the overview picture."""
        for name in (keys.hires_image(self.sample_id), keys.lowres_image(self.sample_id)):
            pyramid = self._pyramid(name)
            if pyramid is not None:
                with readable(self.path):
                    return np.asarray(pyramid.levels[0][:]), pyramid.scales[0], pyramid.origin
        return None

    # Boundaries

    def segmentation_names(self) -> tuple[str, ...]:
        """Name the boundaries, those that `obs` describes first."""
        annotated = {region for table in self._tables.values() for region in table.regions}
        names = [
            name
            for name in self._names["shapes"]
            if not BINS.match(name) and name not in _NO_CELLS
            if name in annotated or _CELLS.search(name)
        ]
        return tuple(sorted(names, key=lambda name: (name != self.typed, name)))

    def outlines(self, name: str) -> Outlined:
        """Read boundaries in full-resolution px."""
        if name not in self._names["shapes"]:
            there = ", ".join(self.segmentation_names()) or "none"
            raise BadInputError(f"{self.path}: holds no {name}; there are: {there}.")
        with readable(self.path):
            columns, pieces = self._shapes(name)
        return [str(one) for one in columns.index], self._areas(pieces), columns

    def _areas(self, pieces: Pieces) -> Pieces:
        """Leave out what is no area: a cell of which only the centre is known, for example."""
        import shapely

        areas = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)
        with readable(self.path):
            for piece in pieces:
                piece[~np.isin(shapely.get_type_id(piece), areas)] = None
                yield piece

    def _shapes(self, name: str) -> tuple[pd.DataFrame, Pieces]:
        """Read one element of shapes: its columns, and its geometries in full-resolution px."""
        file = self._root / "shapes" / name / "shapes.parquet"
        if file.is_file():
            columns, pieces = read_shapes(file)
        else:  # how SpatialData kept shapes before 2024
            import spatialdata

            columns, pieces = whole(spatialdata.read_zarr(self._root, selection=("shapes",))[name])
        columns.attrs = {}
        matrix = self._matrix("shapes", name)
        if matrix is None:
            raise ValueError(f"{name} is not placed on the picture")
        return columns, (frames.moved(piece, matrix) for piece in pieces)

    def regions(self) -> GeoDataFrame | None:
        """Read the regions that are part of the store."""
        import geopandas as gpd

        if keys.REGIONS not in self._names["shapes"]:
            return None
        with readable(self.path):
            columns, pieces = self._shapes(keys.REGIONS)
            geometries = [one for piece in pieces for one in piece]
        frame = gpd.GeoDataFrame(columns, geometry=geometries)
        if "name" in frame:
            frame = frame.set_index(frame["name"].astype(str)).drop(columns="name")
        return frame

    # Tables

    @cached_property
    def _tables(self) -> dict[str, Table]:
        return {name: Table(self._group("tables", name)) for name in self._names["tables"]}

    @property
    def _typed(self) -> str | None:
        table = self._cells
        return None if table is None else table.regions[0]

    @cached_property
    def _cells(self) -> Table | None:
        """Find the table of cells: ``table``, or the first that annotates polygons of cells."""
        order = sorted(self._tables, key=lambda name: (name != keys.CELLS, name))
        for name in order:
            table = self._tables[name]
            shapes = [region for region in table.regions if region in self._names["shapes"]]
            if shapes and not BINS.match(shapes[0]) and name != keys.PROSEG_COUNTS:
                table.regions = shapes
                return table
        return None

    def obs(self) -> pd.DataFrame:
        """Read the cells' table without its counts."""
        if self._cells is None:
            return super().obs()
        with readable(self.path):
            return self._cells.obs

    def uns_colors(self, column: str) -> tuple[str, ...]:
        """Colours recorded for a column's categories; "" for what is no colour."""
        if self._cells is None:
            return ()
        with readable(self.path):
            return self._cells.colors(column)

    def obsm(self, name: str) -> Any:
        """Read an array by cell."""
        from anndata.io import read_elem

        group = None if self._cells is None else self._cells.group.get(f"obsm/{name}")
        if self._cells is None or group is None:
            return None
        with readable(self.path):
            return read_elem(group)[self._cells.rows]

    def genes(self) -> tuple[str, ...]:
        """Name the genes."""
        return () if self._cells is None else self._cells.genes

    def gene(self, symbol: str) -> NDArray[np.float32]:
        """Read the counts of one gene in each cell."""
        if self._cells is None or self._cells.counts is None:
            return super().gene(symbol)
        with readable(self.path):
            values: NDArray[np.float32] = self._cells.counts.gene(symbol)[self._cells.rows]
            return values

    def bins(self, size_um: int) -> Bins | None:
        """Open the bins of the store."""
        table = self._tables.get(keys.bin_table(size_um))
        if table is None or not {keys.ARRAY_ROW, keys.ARRAY_COL} <= table.columns:
            return None
        with readable(self.path):
            known = self.described_bins(size_um)
            centres = self._centres(table)
            if known is None or centres is None or not len(centres):
                return None
            affine = fit_affine(known.array_row, known.array_col, centres)
            return Bins(
                size_um, known.array_row, known.array_col, affine, table.counts, lambda: known
            )

    def described_bins(self, size_um: int) -> Described | None:
        """Read what the store knows of its bins."""
        table = self._tables.get(keys.bin_table(size_um))
        if table is None or not {keys.ARRAY_ROW, keys.ARRAY_COL} <= table.columns:
            return None
        obs = table.obs
        row, col = (obs[name].to_numpy(np.int32) for name in (keys.ARRAY_ROW, keys.ARRAY_COL))
        return Described(row, col, obs)

    def _centres(self, table: Table) -> NDArray[np.float64] | None:
        """Centres of bins in full-resolution px; their table has them as their shapes do."""
        if keys.SPATIAL not in table.group.get("obsm", {}):
            return None
        places = np.asarray(table.group[f"obsm/{keys.SPATIAL}"][:], dtype=float)
        shapes = next((name for name in table.regions if name in self._names["shapes"]), None)
        matrix = None if shapes is None else self._matrix("shapes", shapes)
        return places if matrix is None else frames.points_moved(places, matrix)

    def _um_of_bins(self) -> float | None:
        """Side of a pixel from how far bins are apart."""
        for size in (16, 8, 2):
            bins = self.bins(size)
            if bins is not None and bins.n_bins > 2 and bins.size_px > 0:
                return size / bins.size_px
        return None

    # For others

    def sdata(self) -> SpatialData | None:
        """Open the store with SpatialData, images lazily."""
        import spatialdata

        from .publishing import quiet

        with readable(self.path), quiet():
            return spatialdata.read_zarr(self._root)

    def table_path(self, name: str) -> Path | None:
        """Folder of a table."""
        return self._root / "tables" / name if name in self._names["tables"] else None


def sample_id_of(images: Any, shapes: Any) -> str | None:
    """Find the sample's id in the names of elements; None where it is no Visium HD sample."""
    suffixes: list[Callable[[str], str]] = [keys.full_image, keys.hires_image]
    for suffix in suffixes:
        for name in images:
            if name.endswith(suffix("")):
                return str(name.removesuffix(suffix("")))
    for name in shapes:
        match = BINS.match(name)
        if match:
            return match["id"] or name
    for name in shapes:
        for ending in ("_cell_segmentations", "_nucleus_segmentations"):
            if name.endswith(ending):
                return str(name.removesuffix(ending))
    return None
