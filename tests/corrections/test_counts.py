"""Counts follow an edit, an undo and a reopening where every bin is in one cell only, too."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from run_copies import copy_run

from napari_vhd import Session, keys
from napari_vhd.exceptions import BadInputError
from napari_vhd.io.publishing import Provenance, quiet
from napari_vhd.io.store import RunStore
from napari_vhd.parameters import AggregationParameters
from napari_vhd.stages import aggregation, counting


@pytest.fixture
def shared_run(finished_run, tmp_path, make_sample) -> Any:
    """A run folder whose cells overlap, counted with `no_overlap`."""
    run_dir = tmp_path / "shared"
    copy_run(finished_run, run_dir)
    store = RunStore.open(run_dir)
    with quiet():
        sample = make_sample(store.sdata(), id=store.sample_id)
        parameters = AggregationParameters(no_overlap=True, expand_radius_ratio=0.6)
        store.publish("aggregation", aggregation.STAGE.run([sample], parameters)[0], Provenance())
    store.close()
    return run_dir


def counted_whole(session: Session) -> Any:
    """Counts of all cells by the recorded rule, from nothing."""
    bins, table = session.sdata[keys.bin_table(2)], session.sdata[keys.CELLS]
    rule = counting.Rule.of(table)
    frame = session.boundaries()
    grown = counting.grown(frame.geometry.to_numpy(), rule.expansion_px)
    inside = counting.bins_within(grown, bins.obsm[keys.SPATIAL])
    components = table.varm[keys.AGGREGATION]
    shares = counting.shared_out(inside, bins.X, list(frame.index), components)
    return list(frame.index), shares.membership @ bins.X


def check(session: Session) -> None:
    ids, expected = counted_whole(session)
    assert (expected.astype(np.float32) != session.cells[ids].X).nnz == 0


def test_counts_follow_where_bins_are_shared(shared_run):
    chance = random.Random(1)
    with Session.open(shared_run, author="ab") as session:
        check(session)
        before = session.state_hash()
        done = 0
        while done < 8:
            cells = session.outlines(keys.PROSEG).live_ids()
            try:
                if chance.random() < 0.5:
                    session.expand(chance.sample(cells, 2), chance.uniform(-1, 2))
                else:
                    session.delete(chance.choice(cells))
                done += 1
            except BadInputError:
                continue
            if done % 4 == 0:
                check(session)
        edited = session.state_hash()
    with Session.open(shared_run, author="ab") as session:
        assert session.state_hash() == edited
        check(session)
        for _ in range(8):
            session.undo()
            if chance.random() < 0.3:
                check(session)
        assert session.state_hash() == before
        assert (session.cells.X != session.sdata[keys.CELLS].X).nnz == 0
