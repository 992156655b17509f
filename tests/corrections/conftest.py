"""A desk to correct at: the session's verbs on a shared sample, with a ledger of one test alone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from run_copies import copy_run

from napari_vhd import Session, keys
from napari_vhd.corrections import ledger
from napari_vhd.corrections.editor import Editor
from napari_vhd.corrections.label_verbs import LabelVerbs
from napari_vhd.corrections.opened import Opened
from napari_vhd.corrections.outline_verbs import OutlineVerbs
from napari_vhd.corrections.readings import Readings
from napari_vhd.corrections.region_verbs import RegionVerbs
from napari_vhd.corrections.settle_verbs import SettleVerbs
from napari_vhd.io.publishing import Provenance, quiet
from napari_vhd.io.source import open_source
from napari_vhd.io.store import RunStore
from napari_vhd.stages.stage import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Desk(Readings, LabelVerbs, OutlineVerbs, RegionVerbs, SettleVerbs):
    """What a session does with corrections, on any source and any ledger file."""

    def __init__(self, opened: Opened, path: Path, author: str) -> None:
        self.told: list = []
        self._editor = Editor(
            opened, ledger.Ledger.open(path), tell=lambda *news: self.told.append(news)
        )
        self._editor.author = author

    @property
    def editor(self) -> Editor:
        return self._editor

    @property
    def radius_um(self) -> float:
        return 50.0

    def known_types(self) -> tuple[str, ...]:
        return self.editor.reviewed.source.known_types


@pytest.fixture(scope="session")
def opened(finished_run: Path) -> Iterator[Opened]:
    """The shared sample; never changed."""
    source = open_source(finished_run)
    yield Opened(source, ("qc", "domains", "enrichment"))
    source.close()


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """An empty ledger."""
    path = tmp_path / "ledger.sqlite"
    ledger.create(path)
    return path


@pytest.fixture
def desk_at(opened: Opened):
    """A factory of desks at a ledger file; all are closed at the end."""
    desks: list[Desk] = []

    def make(path: Path, author: str = "ab") -> Desk:
        desks.append(Desk(opened, path, author))
        return desks[-1]

    yield make
    for desk in desks:
        desk.editor.close()


@pytest.fixture
def desk(desk_at, book: Path) -> Desk:
    return desk_at(book)


def segment_again(run: Path, gone: set[str], moved: float = 0.7) -> None:
    """Publish another segmentation: outlines moved a little, other ids, some cells gone."""
    store = RunStore.open(run)
    with quiet():
        shapes = store.sdata()[keys.PROSEG].copy()
        shapes = shapes[~shapes.index.isin(gone)]
        shapes["geometry"] = shapes.geometry.translate(moved, 0)
        shapes.index = [f"x{name[1:]}" for name in shapes.index[::-1]][::-1]
        store.publish("proseg", Outcome(elements={keys.PROSEG: shapes}), Provenance())
    store.close()


@pytest.fixture
def rerun(reviewed_run: Path) -> Callable[..., None]:
    """Segments the sample of the test again; see `segment_again`."""
    return partial(segment_again, reviewed_run)


@pytest.fixture(scope="session")
def lost_run(
    finished_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, tuple[str, str, str]]:
    """A run segmented again, and three cells that it has lost; treat it as read-only.

    Two were labelled with a third, as one correction; one was redrawn.
    """
    run = tmp_path_factory.mktemp("lost") / finished_run.name
    copy_run(finished_run, run)
    with Session.open(run, author="ab") as session:
        ids = session.outlines(keys.PROSEG).live_ids()
        first, second, drawn, found = ids[0], ids[40], ids[80], ids[120]
        session.relabel([first, second, found], keys.TYPE_DOMAIN, "Unsure", note="before")
        session.expand(drawn, 0.5)
    segment_again(run, {first, second, drawn})
    return run, (first, second, drawn)
