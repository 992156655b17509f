"""The full-resolution H&E: checked by its header, then read lazily.

Only the largest picture of a file is ever looked at: label, macro and thumbnail pages of a slide
scanner's file can show the patient's name and stay where they are.
"""

from __future__ import annotations

import math
import warnings
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_vhd.exceptions import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

    import dask.array as da
    import tifffile

CHUNK_PX = 1024
_MEMORY_SHARE = 0.5
_BOMB_RATIO = 300
_TILED = "convert it to a tiled TIFF, for example with 'vips tiffsave --tile --pyramid'"
_RGB = "give the H&E picture as 8-bit RGB"


@dataclass(frozen=True)
class ImageHeader:
    """What a picture's header says.

    Attributes
    ----------
    path
        The file.
    width, height
        Of its largest picture, px.
    """

    path: Path
    width: int
    height: int


def check_image(path: Path) -> ImageHeader:
    """Check a full-resolution picture by its header.

    Parameters
    ----------
    path
        TIFF (also BigTIFF, SVS), PNG or JPEG; 8-bit RGB.

    Raises
    ------
    BadInputError
        Naming the file and the mend: missing, unreadable, not 8-bit RGB, cut short, or larger
        than the memory allows.
    """
    if not path.is_file():
        raise BadInputError(f"{path}: there is no such full-resolution image; check fullres_image.")
    import tifffile

    try:
        with tifffile.TiffFile(path) as tif:
            return _check_tiff(path, tif)
    except tifffile.TiffFileError:
        return _check_other(path)
    except OSError as error:
        msg = f"{path}: the image cannot be read ({error}); check the file."
        raise BadInputError(msg) from error


def open_image(header: ImageHeader) -> da.Array:
    """Open a checked picture without reading it.

    Returns
    -------
    dask.array.Array
        (3, height, width) uint8, in chunks that follow the file's own tiles.
    """
    import dask.array as da
    import tifffile

    try:
        with tifffile.TiffFile(header.path) as tif:
            index = _main(tif)
            axes = tif.series[index].axes
            mapped = tif.series[index].dataoffset is not None
    except tifffile.TiffFileError:
        return _open_other(header)
    if mapped:
        data: Any = tifffile.memmap(header.path, series=index, mode="r")
        tiles = (1,) * data.ndim
    else:
        import zarr

        store = tifffile.imread(header.path, aszarr=True, series=index, level=0)
        data = zarr.open_array(store, mode="r")
        weakref.finalize(data, store.close)
        tiles = data.chunks
    lengths = {"Y": _multiple(tiles[axes.index("Y")]), "X": _multiple(tiles[axes.index("X")])}
    chunks = tuple(lengths.get(axis, -1) for axis in axes)
    # Tokens of a file's content would read the whole file: name=False.
    array = da.from_array(data, chunks=chunks, name=False)
    channel = next(i for i, axis in enumerate(axes) if axis in "SC")
    return array.transpose(channel, axes.index("Y"), axes.index("X"))


def _multiple(tile: int) -> int:
    """Give the multiple of a tile's side that is nearest to the wanted chunk."""
    return tile * max(1, round(CHUNK_PX / tile))


def _main(tif: tifffile.TiffFile) -> int:
    """Give the number of the series with the largest picture."""
    sizes = [s.sizes.get("height", 0) * s.sizes.get("width", 0) for s in tif.series]
    return sizes.index(max(sizes))


def _check_tiff(path: Path, tif: tifffile.TiffFile) -> ImageHeader:
    """Check the largest series of a TIFF."""
    if not tif.series:
        raise BadInputError(f"{path}: holds no picture; check the file.")
    series = tif.series[_main(tif)]
    page = series.keyframe
    sizes: dict[str, int] = dict(zip(series.axes, series.shape, strict=True))
    if set(sizes) - {"S", "C"} != {"Y", "X"} or len(sizes) > 3:
        raise BadInputError(f"{path}: is a stack with axes {series.axes}, not a picture; {_RGB}.")
    channels = 1 if page.photometric.name == "PALETTE" else sizes.get("S", sizes.get("C", 1))
    _check_rgb(path, channels, str(series.dtype))
    segments = [zip(p.dataoffsets, p.databytecounts, strict=True) for p in series.pages if p]
    if max((start + n for part in segments for start, n in part), default=0) > path.stat().st_size:
        raise BadInputError(f"{path}: ends before its last pixel; copy the file again, whole.")
    # An uncompressed file is mapped, not loaded; a tiled one is decoded tile by tile.
    tile = 0 if series.dataoffset is not None else math.prod(page.chunks)
    _check_memory(path, sizes["X"], sizes["Y"], tile)
    return ImageHeader(path, sizes["X"], sizes["Y"])


def _check_other(path: Path) -> ImageHeader:
    """Check a PNG or JPEG."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=("PNG", "JPEG")) as picture:
                channels = {"RGB": 3, "RGBA": 4, "CMYK": 4}.get(picture.mode, 1)
                _check_rgb(path, channels, "uint8" if "16" not in picture.mode else "uint16")
                width, height = picture.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadInputError(f"{path}: too large for a PNG or JPEG; {_TILED}.") from error
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise BadInputError(
            f"{path}: is no image that can be read; give the full-resolution H&E as TIFF, "
            "PNG or JPEG."
        ) from error
    _check_memory(path, width, height, width * height * 3)
    return ImageHeader(path, width, height)


def _open_other(header: ImageHeader) -> da.Array:
    """Read a PNG or JPEG; these cannot be read in parts."""
    import dask.array as da
    import numpy as np
    from PIL import Image

    with Image.open(header.path, formats=("PNG", "JPEG")) as picture:
        pixels = np.asarray(picture)
    return da.from_array(pixels, chunks=(CHUNK_PX, CHUNK_PX, 3), name=False).transpose(2, 0, 1)


def _check_rgb(path: Path, channels: int, dtype: str) -> None:
    """Raise unless three channels of 8 bits."""
    found = {1: "greyscale or a palette", 4: "RGBA"}.get(channels, f"{channels} channels")
    if channels != 3:
        raise BadInputError(f"{path}: the image is {found}, not RGB; {_RGB}.")
    if dtype != "uint8":
        raise BadInputError(f"{path}: the image is {dtype}, not 8-bit; {_RGB}.")


def _check_memory(path: Path, width: int, height: int, at_once: int) -> None:
    """Raise where decoding would fill the memory.

    `at_once` is what has to be decoded in one piece, bytes. A file that claims to be more than
    `_BOMB_RATIO` times its size is no photograph, which JPEG shrinks at most some tens of times.
    """
    import psutil

    free = psutil.virtual_memory().available
    size = width * height * 3
    if at_once > _MEMORY_SHARE * free:
        raise BadInputError(
            f"{path}: {width} x {height} px must be decoded in pieces of "
            f"{at_once / 2**30:.1f} GB, and {free / 2**30:.1f} GB are free; {_TILED}."
        )
    if size > _MEMORY_SHARE * free and size > _BOMB_RATIO * path.stat().st_size:
        raise BadInputError(
            f"{path}: claims {width} x {height} px in {path.stat().st_size / 2**20:.1f} MB, which "
            "no photograph does; check that it is the full-resolution H&E."
        )
