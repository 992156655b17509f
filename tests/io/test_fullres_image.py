"""The full-resolution picture: what is refused, and that it is read in parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile

from napari_vhd.exceptions import BadInputError
from napari_vhd.io.fullres_image import check_image, open_image

SVS = Path(__file__).parents[3] / "shared/data/CMU-1-Small-Region.svs"
PIXELS = np.random.default_rng(0).integers(0, 255, (700, 500, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"rowsperstrip": 16, "compression": "zlib"},
        {"tile": (128, 128), "compression": "zlib"},
        {"tile": (128, 128), "bigtiff": True},
    ],
)
def test_every_layout_gives_the_same_pixels(tmp_path: Path, how: dict[str, object]) -> None:
    path = tmp_path / "he.tif"
    tifffile.imwrite(path, PIXELS, photometric="rgb", **how)
    header = check_image(path)
    assert (header.width, header.height) == (500, 700)
    pixels = open_image(header)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels.compute(), PIXELS.transpose(2, 0, 1))


def test_planes_apart_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "he.tif"
    planes = PIXELS.transpose(2, 0, 1)
    tifffile.imwrite(path, planes, photometric="rgb", planarconfig="separate", tile=(128, 128))
    assert np.array_equal(open_image(check_image(path)).compute(), planes)


def test_a_part_is_read_without_the_rest_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "he.tif"
    whole = np.tile(PIXELS, (4, 6, 1))
    tifffile.imwrite(path, whole, photometric="rgb", tile=(1024, 1024), compression="zlib")
    with tifffile.TiffFile(path) as tif:
        tiles = list(zip(tif.pages[0].dataoffsets, tif.pages[0].databytecounts, strict=True))
    content = bytearray(path.read_bytes())
    for offset, length in (tile for number, tile in enumerate(tiles) if number != 4):
        content[offset : offset + length] = b"x" * length
    path.write_bytes(content)
    part = open_image(check_image(path))[:, 1100:1200, 1100:1200]
    assert np.array_equal(part.compute(), whole[1100:1200, 1100:1200].transpose(2, 0, 1))


def test_the_largest_picture_is_taken_never_the_label(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    with tifffile.TiffWriter(path) as tif:
        tif.write(np.zeros((50, 60, 3), np.uint8), photometric="rgb", description="label")
        tif.write(PIXELS, photometric="rgb", tile=(128, 128))
    assert np.array_equal(open_image(check_image(path)).compute(), PIXELS.transpose(2, 0, 1))


@pytest.mark.skipif(not SVS.exists(), reason="needs shared/data")
def test_a_scanners_file_gives_its_slide() -> None:
    header = check_image(SVS)
    assert (header.width, header.height) == (2220, 2967)
    assert open_image(header)[:, :100, :100].compute().shape == (3, 100, 100)


@pytest.mark.parametrize(
    ("pixels", "photometric", "said"),
    [
        (PIXELS[..., 0], "minisblack", "greyscale"),
        (np.dstack([PIXELS, PIXELS[..., :1]]), "rgb", "RGBA"),
        (PIXELS.astype(np.uint16), "rgb", "uint16, not 8-bit"),
        (PIXELS[..., :2].transpose(2, 0, 1), "minisblack", "not"),
    ],
)
def test_what_is_not_8_bit_rgb_is_refused(
    tmp_path: Path, pixels: np.ndarray, photometric: str, said: str
) -> None:
    path = tmp_path / "he.tif"
    tifffile.imwrite(path, pixels, photometric=photometric)
    with pytest.raises(BadInputError, match=said):
        check_image(path)


def test_a_missing_a_damaged_and_a_cut_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "he.tif"
    with pytest.raises(BadInputError, match="no such"):
        check_image(path)
    path.write_bytes(b"junk" * 100)
    with pytest.raises(BadInputError, match="no image that can be read"):
        check_image(path)
    tifffile.imwrite(path, PIXELS, photometric="rgb")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(BadInputError, match="ends before its last pixel"):
        check_image(path)


def test_a_picture_larger_than_the_memory_is_refused_by_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = tmp_path / "bomb.tif"
    blank = np.zeros((4000, 4000, 3), np.uint8)
    tifffile.imwrite(bomb, blank, photometric="rgb", compression="zlib", rowsperstrip=4000)
    tiled = tmp_path / "tiled.tif"
    tifffile.imwrite(tiled, blank, photometric="rgb", compression="zlib", tile=(1024, 1024))
    free = psutil.virtual_memory()._replace(available=40_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(BadInputError, match="convert it to a tiled TIFF"):
        check_image(bomb)
    with pytest.raises(BadInputError, match="which no photograph does"):
        check_image(tiled)
