"""Zarr stores from elsewhere are looked through before they are opened."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zarr

from napari_vhd.exceptions import BadInputError
from napari_vhd.io.untrusted import check_store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of zarr format 3 with the default codecs."""
    path = tmp_path / "a.zarr"
    group = zarr.create_group(path)
    group.create_array("x", data=np.arange(10), chunks=(5,), shards=(10,))
    return path


def _edit(file: Path, **values: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
def test_stores_of_both_formats_are_accepted(store: Path, tmp_path: Path) -> None:
    check_store(store)
    zarr.consolidate_metadata(store)
    check_store(store)
    old = tmp_path / "old.zarr"
    zarr.create_group(old, zarr_format=2).create_array("x", data=np.arange(10))
    zarr.consolidate_metadata(old, zarr_format=2)
    check_store(old)


def test_pickle_among_the_filters_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.zarr"
    zarr.create_group(path, zarr_format=2).create_array("x", data=np.arange(10))
    _edit(path / "x/.zarray", filters=[{"id": "vlen-utf8"}, {"id": "pickle"}])
    with pytest.raises(BadInputError, match=r"x/\.zarray uses the codec 'pickle'"):
        check_store(path)


def test_pickle_in_consolidated_metadata_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.zarr"
    zarr.create_group(path, zarr_format=2).create_array("x", data=np.arange(10))
    zarr.consolidate_metadata(path, zarr_format=2)
    metadata = json.loads((path / ".zmetadata").read_text())
    metadata["metadata"]["x/.zarray"]["compressor"] = {"id": "pickle"}
    (path / ".zmetadata").write_text(json.dumps(metadata))
    with pytest.raises(BadInputError, match="pickle"):
        check_store(path)


def test_an_unknown_codec_inside_a_shard_is_refused(store: Path) -> None:
    codecs = json.loads((store / "x/zarr.json").read_text())["codecs"]
    codecs[0]["configuration"]["codecs"].append({"name": "numcodecs.pickle"})
    _edit(store / "x/zarr.json", codecs=codecs)
    with pytest.raises(BadInputError, match=r"numcodecs\.pickle"):
        check_store(store)


def test_words_of_a_user_are_no_codecs(store: Path) -> None:
    zarr.open_group(store).attrs["codecs"] = [{"name": "pickle"}]
    check_store(store)


def test_a_link_out_of_the_store_is_refused_one_inside_is_not(store: Path, tmp_path: Path) -> None:
    (store / "inside").symlink_to("x")
    check_store(store)
    (tmp_path / "secret").mkdir()
    (store / "outside").symlink_to("../secret")
    with pytest.raises(BadInputError, match="leads out of the store"):
        check_store(store)


def test_the_store_itself_may_be_a_link(store: Path, tmp_path: Path) -> None:
    (tmp_path / "link.zarr").symlink_to(store.name)
    check_store(tmp_path / "link.zarr")


@pytest.mark.parametrize("text", ["{", "[]", '{"codecs": 3}', "[" * 100_000])
def test_damaged_metadata_are_one_sentence(store: Path, text: str) -> None:
    (store / "x/zarr.json").write_text(text)
    with pytest.raises(BadInputError, match=r"x/zarr\.json"):
        check_store(store)


def test_the_switch_that_lets_stores_run_programs_is_refused(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMCODECS_ALLOW_UNSAFE_PICKLE_DECODE", "1")
    with pytest.raises(BadInputError, match="unset it"):
        check_store(store)


def test_what_is_no_store_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no zarr store"):
        check_store(tmp_path)
