"""The run folder: whole results, nothing lost, everything shared that did not change."""

from __future__ import annotations

import contextlib
import errno
import json
import multiprocessing
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from napari_vhd.config import RunConfig
from napari_vhd.exceptions import BadInputError, BusyError
from napari_vhd.io import versions
from napari_vhd.io.publishing import Provenance
from napari_vhd.io.store import RunStore
from napari_vhd.stages.stage import Outcome, TablePatch

sys.path.append(str(Path(__file__).parents[1] / "runner"))
import tiny_stages

NOTHING = Provenance()
# What the package loads only when it is used.
PRELOADED = ["spatialdata._io", "spatialdata.models", "anndata.io", "pytest", "napari_vhd.io.store"]


def make_store(folder: Path) -> RunStore:
    outs = folder / "outs"
    outs.mkdir(exist_ok=True)
    config = RunConfig.from_dict(
        {"paths": {"spaceranger_outs": str(outs)}, "samples": [{"id": "A"}]}
    )
    return RunStore.create(folder / "processed", "tiny", config, "A", outs)


def whole(**more: object) -> Outcome:
    return Outcome(elements=tiny_elements(), **more)


def tiny_elements() -> dict:
    from napari_vhd.io.publishing import quiet

    with quiet():
        return tiny_stages.tiny_elements()


def column(store: RunStore, name: str, value: float) -> Outcome:
    """A patch of one column."""
    obs = store.sdata()["table"].obs
    return Outcome(patches={"table": TablePatch(obs=obs[[]].assign(**{name: value}))})


def read_plainly(run_dir: Path) -> object:
    import spatialdata

    from napari_vhd.io.publishing import quiet

    with quiet():
        return spatialdata.read_zarr(run_dir / "sample.zarr")


