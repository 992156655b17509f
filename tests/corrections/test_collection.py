"""A sample is out of the garbage collector's way while it is open, and let go of when closed."""

from __future__ import annotations

import gc
import weakref

from napari_vhd import Session, keys
from napari_vhd.corrections.collection import look_through


class Ring:
    """Holds itself: only the collector finds it."""

    def __init__(self) -> None:
        self.own = self


def test_garbage_is_found_before_more_is_set_aside_and_when_looked_for(reviewed_run):
    with Session.open(reviewed_run, author="ab") as session:
        session.labels(keys.PROSEG, keys.TYPE_DOMAIN)
        gone, kept = Ring(), Ring()
        seen, still = weakref.ref(gone), weakref.ref(kept)
        del gone
        session.labels(keys.PROSEG, keys.domains(5))
        assert seen() is None
        # It was there when the column was read.
        del kept
        gc.collect()
        assert still() is not None
        look_through()
        assert still() is None
        assert gc.get_freeze_count() > 0
    look_through()
    assert gc.get_freeze_count() == 0


def test_the_collector_passes_over_an_open_sample_alone(reviewed_run):
    gc.unfreeze()
    with Session.open(reviewed_run, author="ab") as session:
        outlines = session.outlines(keys.PROSEG)
        session.labels(keys.PROSEG, keys.TYPE_DOMAIN)
        assert gc.get_freeze_count() > outlines.n_rows
        held = weakref.ref(session.editor.reviewed)
        session.reload()
        session.outlines(keys.PROSEG)
        gc.collect()
        assert held() is None
        held = weakref.ref(session.editor.reviewed)
    assert gc.get_freeze_count() == 0
    del outlines
    gc.collect()
    assert held() is None
