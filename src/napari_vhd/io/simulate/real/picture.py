"""A real H&E picture: read, cut to size, its tissue told from glass."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from scipy import ndimage as ndi

from napari_vhd.exceptions import BadInputError
from napari_vhd.io.simulate.tissue.distance import signed_distance

if TYPE_CHECKING:
    from pathlib import Path

Rgb = NDArray[np.uint8]

# Mean optical density of R, G, B above which there is tissue.
_TISSUE_DENSITY = 0.07
_SMALLEST_PIECE_UM2 = 400
_SMALLEST_PX = 500
_PLAUSIBLE_MPP = (0.1, 2.0)
_UNIT_UM = {2: 25_400.0, 3: 10_000.0}


@dataclass(frozen=True)
class Picture:
    """A part of an H&E picture.

    Attributes
    ----------
    rgb
        uint8 (height, width, 3).
    mpp
        um per px.
    depth
        Distance to the tissue's edge, negative on glass, one value per um (um).
    """

    rgb: Rgb
    mpp: float
    depth: NDArray[np.float32]


def read_picture(path: Path, size_px: int, default_mpp: float) -> Picture:
    """Read the full-resolution picture of a TIFF, SVS, PNG or JPEG file (no label, no macro).

    A picture larger than `size_px` on a side is cut to the window with the most tissue. Where the
    file does not say how large its pixels are, they have `default_mpp` um.

    Raises
    ------
    BadInputError
        If it cannot be read, is not RGB with 8 bits, or is smaller than 500 px on a side.
    """
    if not path.is_file():
        raise BadInputError(f"{path}: there is no such picture; give an H&E image file.")
    try:
        pixels, mpp = _read_tiff(path, size_px) if _is_tiff(path) else (_read_other(path), None)
    except (OSError, ValueError, KeyError, IndexError, tifffile.TiffFileError,
            UnidentifiedImageError, Image.DecompressionBombError) as error:  # fmt: skip
        raise BadInputError(f"{path}: cannot be read as a picture ({error}).") from error
    if pixels.ndim != 3 or pixels.shape[2] not in (3, 4) or pixels.dtype != np.uint8:
        raise BadInputError(
            f"{path} has shape {pixels.shape} and type {pixels.dtype}; give an 8-bit RGB picture."
        )
    if min(pixels.shape[:2]) < _SMALLEST_PX:
        size = f"{pixels.shape[1]} x {pixels.shape[0]} px"
        raise BadInputError(f"{path} has {size}; give {_SMALLEST_PX} or more on each side.")
    y, x, height, width = _window(pixels, pixels.shape[:2], size_px)
    rgb = np.ascontiguousarray(pixels[y : y + height, x : x + width, :3])
    return Picture(rgb, mpp or default_mpp, _tissue_depth(rgb, mpp or default_mpp))


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def _read_other(path: Path) -> Rgb:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _read_tiff(path: Path, size_px: int) -> tuple[Rgb, float | None]:
    """First series at full resolution; of one with a pyramid only the window that is wanted."""
    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        mpp = _mpp(series.keyframe)
        if series.axes != "YXS" or len(series.levels) == 1 or max(series.shape) <= size_px:
            pixels = series.asarray(level=0)
            return (np.moveaxis(pixels, 0, -1) if series.axes == "SYX" else pixels), mpp
        overview = series.levels[-1].asarray()
        y, x, height, width = _window(overview, series.shape[:2], size_px)
        with series.aszarr(level=0) as store:
            whole = zarr.open_array(store, mode="r")
            return np.asarray(whole[y : y + height, x : x + width]), mpp


def _mpp(page: tifffile.TiffPage | tifffile.TiffFrame) -> float | None:
    """Pixel size from Aperio's description or the resolution tags, None where implausible."""
    found = re.search(r"\bMPP\s*=\s*([0-9.]+)", getattr(page, "description", "") or "")
    if found:
        mpp = float(found[1])
    else:
        unit = _UNIT_UM.get(int(getattr(page, "resolutionunit", 1)), 0.0)
        resolution = page.resolution[0] if unit else 0
        mpp = unit / resolution if resolution else 0.0
    return mpp if _PLAUSIBLE_MPP[0] <= mpp <= _PLAUSIBLE_MPP[1] else None


def _window(overview: Rgb, shape: tuple[int, ...], size_px: int) -> tuple[int, int, int, int]:
    """Corner (y, x), height and width (px) of the window with the most tissue.

    `overview` is the picture of `shape` px, or a smaller version of it.
    """
    height, width = (min(n, size_px) for n in shape)
    step = max(1, round(size_px * overview.shape[0] / shape[0] / 200))
    dark = overview[::step, ::step, :3].mean(axis=2) < 220
    scale = dark.shape[0] / shape[0], dark.shape[1] / shape[1]
    h, w = (max(1, round(n * s)) for n, s in zip((height, width), scale, strict=True))
    total = np.pad(dark.cumsum(0, dtype=np.int64).cumsum(1), ((1, 0), (1, 0)))
    inside = total[h:, w:] - total[:-h, w:] - total[h:, :-w] + total[:-h, :-w]
    row, col = np.unravel_index(int(inside.argmax()), inside.shape)
    y = min(int(row / scale[0]), shape[0] - height)
    x = min(int(col / scale[1]), shape[1] - width)
    return y, x, height, width


def _tissue_depth(rgb: Rgb, mpp: float) -> NDArray[np.float32]:
    """Distance to the tissue's edge, negative on glass, one value per um (um)."""
    shape = tuple(int(np.ceil(n * mpp)) for n in rgb.shape[:2])
    rows, cols = (np.minimum(((np.arange(n) + 0.5) / mpp).astype(int), m - 1)
                  for n, m in zip(shape, rgb.shape[:2], strict=True))  # fmt: skip
    coarse = rgb[np.ix_(rows, cols)].astype(np.float32)
    density = -np.log10(np.clip(coarse, 1, 240) / 240).mean(axis=2)
    tissue = ndi.gaussian_filter(density, 3.0) > _TISSUE_DENSITY
    for value in (True, False):
        pieces, count = ndi.label(tissue == value)
        size = np.bincount(pieces.ravel(), minlength=count + 1)
        tissue[(size < _SMALLEST_PIECE_UM2)[pieces] & (pieces > 0)] = not value
    return signed_distance(tissue)
