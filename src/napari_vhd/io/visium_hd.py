"""Space Ranger's Visium HD folder and the full-resolution H&E to SpatialData.

Check with `check_outs` first, then `read`, which goes through `sopa.io.visium_hd`.
"""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from napari_vhd import keys
from napari_vhd.exceptions import StageError

from .excerpt import write_excerpt
from .fullres_image import open_image
from .outs import (
    FEATURE_SLICE,
    MATRIX,
    POSITIONS,
    SCALE_FACTORS,
    bin_folder,
    find_feature_slice,
    find_outs,
)
from .space_ranger import Checked, check_outs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spatialdata import SpatialData

__all__ = ["Checked", "check_outs", "find_outs", "quiet", "read"]

_OVERVIEWS = ("tissue_hires_image.png", "tissue_lowres_image.png")


def read(
    checked: Checked,
    sample_id: str,
    bin_sizes: Sequence[int] = keys.BIN_SIZES_UM,
    box: tuple[float, float, float, float] | None = None,
) -> SpatialData:
    """Read a checked Space Ranger folder.

    The full-resolution image is opened, not read. Images, bins and tissue outline have a
    transformation to the sample's full-resolution px frame and one to ``microns``. Gene names that
    stand for several genes get a suffix (``-1``).

    Parameters
    ----------
    checked
        What `check_outs` found.
    sample_id
        Names the elements and the full-resolution px frame.
    bin_sizes
        Bin sizes (µm) to read, where present.
    box
        (xmin, ymin, xmax, ymax) in full-resolution px: only bins that touch it are sure to be
        read, and not many others. Images are read whole.

    Raises
    ------
    StageError
        Where sopa cannot read what the headers promised.
    """
    with quiet(), TemporaryDirectory() as folder:
        _link(checked, Path(folder), bin_sizes, box)
        try:
            sdata = _read_linked(Path(folder), sample_id)
        except (OSError, KeyError, ValueError, AssertionError) as error:
            raise StageError(
                f"{checked.outs}: sopa cannot read it ({type(error).__name__}: {error}); copy the "
                "folder again from Space Ranger."
            ) from error
        _add_image(sdata, checked, sample_id)
        _set_frames(sdata, checked, sample_id)
    return sdata


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the warnings and log lines of sopa and spatialdata from a user's eyes."""
    import sopa  # noqa: F401  (sets its logger's level when imported)

    loggers = [logging.getLogger(name) for name in ("sopa", "spatialdata")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _link(
    checked: Checked,
    folder: Path,
    bin_sizes: Sequence[int],
    box: tuple[float, float, float, float] | None,
) -> None:
    """Link what is to be read into a folder, under the names that sopa knows.

    So the prefix of the feature slice does not matter, bins that nobody asked for and cells that
    Space Ranger segmented are not loaded, and the full-resolution image is not read whole.
    """
    outs = checked.outs
    links = {
        folder / FEATURE_SLICE: find_feature_slice(outs),
        folder / SCALE_FACTORS: bin_folder(outs, 2) / SCALE_FACTORS,
    }
    for size in (size for size in bin_sizes if size in checked.bins):
        source, target = bin_folder(outs, size), bin_folder(folder, size)
        if box is None:
            links |= {target / name: source / name for name in (MATRIX, POSITIONS, SCALE_FACTORS)}
        else:
            side = size / checked.microns_per_pixel
            write_excerpt(
                source, (box[0] - side, box[1] - side, box[2] + side, box[3] + side), target
            )
    for name in _OVERVIEWS:
        found = next(iter(sorted((outs / "spatial").glob(f"*{name}"))), None)
        if found is not None and _is_rgb(found):
            links[folder / "spatial" / name] = found
    for target, source in links.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.resolve())


def _is_rgb(path: Path) -> bool:
    """Whether an overview picture is one that sopa reads."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            return picture.mode == "RGB"
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return False


def _read_linked(folder: Path, sample_id: str) -> SpatialData:
    """Read bins and overview pictures, the latter into memory: the links do not stay."""
    import sopa.io
    from spatialdata.models import Image2DModel

    sdata = sopa.io.visium_hd(
        folder, dataset_id=sample_id, load_segmentations_only=False, gex_only=True
    )
    for name in list(sdata.images):
        pixels = sdata[name].data.compute()
        sdata[name] = Image2DModel.parse(pixels, dims=("c", "y", "x"), c_coords=["r", "g", "b"])
    return sdata


def _add_image(sdata: SpatialData, checked: Checked, sample_id: str) -> None:
    """Add the full-resolution image, and tell sopa which image is which."""
    from sopa.constants import SopaAttrs
    from spatialdata.models import Image2DModel

    sdata[keys.full_image(sample_id)] = Image2DModel.parse(
        open_image(checked.image), dims=("c", "y", "x"), c_coords=["r", "g", "b"]
    )
    sdata.attrs[SopaAttrs.CELL_SEGMENTATION] = keys.full_image(sample_id)


def _set_frames(sdata: SpatialData, checked: Checked, sample_id: str) -> None:
    """Give every element its way to the full-resolution px frame and to µm, and no other."""
    import json

    from spatialdata.transformations import Identity, Scale, Sequence, set_transformation

    factors = json.loads((bin_folder(checked.outs, 2) / SCALE_FACTORS).read_text("utf-8"))
    to_pixels = {
        keys.hires_image(sample_id): 1 / factors["tissue_hires_scalef"],
        keys.lowres_image(sample_id): 1 / factors["tissue_lowres_scalef"],
    }
    for _, name, element in sdata.gen_spatial_elements():
        factor = to_pixels.get(name)
        to_pixel = Identity() if factor is None else Scale([factor, factor], axes=("x", "y"))
        scale = checked.microns_per_pixel
        to_um = Sequence([to_pixel, Scale([scale, scale], axes=("x", "y"))])
        if factor is None:
            to_um = to_um.transformations[1]
        set_transformation(element, {sample_id: to_pixel, keys.MICRONS: to_um}, set_all=True)
