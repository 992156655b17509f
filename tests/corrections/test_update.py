"""What hangs on the counts of a cell alone follows an edit, at once or by an update."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import shapely
from run_copies import copy_run

from napari_vhd import Session, keys
from napari_vhd.config import RunConfig
from napari_vhd.corrections import exchange, ledger, report
from napari_vhd.corrections.quality import QUALITY
from napari_vhd.corrections.state import state_hash
from napari_vhd.exceptions import BadInputError
from napari_vhd.export.outlines import write_outlines
from napari_vhd.io.publishing import Provenance, quiet
from napari_vhd.io.store import RunStore
from napari_vhd.runner.recipe import recipe_of
from napari_vhd.stages import (
    aggregation,
    boundaries,
    celltypist,
    patches,
    pipeline,
    qc,
    read,
    region,
)
from napari_vhd.stages.stage import Sample

from .conftest import segment_again

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_vhd.stages.stage import Stage


@pytest.fixture
def session(reviewed_run: Path) -> Iterator[Session]:
    with Session.open(reviewed_run, author="ab") as session:
        yield session


def edit(session: Session) -> list[str]:
    """Grow, shrink, empty, merge and add cells; gives those that are there."""
    ids = session.outlines(keys.PROSEG).live_ids()
    grown = ids[3:73:10]
    session.expand(grown, 3.0)
    session.expand(ids[50], -1.0)
    x, y = session.outlines(keys.PROSEG).geometry(ids[90]).centroid.coords[0]
    session.redraw(ids[90], shapely.box(x - 4, y - 4, x + 4, y + 4))
    made = session.add(session.outlines(keys.PROSEG).geometry(ids[100]).buffer(4), keys.PROSEG)
    session.delete([ids[120]])
    return [*grown, ids[50], ids[90], *made]


def test_quality_numbers_follow_an_edit_as_the_stage_computes_them(
    session: Session, tmp_path: Path
) -> None:
    session.close()
    store = RunStore.open(session.run_dir)
    config = configured(store.run_dir, tmp_path, filter_genes_counts=20)
    run_stage(store, config, qc.STAGE)
    store.close()
    session.reload()
    before = session.sdata.tables[keys.CELLS]
    live = {name: session.numbers(keys.PROSEG, name) for name in QUALITY}
    cells = edit(session)
    table = session.cells
    var = before.var
    genes, mito = var[keys.KEPT].to_numpy(), var[qc.MITO].to_numpy()
    assert not genes.all()
    assert mito.any()
    wanted = qc.metrics(table, genes, mito)
    assert set(wanted) == QUALITY
    rows = session.outlines(keys.PROSEG).rows_of(list(table.obs_names))
    for name in QUALITY:
        pd.testing.assert_series_equal(table.obs[name], wanted[name], check_dtype=False)
        for numbers in (live[name], session.numbers(keys.PROSEG, name)):
            if len(numbers.values) > rows.max():
                np.testing.assert_array_equal(
                    numbers.values[rows], wanted[name].to_numpy(np.float32), name
                )
    others = [name for name in before.obs_names if name in table.obs_names and name not in cells]
    changed = (
        table.obs.loc[cells, "total_counts"].to_numpy()
        - before.obs["total_counts"].reindex(cells).fillna(0).to_numpy()
    )
    assert (changed != 0).all()
    pd.testing.assert_frame_equal(
        table.obs.loc[others, sorted(QUALITY)], before.obs.loc[others, sorted(QUALITY)]
    )
    for _ in range(5):
        session.undo()
    pd.testing.assert_frame_equal(
        session.cells.obs[sorted(QUALITY)], before.obs[sorted(QUALITY)], check_dtype=False
    )


# An update, against a run of the same stages with the corrected outlines


TYPE, KEPT = keys.TYPE_CELLTYPIST_PER_CELL, keys.KEPT


def _hush(*_said: object) -> None:
    """Say nothing."""


def run_stage(store: RunStore, config: RunConfig, stage: Stage) -> None:
    """Run a real stage in this process, and publish what it makes."""
    inputs = pipeline.inputs_of(config)[0]
    sample = Sample(
        id=store.sample_id,
        name="again",
        sdata=store.sdata(),
        outs=inputs.outs,
        image=Path(inputs.sample.fullres_image or ""),
        region=None,
        run_dir=store.run_dir,
        scratch=store.scratch(stage.name),
        reference=Path(config.paths.reference or ""),
        marker_genes=config.marker_genes,
        report=SimpleNamespace(progress=_hush, notice=_hush, log=_hush),
        executor=None,
    )
    with quiet():
        outcome = stage.run([sample], config.params.of(stage.parameters))[0]
        provenance = Provenance(recipe_of(stage, inputs).to_dict())
        store.publish(stage.name, outcome, provenance)


def configured(run: Path, folder: Path, **params: object) -> RunConfig:
    """The settings of the run, with a reference that lacks some genes of the sample."""
    import anndata

    data = RunStore.open(run).config().to_dict()
    smaller = folder / "reference.h5ad"
    if not smaller.exists():
        reference = anndata.read_h5ad(data["paths"]["reference"])
        reference[::3, np.arange(reference.n_vars) % 7 > 0].copy().write_h5ad(smaller)
    data["paths"]["reference"] = str(smaller)
    # No gene is left out that comes in with an edit.
    data["params"] |= {"filter_genes_counts": 0}
    data["params"] |= {"clustering_col": keys.REGION_KEY, "pct_mito": 7.0} | params
    return RunConfig.from_dict(data)


@pytest.fixture(scope="module")
def typed_run(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose cells CellTypist has really typed; treat it as read-only."""
    pytest.importorskip("celltypist")
    folder = tmp_path_factory.mktemp("typed")
    run = copy_run(finished_run, folder / finished_run.name)
    store = RunStore.open(run)
    config = configured(run, folder)
    for stage in (qc.STAGE, celltypist.STAGE):
        run_stage(store, config, stage)
    store.close()
    return run


