"""How large a region is, before anything is read: for whoever chooses one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import outs, regions
from .fullres_image import check_image
from .space_ranger import _microns_per_pixel as microns_per_pixel

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class RegionSize:
    """Size of a region.

    Attributes
    ----------
    box
        (xmin, ymin, xmax, ymax), full-resolution px, cut to the image.
    area_px
        Area of the box or of the drawn areas together, px².
    area_mm2
        The same in mm².
    bins
        2 µm bins under tissue whose centre is inside.
    """

    box: tuple[int, int, int, int]
    area_px: float
    area_mm2: float
    bins: int

    @property
    def width(self) -> int:
        """Width in full-resolution px."""
        return self.box[2] - self.box[0]

    @property
    def height(self) -> int:
        """Height in full-resolution px."""
        return self.box[3] - self.box[1]


def measure(
    folder: Path,
    image: str | Path | None,
    region: tuple[float, float, float, float] | str | None,
) -> RegionSize:
    """Measure a region.

    Parameters
    ----------
    folder
        The Space Ranger folder (holds ``binned_outputs``).
    image
        Full-resolution H&E, or None: looked for as sopa does.
    region
        (xmin, ymin, xmax, ymax) or a GeoJSON file, in full-resolution px; None: the whole slide.

    Raises
    ------
    BadInputError
        Where the region or the folder cannot be used.
    """
    import numpy as np
    import shapely

    header = check_image(outs.find_image(folder, image))
    um_per_px = microns_per_pixel(outs.bin_folder(folder, 2), 2)
    found = regions.find_region(region, header)
    x, y = outs.bins_inside(folder, 2, found.box)
    if found.areas:
        limit = shapely.box(*found.box)
        area = float(shapely.union_all([a for _, a in found.areas]).intersection(limit).area)
        bins = int(np.count_nonzero(regions.inside(found, x, y)))
    else:
        area = float((found.box[2] - found.box[0]) * (found.box[3] - found.box[1]))
        bins = len(x)
    return RegionSize(found.box, area, area * um_per_px**2 / 1e6, bins)
