"""A sample is out of the garbage collector's way while it is open, and let go of when closed."""

from __future__ import annotations

import gc
import weakref

from napari_vhd import Session, keys


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
