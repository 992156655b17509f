"""Crop the sample to its region: a bounding box, drawn polygons, or the whole slide."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError, StageError
from napari_vhd.io import outs, space_ranger
from napari_vhd.io.fullres_image import CHUNK_PX, check_image
from napari_vhd.io.regions import Region, area_names, find_region, inside, polygons
from napari_vhd.parameters import RegionParameters

from .stage import Inputs, Outcome, Sample, Stage, each

if TYPE_CHECKING:
    from collections.abc import Iterable

    from geopandas import GeoDataFrame
    from spatialdata import SpatialData

    from napari_vhd.io.visium_hd import Checked

# The coarsest level of the image pyramid is at most this many px wide and high.
_COARSEST_PX = 512


def crop(sample: Sample, _parameters: RegionParameters) -> Outcome:
    """Read the sample again and keep its region.

    Bins that a bounding box cuts are kept whole, as in `spatialdata.bounding_box_query`; of drawn
    areas, bins are kept whose centre is inside.
    """
    from napari_vhd.io import visium_hd

    checked = space_ranger.check_outs(sample.outs, sample.id, sample.image)
    region = find_region(sample.region, checked.image)
    if region.clipped:
        sample.report.notice(
            f"The region reaches beyond the image ({checked.image.width} x {checked.image.height} "
            f"px) and was cut to {list(region.box)}."
        )
    sample.report.progress(0, 3, "reading bins")
    box = None if sample.region is None else region.box
    whole = visium_hd.read(checked, sample.id, box=box)
    sample.report.progress(1, 3, "cropping bins")
    bins = _crop_bins(whole, sample, region)
    small = keys.bin_shapes(sample.id, 2)
    if small not in bins.shapes:
        raise StageError(f"region {list(region.box)}: no 2 µm bin under tissue is inside; move it.")
    _place(bins, checked.microns_per_pixel)
    sample.report.progress(2, 3, "cropping the image")
    image = _crop_image(whole[keys.full_image(sample.id)].data, region, sample.id, checked)
    elements: dict[str, Any] = {keys.full_image(sample.id): image}
    elements |= dict(bins.shapes) | dict(bins.tables)
    elements[keys.TISSUE_OUTLINE] = _outline(bins[small], region, sample.id, checked)
    table = bins[keys.bin_table(2)]
    x0, y0, x1, y1 = region.box
    numbers: dict[str, float | int | str] = {"region (px)": f"{x1 - x0} x {y1 - y0}"}
    numbers |= {
        f"{size} µm bins": bins[keys.bin_table(size)].n_obs
        for size in keys.BIN_SIZES_UM
        if keys.bin_table(size) in bins.tables
    }
    numbers["UMIs"] = int(table.X.sum())
    numbers["mean UMIs a 2 µm bin"] = round(float(table.X.sum() / table.n_obs), 2)
    return Outcome(elements=elements, attrs=dict(whole.attrs), numbers=numbers)


def check(inputs: Inputs) -> None:
    """Check the region against the image and the tissue."""
    sample = inputs.sample
    header = check_image(outs.find_image(inputs.outs, sample.fullres_image))
    region = find_region(sample.region, header)
    if sample.region is None:
        return
    x, y = outs.bins_inside(inputs.outs, 2, region.box)
    if not inside(region, x, y).any():
        given = sample.region if isinstance(sample.region, str) else list(sample.region)
        raise BadInputError(
            f"region {given}: there is no tissue inside; choose a region with bins under tissue "
            f"(the image is {header.width} x {header.height} px)."
        )


def files(inputs: Inputs) -> Iterable[Path]:
    """Name every file that is read."""
    yield from outs.input_files(inputs.outs, inputs.sample.fullres_image)
    if isinstance(inputs.sample.region, str):
        yield Path(inputs.sample.region)


def _crop_bins(whole: SpatialData, sample: Sample, region: Region) -> SpatialData:
    """Keep the bins of the region, with the counts that belong to them."""
    from spatialdata import SpatialData, bounding_box_query

    names = [keys.bin_shapes(sample.id, size) for size in keys.BIN_SIZES_UM]
    bins = SpatialData(
        shapes={name: whole[name] for name in names if name in whole.shapes},
        tables=dict(whole.tables),
    )
    if sample.region is None:
        return bins
    xmin, ymin, xmax, ymax = region.box
    bins = bounding_box_query(
        bins,
        axes=("x", "y"),
        min_coordinate=[xmin, ymin],
        max_coordinate=[xmax, ymax],
        target_coordinate_system=sample.id,
        filter_table=True,
    )
    if not region.areas:
        return bins
    kept = SpatialData()
    for size in keys.BIN_SIZES_UM:
        name, table_name = keys.bin_shapes(sample.id, size), keys.bin_table(size)
        if name in bins.shapes:
            table = bins[table_name]
            within = inside(region, *table.obsm[keys.SPATIAL].T)
            if within.any():
                table = table[within].copy()
                table.obs[keys.REGION_NAME] = area_names(region, table.obsm[keys.SPATIAL])
                kept[name] = bins[name].loc[table.obs[keys.LOCATION_ID]]
                kept[table_name] = table
    return kept


def _place(bins: SpatialData, microns_per_pixel: float) -> None:
    """Give every table its places in both frames."""
    for name, table in list(bins.tables.items()):
        if table.is_view:
            del bins.tables[name]
            bins[name] = table = table.copy()
        table.obsm[keys.SPATIAL] = table.obsm[keys.SPATIAL].astype(float)
        table.obsm[keys.SPATIAL_UM] = table.obsm[keys.SPATIAL] * microns_per_pixel


def _crop_image(pixels: Any, region: Region, sample_id: str, checked: Checked) -> Any:
    """Cut the image (3, height, width) and build its pyramid, in chunks that are quick to read."""
    from spatialdata.models import Image2DModel
    from spatialdata.transformations import Scale, Sequence, Translation

    x0, y0, x1, y1 = region.box
    levels = max(1, math.ceil(math.log2(max(x1 - x0, y1 - y0) / _COARSEST_PX)))
    move = Translation([x0, y0], axes=("x", "y"))
    scale = Scale([checked.microns_per_pixel] * 2, axes=("x", "y"))
    return Image2DModel.parse(
        pixels[:, y0:y1, x0:x1].rechunk((3, CHUNK_PX, CHUNK_PX)),
        dims=("c", "y", "x"),
        c_coords=["r", "g", "b"],
        scale_factors=[2] * levels,
        chunks=(3, CHUNK_PX, CHUNK_PX),
        transformations={sample_id: move, keys.MICRONS: Sequence([move, scale])},
    )


def _outline(bins: GeoDataFrame, region: Region, sample_id: str, checked: Checked) -> GeoDataFrame:
    """Outline what is analysed, in full-resolution px: drawn areas, or the box of the bins."""
    import geopandas as gpd
    from shapely.geometry import box
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Identity, Scale

    xmin, ymin, xmax, ymax = bins.total_bounds
    x0, y0, x1, y1 = region.box
    limit = box(
        max(x0, math.floor(xmin)),
        max(y0, math.floor(ymin)),
        min(x1, math.ceil(xmax)),
        min(y1, math.ceil(ymax)),
    )
    areas = [(name, area.intersection(limit)) for name, area in region.areas] or [("", limit)]
    parts = [(name, p) for name, area in areas for p in polygons(area)]
    frame = gpd.GeoDataFrame({"name": [n for n, _ in parts]}, geometry=[p for _, p in parts])
    scale = Scale([checked.microns_per_pixel] * 2, axes=("x", "y"))
    return ShapesModel.parse(frame, transformations={sample_id: Identity(), keys.MICRONS: scale})


STAGE = Stage(
    name="region",
    title="Region",
    parameters=RegionParameters,
    run=each(crop),
    needs=("read",),
    makes=(
        keys.full_image("{id}"),
        *(keys.bin_shapes("{id}", size) for size in keys.BIN_SIZES_UM),
        *(keys.bin_table(size) for size in keys.BIN_SIZES_UM),
        keys.TISSUE_OUTLINE,
    ),
    check=check,
    files=files,
    imports=("sopa.io",),
)
