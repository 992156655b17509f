"""Files that a person asked for are there whole, or as they were."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from napari_vhd.exceptions import BadInputError
from napari_vhd.io.whole_file import whole, write_text

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "regions.geojson"
    for text in ("one", "größer"):
        write_text(path, text)
        assert path.read_text(encoding="utf-8") == text
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_stays_where_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    path.write_text("before")
    told = pytest.raises(BadInputError, match=r"figure\.png: cannot be written \(No space")
    with told, whole(path) as beside:
        assert beside.suffix == ".png"
        beside.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"gone/config\.yaml: cannot be written"):
        write_text(tmp_path / "gone" / "config.yaml", "text")