@pytest.fixture
def typed(typed_run: Path, tmp_path: Path) -> Iterator[Session]:
    """A session on a copy of that run."""
    run = copy_run(typed_run, tmp_path / typed_run.name)
    with Session.open(run, author="ab") as session:
        yield session


def hashed_anew(session: Session) -> str:
    """Hash of the sample as it is rebuilt from what was computed and the ledger."""
    with report.replayed_from(session.run_dir) as reviewed:
        return state_hash(reviewed)


def shown(session: Session, column: str, cells: list[str]) -> list[str | None]:
    labels = session.labels(keys.PROSEG, column)
    rows = session.outlines(keys.PROSEG).rows_of(cells)
    return [None if c < 0 else labels.names[c] for c in labels.codes[rows].tolist()]


def out_of_date(session: Session, cells: list[str]) -> set[str]:
    told = {what for cell in cells for what in session.card(keys.PROSEG, cell).stale}
    listed = session.stale().cells
    assert told == {what for cell in cells for what in listed.get(cell, ())}
    return told


@pytest.mark.tools
def test_an_update_gives_what_a_run_with_the_corrected_outlines_gives(
    typed: Session, typed_run: Path, tmp_path: Path
) -> None:
    cells = edit(typed)
    assert {"qc", "own type"} <= out_of_date(typed, cells)
    computed = typed.cells
    updated = typed.update()
    assert updated.cells == len(cells)
    assert not {"qc", "own type"} & out_of_date(typed, cells)
    assert "scores" in typed.stale().counts
    assert "outlines corrected.zarr" in updated.sentence
    live = typed.cells
    assert live.obs[keys.reviewed_by(TYPE)].isin(["", "ab"]).all()
    pd.testing.assert_frame_equal(live.obs[[TYPE, KEPT]], computed.obs[[TYPE, KEPT]])
    assert hashed_anew(typed) == typed.state_hash()

    with report.replayed_from(typed.run_dir) as reviewed:
        told = list(write_outlines(reviewed, tmp_path / "corrected.zarr"))
    config = configured(typed_run, typed_run.parent, boundaries=str(tmp_path / "corrected.zarr"))
    inputs = pipeline.inputs_of(config)[0]
    image = Path(inputs.sample.fullres_image or "")
    again = RunStore.create(tmp_path, "again", config, inputs.sample.id, inputs.outs, image)
    stages = (read, region, patches, boundaries, aggregation, qc, celltypist)
    for stage in stages:
        run_stage(again, config, stage.STAGE)
    table = again.sdata()[keys.CELLS]
    again.close()
    assert told[-1] == str(tmp_path / "corrected.zarr")
    assert set(table.obs_names) == set(live.obs_names) == set(typed.boundaries().index)
    table = table[live.obs_names]
    assert (table.X != live.X).nnz == 0
    assert not table.var[keys.CELLTYPIST_GENES].all()
    np.testing.assert_array_equal(table.var[KEPT], live.var[KEPT])
    numbers = sorted(QUALITY)
    pd.testing.assert_frame_equal(table.obs[numbers], live.obs[numbers], check_dtype=False)
    kept = shown(typed, KEPT, list(live.obs_names))
    assert [name == "kept" for name in kept] == table.obs[KEPT].tolist()
    assert kept != ["kept" if one else "dropped" for one in computed.obs[KEPT]]
    wanted = table.obs[TYPE].astype(object)
    assert shown(typed, TYPE, list(live.obs_names)) == wanted.where(wanted.notna(), None).tolist()
    mine = typed.numbers(keys.PROSEG, keys.CONFIDENCE_CELLTYPIST).values
    np.testing.assert_allclose(
        mine[typed.outlines(keys.PROSEG).rows_of(list(live.obs_names))],
        table.obs[keys.CONFIDENCE_CELLTYPIST],
        rtol=1e-5,
    )
    assert shown(typed, TYPE, cells) != [
        None if pd.isna(one) else one for one in computed.obs.loc[cells, TYPE]
    ]
    # What was said by hand comes along; the outlines are as they were corrected.
    typed.relabel(cells[0], TYPE, "Tumor")
    outlines = typed.boundaries().geometry
    ledger.create(again.run_dir / keys.LEDGER)
    exchange.merge_ledgers(again.run_dir / keys.LEDGER, typed.run_dir / keys.LEDGER)
    with Session.open(again.run_dir) as merged:
        assert shown(merged, TYPE, cells[:1]) == ["Tumor"]
        found = merged.boundaries().geometry
        assert set(found.index) == set(outlines.index)
        assert found.loc[outlines.index].geom_equals_exact(outlines, 0).all()


