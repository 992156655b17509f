"""Correct, then refine: corrected nuclei are given back to ProSeg on one region.

ProSeg moves the edges of cells but neither merges nor splits them, so an error of its nuclei stays
in its cells. Here it runs again on the region alone, with the nuclei as they were corrected, and
what it gives is a `Proposal`: shown beside the cells as they are, then accepted as one correction
or dropped. Cells outside are not in it.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError
from napari_vhd.parameters import ProsegParameters, ProsegSettings

from .geometry import MIN_AREA_UM2, largest_part, parts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData
    from geopandas import GeoDataFrame

    from napari_vhd.stages.stage import Executor, Report, Sample

    from .outlines import Outlines

# What ProSeg sees around the region, so that cells at its edge grow among neighbours.
MARGIN_UM = 25.0
REQUEST, NUCLEI, GROWN = "request.json", "nuclei.parquet", "grown.parquet"
SCRATCH = "scratch"


@dataclass(frozen=True)
class Request:
    """What ProSeg is asked; passes to another process as a folder.

    Attributes
    ----------
    store
        SpatialData store with the 2 µm bins, places in full-resolution px.
    sample_id, um_per_px
        The sample, and the side of a full-resolution pixel.
    region
        WKT of the area whose cells are to be grown again, full-resolution px.
    settings
        ProSeg's, as in the config.
    """

    store: str
    sample_id: str
    um_per_px: float
    region: str
    settings: Mapping[str, Any]

    @property
    def seen(self) -> Any:
        """What ProSeg sees: the region and a margin."""
        import shapely

        return shapely.from_wkt(self.region).buffer(MARGIN_UM / self.um_per_px)


def write_request(folder: Path, request: Request, nuclei: Outlines) -> None:
    """Write down what ProSeg is asked, with the nuclei as they are now.

    Raises
    ------
    BadInputError
        Where the region is no area, or holds no nucleus.
    """
    import geopandas

    region = request_region(request)
    rows = nuclei.touching(request.seen)
    if not len(nuclei.within(region)):
        raise BadInputError(
            "There are no nuclei in the region, so ProSeg has nothing to grow cells from; choose "
            "another region, or add nuclei first."
        )
    frame = geopandas.GeoDataFrame(geometry=nuclei.geometries(rows), index=nuclei.ids_of(rows))
    frame.to_parquet(folder / NUCLEI)
    (folder / REQUEST).write_text(json.dumps(dataclasses.asdict(request)), encoding="utf-8")


def request_region(request: Request) -> Any:
    """Region of a request as a geometry.

    Raises
    ------
    BadInputError
        Where it is no area.
    """
    import shapely

    region = shapely.make_valid(shapely.from_wkt(request.region))
    if largest_part(region) is None:
        raise BadInputError("The region to refine encloses no area; draw it around some cells.")
    return region


def sample_of(folder: Path, report: Report, executor: Executor) -> tuple[Sample, ProsegParameters]:
    """Load the bins under a written request and its nuclei, as the stage ``proseg`` sees a sample.

    Raises
    ------
    BadInputError
        Where the bins cannot be read.
    """
    import geopandas
    from spatialdata import SpatialData

    from napari_vhd.io import frames
    from napari_vhd.io.visium_hd import quiet
    from napari_vhd.stages.stage import Sample

    request = Request(**json.loads((folder / REQUEST).read_text(encoding="utf-8")))
    name = keys.bin_shapes(request.sample_id, 2)
    bins = _bins_in(request, name)
    with quiet():
        sdata = SpatialData(
            shapes={name: _squares(request, bins)}, tables={keys.bin_table(2): bins}
        )
        nuclei = geopandas.read_parquet(folder / NUCLEI)
        sdata.shapes[keys.STARDIST] = frames.full_px_shapes(nuclei, sdata, request.sample_id)
    (folder / SCRATCH).mkdir(exist_ok=True)
    sample = Sample(
        id=request.sample_id,
        name=request.sample_id,
        sdata=sdata,
        outs=folder,
        image=None,
        region=None,
        run_dir=folder,
        scratch=folder / SCRATCH,
        reference=None,
        marker_genes={},
        report=report,
        executor=executor,
    )
    return sample, ProsegParameters(proseg=ProsegSettings(**request.settings))


def grow(folder: Path, sample: Sample, parameters: ProsegParameters) -> None:
    """Run ProSeg on what `sample_of` loaded, and write what it gives."""
    from napari_vhd.stages import proseg

    cells = proseg.run_one(sample, parameters).elements[keys.PROSEG]
    plain = cells[[keys.NUCLEUS_ID, "geometry"]].copy()
    plain.attrs = {}
    plain.to_parquet(folder / GROWN)


@dataclass(frozen=True)
class Proposal:
    """Cells of a region as ProSeg grows them from the corrected nuclei.

    Attributes
    ----------
    region
        The area, full-resolution px.
    before, outlines
        Cell id -> outline now, and as proposed; None: the cell is gone, because its nucleus is, or
        ProSeg gave it no ground.
    made, made_from
        Outlines of new cells, and the nucleus that each grew from.
    kept
        Cells in the region that no nucleus belongs to: they stay as a person made them.
    """

    region: Any
    before: Mapping[str, Any]
    outlines: Mapping[str, Any]
    made: tuple[Any, ...]
    made_from: tuple[str, ...]
    kept: tuple[str, ...]

    @property
    def summary(self) -> str:
        """What accepting would do, in a sentence."""
        gone = sum(shape is None for shape in self.outlines.values())
        changed = len(self.outlines) - gone
        return f"{changed} cells get another outline, {len(self.made)} are new, {gone} are gone."


def proposal(
    folder: Path, cells: Outlines, nuclei: Outlines, nucleus_of: Mapping[str, str]
) -> Proposal:
    """Make a proposal of what ProSeg gave.

    A cell keeps its id where its nucleus is still there; ground that cells outside the region hold
    stays theirs.

    Parameters
    ----------
    folder
        As `grow` left it.
    cells, nuclei
        ProSeg's cells and the nuclei as they are now.
    nucleus_of
        Cell id -> nucleus that it grew from, as computed. Cells that are not named belong to the
        nucleus that has its centre in them.
    """
    import geopandas

    request = Request(**json.loads((folder / REQUEST).read_text(encoding="utf-8")))
    region = request_region(request)
    inside = set(nuclei.ids_of(nuclei.within(region)))
    owner = _owners(cells, nuclei, nucleus_of, region)
    frame = geopandas.read_parquet(folder / GROWN)
    found = {
        str(nucleus): shape
        for nucleus, shape in zip(frame[keys.NUCLEUS_ID], frame.geometry, strict=True)
        if str(nucleus) in inside
    }
    replaced = {cell: nucleus for cell, nucleus in owner.items() if nucleus in inside}
    # Its nucleus was deleted or merged away: the cell has nothing left to grow from.
    orphans = [cell for cell, nucleus in owner.items() if nuclei.row_of(nucleus) < 0]
    kept = _without_nucleus(cells, region, owner)
    mine = {*replaced, *orphans}
    taken = _around(cells, [*found.values()], mine)
    fitted = {nucleus: _fitted(shape, taken, request) for nucleus, shape in found.items()}
    outlines: dict[str, Any] = dict.fromkeys(orphans)
    named = set()
    for cell, nucleus in replaced.items():
        outlines[cell] = None if nucleus in named else fitted.get(nucleus)
        named.add(nucleus)
    before = {cell: cells.geometry(cell) for cell in outlines}
    changed = {
        cell: shape
        for cell, shape in outlines.items()
        if shape is None or not shape.equals(before[cell])
    }
    made = {
        nucleus: shape
        for nucleus, shape in fitted.items()
        if shape is not None and nucleus not in named
    }
    return Proposal(
        region=region,
        before={cell: before[cell] for cell in changed},
        outlines=changed,
        made=tuple(made.values()),
        made_from=tuple(made),
        kept=kept,
    )


def _owners(
    cells: Outlines, nuclei: Outlines, nucleus_of: Mapping[str, str], region: Any
) -> dict[str, str]:
    """Nucleus of each cell that is, or whose nucleus is, in the region."""
    rows = set(cells.touching(region).tolist())
    here = {cell: nucleus_of[cell] for cell in cells.ids_of(sorted(rows)) if cell in nucleus_of}
    wanted = set(nuclei.ids_of(nuclei.within(region)))
    far = {cell: nucleus for cell, nucleus in nucleus_of.items() if nucleus in wanted}
    owner = {cell: nucleus for cell, nucleus in (here | far).items() if cells.row_of(cell) >= 0}
    central = set(cells.ids_of(cells.within(region)))
    # A cell whose nucleus is gone goes with the region only if it lies in it.
    owner = {
        cell: nucleus
        for cell, nucleus in owner.items()
        if nuclei.row_of(nucleus) >= 0 or cell in central
    }
    claimed = set(owner.values())
    for nucleus, row in zip(sorted(wanted), nuclei.rows_of(sorted(wanted)), strict=True):
        if nucleus not in claimed:
            cell = cells.pick(*nuclei.centroids[row].tolist())
            if cell >= 0 and (name := cells.id_of(cell)) not in nucleus_of:
                owner.setdefault(name, nucleus)
    return owner


def _without_nucleus(cells: Outlines, region: Any, owner: Mapping[str, str]) -> tuple[str, ...]:
    """Cells in the region that belong to no nucleus."""
    return tuple(cell for cell in cells.ids_of(cells.within(region)) if cell not in owner)


def _around(cells: Outlines, shapes: list[Any], mine: set[str]) -> Any:
    """Ground of the cells that are not grown again, near those that are."""
    import shapely

    if not shapes:
        return shapely.Polygon()
    rows = cells.query(*shapely.total_bounds(np.asarray(shapes, dtype=object)).tolist())
    others = [row for row in rows.tolist() if cells.id_of(row) not in mine]
    return shapely.union_all(shapely.make_valid(cells.geometries(others)))


def _fitted(shape: Any, taken: Any, request: Request) -> Any:
    """Leave ground to the cells around; None where less than one bin is left."""
    import shapely

    left = shape if not shape.intersects(taken) else shape.difference(taken)
    smallest = MIN_AREA_UM2 / request.um_per_px**2
    parts = [part for part in parts_of(left) if part.area >= smallest * (1 - 1e-6)]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def _bins_in(request: Request, name: str) -> AnnData:
    """Read the bins that ProSeg sees from the store, without the others."""
    import pandas as pd
    import zarr
    from anndata import AnnData
    from anndata.io import read_elem
    from spatialdata.models import TableModel

    from napari_vhd.io.bin_counts import BinCounts

    path = Path(request.store) / "tables" / keys.bin_table(2)
    counts = BinCounts.open(path)
    seen = np.sort(counts.grid.within([request.seen]).indices)
    if not len(seen):
        raise BadInputError("There are no bins under the region to refine; choose another one.")
    group: Any = zarr.open_group(path, mode="r")
    row, col = (group[f"obs/{axis}"][:][seen] for axis in (keys.ARRAY_ROW, keys.ARRAY_COL))
    places = counts.grid.centres[seen]
    table = AnnData(
        counts.rows(seen),
        obs=pd.DataFrame(
            {
                keys.LOCATION_ID: np.arange(len(seen)),
                keys.REGION_KEY: pd.Categorical([name] * len(seen)),
                keys.ARRAY_ROW: row,
                keys.ARRAY_COL: col,
            },
            index=[f"bin{number}" for number in seen],
        ),
        var=read_elem(group["var"])[[]],
        obsm={keys.SPATIAL: places, keys.SPATIAL_UM: places * request.um_per_px},
    )
    return TableModel.parse(
        table, region=name, region_key=keys.REGION_KEY, instance_key=keys.LOCATION_ID
    )


def _squares(request: Request, bins: AnnData) -> GeoDataFrame:
    """Squares of the bins: they say how full-resolution px and µm belong together."""
    import geopandas
    import shapely
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Identity, Scale

    half = 1.0 / request.um_per_px
    points = shapely.points(bins.obsm[keys.SPATIAL])
    squares = geopandas.GeoDataFrame(geometry=shapely.buffer(points, half, cap_style="square"))
    scale = Scale([request.um_per_px] * 2, axes=("x", "y"))
    return ShapesModel.parse(
        squares, transformations={request.sample_id: Identity(), keys.MICRONS: scale}
    )