def tree(folder: Path, *leave_out: str) -> dict[str, bytes]:
    """Content of every file that matters, by name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (".lock", ".publish.lock", "run.log", *leave_out)
    }


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    made = make_store(tmp_path)
    made.publish("make", whole(), NOTHING)
    yield made
    made.close()


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


# Real processes: from a server that has everything loaded, so that each starts in milliseconds.


@pytest.fixture(scope="module")
def processes() -> multiprocessing.context.BaseContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def publish_many(run_dir: Path, names: list[str]) -> None:
    store = RunStore.open(run_dir)
    for name in names:
        store.publish(name, column(store, name, 1.0), NOTHING)


def test_stages_side_by_side_publish_to_one_table(store: RunStore, processes) -> None:
    groups = [[f"{who}{i}" for i in range(3)] for who in "abc"]
    workers = [processes.Process(target=publish_many, args=(store.run_dir, g)) for g in groups]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    names = {name for group in groups for name in group}
    assert names <= set(read_plainly(store.run_dir)["table"].obs)
    assert names <= set(RunStore.open(store.run_dir).done())


def publish_until_killed(run_dir: Path, start: int, said: object) -> None:
    """Publish columns, whole tables, files and folders, and acknowledge each."""
    store = RunStore.open(run_dir)
    scratch = store.run_dir / ".scratch" / "test"
    with store.locked():
        for number in range(start, start + 50):
            scratch.mkdir(parents=True, exist_ok=True)
            (scratch / "f").write_text(str(number))
            table = store.sdata()["table"].copy()
            extra = {"extra": store.sdata()["cells"]} if number % 2 else {}
            outcome = Outcome(
                elements={"table": table, **extra},
                patches={"table": TablePatch(obs=table.obs[[]].assign(patched=number))},
                attrs={"n": number},
                files={"number.txt": scratch / "f"},
                numbers={"n": number},
            )
            said.send(("begin", number, 0.0))
            started = time.monotonic()
            store.publish("s", outcome, NOTHING)
            said.send(("end", number, time.monotonic() - started))
            store.close()


def kill_while_publishing(run_dir: Path, processes, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    acknowledged, seconds, inside = 0, 0.0, 0
    for kill in range(kills + 1):
        hear, said = processes.Pipe(duplex=False)
        args = (run_dir, acknowledged + 1, said)
        worker = processes.Process(target=publish_until_killed, args=args)
        worker.start()
        said.close()
        news = [hear.recv()]
        assert news[0][:2] == ("begin", acknowledged + 1)
        if kill == 0:
            # How long one takes: the kills are spread over two and a half of them.
            news.append(hear.recv())
        else:
            time.sleep(chance.uniform(0, 2.5 * seconds))
        worker.kill()
        worker.join()
        with contextlib.suppress(EOFError):
            while hear.poll(0.05):
                news.append(hear.recv())
        hear.close()
        inside += news[-1][0] == "begin"
        ends = [one for one in news if one[0] == "end"]
        acknowledged = ends[-1][1] if ends else acknowledged
        seconds = ends[-1][2] if ends else seconds
        begun = news[-1][1]
        # Before anything mends: the name in the run folder opens with a whole state.
        plain = read_plainly(run_dir)
        assert {"image", "cells", "table"} <= {name for _, name, _ in plain.gen_elements()}
        store = RunStore.open(run_dir)
        sdata = read_plainly(run_dir)
        number = sdata.attrs.get("n", 0)
        assert number in (acknowledged, begun)
        if number:
            assert ("extra" in sdata.shapes) == bool(number % 2)
            assert (sdata["table"].obs["patched"] == number).all()
            assert (run_dir / "number.txt").read_text() == str(number)
            assert store.done()["s"].version == store.version() == store.run()["version"]
        assert sdata["image"].values.sum() == 7 * 3 * 64 * 64
        acknowledged = number
    assert inside > kills / 4
    assert acknowledged > kills / 8
    with RunStore.open(run_dir).locked():
        pass
    left = {path.name for path in (run_dir / ".versions").iterdir()}
    assert all(name.isdecimal() for name in left)
    assert not (run_dir / ".scratch").exists()


def test_killed_while_publishing_nothing_finished_is_lost(store: RunStore, processes) -> None:
    kill_while_publishing(store.run_dir, processes, kills=15, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_200_times_while_publishing(store: RunStore, processes) -> None:
    kill_while_publishing(store.run_dir, processes, kills=200, seed=2)


def publish_too_much(run_dir: Path, said: object) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    store = RunStore.open(run_dir)
    try:
        store.publish("fill", tiny_stages.run_fill(None, None), NOTHING)
    except OSError as error:
        said.send(error.errno)


def test_a_full_disk_leaves_the_sample_as_it_was(store: RunStore, processes) -> None:
    before = tree(store.run_dir)
    hear, said = processes.Pipe(duplex=False)
    worker = processes.Process(target=publish_too_much, args=(store.run_dir, said))
    worker.start()
    said.close()
    worker.join()
    assert hear.recv() in (errno.EFBIG, errno.ENOSPC)
    assert tree(store.run_dir) == before
    assert RunStore.open(store.run_dir).version() == 1


def try_as_guest(run_dir: Path, said: object) -> None:
    """Without the rights of root, who may write anywhere."""
    store = RunStore.open(run_dir)
    store.sdata()
    if os.getuid() == 0:
        os.setuid(65534)
    said.send(sorted(name for _, name, _ in store.sdata().gen_elements()))
    try:
        with store.locked():
            said.send("locked")
    except BadInputError as error:
        said.send(str(error))
    config = store.config()
    try:
        RunStore.create(run_dir / "sub", "x", config, "A", run_dir)
    except BadInputError as error:
        said.send(str(error))


def test_a_read_only_folder_can_be_read_but_not_run_in(
    tmp_path_factory: pytest.TempPathFactory, processes
) -> None:
    import tempfile

    # Not below pytest's own folder, which others may not enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = make_store(folder)
        store.publish("make", whole(), NOTHING)
        for path in (folder, *folder.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o555 if path.is_dir() else 0o444)
        hear, said = processes.Pipe(duplex=False)
        worker = processes.Process(target=try_as_guest, args=(store.run_dir, said))
        worker.start()
        said.close()
        worker.join()
        assert worker.exitcode == 0
        assert hear.recv() == ["cells", "image", "table"]
        for _ in range(2):
            sentence = hear.recv()
            assert "cannot be written to" in sentence
            assert str(store.run_dir) in sentence
        for path in (folder, *folder.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        store.close()