@pytest.mark.tools
def test_an_update_is_undone_and_told_again_after_another_edit(typed: Session) -> None:
    cells = edit(typed)[:2]
    before = shown(typed, TYPE, cells)
    history = len(typed.history())
    assert typed.update().entry is not None
    assert len(typed.history()) == history + 1
    assert typed.history().iloc[-1]["kind"] == "update"
    assert typed.update().entry is None
    assert not {"qc", "own type"} & out_of_date(typed, cells)
    after = shown(typed, TYPE, cells)
    typed.undo()
    assert shown(typed, TYPE, cells) == before
    assert {"qc", "own type"} <= out_of_date(typed, cells)
    assert hashed_anew(typed) == typed.state_hash()
    typed.redo()
    assert shown(typed, TYPE, cells) == after
    typed.expand(cells[0], 2.0)
    assert {"qc", "own type"} <= out_of_date(typed, cells[:1])
    assert not {"qc", "own type"} & out_of_date(typed, cells[1:])
    typed.undo()
    # The counts are again those that the update was made from.
    assert not {"qc", "own type"} & out_of_date(typed, cells)
    # The edits are taken back, the update is not: it is of other counts.
    for entry in typed.entries():
        if entry.correction.kind == "redraw" and typed.editor.history.active(entry.entry_id):
            typed.revert(entry.entry_id)
    assert {"qc", "own type"} <= out_of_date(typed, cells)
    typed.update()
    assert shown(typed, TYPE, cells) == before
    assert not out_of_date(typed, cells[:1]) & {"qc", "own type"}


