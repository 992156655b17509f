"""A sample in a viewer without a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from napari.components import ViewerModel

from napari_vhd.layers import Scene, metadata
from napari_vhd.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def session(reviewed_run: Path) -> Iterator[Session]:
    """An open sample of about 240 cells, for one test alone."""
    opened = Session.open(reviewed_run, author="ab")
    yield opened
    opened.close()


@pytest.fixture
def scene(session: Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """The sample's layers in napari's model of a viewer; everything happens at once.

    What napari-spatialdata's widgets would read is left out, as of a large sample.
    """
    monkeypatch.setattr(metadata, "MOST_CELLS", 0)
    viewer = ViewerModel()
    made = Scene(viewer, session)
    # A Scene does not keep its viewer alive.
    made.kept_by_the_test = viewer
    yield made
    made.close()
