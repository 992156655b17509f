"""``napari-vhd corrections update`` and ``outlines``: what they do, say and refuse."""

from __future__ import annotations

import pytest

from napari_vhd import Session, keys
from napari_vhd.io import segmented


@pytest.fixture
def edited(reviewed_run):
    with Session.open(reviewed_run, author="ab") as session:
        ids = session.outlines(keys.PROSEG).live_ids()
        session.expand(ids[:2], 1.0)
        session.merge(ids[10:12])
    return reviewed_run


def test_update_is_one_correction_of_who_asked_and_names_the_commands_for_the_rest(
    edited, call_corrections
):
    code, out, _ = call_corrections(edited, "update", "--author", "cd")
    assert code == 0
    assert out.startswith("Qc of 3 cells brought up to date. ")
    assert f"corrections {edited} outlines corrected.zarr" in out
    assert len(out.splitlines()) == 1
    with Session.open(edited) as session:
        last = session.history().iloc[-1]
        assert (last["author"], last["kind"], len(last["cell_ids"])) == ("cd", "update", 3)
        assert set(last["after"]) <= {"kept", "dropped"}
    listed = call_corrections(edited, "list")[1].splitlines()
    assert "cd  update" in listed[-1]
    code, out, _ = call_corrections(edited, "update", "--author", "cd")
    assert code == 0
    assert "brought up to date" not in out


def test_outlines_are_those_of_the_corrected_cells_and_read_as_boundaries(
    edited, call_corrections, tmp_path
):
    target = tmp_path / "corrected.zarr"
    code, out, _ = call_corrections(edited, "outlines", target)
    assert (code, out.splitlines()[-1]) == (0, str(target))
    with Session.open(edited) as session:
        for name in session.segmentations():
            wanted = session.boundaries(name)
            found = segmented.read_boundaries(target, session.sample_id, name)
            assert list(found.index) == list(wanted.index)
            assert found.geometry.geom_equals_exact(wanted.geometry, 0).all()
        assert "grow by" not in out


def test_what_is_wrong_is_one_sentence(edited, call_corrections, tmp_path):
    (tmp_path / "there.zarr").mkdir()
    before = sorted(path.name for path in tmp_path.iterdir())
    for arguments, why in (
        ((edited, "outlines"), "OTHER is given"),
        ((edited, "update", tmp_path), "OTHER is given"),
        ((edited, "update"), "Nobody is named"),
        ((tmp_path, "update", "--author", "cd"), "run.json"),
        ((edited, "outlines", tmp_path / "there.zarr"), "is there already"),
        ((edited, "outlines", tmp_path / "corrected.parquet"), "….zarr"),
        ((edited, "outlines", tmp_path / "none" / "corrected.zarr"), "corrected.zarr"),
    ):
        code, out, err = call_corrections(*arguments)
        assert (code, out) == (2, "")
        assert why in err
        assert len(err.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before