@pytest.mark.tools
def test_what_a_person_gave_goes_before_an_update_in_whichever_order(
    typed: Session, tmp_path: Path
) -> None:
    first, *others = edit(typed)
    # One that quality control keeps, and so has a type.
    typed.update()
    labels = dict(zip(others, shown(typed, TYPE, others), strict=True))
    second = next(cell for cell, name in labels.items() if name is not None)
    typed.undo()
    apart = copy_run(typed.run_dir, tmp_path / "apart")
    typed.relabel(first, TYPE, "Unsure")
    with Session.open(apart, author="cd") as other:
        other.relabel(second, TYPE, "Unsure")
    typed.update()
    own = shown(typed, TYPE, [second])
    assert shown(typed, TYPE, [first]) == ["Unsure"]
    exchange.merge_ledgers(typed.run_dir / keys.LEDGER, apart / keys.LEDGER)
    typed.poll()
    assert shown(typed, TYPE, [first, second]) == ["Unsure", "Unsure"]
    by = typed.cells.obs[keys.reviewed_by(TYPE)]
    assert by[[first, second]].tolist() == ["ab", "cd"]
    assert typed.conflicts().empty
    exchange.merge_ledgers(apart / keys.LEDGER, typed.run_dir / keys.LEDGER)
    with report.replayed_from(apart) as reviewed:
        assert state_hash(reviewed) == typed.state_hash()
    relabelled = [e for e in typed.entries() if e.correction.kind == "relabel"]
    typed.revert(next(e.entry_id for e in relabelled if e.author == "cd"))
    assert shown(typed, TYPE, [second]) == own
    # Renamed types are renamed in what is brought up to date, too.
    name = own[0]
    typed.rename_category(TYPE, name, "Renamed")
    typed.expand(second, 0.2)
    typed.update()
    assert name not in shown(typed, TYPE, list(typed.outlines(keys.PROSEG).live_ids()))


@pytest.mark.tools
def test_an_update_survives_another_segmentation(typed: Session) -> None:
    first, *_ = edit(typed)
    typed.update()
    given = shown(typed, TYPE, [first])
    typed.close()
    segment_again(typed.run_dir, {typed.outlines(keys.PROSEG).live_ids()[120]})
    typed.reload()
    assert shown(typed, TYPE, [f"x{first[1:]}"]) == given
    assert "update" not in set(typed.unmatched()["kind"])
    # As drawn, wherever the cells around it are: the same counts.
    assert not {"qc", "own type"} & out_of_date(typed, [f"x{first[1:]}"])
    assert hashed_anew(typed) == typed.state_hash()


def test_a_new_run_says_where_it_counts_otherwise(session: Session, tmp_path: Path) -> None:
    session.close()
    store = RunStore.open(session.run_dir)
    config = configured(store.run_dir, tmp_path, expand_radius_ratio=0.3, no_overlap=True)
    run_stage(store, config, aggregation.STAGE)
    store.close()
    session.reload()
    session.expand(session.outlines(keys.PROSEG).live_ids()[3], 3.0)
    with report.replayed_from(session.run_dir) as reviewed:
        told = " ".join(write_outlines(reviewed, tmp_path / "corrected.zarr"))
    assert "cells grow by" in told
    assert "shared out anew" in told


def test_what_cannot_be_worked_out_is_one_sentence(session: Session) -> None:
    edit(session)
    updated = session.update()
    assert updated.done == ("qc",)
    assert "celltypist_model.pkl is not in the run folder" in updated.sentence
    assert "Qc of 10 cells brought up to date." in updated.sentence
    assert session.stale().counts["own type"] == 10
    session.author = ""
    with pytest.raises(BadInputError, match="Nobody is named"):
        session.update()


def test_filters_that_look_at_all_cells_are_left_and_said(session: Session) -> None:
    edit(session)
    settings = session.editor.reviewed.source.settings
    settings.qc = dataclasses.replace(settings.qc, min_cells_island=3)
    updated = session.update()
    assert updated.entry is None
    assert "hangs on all cells here" in updated.sentence
    assert "qc" in session.stale().counts
