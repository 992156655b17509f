"""Cut the image into overlapping patches for segmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_vhd import keys
from napari_vhd.exceptions import StageError
from napari_vhd.io.visium_hd import quiet
from napari_vhd.parameters import PatchesParameters

from .stage import Outcome, Sample, Stage, each

if TYPE_CHECKING:
    from geopandas import GeoDataFrame


def make_patches(sample: Sample, parameters: PatchesParameters) -> Outcome:
    """Make the patches where there is tissue, by `sopa.make_image_patches`.

    They are in px of the cropped image, as sopa's segmentation needs them, and never reach beyond
    it.
    """
    import sopa
    from sopa.constants import SopaAttrs
    from spatialdata import SpatialData
    from spatialdata.transformations import get_transformation, set_transformation

    image_name = keys.full_image(sample.id)
    for name in (image_name, keys.TISSUE_OUTLINE):
        if name not in sample.sdata:
            raise StageError(f"{name} is not in the sample; run the stage region again.")
    image = sample.sdata[image_name]
    frames = get_transformation(image, get_all=True)
    # A copy in memory: sopa writes into the store of what it is given. With one frame only, as
    # sopa takes any of several, and rounding differs between them.
    here = SpatialData(
        images={image_name: image.copy()},
        shapes={keys.TISSUE_OUTLINE: sample.sdata[keys.TISSUE_OUTLINE].copy()},
        attrs={SopaAttrs.CELL_SEGMENTATION: image_name},
    )
    for element in (here[image_name], here[keys.TISSUE_OUTLINE]):
        only = get_transformation(element, sample.id)
        set_transformation(element, {sample.id: only}, set_all=True)
    with quiet():
        sopa.make_image_patches(
            here,
            patch_width=parameters.patch_width,
            patch_overlap=parameters.patch_overlap,
            image_key=image_name,
            roi_key=keys.TISSUE_OUTLINE,
            key_added=keys.IMAGE_PATCHES,
        )
    height, width = image["scale0"]["image"].shape[1:]
    patches = _clip(here[keys.IMAGE_PATCHES], width, height)
    set_transformation(patches, frames, set_all=True)
    return Outcome(
        elements={keys.IMAGE_PATCHES: patches},
        numbers={"patches": len(patches), "side (px)": parameters.patch_width},
    )


def _clip(patches: GeoDataFrame, width: int, height: int) -> GeoDataFrame:
    """Cut patches to an image of that size (px)."""
    from shapely.geometry import box

    bounds = [(x0, y0, min(x1, width), min(y1, height)) for x0, y0, x1, y1 in patches["bboxes"]]
    return patches.assign(
        bboxes=[list(b) for b in bounds],
        geometry=patches.geometry.intersection(box(0, 0, width, height)),
    )


STAGE = Stage(
    name="patches",
    title="Patches",
    parameters=PatchesParameters,
    run=each(make_patches),
    needs=("region",),
    makes=(keys.IMAGE_PATCHES,),
    imports=("sopa",),
)
