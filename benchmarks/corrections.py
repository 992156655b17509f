"""Corrections on a sample of any size: new counts, and what an edit costs until it is durable.

    python benchmarks/corrections.py [--cells 12000] [--genes 18000] [--edits 200] [--no-overlap]
                                     [--entries 100000]

Makes a run folder without engines (`synthetic_run.py`) and prints one JSON object on its last line.
Times are CPU seconds of this process where the name says so: others may use the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
import synthetic_run
from display import Looked
from measuring import cpu_ms

from napari_vhd import keys
from napari_vhd.corrections import ledger
from napari_vhd.corrections.correction import Correction
from napari_vhd.corrections.ledger import row_of
from napari_vhd.corrections.outlines import Outlines
from napari_vhd.corrections.recount import Counter
from napari_vhd.session import Session
from napari_vhd.stages import aggregation, counting

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_vhd.io.store import RunStore

FULL_REPEATS = 3
LASSOS = 40
LABELS = "own labels"


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=12_000)
    parser.add_argument("--genes", type=int, default=18_000)
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--entries", type=int, default=100_000, help="of the large ledger")
    parser.add_argument("--no-overlap", action="store_true")
    parser.add_argument("--opening", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.opening:
        print(json.dumps(opening_figures(options.opening)))
        return
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        store = synthetic_run.make(
            Path(folder), options.cells, options.genes, no_overlap=options.no_overlap
        )
        print(f"made in {time.process_time() - started:.0f} s CPU")
        figures: dict[str, Any] = {"cells": options.cells, "genes": options.genes}
        figures |= counts_figures(store, options.edits)
        figures |= session_figures(store, options.edits)
        figures |= label_figures(store, options.edits)
        figures |= colored_figures(store, options.edits)
        figures |= ledger_figures(store, options.entries)
    figures["machine"] = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(json.dumps(figures))


def spread(values: list[float]) -> list[float]:
    """Median and 99th percentile."""
    return [round(float(np.percentile(values, share)), 3) for share in (50, 99)]


def counts_figures(store: RunStore, edits: int) -> dict[str, Any]:
    """Measure new counts of edited cells against counting all cells, in the same process."""
    sdata = store.sdata()
    path = store.version_dir(store.version()) / keys.STORE
    opened = time.process_time()
    counter = Counter.open(path)
    opened = time.process_time() - opened
    if counter is None:
        raise RuntimeError(f"{path}: has no counted cells")
    frame = sdata.shapes[keys.PROSEG]
    outlines = Outlines(keys.PROSEG, list(frame.index), frame.geometry.to_numpy())
    bare, whole, stage = full_count(sdata, counter)
    rng = np.random.default_rng(1)
    chosen = [str(cell) for cell in rng.choice(frame.index, edits)]
    first = [edited(counter, outlines, cell, 3.0) for cell in chosen]
    again = [edited(counter, outlines, cell, -2.0) for cell in chosen[-edits // 4 :]]
    return {
        "bins": counter.bins.n_bins,
        "no_overlap": counter.rule.no_overlap,
        "open_counter_cpu_s": round(opened, 2),
        "full_aggregation_cpu_ms": round(whole),
        "full_aggregation_without_table_cpu_ms": round(bare),
        "aggregation_stage_cpu_ms": round(stage),
        "new_counts_cpu_ms_p50_p99": spread(again),
        "new_counts_first_read_cpu_ms_p50_p99": spread(first),
        "times_faster": round(whole / spread(again)[0]),
        "times_faster_first_read": round(whole / spread(first)[0]),
        "times_faster_than_without_table": round(bare / spread(again)[0]),
        "times_faster_than_the_stage": round(stage / spread(again)[0]),
    }


def full_count(sdata: Any, counter: Counter) -> tuple[float, float, float]:
    """Ms of counting all cells.

    Returns
    -------
    tuple
        By the recorded rule and components: the sums alone, and the whole table. By the recorded
        rule as the stage does it, which with ``no_overlap`` looks for the components first.
    """
    bins = sdata.tables[keys.bin_table(2)]
    outlines = sdata.shapes[keys.PROSEG].geometry.to_numpy()
    ids = sdata.shapes[keys.PROSEG].index
    components = sdata.tables[keys.CELLS].varm.get(keys.AGGREGATION)
    expected = sdata.tables[keys.CELLS].X

    def count() -> None:
        grown = counting.grown(outlines, counter.rule.expansion_px)
        membership = counter.bins.grid.within(grown)
        if counter.rule.no_overlap:
            membership = counting.shared_out(membership, bins.X, ids, components).membership
        counts = membership @ bins.X
        if counts.sum() != expected.sum():
            raise RuntimeError("the full count is not that of the stage")

    def table(components: Any) -> None:
        aggregation.counted(sdata, synthetic_run.SAMPLE, counter.rule, components)

    every = (count, lambda: table(components), lambda: table(None))
    return tuple(min(cpu_ms(one) for _ in range(FULL_REPEATS)) for one in every)


def session_figures(store: RunStore, edits: int) -> dict[str, Any]:
    """Measure edits of outlines through a session: each durable and counted when it returns."""
    opened = time.process_time()
    with Session.open(store.run_dir, author="ab") as session:
        cells = session.outlines(keys.PROSEG).live_ids()
        opened = time.process_time() - opened
        rng = np.random.default_rng(2)

        session.card(keys.PROSEG, cells[0])  # from now on, counts are kept in step
        cpu, wall, card = [], [], []
        for cell in map(str, rng.choice(cells, edits)):
            started = time.perf_counter()
            cpu.append(cpu_ms(lambda cell=cell: session.expand([cell], 0.5)))
            wall.append(1e3 * (time.perf_counter() - started))
            card.append(cpu_ms(lambda cell=cell: session.card(keys.PROSEG, cell)))
    return {
        "open_session_cpu_s": round(opened, 2),
        "edit_to_durable_and_counted_cpu_ms_p50_p99": spread(cpu),
        "edit_to_durable_and_counted_wall_ms_p50_p99": spread(wall),
        "card_of_an_edited_cell_cpu_ms_p50_p99": spread(card),
    }


def label_figures(store: RunStore, edits: int) -> dict[str, Any]:
    """Measure relabelling through a session: durable, and the codes patched, when it returns."""
    with Session.open(store.run_dir, author="ab") as session:
        session.make_label_set(LABELS, ["good", "bad"])
        session.labels(keys.PROSEG, LABELS)
        cells = session.outlines(keys.PROSEG).live_ids()
        rng = np.random.default_rng(3)
        figures: dict[str, Any] = {}
        for name, many in (("relabel_one", 1), ("lasso_5000", 5000)):
            cpu, wall, undone = [], [], []
            for number in range(edits if many == 1 else LASSOS):
                start = int(rng.integers(0, max(len(cells) - many, 1)))
                chosen, value = cells[start : start + many], ("good", "bad")[number % 2]
                started = time.perf_counter()
                cpu.append(cpu_ms(lambda c=chosen, v=value: session.relabel(c, LABELS, v)))
                wall.append(1e3 * (time.perf_counter() - started))
                if number % 4 == 0:
                    undone.append(cpu_ms(session.undo))
            figures |= {
                f"{name}_cpu_ms_p50_p99": spread(cpu),
                f"{name}_wall_ms_p50_p99": spread(wall),
                f"undo_{name}_cpu_ms_p50_p99": spread(undone),
            }
    return figures


def colored_figures(store: RunStore, edits: int) -> dict[str, Any]:
    """Measure the same with a sample that is looked at, until its pixels and layers are patched.

    All that a window does after a click but for the drawing: the ledger, counts, codes, the layers
    of what the camera sees.
    """
    with Session.open(store.run_dir) as session:
        cells = session.outlines(keys.PROSEG).live_ids()
        middle = session.outlines(keys.PROSEG).centroids.mean(axis=0)
    looked = Looked(store.run_dir)
    looked.scene.color_by(LABELS, keys.PROSEG)
    session = looked.session
    session.card(keys.PROSEG, cells[0])  # from now on, counts are kept in step
    rng = np.random.default_rng(5)
    figures: dict[str, Any] = {}

    def measure(name: str, verb: Callable[[list[str], int], Any], many: int, times: int) -> None:
        cpu, wall = [], []
        for number in range(times):
            start = int(rng.integers(0, max(len(cells) - many, 1)))
            chosen = cells[start : start + many]
            outlines = session.outlines(keys.PROSEG)
            place = outlines.centroids[outlines.row_of(chosen[0])] if many == 1 else middle
            looked.go(place, 1.0 if many == 1 else 0.25)
            began = time.perf_counter()
            cpu.append(cpu_ms(lambda c=chosen, n=number: verb(c, n)))
            wall.append(1e3 * (time.perf_counter() - began))
        figures[f"{name}_cpu_ms_p50_p99"] = spread(cpu)
        figures[f"{name}_wall_ms_p50_p99"] = spread(wall)

    def relabel(chosen: list[str], number: int) -> Any:
        return session.relabel(chosen, LABELS, ("good", "bad")[number % 2])

    measure("edit_to_durable_counted_and_colored", lambda c, _: session.expand(c, 0.5), 1, edits)
    measure("relabel_one_to_colored", relabel, 1, edits)
    measure("lasso_5000_to_colored", relabel, 5000, LASSOS)
    looked.close()
    return figures


def ledger_figures(store: RunStore, number: int) -> dict[str, Any]:
    """Measure opening a ledger of many corrections, and undoing one of them."""
    path = store.run_dir / keys.LEDGER
    fill(store, number)
    # As a person opens it: in a new process.
    command = [sys.executable, __file__, "--opening", str(store.run_dir)]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    entries = ledger.read_entries(path)
    with Session.open(store.run_dir, author="ab") as session:
        session.labels(keys.PROSEG, LABELS)
        old = [entry.entry_id for entry in entries[-number :: max(number // 50, 1)]]
        reverts = [cpu_ms(lambda one=one: session.revert(one)) for one in old]
        undone = [cpu_ms(session.undo) for _ in range(50)]
        history = cpu_ms(session.history)
    return {
        "ledger_entries": len(entries),
        "ledger_mb": round(path.stat().st_size / 2**20, 1),
        **json.loads(told.strip().splitlines()[-1]),
        "undo_one_cpu_ms_p50_p99": spread(undone),
        "revert_an_old_one_cpu_ms_p50_p99": spread(reverts),
        "history_cpu_ms": round(history),
    }


def opening_figures(run: Path) -> dict[str, float]:
    """Measure reading a ledger, and opening its sample with a column of labels, imports apart."""
    import geopandas  # noqa: F401

    from napari_vhd.io.store import RunStore

    RunStore.get_ready()
    started = time.process_time()
    with Session.open(run, author="ab") as session:
        session.labels(keys.PROSEG, LABELS)
        opened = time.process_time() - started
    started = time.process_time()
    ledger.read_entries(run / keys.LEDGER)
    read = time.process_time() - started
    return {
        "read_ledger_cpu_s": round(read, 2),
        "open_ledger_and_labels_cpu_s": round(opened, 2),
    }


def fill(store: RunStore, number: int) -> None:
    """Write many corrections, as single clicks would have: labels, and one outline in fifty."""
    with Session.open(store.run_dir, author="ab") as session:
        session.labels(keys.PROSEG, LABELS)
        outlines = session.outlines(keys.PROSEG)
        cells = outlines.live_ids()
        epoch = session.editor.reviewed.segmentation(keys.PROSEG).epoch
        parents: tuple[str, ...] = session.editor.history.heads
        order = max(entry.order for entry in session.entries())
        rng = np.random.default_rng(4)
        rows = []
        for one in range(number):
            cell = cells[int(rng.integers(len(cells)))]
            made = Correction(
                *("relabel", keys.PROSEG, LABELS, (cell,), ("good",), (("good", "bad")[one % 2],))
            )
            if one % 50 == 0:
                shape = outlines.geometry(cell)
                drawn = {cell: shapely.to_wkb(shape.buffer(0.5))}
                made = Correction(
                    "redraw",
                    keys.PROSEG,
                    cell_ids=(cell,),
                    outlines_before={cell: shapely.to_wkb(shape)},
                    outlines_after=drawn,
                )
            entry_id = uuid.uuid4().hex
            order += 1
            rows.append((row_of(made, "ab", entry_id, parents, epoch, order), None))
            parents = (entry_id,)
        session.editor.merge(rows)


def edited(counter: Counter, outlines: Outlines, cell: str, by_px: float) -> float:
    """Ms of the new counts of a cell that was redrawn."""
    before = outlines.geometry(cell)
    row = outlines.put(cell, before.buffer(by_px))
    return cpu_ms(lambda: counter.recount(outlines, [row], [before]))


if __name__ == "__main__":
    main()
