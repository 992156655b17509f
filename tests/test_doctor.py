"""What the doctor finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_vhd import doctor
from napari_vhd.config import RunConfig
from napari_vhd.runner import failures

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def memory(simulated: Path) -> dict[str, doctor.Finding]:
    findings = doctor.examine(config=RunConfig.from_yaml(simulated / "config.yaml"))
    return {one.what: one for one in findings if one.what.startswith("Memory for")}


def test_free_memory_is_held_against_what_the_sample_needs(
    simulated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enough = memory(simulated)
    assert set(enough) == {f"Memory for {s}, demo" for s in ("proseg", "flashdeconv", "rctd")}
    assert {one.status for one in enough.values()} == {"ok"}
    monkeypatch.setattr(failures, "free_memory", lambda: 100 * 2**20)
    scarce = memory(simulated)
    assert {one.status for one in scarce.values()} == {"missing"}
    assert "smaller region" in scarce["Memory for rctd, demo"].mend
    assert "stardist" in scarce["Memory for proseg, demo"].mend


def test_the_disk_is_that_of_the_run_folders(simulated: Path) -> None:
    findings = doctor.examine(config=RunConfig.from_yaml(simulated / "config.yaml"))
    (disk,) = (one for one in findings if one.what == "Disk")
    assert disk.detail.endswith(str(simulated))
