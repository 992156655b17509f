"""The full-resolution picture as a tiled pyramid TIFF, and the overviews made from it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Rgb = NDArray[np.uint8]

STRIP_PX = 1024
_TILE = 512
_SMALLEST = 512
_HIRES, _LOWRES = 2000, 600
_JPEG_QUALITY = 90


def overview_scales(shape: tuple[int, int]) -> dict[str, float]:
    """Scale factors of Space Ranger's two overview pictures for a picture of `shape` px."""
    longest = max(shape)
    return {
        "tissue_hires_scalef": min(1.0, _HIRES / longest),
        "tissue_lowres_scalef": min(1.0, _LOWRES / longest),
    }


def write_picture(
    path: Path, spatial: Path, shape: tuple[int, int], mpp: float, strips: Iterable[Rgb]
) -> None:
    """Write the picture and its overviews.

    Parameters
    ----------
    path
        The TIFF file.
    spatial
        Space Ranger's ``spatial`` folder, which gets the overviews.
    shape
        Height and width (px).
    mpp
        um per px, kept as the TIFF's resolution.
    strips
        The picture from the top, `STRIP_PX` rows at a time.
    """
    shapes = [shape]
    while max(shapes[-1]) > _SMALLEST and min(shapes[-1]) > 1:
        shapes.append((shapes[-1][0] // 2, shapes[-1][1] // 2))
    with TemporaryDirectory(dir=path.parent, prefix=".levels-") as folder:
        levels = [Path(folder) / str(k) for k in range(1, len(shapes))]
        options = {
            "dtype": np.uint8, "tile": (_TILE, _TILE), "photometric": "rgb",
            "compression": "jpeg", "compressionargs": {"level": _JPEG_QUALITY},
        }  # fmt: skip
        with tifffile.TiffWriter(path, bigtiff=shape[0] * shape[1] > 2**29) as tiff:
            tiff.write(
                _tiles(_shrink(strips, levels, shapes)), shape=(*shape, 3), subifds=len(levels),
                resolution=(1e4 / mpp, 1e4 / mpp), resolutionunit="CENTIMETER", metadata=None,
                software="napari-vhd", **options,
            )  # fmt: skip
            for level, size in zip(levels, shapes[1:], strict=True):
                tiles = _tiles(_stored(level, size))
                tiff.write(tiles, shape=(*size, 3), subfiletype=1, metadata=None, **options)
        _write_overviews(spatial, path, shape)


def _write_overviews(spatial: Path, path: Path, shape: tuple[int, int]) -> None:
    scales = overview_scales(shape)
    for name in ("hires", "lowres"):
        scale = scales[f"tissue_{name}_scalef"]
        size = (max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale)))
        with tifffile.TiffFile(path) as tiff:
            large = [level for level in tiff.series[0].levels if level.shape[1] >= size[0]]
            pixels = large[-1].asarray()
        Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS).save(
            spatial / f"tissue_{name}_image.png"
        )


def _shrink(
    strips: Iterable[Rgb], levels: list[Path], shapes: list[tuple[int, int]]
) -> Iterator[Rgb]:
    """Hand strips on, and append each, halved again and again, to the files of the lower levels."""
    for strip in strips:
        half = strip
        for level, (_, width) in zip(levels, shapes[1:], strict=True):
            half = half[: len(half) // 2 * 2, : width * 2].reshape(len(half) // 2, 2, width, 2, 3)
            half = (half.astype(np.uint16).sum(axis=(1, 3)) // 4).astype(np.uint8)
            with level.open("ab") as file:
                file.write(half.tobytes())
        yield strip


def _stored(level: Path, shape: tuple[int, int]) -> Iterator[Rgb]:
    rowbytes = shape[1] * 3
    with level.open("rb") as file:
        while data := file.read(rowbytes * _TILE):
            yield np.frombuffer(data, np.uint8).reshape(-1, shape[1], 3)


def _tiles(strips: Iterable[Rgb]) -> Iterator[Rgb]:
    """Cut strips, whose heights are multiples of a tile but for the last, into padded tiles."""
    for strip in strips:
        for y in range(0, len(strip), _TILE):
            for x in range(0, strip.shape[1], _TILE):
                tile = strip[y : y + _TILE, x : x + _TILE]
                if tile.shape[:2] != (_TILE, _TILE):
                    missing = ((0, _TILE - tile.shape[0]), (0, _TILE - tile.shape[1]), (0, 0))
                    tile = np.pad(tile, missing, mode="edge")
                yield np.ascontiguousarray(tile)
