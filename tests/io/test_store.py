"""The run folder: whole results, nothing lost, everything shared that did not change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_stages
from stores import NOTHING, column, make_store, read_plainly, tiny_elements, tree, whole

from napari_vhd.exceptions import BadInputError, BusyError
from napari_vhd.io import versions
from napari_vhd.io.store import RunStore
from napari_vhd.stages.stage import Outcome, TablePatch


def test_a_published_result_opens_with_plain_read_zarr(store: RunStore) -> None:
    sdata = read_plainly(store.run_dir)
    assert {name for _, name, _ in sdata.gen_elements()} == {"image", "cells", "table"}
    assert os.readlink(store.run_dir / "sample.zarr") == ".versions/0001/sample.zarr"


def test_a_second_folder_of_the_same_minute_gets_a_number(tmp_path: Path) -> None:
    first, second = make_store(tmp_path).run_dir, make_store(tmp_path).run_dir
    # A minute may pass between the two.
    assert second != first
    assert second.name in (f"{first.name}_2", second.name[:20])


def test_a_patch_rewrites_only_what_it_touches(store: RunStore) -> None:
    before = store.version_dir(1) / "sample.zarr"
    table = store.sdata()["table"]
    patch = TablePatch(
        obs=table.obs[[]].assign(score=1.5),
        obsm={"latent": np.ones((table.n_obs, 2))},
        layers={"lognorm": table.X},
        uns={"note": {"k": 1}},
    )
    store.publish("score", Outcome(patches={"table": patch}), NOTHING)
    after = store.version_dir(2) / "sample.zarr"
    for name in ("tables/table/X/data/c/0", "images/image/s0/c/0/0/0"):
        assert (after / name).stat().st_ino == (before / name).stat().st_ino, name
    table = read_plainly(store.run_dir)["table"]
    assert (table.obs["score"] == 1.5).all()
    assert table.obsm["latent"].shape == (tiny_stages.CELLS, 2)
    assert (table.layers["lognorm"] != table.X).nnz == 0
    assert table.uns["note"]["k"] == 1
    assert table.uns["spatialdata_attrs"]["region"] == "cells"
    assert "score" not in RunStore.open(store.run_dir).sdata()["table"].var


def test_metadata_files_are_never_shared_between_versions(store: RunStore) -> None:
    store.publish("score", column(store, "score", 1.0), NOTHING)
    for path in (store.version_dir(2) / "sample.zarr").rglob("zarr.json"):
        assert path.stat().st_nlink == 1, path


def test_what_a_stage_no_longer_gives_is_dropped(store: RunStore) -> None:
    table = store.sdata()["table"]
    empty = table.obs[[]]
    first = TablePatch(obs=empty.assign(a=1.0, b=2.0), obsm={"m": np.ones((table.n_obs, 1))})
    other = TablePatch(obs=empty.assign(c=3.0))
    store.publish("one", Outcome(patches={"table": first}, attrs={"x": 1}), NOTHING)
    store.publish("two", Outcome(patches={"table": other}, attrs={"y": 1}), NOTHING)
    store.publish("one", Outcome(patches={"table": TablePatch(obs=empty.assign(b=5.0))}), NOTHING)
    sdata = read_plainly(store.run_dir)
    assert "a" not in sdata["table"].obs
    assert (sdata["table"].obs["b"] == 5.0).all()
    assert (sdata["table"].obs["c"] == 3.0).all()
    assert "m" not in sdata["table"].obsm
    assert "x" not in sdata.attrs
    assert sdata.attrs["y"] == 1


def test_a_column_belongs_to_the_stage_that_wrote_it_last(store: RunStore) -> None:
    store.publish("one", column(store, "a", 1.0), NOTHING)
    store.publish("two", column(store, "a", 2.0), NOTHING)
    store.publish("one", Outcome(), NOTHING)
    assert (read_plainly(store.run_dir)["table"].obs["a"] == 2.0).all()


def test_it_is_known_whose_element_was_replaced(store: RunStore) -> None:
    store.publish("other", Outcome(elements={"table": tiny_elements()["table"]}), NOTHING)
    assert store.done()["make"].made["lost"] == {"table": "other"}
    store.publish("make", whole(), NOTHING)
    done = store.done()
    assert (done["make"].made["lost"], done["other"].made["lost"]) == ({}, {"table": "make"})
    store.publish("other", Outcome(), NOTHING)
    assert "table" in read_plainly(store.run_dir).tables


def test_rows_are_matched_by_name(store: RunStore) -> None:
    obs = store.sdata()["table"].obs
    turned = obs[[]].assign(number=np.arange(len(obs)))[::-1]
    store.publish("n", Outcome(patches={"table": TablePatch(obs=turned)}), NOTHING)
    assert list(read_plainly(store.run_dir)["table"].obs["number"]) == list(range(len(obs)))


def test_rows_of_another_table_are_refused_and_nothing_changes(store: RunStore) -> None:
    obs = store.sdata()["table"].obs[[]].assign(a=1.0)
    before = tree(store.run_dir)
    for wrong in (obs.iloc[:-1], obs.rename(index={"cell_0": "nobody"})):
        with pytest.raises(ValueError, match="rows"):
            store.publish("n", Outcome(patches={"table": TablePatch(obs=wrong)}), NOTHING)
    assert tree(store.run_dir) == before


def test_words_with_gaps_survive(store: RunStore) -> None:
    obs = store.sdata()["table"].obs
    words = [None if i % 2 else "Tumor" for i in range(len(obs))]
    patch = TablePatch(obs=obs[[]].assign(kind=np.array(words, dtype=object)))
    store.publish("n", Outcome(patches={"table": patch}), NOTHING)
    kind = read_plainly(store.run_dir)["table"].obs["kind"]
    assert kind.isna().sum() == len(obs) // 2
    assert set(kind.dropna()) == {"Tumor"}


def test_replaced_elements_leave_the_others_alone(store: RunStore) -> None:
    table = tiny_elements()["table"]
    table.obs["fresh"] = 1
    before = (store.version_dir(1) / "sample.zarr/images/image/s0/c/0/0/0").stat().st_ino
    store.publish("make2", Outcome(elements={"table": table}), NOTHING)
    assert "fresh" in read_plainly(store.run_dir)["table"].obs
    now = store.run_dir / "sample.zarr/images/image/s0/c/0/0/0"
    assert now.stat().st_ino == before


def test_files_appear_change_and_go_with_their_stage(store: RunStore, tmp_path: Path) -> None:
    def give(name: str, text: str) -> Outcome:
        folder = tmp_path / "scratch" / name
        folder.mkdir(parents=True)
        (folder / "weights.txt").write_text(text)
        (tmp_path / "scratch" / f"{name}.csv").write_text(text)
        return Outcome(files={name: folder, f"{name}.csv": tmp_path / "scratch" / f"{name}.csv"})

    store.publish("f", give("model", "one"), NOTHING)
    assert (store.run_dir / "model" / "weights.txt").read_text() == "one"
    store.publish("f", give("other", "two"), NOTHING)
    assert (store.run_dir / "other.csv").read_text() == "two"
    assert not (store.run_dir / "model").exists()
    assert not (store.run_dir / "model.csv").exists()
    assert (store.version_dir(2) / "files" / "model.csv").read_text() == "one"


@pytest.mark.parametrize("name", ["../out.txt", "/tmp/out.txt", "run.json", "sample.zarr", ".lock"])
def test_files_stay_inside_the_run_folder(store: RunStore, tmp_path: Path, name: str) -> None:
    (tmp_path / "f").write_text("x")
    with pytest.raises(ValueError, match="cannot name a file"):
        store.publish("f", Outcome(files={name: tmp_path / "f"}), NOTHING)
    assert store.version() == 1


def test_only_the_last_versions_are_kept_but_none_that_is_read(store: RunStore) -> None:
    reader = RunStore.open(store.run_dir)
    held = reader.sdata()
    for number in range(5):
        store.publish("s", Outcome(attrs={"n": number}), NOTHING)
        store.close()
    numbers = sorted(int(p.name) for p in (store.run_dir / ".versions").iterdir())
    assert numbers == [1, 4, 5, 6]
    assert held["image"].values.sum() == 7 * 3 * 64 * 64
    reader.close()
    assert store.prune(keep=1) == [1, 4, 5]
    assert read_plainly(store.run_dir).attrs["n"] == 4


def test_a_second_run_is_refused_by_name(store: RunStore) -> None:
    with store.locked():
        with pytest.raises(BusyError, match=f"process {os.getpid()}"):
            RunStore.open(store.run_dir).locked().__enter__()
        # Reading goes on.
        assert RunStore.open(store.run_dir).version() == 1
    with RunStore.open(store.run_dir).locked():
        pass


def test_the_lock_dies_with_its_process(store: RunStore) -> None:
    code = (
        "import sys, time; from napari_vhd.io.store import RunStore\n"
        "with RunStore.open(sys.argv[1]).locked(): print('locked', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(store.run_dir)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"locked\n"
        with pytest.raises(BusyError, match=f"process {process.pid}"), store.locked():
            pass
        process.kill()
    with store.locked():
        pass


def test_what_an_interrupted_run_left_is_cleared(store: RunStore) -> None:
    (store.run_dir / ".scratch" / "make").mkdir(parents=True)
    (store.run_dir / ".versions" / "0002.partial").mkdir()
    with store.locked():
        assert not (store.run_dir / ".scratch").exists()
        assert not list((store.run_dir / ".versions").glob("*.partial"))


def test_an_interrupted_publication_is_finished_when_opened(store: RunStore) -> None:
    """Killed after the version got its number, before the run folder followed."""
    note = store.run_dir / "new.txt"
    note.write_text("new")
    run_before = (store.run_dir / "run.json").read_bytes()
    store.publish("f", Outcome(attrs={"n": 1}, files={"note.txt": note}), NOTHING)
    # Never in place: the version's own copy is the same file.
    (store.run_dir / "run.json").unlink()
    (store.run_dir / "run.json").write_bytes(run_before)
    versions.point(store.run_dir / "sample.zarr", store.version_dir(1) / "sample.zarr")
    (store.run_dir / "note.txt").unlink()
    again = RunStore.open(store.run_dir)
    assert read_plainly(store.run_dir).attrs["n"] == 1
    assert (store.run_dir / "note.txt").read_text() == "new"
    assert again.run()["version"] == 2


@pytest.mark.parametrize("name", ["run.json", ".versions/0001/state.json"])
@pytest.mark.parametrize("content", [b"", b'{"half": ', b"[]", b"\xff\xfe", b"{}", b"[" * 90_000])
def test_a_damaged_file_is_refused_and_kept(store: RunStore, name: str, content: bytes) -> None:
    path = store.run_dir / name
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=path.name):
        RunStore.open(store.run_dir)
    assert path.read_bytes() == content


def test_a_later_format_is_refused(store: RunStore) -> None:
    path = store.run_dir / "run.json"
    path.write_text(json.dumps({**store.run(), "format": 99}))
    with pytest.raises(BadInputError, match="later napari-vhd"):
        RunStore.open(store.run_dir)


def test_what_is_no_run_folder_is_refused(tmp_path: Path) -> None:
    for folder, words in ((tmp_path, "not a run folder"), (tmp_path / "none", "no such folder")):
        with pytest.raises(BadInputError, match=words):
            RunStore.open(folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", ["-r", "-a", "-rL"])
def test_a_copied_run_folder_is_a_whole_run(store: RunStore, tmp_path: Path, how: str) -> None:
    store.publish("score", column(store, "score", 1.0), NOTHING)
    copy = tmp_path / "elsewhere" / "copy"
    copy.parent.mkdir()
    subprocess.run(["cp", how, store.run_dir, copy], check=True)
    store.close()
    shutil.rmtree(store.run_dir)
    assert "score" in read_plainly(copy)["table"].obs
    copied = RunStore.open(copy)
    assert list(copied.done()) == ["make", "score"]
    copied.publish("more", column(copied, "more", 2.0), NOTHING)
    assert {"score", "more"} <= set(read_plainly(copy)["table"].obs)
    assert (copy / "sample.zarr").is_symlink()
    copied.close()


def test_sources_are_found_when_run_and_data_moved_together(
    store: RunStore, tmp_path: Path
) -> None:
    moved = tmp_path.parent / f"{tmp_path.name}_moved"
    shutil.copytree(tmp_path, moved, symlinks=True)
    shutil.rmtree(tmp_path / "outs")
    there = RunStore.open(moved / store.run_dir.relative_to(tmp_path))
    assert there.source("outs") == moved / "outs"


def test_links_are_not_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def refuse(*args: object, **more: object) -> None:
        if more or len(args) < 2 or isinstance(args[1], bool):
            raise PermissionError("no links here")
        # Zarr makes its new files by a link of their own.
        link(*args)

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(Path, "symlink_to", refuse)
    store = make_store(tmp_path)
    store.publish("make", whole(), NOTHING)
    store.publish("score", column(store, "score", 1.0), NOTHING)
    assert not (store.run_dir / "sample.zarr").is_symlink()
    assert "score" in read_plainly(store.run_dir)["table"].obs
    assert not list(store.run_dir.glob(".sample.zarr.*"))
    store.close()
