"""A desk to correct at: the session's verbs on a shared sample, with a ledger of one test alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_vhd.corrections import ledger
from napari_vhd.corrections.editor import Editor
from napari_vhd.corrections.label_verbs import LabelVerbs
from napari_vhd.corrections.opened import Opened
from napari_vhd.corrections.outline_verbs import OutlineVerbs
from napari_vhd.corrections.readings import Readings
from napari_vhd.corrections.region_verbs import RegionVerbs
from napari_vhd.io.source import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Desk(Readings, LabelVerbs, OutlineVerbs, RegionVerbs):
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
