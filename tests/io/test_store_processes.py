"""The run folder among real processes: side by side, killed, without room or rights.

From a server that has everything loaded, so that each starts in milliseconds.
"""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import random
import resource
import time
from pathlib import Path

import pytest
import tiny_stages
from stores import NOTHING, column, make_store, read_plainly, tree, whole

from napari_vhd.exceptions import BadInputError
from napari_vhd.io.store import RunStore
from napari_vhd.stages.stage import Outcome, TablePatch

# What the package loads only when it is used.
PRELOADED = ["spatialdata._io", "spatialdata.models", "anndata.io", "pytest", "napari_vhd.io.store"]


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
    kill_while_publishing(store.run_dir, processes, kills=12, seed=1)


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
